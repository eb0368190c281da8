//! Diagnosis of an environment: one check for each thing that links depend on, skipped if a check that it needs has failed. It
//! only reads, with the same token, retries and headers as links.

mod caller;
mod network;
mod table;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use self::{
    caller::{CLOCK_SKEW, LATENCY, LIMITS, PRIVILEGES, TOKEN, WHO_AM_I, WhoAmIResponse},
    network::TLS,
    table::{CONCURRENCY, NAVIGATION, TABLE},
};
use super::{
    Shared, answer,
    exchange::Exchange,
    fault,
    request::{self, Sender},
};
use crate::{
    clock::Clock,
    domain::{Call, CheckKind, CheckResult, Report, ReportBuilder},
    error::{Code, LinkError, StoreName},
    http::{HttpRequest, HttpResponse, ReqwestService},
    json,
};

/// Longest duration of one check. Longer than the timeout of a connection, so that its error is reported rather than this limit.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// Makes all checks.
pub(super) async fn diagnose(
    shared: Arc<Shared>,
    network: Option<Arc<ReqwestService>>,
    call: Arc<Call>,
) -> Result<Report, LinkError> {
    let asker = Asker { shared: &shared, call: &call };
    let mut checks = Checks { report: ReportBuilder::new(Arc::clone(&shared.clock)), clock: &*shared.clock };
    let is_reachable = network::check(&mut checks, network.as_deref(), shared.environment.as_url()).await;
    let token = checks.run(&TOKEN, caller::token(asker)).await;
    check_as_caller(&mut checks, asker, is_reachable, token.is_some()).await;
    Ok(checks.report.finish(StoreName::Dataverse, shared.environment.to_string()))
}

/// Makes the checks that need a response of the server.
async fn check_as_caller(checks: &mut Checks<'_>, asker: Asker<'_>, is_reachable: bool, has_token: bool) {
    let mut response: Option<WhoAmIResponse> = None;
    let mut user = None;
    match (is_reachable, has_token) {
        (true, true) => user = checks.run(&WHO_AM_I, caller::who_am_i(asker, &mut response)).await,
        (false, _) => checks.report.skip_after(&TLS, &[&WHO_AM_I]),
        (_, false) => checks.report.skip_after(&TOKEN, &[&WHO_AM_I]),
    }
    match &response {
        Some(response) => drop(checks.report.check(&CLOCK_SKEW, || caller::clock_skew(response))),
        None => checks.report.skip(&[&CLOCK_SKEW], "There was no response to read the server's time from."),
    }
    let (Some(user), Some(response)) = (user, response) else {
        let kinds = [&LATENCY, &TABLE, &CONCURRENCY, &NAVIGATION, &PRIVILEGES, &LIMITS];
        return checks.report.skip_after(&WHO_AM_I, &kinds);
    };
    checks.run(&LATENCY, caller::latency(asker)).await;
    if let Some(checks_versions) = checks.run(&TABLE, table::table(asker)).await {
        let mode = asker.shared.concurrency;
        checks.report.check(&CONCURRENCY, || table::concurrency(checks_versions, mode));
        checks.run(&NAVIGATION, table::navigation(asker)).await;
    } else {
        checks.report.skip_after(&TABLE, &[&CONCURRENCY, &NAVIGATION]);
    }
    checks.run(&PRIVILEGES, caller::privileges(asker, user)).await;
    checks.report.check(&LIMITS, || Ok(((), caller::limits(&response.headers))));
}

/// The report, and the time limit of its checks.
struct Checks<'a> {
    report: ReportBuilder,
    clock: &'a dyn Clock,
}

impl Checks<'_> {
    /// Makes a check, which fails with `TIMEOUT` after [`CHECK_TIMEOUT`].
    async fn run<T>(&mut self, kind: &CheckKind, check: impl Future<Output = CheckResult<T>>) -> Option<T> {
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

/// Asks as links do.
#[derive(Clone, Copy)]
struct Asker<'a> {
    shared: &'a Shared,
    call: &'a Call,
}

impl Asker<'_> {
    /// The answer to a GET, whatever its status.
    async fn ask(self, path: &str, query: Option<&str>) -> Result<HttpResponse, LinkError> {
        let url = self.shared.environment.api(path, query);
        self.send(request::plain(Method::GET, url, self.sender())).await
    }

    /// The JSON that a GET is answered with.
    async fn read<T: DeserializeOwned>(self, path: &str, query: Option<&str>) -> Result<T, LinkError> {
        parsed(self.ask(path, query).await?)
    }

    async fn send(self, mut request: HttpRequest) -> Result<HttpResponse, LinkError> {
        let limit = self.shared.clock.now() + CHECK_TIMEOUT;
        request.deadline = Some(request.deadline.map_or(limit, |deadline| deadline.min(limit)));
        self.shared.http.call(request).await.map_err(fault::unreachable)
    }

    fn sender(&self) -> Sender<'_> {
        Exchange::new(self.shared, self.call).sender()
    }
}

fn parsed<T: DeserializeOwned>(answer: HttpResponse) -> Result<T, LinkError> {
    let answer = answer::success(answer)?;
    serde_json::from_str(&json::text(&answer.body)).map_err(|error| {
        fault::protocol(&answer, &format!("the response is not in the form that the Web API documents: {error}"))
    })
}

/// Value of a header, if it is a single word as limits and ids are. Anything else is not shown.
fn word<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b",.-".contains(&byte);
    let mut values = headers.get_all(name).into_iter().filter_map(|value| Some(value.to_str().ok()?.trim()));
    values.find(|value| (1..=40).contains(&value.len()) && value.bytes().all(is_part))
}
