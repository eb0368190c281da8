//! Making checks with a time limit, and the requests that they need.

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::{
    clock::SharedClock,
    dataverse::{
        context::RequestContext,
        error, request,
        response::{self},
    },
    domain::{CheckKind, CheckResult, ReportBuilder},
    error::{Code, LinkError},
    http::HttpResponse,
    json,
};

/// Longest duration of one check. Longer than the timeout of a connection, so that its error is reported rather than this limit.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// The report, and the time limit of its checks.
pub(super) struct Checks<'a> {
    pub(super) report: ReportBuilder,
    clock: &'a SharedClock,
}

impl<'a> Checks<'a> {
    pub(super) fn new(clock: &'a SharedClock) -> Self {
        Self { report: ReportBuilder::new(Arc::clone(clock)), clock }
    }

    /// Makes a check, which fails with `TIMEOUT` after [`CHECK_TIMEOUT`].
    pub(super) async fn run<T>(&mut self, kind: &CheckKind, check: impl Future<Output = CheckResult<T>>) -> Option<T> {
        let timed = async {
            tokio::select! {
                biased;
                result = check => result,
                () = self.clock.sleep(CHECK_TIMEOUT) => Err(timed_out()),
            }
        };
        self.report.check_async(kind, timed).await
    }
}

fn timed_out() -> LinkError {
    LinkError::new(Code::Timeout, format!("There was no response within {} ms.", CHECK_TIMEOUT.as_millis()))
        .hint("Often a firewall that drops packets, or an overloaded server.")
}

/// The response to a GET, whatever its status.
pub(super) async fn get(
    context: RequestContext<'_>,
    path: &str,
    query: Option<&str>,
) -> Result<HttpResponse, LinkError> {
    let mut request = request::get(context, &context.shared.environment.api(path, query))?;
    let limit = context.shared.clock.now() + CHECK_TIMEOUT;
    request.deadline = Some(request.deadline.map_or(limit, |deadline| deadline.min(limit)));
    context.send(&mut request).await
}

pub(super) async fn get_json<T: DeserializeOwned>(
    context: RequestContext<'_>,
    path: &str,
    query: Option<&str>,
) -> Result<T, LinkError> {
    parse(get(context, path, query).await?)
}

pub(super) fn parse<T: DeserializeOwned>(response: HttpResponse) -> Result<T, LinkError> {
    let response = response::success(response)?;
    serde_json::from_str(&json::text(&response.body)).map_err(|error| {
        error::protocol(&response, &format!("the response is not in the form that the Web API documents: {error}"))
    })
}

/// Value of a header, if it is a single word as limits and ids are. Anything else is not shown.
pub(super) fn word<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b",.-".contains(&byte);
    let mut values = headers.get_all(name).into_iter().filter_map(|value| Some(value.to_str().ok()?.trim()));
    values.find(|value| (1..=40).contains(&value.len()) && value.bytes().all(is_part))
}
