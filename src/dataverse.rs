//! The port over the Dataverse Web API. Requests and answers are pure; the compare-and-swap loop is in `swap`.

mod answer;
mod diagnose;
mod environment;
mod etag;
mod exchange;
mod fault;
mod find;
mod lanes;
mod read;
mod remembered;
mod request;
mod swap;
pub mod tables;
pub mod time;

use std::sync::Arc;

pub use environment::EnvironmentUrl;

use self::{exchange::Exchange, lanes::Lanes, remembered::RememberedRows, swap::Swap};
use crate::{
    clock::SharedClock,
    domain::{
        Call, CallerId, ConversationDetails, ConversationId, ConversationPage, ConversationQuery, Decide, Decision,
        LinkStore, NamedRecord, RecordKey, Report, StoreFuture,
    },
    error::StoreName,
    http::{
        AuthorizedHttp, HttpService, Observer, ReqwestService, RetryBudget, RetryPolicy, RetryingHttp, TokenCache,
        TokenProvider,
    },
};

/// Conversations and links in a Dataverse environment.
pub struct DataverseStore {
    shared: Arc<Shared>,
    lanes: Lanes,
    inspected: Option<Arc<ReqwestService>>,
    /// Below retries and tokens.
    network: Arc<dyn HttpService>,
}

/// How a write is kept from overwriting somebody else's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concurrency {
    /// By the version of the row that was decided on. Nothing of another writer is ever lost.
    #[default]
    CompareAndSwap,
    /// Not at all, for tables whose optimistic concurrency is switched off: the row is read afresh, then written if it exists.
    /// What another writer changes in between is overwritten.
    ReadCheckWrite,
}

/// What may be chosen about a store.
#[derive(Clone, Copy, Debug, Default)]
pub struct DataverseOptions {
    /// How often and how patiently requests are repeated.
    pub retries: RetryPolicy,
    /// How a write is kept from overwriting somebody else's.
    pub concurrency: Concurrency,
    /// On whose behalf calls are made that do not say so themselves.
    pub caller: Option<CallerId>,
}

/// What every call of one client has in common.
struct Shared {
    environment: EnvironmentUrl,
    http: AuthorizedHttp,
    /// The same requests before they get a token: what closing the client tells.
    requests: Arc<RetryingHttp>,
    budget: Arc<RetryBudget>,
    remembered: RememberedRows,
    concurrency: Concurrency,
    caller: Option<CallerId>,
    clock: SharedClock,
}

impl DataverseStore {
    /// A store on the environment. Nothing is sent before the first call.
    #[must_use]
    pub fn new(
        environment: EnvironmentUrl,
        network: Arc<dyn HttpService>,
        tokens: Arc<dyn TokenProvider>,
        DataverseOptions { retries, concurrency, caller }: DataverseOptions,
        clock: SharedClock,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let remembered = RememberedRows::new(Arc::clone(&clock));
        let budget = Arc::<RetryBudget>::default();
        let requests = Arc::new(RetryingHttp::new(
            Arc::clone(&network),
            Arc::clone(&clock),
            retries,
            Arc::clone(&budget),
            observer,
        ));
        let http = AuthorizedHttp::new(requests.clone(), TokenCache::new(tokens, Arc::clone(&clock)));
        let shared = Shared { environment, http, requests, budget, remembered, concurrency, caller, clock };
        Self { shared: Arc::new(shared), lanes: Lanes::default(), inspected: None, network }
    }

    /// The same store, also able to inspect its network path.
    #[must_use]
    pub fn with_inspection(self, network: Arc<ReqwestService>) -> Self {
        Self { inspected: Some(network), ..self }
    }
}

impl LinkStore for DataverseStore {
    fn name(&self) -> StoreName {
        StoreName::Dataverse
    }

    fn can_impersonate(&self) -> bool {
        true
    }

    fn update(&self, id: ConversationId, decide: Decide, call: Arc<Call>) -> StoreFuture<Decision> {
        let shared = Arc::clone(&self.shared);
        let turn = self.lanes.line_up(id);
        Box::pin(async move {
            let _turn = turn.await;
            Swap { exchange: Exchange::new(&shared, &call), id }.swap(&decide).await
        })
    }

    fn read(&self, id: ConversationId, call: Arc<Call>) -> StoreFuture<ConversationDetails> {
        let shared = Arc::clone(&self.shared);
        let turn = self.lanes.line_up(id);
        Box::pin(async move {
            // It sees what was called before it, and lets go what is called after it.
            drop(turn.await);
            read::conversation(&Exchange::new(&shared, &call), id).await
        })
    }

    fn list(&self, query: ConversationQuery, next: Option<String>, call: Arc<Call>) -> StoreFuture<ConversationPage> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { read::page(&Exchange::new(&shared, &call), &query, next.as_deref()).await })
    }

    fn find(&self, key: RecordKey, call: Arc<Call>) -> StoreFuture<Vec<NamedRecord>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { find::records(&Exchange::new(&shared, &call), &key).await })
    }

    fn diagnose(&self, call: Arc<Call>) -> StoreFuture<Report> {
        Box::pin(diagnose::diagnose(Arc::clone(&self.shared), self.inspected.clone(), call))
    }

    fn closing(&self) {
        self.shared.requests.stop_waiting();
    }

    fn close(&self) -> StoreFuture<()> {
        let (shared, network) = (Arc::clone(&self.shared), Arc::clone(&self.network));
        Box::pin(async move {
            shared.http.close();
            network.close();
            Ok(())
        })
    }
}
