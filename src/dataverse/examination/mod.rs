//! The examination of an environment: one look per thing that links rest on, each only if what it rests on is in order. It
//! reads and nothing else, through the same token, retries and headers as links do.

mod caller;
mod tables;
mod way;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use self::caller::Trip;
use super::{
    Shared, answer,
    exchange::Exchange,
    fault,
    request::{self, Sender},
};
use crate::{
    clock::SharedClock,
    domain::{Call, Check, CheckName, Finding, Report, StoreName},
    error::{Code, LinkError},
    http::{HttpRequest, HttpResponse, ReqwestService},
    json,
};

/// How long one look may take. Longer than a connection may take to come about, so that a fault is told in its own words.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a look saw, and what later looks need of it.
type Seen<T> = Result<(T, Finding), LinkError>;

/// Looks at everything.
pub(super) async fn examine(
    shared: Arc<Shared>,
    inspector: Option<Arc<ReqwestService>>,
    call: Arc<Call>,
) -> Result<Report, LinkError> {
    let asker = Asker { shared: &shared, call: &call };
    let mut notes = Notes { clock: &shared.clock, checks: Vec::new() };
    let is_reachable = way::look(&mut notes, inspector.as_deref(), shared.environment.as_url()).await;
    let token = notes.look(CheckName::Token, caller::token(asker)).await;
    examine_as_caller(&mut notes, asker, is_reachable, token.is_some()).await;
    Ok(Report { store: StoreName::Dataverse, target: shared.environment.to_string(), checks: notes.checks })
}

/// Looks at all that takes a caller.
async fn examine_as_caller(notes: &mut Notes<'_>, asker: Asker<'_>, is_reachable: bool, has_token: bool) {
    use CheckName::{ClockSkew, Concurrency, Latency, Limits, Navigation, Privileges, Table, Tls, Token, WhoAmI};

    let mut trip: Option<Trip> = None;
    let user = match (is_reachable, has_token) {
        (true, true) => notes.look(WhoAmI, caller::who_am_i(asker, &mut trip)).await,
        (false, _) => notes.rests_on(&[WhoAmI], Tls),
        (_, false) => notes.rests_on(&[WhoAmI], Token),
    };
    match &trip {
        Some(trip) => notes.look(ClockSkew, std::future::ready(caller::clock_skew(trip))).await,
        None => notes.skip(ClockSkew, "The server gave no answer to read the time from."),
    };
    let Some(user) = user else {
        notes.rests_on::<()>(&[Latency, Table, Concurrency, Navigation, Privileges, Limits], WhoAmI);
        return;
    };
    notes.look(Latency, caller::latency(asker)).await;
    let checks_versions = notes.look(Table, tables::table(asker)).await;
    if let Some(checks_versions) = checks_versions {
        let mode = asker.shared.concurrency;
        notes.look(Concurrency, std::future::ready(tables::concurrency(checks_versions, mode))).await;
        notes.look(Navigation, tables::navigation(asker)).await;
    } else {
        notes.rests_on::<()>(&[Concurrency, Navigation], Table);
    }
    notes.look(Privileges, caller::privileges(asker, user)).await;
    if let Some(trip) = &trip {
        notes.look(Limits, std::future::ready(Ok(((), caller::limits(&trip.headers))))).await;
    }
}

/// The report as it grows.
struct Notes<'a> {
    clock: &'a SharedClock,
    checks: Vec<Check>,
}

impl Notes<'_> {
    /// Looks, for as long as there is patience, and notes what came of it. What was seen is returned if it is in order.
    async fn look<T>(&mut self, name: CheckName, look: impl Future<Output = Seen<T>>) -> Option<T> {
        let begun = self.clock.now();
        let seen = tokio::select! {
            biased;
            seen = look => seen,
            () = self.clock.sleep(PATIENCE) => Err(impatient()),
        };
        let (seen, finding) = match seen {
            Ok((seen, finding)) => (Some(seen), finding),
            Err(fault) => (None, fault.into()),
        };
        let duration = self.clock.now().saturating_duration_since(begun);
        self.checks.push(Check { name, finding, duration });
        seen
    }

    fn skip<T>(&mut self, name: CheckName, why: &str) -> Option<T> {
        self.checks.push(Check { name, finding: Finding::Skipped(why.to_owned()), duration: Duration::ZERO });
        None
    }

    fn rests_on<T>(&mut self, names: &[CheckName], failed: CheckName) -> Option<T> {
        for name in names {
            self.skip::<()>(*name, &format!("It rests on `{}`, which is not in order.", failed.as_str()));
        }
        None
    }
}

fn impatient() -> LinkError {
    LinkError::new(Code::Timeout, format!("There was no answer within {} ms.", PATIENCE.as_millis()))
        .hint("Look for what is slow: a firewall that drops packets looks like this, and so does a server in trouble.")
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
        let limit = self.shared.clock.now() + PATIENCE;
        request.deadline = Some(request.deadline.map_or(limit, |deadline| deadline.min(limit)));
        self.shared.http.call(request).await.map_err(fault::unreachable)
    }

    fn sender(&self) -> Sender<'_> {
        Exchange::new(self.shared, self.call).sender()
    }
}

fn parsed<T: DeserializeOwned>(answer: HttpResponse) -> Result<T, LinkError> {
    let answer = answer::success(answer)?;
    serde_json::from_str(&json::text(&answer.body))
        .map_err(|error| fault::protocol(&answer, &format!("the answer is not what the Web API documents: {error}")))
}

/// The value of a header, if it is one word of the kind that limits and ids are made of.
fn word<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b",.-".contains(&byte);
    let mut values = headers.get_all(name).into_iter().filter_map(|value| Some(value.to_str().ok()?.trim()));
    values.find(|value| (1..=40).contains(&value.len()) && value.bytes().all(is_part))
}
