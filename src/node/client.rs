//! The client that index.js wraps. Every method parses, hands over, and returns.

use std::{cell::RefCell, path::PathBuf, sync::Arc};

use napi::{
    Env, Status,
    bindgen_prelude::{Function, Promise, ToNapiValue, Unknown},
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};
use napi_derive::napi;

use super::{
    arguments,
    cancellation::{Cancellation, Cancelled},
    configuration::{self, Remote, StoreConfiguration, Surroundings, misconfigured},
    credential::{Credential, CredentialAnswer, CredentialFunction, TokenRequest},
    doctor::DoctorReportObject,
    error, log,
    network::{AskedProxy, ProxyFunction},
    observer::{EventObject, Watch},
    options,
    outcome::{ImportSummaryObject, LinkOutcomeObject, UnlinkOutcomeObject},
    promise::{Failure, Promises},
    runtime,
};
use crate::{
    clock::{SharedClock, SystemClock},
    dataverse::DataverseStore,
    domain::{ConversationId, LinkService, LinkStore, RecordReference},
    embedded::{EmbeddedStore, ImportProgress, OnProgress, Source},
    error::LinkError,
    http::{ClientSecretCredential, Observer, Proxy, ReqwestService, RetryingHttp, StaticToken, TokenProvider},
    session::Session,
};

/// What `onProgress` is called with.
#[napi(object, object_from_js = false)]
pub struct ImportProgressObject {
    pub rows_done: u32,
    pub rows_total: u32,
}

type ReportProgress = ThreadsafeFunction<ImportProgressObject, (), ImportProgressObject, Status, false, true>;

/// A client, without the parts that are JavaScript's: errors as a class, signals, and what a credential may look like.
#[napi]
pub struct Client {
    pub(super) service: LinkService,
    /// Imports are the embedded store's alone.
    embedded: Option<Arc<EmbeddedStore>>,
    /// There is traffic to watch on a Dataverse client alone.
    watch: Option<Arc<Watch>>,
    session: RefCell<Session>,
}

#[napi]
impl Client {
    /// Throws `INVALID_CONFIGURATION`. Opens and sends nothing.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        options: Unknown<'_>,
        provider: Option<Function<'_, TokenRequest, Promise<CredentialAnswer>>>,
        proxy: Option<ProxyFunction<'_>>,
        surroundings: Surroundings,
    ) -> napi::Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let configuration = configuration::client(&options, provider.is_some(), surroundings)
            .map_err(|refused| error::thrown(env, &refused))?;
        let (mut embedded, mut watch) = (None, None);
        let store: Arc<dyn LinkStore> = match configuration.store {
            StoreConfiguration::Embedded(path) => {
                let store = Arc::new(EmbeddedStore::new(path, Arc::clone(&clock)));
                embedded = Some(Arc::clone(&store));
                store
            }
            StoreConfiguration::Dataverse(remote) => {
                let watching = watch.insert(Arc::new(Watch::new(remote.log)));
                Arc::new(dataverse(*remote, provider, proxy, &clock, watching)?)
            }
        };
        let service = LinkService::new(store, clock, configuration.timeout, configuration.note);
        Ok(Self { service, embedded, watch, session: RefCell::default() })
    }

    /// `release`, or `debug` for a build that is many times slower: whoever measures should look.
    #[napi]
    #[must_use]
    pub fn build_profile() -> &'static str {
        if cfg!(debug_assertions) { "debug" } else { "release" }
    }

    /// Writes the last lines of the log. For the end of the process, which also ends the thread that writes them.
    #[napi]
    pub fn flush_log() {
        log::flush();
    }

    /// `linkToConversation`
    #[napi]
    pub fn link_to_conversation<'env>(
        &self,
        env: &'env Env,
        entity_logical_name: Unknown<'env>,
        record_id: Unknown<'env>,
        conversation_id: Unknown<'env>,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let call =
            self.target(*env, &entity_logical_name, &record_id, &conversation_id).and_then(|(record, conversation)| {
                let (policy, options) = options::link(&options)?;
                self.service.ensure_possible(&options)?;
                Ok((record, conversation, policy, options))
            });
        self.begin(env, call, cancellation, |service, (record, conversation, policy, options)| {
            let dry_run = options.dry_run;
            let linked = service.link(record, conversation, policy, options);
            async move { linked.await.map(|outcome| LinkOutcomeObject { outcome, dry_run }) }
        })
    }

    /// `unlinkFromConversation`
    #[napi]
    pub fn unlink_from_conversation<'env>(
        &self,
        env: &'env Env,
        entity_logical_name: Unknown<'env>,
        record_id: Unknown<'env>,
        conversation_id: Unknown<'env>,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let call =
            self.target(*env, &entity_logical_name, &record_id, &conversation_id).and_then(|(record, conversation)| {
                let options = options::unlink(&options)?;
                self.service.ensure_possible(&options)?;
                Ok((record, conversation, options))
            });
        self.begin(env, call, cancellation, |service, (record, conversation, options)| {
            let dry_run = options.dry_run;
            let unlinked = service.unlink(record, conversation, options);
            async move { unlinked.await.map(|outcome| UnlinkOutcomeObject { outcome, dry_run }) }
        })
    }

    /// `importRecords`: from `path`, or from `page`, which is the page as JSON.
    #[napi]
    pub fn import_records<'env>(
        &self,
        env: &'env Env,
        path: Option<String>,
        page: Option<String>,
        options: Unknown<'env>,
        on_progress: Option<Function<'env, ImportProgressObject, ()>>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let on_progress = on_progress.map(|function| progress_reporter(&function)).transpose()?;
        let source = match (path, page) {
            (Some(path), _) => Source::Path(PathBuf::from(path)),
            (None, page) => Source::Text(page.unwrap_or_default()),
        };
        let call = options::import(&options).and_then(|options| Ok((options, self.embedded()?)));
        self.begin(env, call, cancellation, |service, (options, store)| {
            let imported = service.perform(options, move |call| Ok(store.import(source, on_progress, call)));
            async move { imported.await.map(ImportSummaryObject::from) }
        })
    }

    /// `doctor`
    #[napi]
    pub fn doctor<'env>(
        &self,
        env: &'env Env,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let call = options::doctor(&options);
        self.begin(env, call, cancellation, |service, options| {
            let examined = service.diagnose(options);
            async move { examined.await.map(DoctorReportObject::from) }
        })
    }

    /// `openConversation`
    #[napi]
    pub fn open_conversation(&self, env: Env, conversation_id: Unknown<'_>) -> napi::Result<()> {
        self.now(env, arguments::conversation(env, &conversation_id).map(|id| self.session.borrow_mut().open(id)))
    }

    /// `focusConversation`
    #[napi]
    pub fn focus_conversation(&self, env: Env, conversation_id: Unknown<'_>) -> napi::Result<()> {
        let id = arguments::conversation(env, &conversation_id);
        self.now(env, id.and_then(|id| self.session.borrow_mut().focus(id)))
    }

    /// `closeConversation`
    #[napi]
    pub fn close_conversation(&self, env: Env, conversation_id: Unknown<'_>) -> napi::Result<()> {
        self.now(env, arguments::conversation(env, &conversation_id).map(|id| self.session.borrow_mut().close(id)))
    }

    /// `getConversationId`
    #[napi]
    pub fn get_conversation_id(&self) -> Option<String> {
        self.session.borrow().focused().map(|id| id.to_string())
    }

    /// Tells a function of the traffic from now on, or nobody.
    #[napi]
    pub fn observe(&self, publish: Option<Function<'_, EventObject, ()>>) -> napi::Result<()> {
        self.watch.as_ref().map_or(Ok(()), |watch| watch.publish(publish))
    }

    /// `dataverse` or `embedded`; also for the errors that index.js makes.
    #[napi]
    pub fn store(&self) -> &'static str {
        self.service.store().as_str()
    }

    /// What every error's hint of a client that nobody configured says; for the errors that index.js makes.
    #[napi]
    pub fn note(&self) -> Option<String> {
        self.service.implicit_store_hint().map(str::to_owned)
    }

    /// `close`
    #[napi]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        // In line behind the calls before it, which finish, and before those after it, which are refused.
        let service = self.service.clone();
        match runtime::jobs() {
            Ok(jobs) => Promises::of(*env)?.promise(env, &jobs, move || {
                let closing = service.close();
                async { closing.await.map_err(Failure::Error) }
            }),
            Err(refused) => Promises::rejected(env, &service.describe(refused).into()),
        }
    }

    /// The end of something synchronous: throws what is refused.
    fn now(&self, env: Env, done: Result<(), LinkError>) -> napi::Result<()> {
        done.map_err(|refused| error::thrown(env, &self.service.describe(refused)))
    }

    /// The record and, pinned now, the conversation.
    fn target(
        &self,
        env: Env,
        entity: &Unknown<'_>,
        record: &Unknown<'_>,
        conversation: &Unknown<'_>,
    ) -> Result<(RecordReference, Option<ConversationId>), LinkError> {
        let record = arguments::record(env, entity, record)?;
        Ok((record, self.conversation(env, conversation)?))
    }

    /// The conversation named, or the one that is focused now.
    pub(super) fn conversation(&self, env: Env, id: &Unknown<'_>) -> Result<Option<ConversationId>, LinkError> {
        let named = arguments::optional_conversation(env, id)?;
        Ok(named.or_else(|| self.session.borrow().focused()))
    }

    fn embedded(&self) -> Result<Arc<EmbeddedStore>, LinkError> {
        self.embedded
            .clone()
            .ok_or_else(|| misconfigured("importRecords() needs the embedded store; this client speaks to Dataverse."))
    }

    /// Begins a call, unless the first two rows of the table of checks refuse it.
    pub(super) fn begin<'env, A, T, F>(
        &self,
        env: &'env Env,
        call: Result<A, LinkError>,
        cancellation: Option<&Cancellation>,
        start: impl FnOnce(LinkService, A) -> F + Send + 'static,
    ) -> napi::Result<Unknown<'env>>
    where
        A: Send + 'static,
        T: ToNapiValue + Send + 'static,
        F: Future<Output = Result<T, LinkError>> + Send + 'static,
    {
        let service = self.service.clone();
        let cancelled = Cancelled::from(cancellation);
        let allowed = match call {
            Err(refused) => Err(Failure::Error(service.describe(refused))),
            Ok(_) if cancelled.already() => Err(Failure::Aborted),
            Ok(call) => match service.ensure_open().and_then(|()| runtime::jobs()) {
                Ok(jobs) => Ok((call, jobs)),
                Err(refused) => Err(service.describe(refused).into()),
            },
        };
        match allowed {
            Ok((call, jobs)) => Promises::of(*env)?.promise(env, &jobs, move || cancelled.or(start(service, call))),
            Err(refused) => Promises::rejected(env, &refused),
        }
    }
}

fn dataverse(
    Remote { url, credential, options, mut network, .. }: Remote,
    provider: Option<Function<'_, TokenRequest, Promise<CredentialAnswer>>>,
    proxy: Option<ProxyFunction<'_>>,
    clock: &SharedClock,
    watch: &Arc<Watch>,
) -> napi::Result<DataverseStore> {
    let observer: Arc<dyn Observer> = watch.clone();
    if let Some(function) = proxy {
        network.proxy = Proxy::Resolver(Arc::new(AskedProxy::new(&function)?));
    }
    let http = Arc::new(ReqwestService::new(network, Arc::clone(clock)));
    let tokens: Arc<dyn TokenProvider> = match (credential, provider) {
        (Credential::Token(token), _) => Arc::new(StaticToken(token)),
        (Credential::ClientSecret(client), _) => {
            // Throttled and paid for apart from the environment: it is another server.
            let http = RetryingHttp::new(
                http.clone(),
                Arc::clone(clock),
                options.retries,
                Arc::default(),
                Arc::clone(&observer),
            );
            Arc::new(ClientSecretCredential::new(Arc::new(http), client, Arc::clone(clock)))
        }
        (Credential::Function, Some(provider)) => Arc::new(CredentialFunction::new(&provider, url.scope())?),
        (Credential::Function, None) => return Err(napi::Error::from_reason("the credential's function is missing")),
    };
    let store = DataverseStore::new(url, http.clone(), tokens, options, Arc::clone(clock), observer);
    Ok(store.with_inspection(http))
}

fn progress_reporter(function: &Function<'_, ImportProgressObject, ()>) -> napi::Result<OnProgress> {
    let report: ReportProgress =
        function.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
    let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
    Ok(Box::new(move |ImportProgress { rows_done, rows_total }| {
        let progress = ImportProgressObject { rows_done: count(rows_done), rows_total: count(rows_total) };
        report.call(progress, ThreadsafeFunctionCallMode::NonBlocking);
    }))
}
