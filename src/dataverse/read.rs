//! Reading conversations with what people want to see of them. Nothing here decides, and nothing rests on what was remembered.

use std::time::SystemTime;

use url::Url;

use super::{
    answer::{self, LiveWorkItem},
    environment::EnvironmentUrl,
    exchange::Exchange,
    fault, request,
    tables::{conversation, table},
};
use crate::{
    domain::{
        ConversationDetails, ConversationId, ConversationPage, ConversationQuery, Order, Property,
        conversation_not_found,
    },
    error::{Code, LinkError},
    json::{self, Object},
};

/// Reads one, and remembers its row for the next link.
pub(super) async fn conversation(
    exchange: &Exchange<'_>,
    id: ConversationId,
) -> Result<ConversationDetails, LinkError> {
    let environment = &exchange.shared.environment;
    let request = request::look(environment.conversation(id, request::DETAILS), exchange.sender(), None);
    let asked = exchange.shared.clock.now();
    let answer = exchange.send(request).await.map_err(fault::unreachable)?;
    if fault::is_row_not_found(&answer) {
        return Err(conversation_not_found(id));
    }
    let answer = answer::success(answer)?;
    let (row, details) = answer::item(&answer, id)?;
    exchange.remember_read(row, asked);
    Ok(details)
}

/// Reads a page.
pub(super) async fn page(
    exchange: &Exchange<'_>,
    query: &ConversationQuery,
    next: Option<&str>,
) -> Result<ConversationPage, LinkError> {
    let environment = &exchange.shared.environment;
    let url = match next {
        None => environment.conversations(&filtered(query)),
        Some(next) => followed(environment, environment.as_url(), next)?,
    };
    let request = request::look(url.clone(), exchange.sender(), Some(query.page_size));
    let answer = answer::success(exchange.send(request).await.map_err(fault::unreachable)?)?;
    let not_a_set =
        |why: String| fault::protocol(&answer, &format!("the response is not a page of conversations: {why}"));
    let text = json::text(&answer.body);
    let set = Object::parse(&text).map_err(|error| not_a_set(error.to_string()))?;
    let rows: Vec<LiveWorkItem<'_>> = set.required("value").map_err(not_a_set)?;
    let next_link: Option<String> = set.optional("@odata.nextLink").map_err(not_a_set)?;
    let mut conversations = Vec::with_capacity(rows.len());
    for (index, item) in rows.iter().enumerate() {
        let conversation = item.conversation().map_err(|why| not_a_set(format!("row {}: {why}", index + 1)))?;
        // An id alone does not tell an account from a contact.
        let fits = query.linked.is_none_or(|record| conversation.linked(record.entity.slot()) == Some(record));
        if fits {
            conversations.push(item.details(conversation));
        }
    }
    let next = next_link.map(|link| followed(environment, &url, &link)).transpose()?;
    if next.as_ref() == Some(&url) {
        return Err(not_a_set("its link to the next one leads back to itself".to_owned()));
    }
    Ok(ConversationPage { conversations, next: next.map(Into::into) })
}

/// The URL of the next page. The token goes along, so a link is followed to the environment's own conversations and nowhere else.
fn followed(environment: &EnvironmentUrl, page: &Url, link: &str) -> Result<Url, LinkError> {
    let url = page.join(link).ok().filter(|url| !link.is_empty() && environment.has_conversations_at(url));
    let mut url = url.ok_or_else(|| {
        let message = "The link to the next page does not lead to the environment's conversations.";
        LinkError::new(Code::Protocol, message)
    })?;
    url.set_fragment(None);
    Ok(url)
}

fn filtered(query: &ConversationQuery) -> String {
    let mut filters = Vec::new();
    if let Some(record) = query.linked {
        filters.push(format!("{} eq {}", table(record.entity).lookup, record.id));
    }
    if let Some(agent) = query.agent {
        filters.push(format!("{} eq {agent}", conversation::AGENT));
    }
    if !query.statuses.is_empty() {
        let any: Vec<_> =
            query.statuses.iter().map(|status| format!("{} eq {}", conversation::STATUS, status.code())).collect();
        filters.push(format!("({})", any.join(" or ")));
    }
    if let Some(until) = query.created_until {
        filters.push(format!("{} le {}", conversation::CREATED_ON, written(until)));
    }
    let filter = if filters.is_empty() { String::new() } else { format!("&$filter={}", filters.join(" and ")) };
    let mut order: Vec<_> = query.order.iter().copied().map(ordered).collect();
    order.push(conversation::ID.to_owned());
    format!("{}{filter}&$orderby={}", request::DETAILS, order.join(","))
}

fn ordered(Order { by, descending }: Order) -> String {
    let column = match by {
        Property::CreatedOn => conversation::CREATED_ON,
        Property::Status => conversation::STATUS,
        Property::Subject => conversation::SUBJECT,
    };
    if descending { format!("{column} desc") } else { column.to_owned() }
}

fn written(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
