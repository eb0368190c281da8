//! The store on the Dataverse Web API.
//!
//! Requests and responses are pure functions; the loop that makes a link atomic is in `compare_and_swap`.

mod compare_and_swap;
mod context;
mod diagnose;
mod environment;
mod error;
mod etag;
mod find;
mod headers;
mod lanes;
mod read;
mod remembered;
mod request;
mod response;
pub mod tables;
pub mod time;

use std::sync::Arc;

pub use context::Concurrency;
pub use environment::EnvironmentUrl;

use self::{
    compare_and_swap::CompareAndSwap,
    context::{RequestContext, Shared},
    headers::CommonHeaders,
    lanes::Lanes,
    remembered::RememberedRows,
};
use crate::{
    clock::SharedClock,
    domain::{
        Call, CallerId, ConversationDetails, ConversationId, ConversationPage, ConversationQuery, Decide, Decision,
        LinkStore, NamedRecord, RecordKey, Report, StoreFuture,
    },
    error::StoreName,
    http::{
        AuthorizedHttp, HttpService, NetworkService, Observer, RetryBudget, RetryPolicy, RetryingHttp, TokenCache,
        TokenProvider,
    },
};

/// Conversations and links in a Dataverse environment.
pub struct DataverseStore {
    shared: Arc<Shared>,
    lanes: Lanes,
    /// The network layer again, if its connections can be inspected for a diagnosis.
    inspected: Option<Arc<NetworkService>>,
    /// The network layer, below retries and tokens.
    network: Arc<dyn HttpService>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct DataverseOptions {
    pub retries: RetryPolicy,
    pub concurrency: Concurrency,
    /// The user to impersonate in calls that name no user.
    pub caller: Option<CallerId>,
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
        let retrying =
            RetryingHttp::new(Arc::clone(&network), Arc::clone(&clock), retries, Arc::clone(&budget), observer);
        let http = AuthorizedHttp::new(retrying, TokenCache::new(tokens, Arc::clone(&clock)));
        let headers = CommonHeaders::default();
        let shared = Shared { environment, headers, http, budget, remembered, concurrency, caller, clock };
        Self { shared: Arc::new(shared), lanes: Lanes::default(), inspected: None, network }
    }

    /// The same store, also able to inspect its network path.
    #[must_use]
    pub fn with_inspection(self, network: Arc<NetworkService>) -> Self {
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
            let context = RequestContext { shared: &shared, call: &call };
            CompareAndSwap { context, id }.run(&decide).await
        })
    }

    fn read(&self, id: ConversationId, call: Arc<Call>) -> StoreFuture<ConversationDetails> {
        let shared = Arc::clone(&self.shared);
        let turn = self.lanes.line_up(id);
        Box::pin(async move {
            // Waits for earlier updates of the conversation, and does not delay later ones.
            drop(turn.await);
            read::conversation(RequestContext { shared: &shared, call: &call }, id).await
        })
    }

    fn list(&self, query: ConversationQuery, next: Option<String>, call: Arc<Call>) -> StoreFuture<ConversationPage> {
        let shared = Arc::clone(&self.shared);
        Box::pin(
            async move { read::page(RequestContext { shared: &shared, call: &call }, &query, next.as_deref()).await },
        )
    }

    fn find(&self, key: RecordKey, call: Arc<Call>) -> StoreFuture<Vec<NamedRecord>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { find::records(RequestContext { shared: &shared, call: &call }, &key).await })
    }

    fn diagnose(&self, call: Arc<Call>) -> StoreFuture<Report> {
        Box::pin(diagnose::diagnose(Arc::clone(&self.shared), self.inspected.clone(), call))
    }

    fn closing(&self) {
        self.shared.http.stop_waiting();
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
