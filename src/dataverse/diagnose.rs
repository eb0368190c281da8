//! Diagnosis of an environment: one check for each thing that links depend on, skipped if a check that it needs has failed. It
//! only reads, with the same token, retries and headers as links.

mod caller;
mod checks;
mod network;
mod table;

use std::sync::Arc;

use self::{
    caller::{CLOCK_SKEW, LATENCY, LIMITS, PRIVILEGES, TOKEN, WHO_AM_I, WhoAmIResponse},
    checks::Checks,
    network::TLS,
    table::{CONCURRENCY, NAVIGATION, TABLE},
};
use super::context::{RequestContext, Shared};
use crate::{
    domain::{Call, Report},
    error::{LinkError, StoreName},
    http::NetworkService,
};

/// Makes all checks.
pub(super) async fn diagnose(
    shared: Arc<Shared>,
    network: Option<Arc<NetworkService>>,
    call: Arc<Call>,
) -> Result<Report, LinkError> {
    let context = RequestContext { shared: &shared, call: &call };
    let mut checks = Checks::new(&shared.clock);
    let is_reachable = network::check(&mut checks, network.as_deref(), shared.environment.as_url()).await;
    let token = checks.run(&TOKEN, caller::token(context)).await;
    check_as_caller(&mut checks, context, is_reachable, token.is_some()).await;
    Ok(checks.report.finish(StoreName::Dataverse, shared.environment.to_string()))
}

/// Makes the checks that need a response of the server.
async fn check_as_caller(checks: &mut Checks<'_>, context: RequestContext<'_>, is_reachable: bool, has_token: bool) {
    let mut response: Option<WhoAmIResponse> = None;
    let mut user = None;
    match (is_reachable, has_token) {
        (true, true) => user = checks.run(&WHO_AM_I, caller::who_am_i(context, &mut response)).await,
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
    checks.run(&LATENCY, caller::latency(context)).await;
    if let Some(checks_versions) = checks.run(&TABLE, table::table(context)).await {
        let mode = context.shared.concurrency;
        checks.report.check(&CONCURRENCY, || table::concurrency(checks_versions, mode));
        checks.run(&NAVIGATION, table::navigation(context)).await;
    } else {
        checks.report.skip_after(&TABLE, &[&CONCURRENCY, &NAVIGATION]);
    }
    checks.run(&PRIVILEGES, caller::privileges(context, user)).await;
    checks.report.check(&LIMITS, || Ok(((), caller::limits(&response.headers))));
}
