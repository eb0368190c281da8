//! Change tracking: all rows of a table with a link to later changes, and the rows that changed or were deleted since then.
//!
//! Rows come in the order of their versions, deleted ones last. All pages of a response show changes up to the version of the
//! first page, which is also that of the delta link on the last one: so no change is missed, however long a client takes.

use std::{collections::BTreeMap, ops::Bound};

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};
use uuid::Uuid;

use super::{
    context::Context,
    list::{Start, applied, refuse_conditions, with_option},
    options::Options,
    query::LIMIT,
    render,
    shape::Shape,
};
use crate::{
    definitions::TableRef,
    error::ODataError,
    message::{ApiResponse, Content},
    organisation::{Organisation, Row},
};

/// A token is valid for seven days, as documented.
const LIFETIME_IN_MS: u64 = 7 * 24 * 60 * 60 * 1000;

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[month]/[day]/[year] [hour]:[minute]:[second]");

/// The point in time after which changes are asked for: a version of the organisation, and when that was.
#[derive(Clone, Copy)]
struct Token {
    version: u64,
    /// In milliseconds since 1970.
    issued: u64,
}

/// Order of changes: whether the row was deleted, then its version and id.
type Key = (bool, u64, Uuid);

/// Changed rows, and `None` for deleted ones.
type Changes<'a> = BTreeMap<Key, Option<&'a Row>>;

/// Whether a request for a set tracks changes: by its preference, or by the link of an earlier response, with which the preference need
/// not be sent.
pub(super) fn is_asked(context: &Context<'_>, options: &Options) -> bool {
    context.preferences.track_changes
        || options.delta_token.is_some()
        || options.skip_token.as_deref().is_some_and(Start::tracks)
}

/// Responds to a request that tracks changes.
pub(super) fn get(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
) -> Result<ApiResponse, ODataError> {
    check(context, table, options)?;
    if options.count.is_some() {
        return Err(ODataError::NotEmulated("$count while tracking changes".to_owned()));
    }
    let shape = Shape::parse(options, context, table)?;
    let since = since(organisation, options)?;
    let start = options.skip_token.as_deref().map(|token| Start::parse(token, Page::LENGTH)).transpose()?;
    let page = if let Some(start) = &start {
        Page::read(&start.after, organisation)?
    } else {
        let until = Token { version: organisation.last_version(), issued: organisation.now() };
        Page { until, after: None }
    };
    let changes = changes(organisation, table, since, page.until.version)?;
    let size = context.preferences.page_size.unwrap_or(LIMIT).min(LIMIT);
    let mut rest = changes.range((page.after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
    let shown: Vec<_> = rest.by_ref().take(size).collect();
    let next = rest.next().and(shown.last()).map(|(key, _)| Page { until: page.until, after: Some(**key) });

    let mut body = Map::new();
    let of = shape.context_url(context, &table.set);
    let of = if since.is_some() { format!("{of}/$delta") } else { of };
    body.insert("@odata.context".to_owned(), of.into());
    if next.is_none() {
        let link = with_option(context, &table.set, "$deltatoken", &page.until.text());
        body.insert("@odata.deltaLink".to_owned(), link.into());
    }
    let values = shown.into_iter().map(|(key, row)| match row {
        Some(row) => Value::Object(render::row(organisation, context, table, key.2, row, &shape)),
        None => json!({
            "@odata.context": format!("{}/$metadata#{}/$deletedEntity", context.root, table.set),
            "id": key.2,
            "reason": "deleted",
        }),
    });
    body.insert("value".to_owned(), values.collect());
    if let Some(next) = next {
        let start = Start { page: start.map_or(2, |start| start.page + 1), after: next.values() };
        body.insert("@odata.nextLink".to_owned(), start.link(context, &table.set, true).into());
    }
    Ok(applied(ApiResponse::json(200, body.into()), context.preferences.applied_to_set()))
}

/// `/$count?$deltatoken=…`: the number of changes as text.
pub(super) fn count(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
) -> Result<ApiResponse, ODataError> {
    check(context, table, options)?;
    let count = changes(organisation, table, since(organisation, options)?, organisation.last_version())?.len();
    let body = Some(Content::Text("text/plain", count.to_string()));
    Ok(ApiResponse { status: 200, body, ..ApiResponse::default() })
}

fn check(context: &Context<'_>, table: &TableRef, options: &Options) -> Result<(), ODataError> {
    refuse_conditions(context)?;
    if !context.conditions.tracks_changes(table) {
        return Err(ODataError::ChangeTrackingOff { table: table.clone() });
    }
    // Documented for the preference. Guess: with a token, too.
    for (option, value) in [
        ("$filter", &options.filter),
        ("$orderby", &options.order_by),
        ("$expand", &options.expand),
        ("$top", &options.top),
    ] {
        if value.is_some() {
            return Err(ODataError::NotWithChangeTracking { option });
        }
    }
    Ok(())
}

/// The version of the token in the request.
fn since(organisation: &Organisation, options: &Options) -> Result<Option<u64>, ODataError> {
    let Some(text) = &options.delta_token else { return Ok(None) };
    let token = Token::read(text).filter(|token| token.version <= organisation.last_version());
    let token = token.ok_or_else(|| ODataError::NotEmulated("a $deltatoken that it has not issued".to_owned()))?;
    if organisation.now().saturating_sub(token.issued) > LIFETIME_IN_MS {
        return Err(ODataError::DeltaTokenExpired);
    }
    Ok(Some(token.version))
}

/// The changes after one version, up to another. Without the first, all rows are new.
fn changes<'a>(
    organisation: &'a Organisation,
    table: &TableRef,
    since: Option<u64>,
    until: u64,
) -> Result<Changes<'a>, ODataError> {
    let is_between = |version: u64| since.is_none_or(|since| version > since) && version <= until;
    let rows = organisation.rows(&table.logical_name).filter(|(_, row)| is_between(row.version()));
    let mut changes: Changes<'a> = rows.map(|(id, row)| ((false, row.version(), id), Some(row))).collect();
    if let Some(since) = since {
        let removed = organisation.removed_since(since).ok_or(ODataError::DeltaTokenExpired)?;
        // A row that exists again is not deleted. One that was deleted twice is so once.
        let is_gone = |id| organisation.row(&table.logical_name, id).is_none();
        let removed = removed.filter(|removed| {
            removed.table == table.logical_name && is_between(removed.version) && is_gone(removed.id)
        });
        let latest: BTreeMap<_, _> = removed.map(|removed| (removed.id, removed.version)).collect();
        changes.extend(latest.into_iter().map(|(id, version)| ((true, version, id), None)));
    }
    Ok(changes)
}

impl Token {
    /// `<version>!<time>`
    fn read(text: &str) -> Option<Self> {
        let (version, time) = text.split_once('!')?;
        let time = PrimitiveDateTime::parse(time, TIME).ok()?.assume_utc().unix_timestamp();
        Some(Self { version: version.parse().ok()?, issued: u64::try_from(time).ok()?.checked_mul(1000)? })
    }

    fn text(&self) -> String {
        let seconds = i64::try_from(self.issued / 1000).unwrap_or_default();
        let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        format!("{}!{}", self.version, time.format(TIME).unwrap_or_default())
    }
}

/// A page of one response.
struct Page {
    until: Token,
    /// The last change of the page before.
    after: Option<Key>,
}

impl Page {
    /// Number of values in the token of a page.
    const LENGTH: usize = 5;

    fn read(values: &[Value], organisation: &Organisation) -> Result<Self, ODataError> {
        let read = || {
            let number = |index: usize| values.get(index)?.as_u64();
            let until = Token { version: number(0)?, issued: number(1)? };
            let id = Uuid::try_parse(values.get(4)?.as_str()?).ok()?;
            let after = (values.get(2)?.as_bool()?, number(3)?, id);
            (until.version <= organisation.last_version()).then_some(Self { until, after: Some(after) })
        };
        read().ok_or_else(|| ODataError::NotEmulated("a $skiptoken that it has not issued for this query".to_owned()))
    }

    fn values(&self) -> Vec<Value> {
        let (is_deleted, version, id) = self.after.unwrap_or_default();
        vec![self.until.version.into(), self.until.issued.into(), is_deleted.into(), version.into(), json!(id)]
    }
}
