//! The service over a store: it limits the calls in progress, checks their options, enforces timeouts and makes outcomes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use futures_util::TryFutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    call::{Call, CallOptions},
    decision::{Decide, Decision, LinkPolicy},
    ids::{ConversationId, RecordReference, RequestId},
    listing::Listing,
    outcome::{LinkOutcome, LinkStatus, UnlinkOutcome},
    query::{ConversationDetails, NamedRecord, RecordKey},
    report::Report,
    store::{LinkStore, StoreFuture},
};
use crate::{
    clock::SharedClock,
    error::{Code, LinkError, StoreName},
};

/// Most calls in progress on one client. Further calls fail with `THROTTLED`, so that the queue stays bounded.
const MAX_PENDING_CALLS: u32 = 100_000;

/// Default timeout of a diagnosis. Longer than that of other calls, because some problems show only as timeouts.
const DIAGNOSE_TIMEOUT: Duration = Duration::from_secs(120);

/// All calls on one store.
#[derive(Clone)]
pub struct LinkService(Arc<Inner>);

struct Inner {
    store: Arc<dyn LinkStore>,
    clock: SharedClock,
    default_timeout: Duration,
    /// Added to the hint of every error: explains which store a client without configuration uses.
    implicit_store_hint: Option<String>,
    closed: AtomicBool,
    /// One permit for each call in progress: bounds their number, and lets `close` wait for the last one.
    pending: Arc<Semaphore>,
}

/// Result of a link or unlink, before it becomes an outcome.
struct Updated {
    conversation_id: ConversationId,
    decision: Decision,
    request_id: RequestId,
    dry_run: bool,
}

impl LinkService {
    #[must_use]
    pub fn new(
        store: Arc<dyn LinkStore>,
        clock: SharedClock,
        default_timeout: Duration,
        implicit_store_hint: Option<String>,
    ) -> Self {
        let pending = Arc::new(Semaphore::new(MAX_PENDING_CALLS as usize));
        let closed = AtomicBool::new(false);
        Self(Arc::new(Inner { store, clock, default_timeout, implicit_store_hint, closed, pending }))
    }

    /// Links a record. The call fails if there is no conversation, because no id was given and none is focused. It is queued immediately,
    /// not when the future is first polled.
    ///
    /// # Errors
    /// `CLOSED`, `NO_FOCUSED_CONVERSATION`, `THROTTLED`, `TIMEOUT`, and the errors of [`LinkStore::update`].
    pub fn link(
        &self,
        record: RecordReference,
        conversation: Option<ConversationId>,
        policy: LinkPolicy,
        options: CallOptions,
    ) -> impl Future<Output = Result<LinkOutcome, LinkError>> + Send + use<> {
        let store = self.0.store.name();
        let updated = self.update(Decide::Link(record, policy), conversation, options);
        updated.map_ok(move |Updated { conversation_id, decision, request_id, dry_run }| {
            let (status, previous, current) = match decision.before {
                None => (LinkStatus::Linked, None, None),
                Some(previous) if decision.writes() => (LinkStatus::Replaced, Some(previous), None),
                Some(held) if held == record => (LinkStatus::AlreadyLinked, None, None),
                Some(kept) => (LinkStatus::Kept, None, Some(kept)),
            };
            LinkOutcome { status, conversation_id, record, previous, current, store, request_id, dry_run }
        })
    }

    /// Unlinks exactly this record. Conversation and queueing are as in [`LinkService::link`].
    ///
    /// # Errors
    /// As [`LinkService::link`].
    pub fn unlink(
        &self,
        record: RecordReference,
        conversation: Option<ConversationId>,
        options: CallOptions,
    ) -> impl Future<Output = Result<UnlinkOutcome, LinkError>> + Send + use<> {
        let store = self.0.store.name();
        let updated = self.update(Decide::Unlink(record), conversation, options);
        updated.map_ok(move |Updated { conversation_id, request_id, dry_run, .. }| UnlinkOutcome {
            conversation_id,
            record,
            store,
            request_id,
            dry_run,
        })
    }

    /// A conversation as it is now. The call fails if no id was given and no conversation is focused.
    ///
    /// # Errors
    /// `CLOSED`, `NO_FOCUSED_CONVERSATION`, `THROTTLED`, `TIMEOUT`, and the errors of [`LinkStore::read`].
    pub fn read(
        &self,
        conversation: Option<ConversationId>,
        options: CallOptions,
    ) -> impl Future<Output = Result<ConversationDetails, LinkError>> + Send + use<> {
        let store = Arc::clone(&self.0.store);
        self.perform(self.with_timeout(options), move |call| {
            Ok(store.read(conversation.ok_or_else(no_focused_conversation)?, call))
        })
    }

    /// The next conversations of a list, at least one if there are any, and the rest of the list.
    ///
    /// # Errors
    /// `CLOSED`, `PROTOCOL`, `THROTTLED`, `TIMEOUT`, and the errors of [`LinkStore::list`].
    pub fn list(
        &self,
        listing: Listing,
        options: CallOptions,
    ) -> impl Future<Output = Result<(Vec<ConversationDetails>, Option<Listing>), LinkError>> + Send + use<> {
        let (store, clock) = (Arc::clone(&self.0.store), Arc::clone(&self.0.clock));
        self.perform(self.with_timeout(options), move |call| {
            let page = move |listing: &Listing| {
                let (query, next) = listing.request();
                store.list(query, next, Arc::clone(&call))
            };
            let first = page(&listing);
            Ok(async move {
                let (mut found, mut rest) = listing.accept_page(first.await?)?;
                // Any number of pages may be empty.
                while let Some(listing) = rest.take_if(|_| found.is_empty()) {
                    if let Some(pause) = listing.pause(&*clock) {
                        clock.sleep(pause).await;
                    }
                    let page = page(&listing);
                    (found, rest) = listing.accept_page(page.await?)?;
                }
                Ok((found, rest))
            })
        })
    }

    /// The only record that matches the key.
    ///
    /// # Errors
    /// `RECORD_NOT_FOUND`, `AMBIGUOUS`, `CLOSED`, `THROTTLED`, `TIMEOUT`, and the errors of [`LinkStore::find`].
    pub fn find(
        &self,
        key: RecordKey,
        options: CallOptions,
    ) -> impl Future<Output = Result<NamedRecord, LinkError>> + Send + use<> {
        let store = Arc::clone(&self.0.store);
        self.perform(self.with_timeout(options), move |call| {
            let found = store.find(key.clone(), call);
            Ok(async move { key.only(found.await?) })
        })
    }

    /// Current wall-clock time, from which relative times such as "seven days ago" are counted.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        self.0.clock.wall()
    }

    /// Checks everything that links depend on. It only reads.
    ///
    /// # Errors
    /// `CLOSED`, `INVALID_ARGUMENT`, `THROTTLED`, `TIMEOUT`. All other problems are in the report.
    pub fn diagnose(&self, options: CallOptions) -> impl Future<Output = Result<Report, LinkError>> + Send + use<> {
        let store = Arc::clone(&self.0.store);
        let options = CallOptions { timeout: options.timeout.or(Some(DIAGNOSE_TIMEOUT)), ..options };
        self.perform(options, move |call| Ok(store.diagnose(call)))
    }

    /// Rejects new calls from now on, waits for the calls in progress, which end within their timeouts, then closes the store.
    ///
    /// # Errors
    /// The error of the store while closing. A second call waits for the first one and succeeds.
    pub fn close(&self) -> impl Future<Output = Result<(), LinkError>> + Send + use<> {
        let inner = Arc::clone(&self.0);
        let first = !inner.closed.swap(true, Ordering::SeqCst);
        inner.store.closing();
        async move {
            // With all permits taken no call is in progress, and none can begin.
            let Ok(_all) = inner.pending.acquire_many(MAX_PENDING_CALLS).await else { return Ok(()) };
            if first {
                inner.store.close().await.map_err(|error| inner.described(error, None))?;
            }
            Ok(())
        }
    }

    /// Adds the details that every error of this service has.
    #[must_use]
    pub fn describe(&self, error: LinkError) -> LinkError {
        self.0.described(error, None)
    }

    #[must_use]
    pub fn store(&self) -> StoreName {
        self.0.store.name()
    }

    /// Explains which store the client uses if none was configured.
    #[must_use]
    pub fn implicit_store_hint(&self) -> Option<&str> {
        self.0.implicit_store_hint.as_deref()
    }

    /// Fails if the service was closed.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn ensure_open(&self) -> Result<(), LinkError> {
        if !self.0.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(LinkError::new(Code::Closed, "This client was closed; create a new one."))
    }

    /// Fails if the store does not support these options.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn ensure_possible(&self, options: &CallOptions) -> Result<(), LinkError> {
        if options.caller.is_none() || self.0.store.can_impersonate() {
            return Ok(());
        }
        let why = "impersonation needs a Dataverse client; this client uses the embedded store";
        Err(LinkError::invalid_argument("options.callerObjectId", why))
    }

    /// Runs a call's work in the store, within its timeout if it has one, and adds the details that all errors have. `begin` is
    /// called immediately.
    pub fn perform<T, F, B>(
        &self,
        options: CallOptions,
        begin: B,
    ) -> impl Future<Output = Result<T, LinkError>> + Send + use<T, F, B>
    where
        T: Send,
        F: Future<Output = Result<T, LinkError>> + Send,
        B: FnOnce(Arc<Call>) -> Result<F, LinkError>,
    {
        let inner = Arc::clone(&self.0);
        let timeout = options.timeout;
        let request_id = uuid::Builder::from_random_bytes(inner.clock.random().to_be_bytes()).into_uuid().into_bytes();
        let deadline = timeout.map(|timeout| inner.clock.now() + timeout);
        let call = Arc::new(Call::new(request_id.into(), deadline, options));
        let admitted = self.admit().and_then(|permit| Ok((permit, begin(Arc::clone(&call))?)));
        async move {
            let result = match admitted {
                Err(rejected) => Err(rejected),
                Ok((_permit, work)) => match timeout {
                    None => work.await,
                    Some(timeout) => tokio::select! {
                        biased;
                        done = work => done,
                        () = inner.clock.sleep(timeout) => Err(timed_out(timeout)),
                    },
                },
            };
            // The work was dropped, so whether a write may have been applied no longer changes.
            result.map_err(|error| inner.described(error, Some(&call)))
        }
    }

    fn update(
        &self,
        decide: Decide,
        conversation: Option<ConversationId>,
        options: CallOptions,
    ) -> impl Future<Output = Result<Updated, LinkError>> + Send + use<> {
        let store = Arc::clone(&self.0.store);
        let dry_run = options.dry_run;
        self.perform(self.with_timeout(options), move |call| {
            decide.ensure_possible()?;
            let conversation_id = conversation.ok_or_else(no_focused_conversation)?;
            let request_id = call.request_id();
            let decided: StoreFuture<Decision> = if dry_run {
                let read = store.read(conversation_id, call);
                Box::pin(async move { decide.on(&read.await?.conversation) })
            } else {
                store.update(conversation_id, decide, call)
            };
            Ok(decided.map_ok(move |decision| Updated { conversation_id, decision, request_id, dry_run }))
        })
    }

    fn with_timeout(&self, options: CallOptions) -> CallOptions {
        CallOptions { timeout: options.timeout.or(Some(self.0.default_timeout)), ..options }
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit, LinkError> {
        self.ensure_open()?;
        Arc::clone(&self.0.pending).try_acquire_owned().map_err(|_| {
            LinkError::new(
                Code::Throttled,
                format!("{MAX_PENDING_CALLS} calls are already in progress on this client."),
            )
            .hint("Await some of them before making more.")
        })
    }
}

impl Inner {
    fn described(&self, error: LinkError, call: Option<&Call>) -> LinkError {
        let error = error.with(|details| {
            details.store = Some(self.store.name());
            if let Some(call) = call {
                details.request_id = Some(call.request_id().to_string());
                if details.service_request_id.is_none() {
                    details.service_request_id = call.progress().service_request_id().map(|id| id.to_string());
                }
                details.maybe_applied |= call.progress().maybe_applied();
            }
        });
        match &self.implicit_store_hint {
            Some(hint) => error.hint(hint.clone()),
            None => error,
        }
    }
}

fn no_focused_conversation() -> LinkError {
    LinkError::new(Code::NoFocusedConversation, "No `conversationId` was given and no conversation is focused.")
        .hint("Pass the id, or call openConversation(id) first.")
}

fn timed_out(timeout: Duration) -> LinkError {
    LinkError::new(Code::Timeout, format!("The call did not finish within {} ms.", timeout.as_millis()))
        .hint("Raise the timeout if the store is known to be slow.")
}
