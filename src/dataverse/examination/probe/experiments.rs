//! One question after the other, each by a write or two.

use std::mem;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{CONTENT_TYPE, ETAG},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{EXPERIMENTS, Stop};
use crate::{
    dataverse::{
        answer::{self, Row},
        examination::{Asker, Notes},
        exchange::Exchange,
        fault,
        request::{self, names},
        version::Version,
    },
    domain::{
        CheckName, ConversationId,
        EntityLogicalName::{self, Account, Contact},
        Finding, RecordId, RecordReference, Status,
    },
    error::{Code, LinkError},
    http::{HttpRequest, HttpResponse, ReqwestService},
};

const AUTO_DISASSOCIATE: HeaderName = HeaderName::from_static("autodisassociate");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What restoring has to know, at every moment.
pub(super) struct State {
    pub(super) id: ConversationId,
    /// Before the probe.
    pub(super) original: Row,
    /// As the probe saw it last.
    pub(super) last: Row,
    pub(super) account: RecordReference,
    pub(super) contact: RecordReference,
    /// Whether a write is under way, or ended without an answer: it may still take effect.
    pub(super) in_doubt: bool,
}

impl State {
    /// Whether the row holds nothing but what was there before or what the probe puts there.
    pub(super) fn explains(&self, row: &Row) -> bool {
        let customer = row.conversation.customer;
        let known = [None, self.original.conversation.customer, Some(self.account), Some(self.contact)];
        known.contains(&customer) && row.conversation.case == self.original.conversation.case
    }
}

pub(super) struct Experiments<'a> {
    asker: Asker<'a>,
    state: State,
    /// A version that is older than the row's.
    old: Option<Version>,
    /// Whether the versions in answers to writes are the row's: only then do they tell of other writers.
    answers_are_current: bool,
}

/// What came of a write.
struct Outcome {
    answer: HttpResponse,
    before: Row,
    /// Whether the version in the answer was the one read afterwards, if there was one.
    is_current: Option<bool>,
}

impl<'a> Experiments<'a> {
    /// Finds what is needed, without writing.
    pub(super) async fn prepare(asker: Asker<'a>, id: ConversationId) -> Result<(Self, Finding), LinkError> {
        let original = Exchange::new(asker.shared, asker.call).row(id).await?;
        let account = any(asker, Account, "accountid").await?;
        let contact = any(asker, Contact, "contactid").await?;
        let found = format!("It is {}, and {}.", original.conversation.status, holds(original.conversation.customer));
        let last = original.clone();
        let state = State { id, original, last, account, contact, in_doubt: false };
        Ok((Self { asker, state, old: None, answers_are_current: false }, Finding::Passed(found)))
    }

    pub(super) fn into_state(self) -> State {
        self.state
    }

    /// Asks everything, until something stands in the way.
    pub(super) async fn run(&mut self, notes: &mut Notes<'_>, inspector: Option<&ReqwestService>) {
        for name in &EXPERIMENTS[1..] {
            let begun = notes.clock.now();
            let outcome = match name {
                CheckName::ProbeHttpVersion => Ok(self.http_version(inspector).await),
                CheckName::ProbeInactive => self.inactive().await,
                CheckName::ProbeRepresentation => self.representation().await,
                CheckName::ProbeNoOpWrite => self.no_op_write().await,
                CheckName::ProbeEtagOn204 => self.etag_on_204().await,
                CheckName::ProbeStaleVersion => self.stale_version().await,
                CheckName::ProbeRefPutStale => self.stale_reference(Method::PUT).await,
                CheckName::ProbeRefDeleteStale => self.stale_reference(Method::DELETE).await,
                CheckName::ProbeWrongTypeNull => self.wrong_type_null().await,
                CheckName::ProbeBothBinds => self.both_binds().await,
                CheckName::ProbeBindNull => self.bind_null(false).await,
                CheckName::ProbeBindNullAutoDisassociate => self.bind_null(true).await,
                _ => self.wrong_type_bind().await,
            };
            let is_over = outcome.is_err();
            let (Ok(finding) | Err(Stop(finding))) = outcome;
            notes.note_since(*name, finding, begun);
            if is_over {
                return;
            }
        }
    }

    async fn http_version(&self, inspector: Option<&ReqwestService>) -> Finding {
        let Some(inspector) = inspector else {
            return Finding::Skipped("This store was made without a way to look at the network.".into());
        };
        match inspector.inspect(self.asker.shared.environment.as_url()).await.version {
            Ok(version) => Finding::Passed(format!("{version:?}.")),
            Err(error) => Finding::Skipped(format!("{error}.")),
        }
    }

    /// The first write: it puts there what is there already, so if it is refused, nothing has happened.
    async fn inactive(&mut self) -> Result<Finding, Stop> {
        let outcome = self.rewrite().await?;
        let status = self.state.original.conversation.status;
        if !outcome.answer.status.is_success() {
            let refusal = format!("A write on a conversation that is {status}: {}", said(&outcome.answer));
            return Err(Stop(Finding::Passed(refusal)));
        }
        self.answers_are_current = outcome.is_current == Some(true);
        Ok(match status {
            Status::ACTIVE => Finding::Skipped("The conversation is active, which says nothing of the others.".into()),
            status => Finding::Passed(format!("A write on a conversation that is {status}: {}", said(&outcome.answer))),
        })
    }

    async fn representation(&mut self) -> Result<Finding, Stop> {
        // Another writer may have come in between the first time.
        let is_current = if self.answers_are_current { Some(true) } else { self.rewrite().await?.is_current };
        self.answers_are_current = is_current == Some(true);
        Ok(match is_current {
            Some(true) => Finding::Passed("The version in the answer to a write was that of the row when it was read.".into()),
            None => Finding::Passed("The answer to a write does not show the row, so links read it: one round trip more.".into()),
            Some(false) => Finding::Failed {
                found: "Twice, the version in the answer to a write was not that of the row when it was read.".into(),
                fix: "Look for a plug-in or flow that changes conversations whenever they are changed; probe one that nobody works on."
                    .into(),
                code: Code::Conflict,
            },
        })
    }

    async fn no_op_write(&mut self) -> Result<Finding, Stop> {
        let outcome = self.rewrite().await?;
        let is_new = outcome.before.etag != self.state.last.etag;
        Ok(Finding::Passed(if is_new { "It makes a new version.".into() } else { "The version stays.".into() }))
    }

    async fn etag_on_204(&mut self) -> Result<Finding, Stop> {
        let current = self.state.last.conversation.customer;
        let request = self.patch(&self.body(current), false);
        let outcome = self.attempt(request).await?;
        let tells = if outcome.answer.headers.contains_key(ETAG) { "With" } else { "Without" };
        Ok(Finding::Passed(format!("{} {tells} an ETag.", said(&outcome.answer))))
    }

    async fn stale_version(&mut self) -> Result<Finding, Stop> {
        let old = self.state.last.etag.clone();
        let violated = |found: String| {
            Finding::Failed {
            found,
            fix: "Do not link here while others write: neither `concurrency` setting can protect them. Please report this.".into(),
            code: Code::InvalidConfiguration,
        }
        };
        self.establish(Some(self.other())).await?;
        if self.state.last.etag == old {
            return Err(Stop(violated("A change made no new version of the row.".into())));
        }
        let mut request = self.patch(&self.body(Some(self.other())), true);
        condition(&mut request, &old);
        self.old = Some(old);
        let outcome = self.attempt(request).await?;
        let told = said(&outcome.answer);
        Ok(if outcome.answer.status == StatusCode::PRECONDITION_FAILED {
            Finding::Passed(told)
        } else {
            violated(format!("A write on an old version was not refused as such. {told}"))
        })
    }

    async fn stale_reference(&mut self, method: Method) -> Result<Finding, Stop> {
        let Some(old) = self.old.clone() else { return Ok(Finding::Skipped("There is no old version to try.".into())) };
        let (current, other) = (self.state.last.conversation.customer.unwrap_or(self.state.account), self.other());
        let (is_put, entity) = if method == Method::PUT { (true, other.entity) } else { (false, current.entity) };
        let path = format!("msdyn_ocliveworkitems({})/{}/$ref", self.state.id, names(entity).0);
        let environment = &self.asker.shared.environment;
        let mut request = request::plain(method, environment.api(&path, None), self.asker.sender());
        if is_put {
            let target = environment.api(&format!("{}({})", names(other.entity).1, other.id), None);
            request.body = Bytes::from(json!({ "@odata.id": target.as_str() }).to_string());
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        condition(&mut request, &old);
        self.told(request).await
    }

    async fn wrong_type_null(&mut self) -> Result<Finding, Stop> {
        self.establish(Some(self.state.account)).await?;
        let body = Map::from_iter([(names(Contact).0.to_owned(), Value::Null)]);
        self.told(self.patch(&body, true)).await
    }

    async fn both_binds(&mut self) -> Result<Finding, Stop> {
        self.establish(None).await?;
        let mut body = self.body(Some(self.state.account));
        body.extend(self.body(Some(self.state.contact)));
        self.told(self.patch(&body, true)).await
    }

    async fn bind_null(&mut self, with_header: bool) -> Result<Finding, Stop> {
        self.establish(Some(self.state.account)).await?;
        let body = Map::from_iter([(bind(Account), Value::Null)]);
        let mut request = self.patch(&body, true);
        if with_header {
            request.headers.insert(AUTO_DISASSOCIATE, HeaderValue::from_static("true"));
        }
        self.told(request).await
    }

    async fn wrong_type_bind(&mut self) -> Result<Finding, Stop> {
        self.establish(Some(self.state.account)).await?;
        let body = Map::from_iter([(bind(Account), path(self.state.contact).into())]);
        self.told(self.patch(&body, true)).await
    }

    /// Of the account and the contact, one that is not linked now.
    fn other(&self) -> RecordReference {
        let State { account, contact, last, .. } = &self.state;
        if last.conversation.customer == Some(*account) { *contact } else { *account }
    }

    /// Writes what is there already.
    async fn rewrite(&mut self) -> Result<Outcome, Stop> {
        let current = self.state.last.conversation.customer;
        let request = self.patch(&self.body(current), true);
        self.attempt(request).await
    }

    /// Has the slot hold this, for the next question.
    async fn establish(&mut self, customer: Option<RecordReference>) -> Result<(), Stop> {
        if self.state.last.conversation.customer == customer {
            return Ok(());
        }
        let request = self.patch(&self.body(customer), true);
        let outcome = self.attempt(request).await?;
        if self.state.last.conversation.customer == customer {
            return Ok(());
        }
        let why = format!("What the question needs could not be linked. {}", said(&outcome.answer));
        Err(Stop(Finding::Skipped(why)))
    }

    /// What was answered, and what the slot then held.
    async fn told(&mut self, request: HttpRequest) -> Result<Finding, Stop> {
        let outcome = self.attempt(request).await?;
        let (before, after) = (outcome.before.conversation.customer, self.state.last.conversation.customer);
        let then = if before == after { "still" } else { "then" };
        Ok(Finding::Passed(format!("{} The conversation {then} {}.", said(&outcome.answer), holds(after))))
    }

    /// Sends a write, and reads the row.
    async fn attempt(&mut self, request: HttpRequest) -> Result<Outcome, Stop> {
        self.state.in_doubt = true;
        let answer = self.asker.send(request).await?;
        let now = Exchange::new(self.asker.shared, self.asker.call).row(self.state.id).await?;
        let status = answer.status;
        // A gateway may have given up on a server that did not; what the server itself says of its failure is an answer.
        if matches!(status.as_u16(), 502..=504) {
            return Err(fault::explain(&answer).into());
        }
        self.state.in_doubt = false;
        let shown = answer::representation(&answer, self.state.id);
        let is_current = shown.map(|shown| shown.etag == now.etag);
        let is_foreign = !self.state.explains(&now)
            || (!status.is_success() && now.etag != self.state.last.etag)
            || (self.answers_are_current && is_current == Some(false));
        let before = mem::replace(&mut self.state.last, now);
        if is_foreign {
            let why = "The probe ended here: another writer changed the conversation. Take one that nobody works on.";
            return Err(Stop(Finding::Skipped(why.into())));
        }
        Ok(Outcome { answer, before, is_current })
    }

    /// A PATCH on the version that was seen last.
    fn patch(&self, body: &Map<String, Value>, wants_row: bool) -> HttpRequest {
        patch(self.asker, self.state.id, &self.state.last.etag, body, wants_row)
    }

    fn body(&self, customer: Option<RecordReference>) -> Map<String, Value> {
        body(customer, self.state.last.conversation.customer)
    }
}

/// A PATCH on this version.
pub(super) fn patch(
    asker: Asker<'_>,
    id: ConversationId,
    etag: &Version,
    body: &Map<String, Value>,
    wants_row: bool,
) -> HttpRequest {
    let url = asker.shared.environment.conversation(id, request::SELECT);
    let mut request = request::plain(Method::PATCH, url, asker.sender());
    request.body = Bytes::from(Value::Object(body.clone()).to_string());
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if wants_row {
        request.headers.insert(PREFER, request::REPRESENT_AND_ANNOTATE);
    }
    condition(&mut request, etag);
    request
}

/// Sets the slot to this; what is there now says through which property it is emptied.
pub(super) fn body(customer: Option<RecordReference>, now: Option<RecordReference>) -> Map<String, Value> {
    let entity = now.map_or(Account, |record| record.entity);
    let property = customer
        .map_or_else(|| (names(entity).0.to_owned(), Value::Null), |record| (bind(record.entity), path(record).into()));
    Map::from_iter([property])
}

pub(super) fn holds(customer: Option<RecordReference>) -> String {
    customer.map_or_else(|| "has no customer".to_owned(), |record| format!("has {record} as its customer"))
}

fn bind(entity: EntityLogicalName) -> String {
    format!("{}@odata.bind", names(entity).0)
}

fn path(RecordReference { entity, id }: RecordReference) -> String {
    format!("/{}({id})", names(entity).1)
}

/// Makes a write depend on this version.
fn condition(request: &mut HttpRequest, etag: &Version) {
    request.headers.remove(http::header::IF_NONE_MATCH);
    request.headers.insert(http::header::IF_MATCH, etag.condition());
}

/// The answer in a sentence.
fn said(answer: &HttpResponse) -> String {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return format!("Accepted ({status}).");
    }
    let fault = fault::explain(answer);
    let code = fault.details().service_code.as_deref().filter(|code| !code.is_empty());
    let code = code.map_or_else(String::new, |code| format!(", {code}"));
    let text = fault.details().service_message.as_deref().unwrap_or("no text");
    format!("Refused ({status}{code}: {}).", text.trim_end_matches('.'))
}

/// Some record of this table.
async fn any(asker: Asker<'_>, entity: EntityLogicalName, key: &str) -> Result<RecordReference, LinkError> {
    #[derive(Deserialize)]
    struct Page {
        value: Vec<Map<String, Value>>,
    }

    let Page { value } = asker.read(names(entity).1, Some(&format!("$select={key}&$top=1"))).await?;
    let id = value.first().and_then(|row| row.get(key)?.as_str()?.parse::<RecordId>().ok());
    let id = id.ok_or_else(|| {
        LinkError::new(Code::RecordNotFound, format!("The environment has no {} to probe with.", entity.as_str()))
            .hint("Create one, or let the caller read those there are.")
    })?;
    Ok(RecordReference { entity, id })
}
