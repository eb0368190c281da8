//! Reading conversations. Cached rows are not used, because a reader expects the current state.

use std::time::SystemTime;

use url::Url;

use super::{
    context::RequestContext,
    environment::EnvironmentUrl,
    error, request,
    response::{self, LiveWorkItem, Row},
    tables::{conversation, table},
};
use crate::{
    domain::{
        ConversationDetails, ConversationId, ConversationPage, ConversationQuery, Order, Property,
        conversation_not_found,
    },
    error::{Code, LinkError},
    http::HttpResponse,
};

/// Reads the row that decisions are based on.
pub(super) async fn row(context: RequestContext<'_>, id: ConversationId) -> Result<Row, LinkError> {
    let response = context.send(&mut request::get_row(context, id)?).await?;
    response::row(&found(response, id)?, id)
}

/// Reads a conversation for display, and caches its row for the next link.
pub(super) async fn conversation(
    context: RequestContext<'_>,
    id: ConversationId,
) -> Result<ConversationDetails, LinkError> {
    let asked = context.shared.clock.now();
    let response = context.send(&mut request::get_row_with_names(context, id)?).await?;
    let (row, details) = response::row_and_details(&found(response, id)?, id)?;
    context.remember_read(row, asked);
    Ok(details)
}

fn found(response: HttpResponse, id: ConversationId) -> Result<HttpResponse, LinkError> {
    if error::is_row_not_found(&response) { Err(conversation_not_found(id)) } else { response::success(response) }
}

/// Reads a page of conversations: the first one, or the one that a link leads to.
pub(super) async fn page(
    context: RequestContext<'_>,
    query: &ConversationQuery,
    next: Option<&str>,
) -> Result<ConversationPage, LinkError> {
    let environment = &context.shared.environment;
    let url = match next {
        None => environment.conversations(&filtered(query)),
        Some(next) => follow(environment, environment.as_url(), next)?,
    };
    let mut request = request::get_with_names(context, &url, Some(query.page_size))?;
    let response = response::success(context.send(&mut request).await?)?;
    let (conversations, next_link) = response::parse(&response, "a page of conversations", |set| {
        let rows: Vec<LiveWorkItem<'_>> = set.required("value")?;
        let mut conversations = Vec::with_capacity(rows.len());
        for (item, number) in rows.iter().zip(1..) {
            let conversation = item.conversation().map_err(|why| format!("row {number}: {why}"))?;
            // The server compares ids only, and an account may have the id of a contact.
            if query.linked.is_none_or(|record| conversation.linked(record.entity.slot()) == Some(record)) {
                conversations.push(item.details(conversation));
            }
        }
        Ok((conversations, set.optional::<String>("@odata.nextLink")?))
    })?;
    let next = next_link.map(|link| follow(environment, &url, &link)).transpose()?;
    if next.as_ref() == Some(&url) {
        return Err(error::protocol(&response, "its link to the next page leads to the same page"));
    }
    Ok(ConversationPage { conversations, next: next.map(Into::into) })
}

/// URL of the next page. The request carries the token, so a link must lead to the conversations of the same environment.
fn follow(environment: &EnvironmentUrl, page: &Url, link: &str) -> Result<Url, LinkError> {
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
    format!("{}{filter}&$orderby={}", request::SELECT_DETAILS, order.join(","))
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
