//! Link and unlink as users mean them: admission, the order of checks, deadlines, outcomes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    call::{Call, CallOptions},
    decision::{Decide, Decision, LinkPolicy},
    ids::{ConversationId, RecordReference, RequestId},
    listing::Listing,
    outcome::{LinkOutcome, LinkStatus, UnlinkOutcome},
    query::{ConversationDetails, NamedRecord, RecordKey},
    report::Report,
    store::{LinkStore, StoreFuture, StoreName},
};
use crate::{
    clock::SharedClock,
    error::{Code, LinkError},
};

/// Calls that may be pending on one client; the next is refused with `THROTTLED` rather than queued without bound.
pub const MAX_PENDING_CALLS: u32 = 100_000;

/// How long an examination may take unless its caller says otherwise: what it is there for may be slow to fail.
const DIAGNOSE_TIMEOUT: Duration = Duration::from_secs(120);

/// Link and unlink over one store.
#[derive(Clone)]
pub struct LinkService(Arc<Inner>);

struct Inner {
    store: Arc<dyn LinkStore>,
    clock: SharedClock,
    default_timeout: Duration,
    /// Added to the hint of every error: where a store came from that nobody configured.
    note: Option<String>,
    closed: AtomicBool,
    /// One permit per pending call: bounds them, and lets `close` wait for the last.
    pending: Arc<Semaphore>,
}

impl LinkService {
    /// A service over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn LinkStore>, clock: SharedClock, default_timeout: Duration, note: Option<String>) -> Self {
        let pending = Arc::new(Semaphore::new(MAX_PENDING_CALLS as usize));
        Self(Arc::new(Inner { store, clock, default_timeout, note, closed: AtomicBool::new(false), pending }))
    }

    /// Links a record. Without a conversation there was no focused one. The call takes its place in line now.
    ///
    /// # Errors
    /// `CLOSED`, `NO_FOCUSED_CONVERSATION`, `THROTTLED`, `TIMEOUT`, and whatever [`LinkStore::update`] fails with.
    pub fn link(
        &self,
        record: RecordReference,
        conversation: Option<ConversationId>,
        policy: LinkPolicy,
        options: CallOptions,
    ) -> impl Future<Output = Result<LinkOutcome, LinkError>> + Send + use<> {
        let store = self.0.store.name();
        let updated = self.update(Decide::Link(record, policy), conversation, options);
        async move {
            let (conversation_id, decision, request_id) = updated.await?;
            let (status, previous, current) = match decision.before {
                None => (LinkStatus::Linked, None, None),
                Some(previous) if decision.writes() => (LinkStatus::Replaced, Some(previous), None),
                Some(held) if held == record => (LinkStatus::AlreadyLinked, None, None),
                Some(kept) => (LinkStatus::Kept, None, Some(kept)),
            };
            Ok(LinkOutcome { status, conversation_id, record, previous, current, store, request_id })
        }
    }

    /// Unlinks exactly this record. Without a conversation there was no focused one. The call takes its place in line now.
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
        async move {
            let (conversation_id, _, request_id) = updated.await?;
            Ok(UnlinkOutcome { conversation_id, record, store, request_id })
        }
    }

    /// A conversation as it is now. Without one there was no focused one.
    ///
    /// # Errors
    /// `CLOSED`, `NO_FOCUSED_CONVERSATION`, `THROTTLED`, `TIMEOUT`, and whatever [`LinkStore::read`] fails with.
    pub fn read(
        &self,
        conversation: Option<ConversationId>,
        options: CallOptions,
    ) -> impl Future<Output = Result<ConversationDetails, LinkError>> + Send + use<> {
        let store = Arc::clone(&self.0.store);
        let read = self.perform(self.timed(options), move |call| {
            Ok(store.read(conversation.ok_or_else(no_focused_conversation)?, call))
        });
        async move { Ok(read.await?.0) }
    }

    /// Some conversations, at least one if there are any, and what is still to be read after them.
    ///
    /// # Errors
    /// `CLOSED`, `PROTOCOL`, `THROTTLED`, `TIMEOUT`, and whatever [`LinkStore::list`] fails with.
    pub fn list(
        &self,
        listing: Listing,
        options: CallOptions,
    ) -> impl Future<Output = Result<(Vec<ConversationDetails>, Option<Listing>), LinkError>> + Send + use<> {
        // A page may be empty, and the next one, and so on.
        self.listed(listing, options, |found| !found.is_empty())
    }

    /// All conversations of a listing, within the time of one call.
    ///
    /// # Errors
    /// As [`LinkService::list`].
    pub fn list_all(
        &self,
        listing: Listing,
        options: CallOptions,
    ) -> impl Future<Output = Result<Vec<ConversationDetails>, LinkError>> + Send + use<> {
        let listed = self.listed(listing, options, |_| false);
        async move { Ok(listed.await?.0) }
    }

    fn listed(
        &self,
        listing: Listing,
        options: CallOptions,
        is_enough: fn(&[ConversationDetails]) -> bool,
    ) -> impl Future<Output = Result<(Vec<ConversationDetails>, Option<Listing>), LinkError>> + Send + use<> {
        let (store, clock) = (Arc::clone(&self.0.store), Arc::clone(&self.0.clock));
        let listed = self.perform(self.timed(options), move |call| {
            let page = move |listing: &Listing| {
                let (query, next) = listing.request();
                store.list(query, next, Arc::clone(&call))
            };
            let first = page(&listing);
            Ok(Box::pin(async move {
                let (mut found, mut rest) = listing.turn(first.await?)?;
                while let Some(listing) = rest.take_if(|_| !is_enough(&found)) {
                    if let Some(pause) = listing.pause(&*clock) {
                        clock.sleep(pause).await;
                    }
                    let page = page(&listing);
                    let (more, after) = listing.turn(page.await?)?;
                    found.extend(more);
                    rest = after;
                }
                Ok((found, rest))
            }) as StoreFuture<_>)
        });
        async move { Ok(listed.await?.0) }
    }

    /// The one record that fits.
    ///
    /// # Errors
    /// `RECORD_NOT_FOUND`, `AMBIGUOUS`, `CLOSED`, `THROTTLED`, `TIMEOUT`, and whatever [`LinkStore::find`] fails with.
    pub fn find(
        &self,
        key: RecordKey,
        options: CallOptions,
    ) -> impl Future<Output = Result<NamedRecord, LinkError>> + Send + use<> {
        let store = Arc::clone(&self.0.store);
        let found = self.perform(self.timed(options), move |call| {
            let found = store.find(key.clone(), call);
            Ok(Box::pin(async move { key.only(found.await?) }) as StoreFuture<_>)
        });
        async move { Ok(found.await?.0) }
    }

    /// Now, by the clock on the wall: what "so many days ago" counts from.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        self.0.clock.wall()
    }

    /// Examines the store: what is in order, what is not, and how to mend it. It reads
    /// only.
    ///
    /// # Errors
    /// `CLOSED`, `INVALID_ARGUMENT`, `THROTTLED`, `TIMEOUT`. Whatever else is wrong is in the report.
    pub fn diagnose(&self, options: CallOptions) -> impl Future<Output = Result<Report, LinkError>> + Send + use<> {
        let store = Arc::clone(&self.0.store);
        let options = CallOptions { timeout: options.timeout.or(Some(DIAGNOSE_TIMEOUT)), ..options };
        let diagnosed = self.perform(options, move |call| Ok(store.diagnose(call)));
        async move { diagnosed.await.map(|(report, _)| report) }
    }

    /// Refuses new calls from now on, lets the pending ones finish within their deadlines, then closes the store.
    ///
    /// # Errors
    /// The store's fault while closing. A second call waits for the first and succeeds.
    pub fn close(&self) -> impl Future<Output = Result<(), LinkError>> + Send + use<> {
        let inner = Arc::clone(&self.0);
        let first = !inner.closed.swap(true, Ordering::SeqCst);
        inner.store.closing();
        async move {
            // All permits at once: no call is left, and none can begin.
            let Ok(_all) = inner.pending.acquire_many(MAX_PENDING_CALLS).await else { return Ok(()) };
            if first {
                inner.store.close().await.map_err(|error| inner.described(error, None))?;
            }
            Ok(())
        }
    }

    /// Gives an error what every error of this service carries.
    #[must_use]
    pub fn describe(&self, error: LinkError) -> LinkError {
        self.0.described(error, None)
    }

    /// Which store this is.
    #[must_use]
    pub fn store(&self) -> StoreName {
        self.0.store.name()
    }

    /// Where the store came from, if nobody configured it.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// Whether new calls are refused.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn ensure_open(&self) -> Result<(), LinkError> {
        if !self.0.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(LinkError::new(Code::Closed, "This client was closed; make a new one."))
    }

    /// Whether calls with these options can be made here at all.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn ensure_possible(&self, options: &CallOptions) -> Result<(), LinkError> {
        if options.caller.is_none() || self.0.store.name() == StoreName::Dataverse {
            return Ok(());
        }
        let message =
            "`options.callerObjectId`: only a Dataverse client can act for somebody else; this one is embedded.";
        Err(LinkError::new(Code::InvalidArgument, message))
    }

    /// Does a call's work in the store, within its deadline if it has one, and gives its errors what all errors carry.
    /// `begin` is called now. The outcome comes with the id that the call was given.
    pub fn perform<T, B>(
        &self,
        options: CallOptions,
        begin: B,
    ) -> impl Future<Output = Result<(T, RequestId), LinkError>> + Send + use<T, B>
    where
        T: Send,
        B: FnOnce(Arc<Call>) -> Result<StoreFuture<T>, LinkError>,
    {
        let inner = Arc::clone(&self.0);
        let timeout = options.timeout;
        let request_id = uuid::Builder::from_random_bytes(inner.clock.random().to_be_bytes()).into_uuid().into_bytes();
        let deadline = timeout.map(|timeout| inner.clock.now() + timeout);
        let call = Arc::new(Call::new(request_id.into(), deadline, options));
        let under_way = self.admit().and_then(|permit| Ok((permit, begin(Arc::clone(&call))?)));
        async move {
            let outcome = match under_way {
                Err(refused) => Err(refused),
                Ok((_permit, work)) => match timeout {
                    None => work.await,
                    Some(timeout) => tokio::select! {
                        biased;
                        done = work => done,
                        () = inner.clock.sleep(timeout) => Err(timed_out(timeout)),
                    },
                },
            };
            // The work was dropped: only now is it certain whether a write began.
            match outcome {
                Ok(done) => Ok((done, call.request_id())),
                Err(error) => Err(inner.described(error, Some(&call))),
            }
        }
    }

    fn update(
        &self,
        decide: Decide,
        conversation: Option<ConversationId>,
        options: CallOptions,
    ) -> impl Future<Output = Result<(ConversationId, Decision, RequestId), LinkError>> + Send + use<> {
        let store = Arc::clone(&self.0.store);
        let is_dry = options.dry_run;
        let options = self.timed(options);
        let updated = self.perform(options, move |call| {
            decide.ensure_possible()?;
            let id = conversation.ok_or_else(no_focused_conversation)?;
            let decided: StoreFuture<Decision> = if is_dry {
                let read = store.read(id, call);
                Box::pin(async move { decide.on(&read.await?.conversation) })
            } else {
                store.update(id, decide, call)
            };
            Ok(Box::pin(async move { Ok((id, decided.await?)) }) as StoreFuture<_>)
        });
        async move {
            let ((id, decision), request_id) = updated.await?;
            Ok((id, decision, request_id))
        }
    }

    fn timed(&self, options: CallOptions) -> CallOptions {
        CallOptions { timeout: options.timeout.or(Some(self.0.default_timeout)), ..options }
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit, LinkError> {
        self.ensure_open()?;
        Arc::clone(&self.0.pending).try_acquire_owned().map_err(|_| {
            LinkError::new(Code::Throttled, format!("{MAX_PENDING_CALLS} calls are pending on this client already."))
                .hint("Await some of them before making more.")
        })
    }
}

impl Inner {
    fn described(&self, error: LinkError, call: Option<&Call>) -> LinkError {
        let error = error.with(|details| {
            details.store = Some(self.store.name().as_str());
            if let Some(call) = call {
                details.request_id = Some(call.request_id().to_string());
                if details.service_request_id.is_none() {
                    details.service_request_id = call.progress().service_request_id().map(|id| id.to_string());
                }
                details.maybe_applied |= call.progress().maybe_applied();
            }
        });
        match &self.note {
            Some(note) => error.hint(note.clone()),
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
        .hint("Raise `timeoutInMs` if the store is known to be slow.")
}
