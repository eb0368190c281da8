//! The client that lib/client.js wraps: its construction, its focus, and the start of its calls.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use futures_util::TryFutureExt;
use napi::{
    Env, JsValue, ValueType,
    bindgen_prelude::{FromNapiValue, Function, Object, ToNapiValue, Unknown},
    sys,
};
use napi_derive::napi;

use super::{
    error::{self, Failure},
    input, log,
    observer::{EventObject, TrafficLog},
    options::{
        call,
        client::{self, Configuration, StoreConfiguration},
        credential::CredentialFunction,
        network::ProxyFunction,
        process_env::ProcessEnv,
    },
    outcome::{CompactOutcome, Outcome},
    promise::{Cancellation, Cancelled, Promises},
    runtime::{self, Place},
};
use crate::{
    clock::{SharedClock, SystemClock},
    domain::{CallOptions, ConversationId, LinkService, LinkStore, RecordReference},
    embedded::EmbeddedStore,
    error::{Code, LinkError},
    session::Session,
};

/// The entity name, record id and conversation id of a call, unparsed.
pub(super) type Target<'env> = [Unknown<'env>; 3];

/// A link or an unlink, with a target and without options.
type ChangeFunction<'env> = Function<'env, (), sys::napi_value>;

type StartChange = for<'env> fn(&Client, &'env Env, &Target<'env>, &Unknown<'env>) -> napi::Result<Unknown<'env>>;

/// A client without the parts that are JavaScript's: `LinkError` as a class, signals, events, and the forms a credential may have.
#[napi]
#[derive(Clone)]
pub struct Client {
    pub(super) service: LinkService,
    /// Only the embedded store imports.
    pub(super) embedded: Option<Arc<EmbeddedStore>>,
    /// Only a Dataverse client has traffic.
    traffic: Option<Arc<TrafficLog>>,
    session: Rc<RefCell<Session>>,
}

#[napi]
impl Client {
    /// Throws `INVALID_CONFIGURATION`. Opens and sends nothing.
    ///
    /// `credential` and `proxy` are the functions among the options; `process` is Node's, the global one by default.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        options: Unknown<'_>,
        credential: Option<CredentialFunction<'_>>,
        proxy: Option<ProxyFunction<'_>>,
        process: Option<Object<'_>>,
    ) -> napi::Result<Self> {
        let configuration = ProcessEnv::read(env, process)
            .and_then(|process_env| client::configuration(Some(&options), credential.is_some(), &process_env));
        Self::configured(configuration.map_err(|error| error::thrown(env, &error))?, credential, proxy)
    }

    /// A client that only the environment configures.
    pub(super) fn from_process(env: Env) -> Result<Self, LinkError> {
        let internal = |error: napi::Error| LinkError::new(Code::Internal, error.reason.clone());
        let configuration = client::configuration(None, false, &ProcessEnv::read(env, None)?)?;
        Self::configured(configuration, None, None).map_err(internal)
    }

    fn configured(
        Configuration { store, timeout, implicit_store_hint }: Configuration,
        credential: Option<CredentialFunction<'_>>,
        proxy: Option<ProxyFunction<'_>>,
    ) -> napi::Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let (mut embedded, mut traffic) = (None, None);
        let store: Arc<dyn LinkStore> = match store {
            StoreConfiguration::Embedded(path) => {
                let store = Arc::new(EmbeddedStore::new(path, Arc::clone(&clock)));
                embedded = Some(Arc::clone(&store));
                store
            }
            StoreConfiguration::Dataverse(remote) => {
                let traffic = traffic.insert(Arc::new(TrafficLog::new(remote.log)));
                Arc::new(remote.connect(credential, proxy, &clock, traffic)?)
            }
        };
        let service = LinkService::new(store, clock, timeout, implicit_store_hint);
        Ok(Self { service, embedded, traffic, session: Rc::default() })
    }

    /// `release`, or `debug` for a build that is many times slower and not worth measuring.
    #[napi]
    #[must_use]
    pub fn build_profile() -> &'static str {
        if cfg!(debug_assertions) { "debug" } else { "release" }
    }

    /// Writes the last lines of the log. Call it when the process exits, which ends the thread that writes them.
    #[napi]
    pub fn flush_log() {
        log::flush();
    }

    /// `linkToConversation`, with a compact outcome.
    #[napi]
    pub fn link<'env>(
        &self,
        env: &'env Env,
        entity_logical_name: Unknown<'env>,
        record_id: Unknown<'env>,
        conversation_id: Unknown<'env>,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let target = [entity_logical_name, record_id, conversation_id];
        self.start_link(env, &target, &options, cancellation, CompactOutcome)
    }

    /// `unlinkFromConversation`, with a compact outcome.
    #[napi]
    pub fn unlink<'env>(
        &self,
        env: &'env Env,
        entity_logical_name: Unknown<'env>,
        record_id: Unknown<'env>,
        conversation_id: Unknown<'env>,
        options: Unknown<'env>,
        cancellation: Option<&Cancellation>,
    ) -> napi::Result<Unknown<'env>> {
        let target = [entity_logical_name, record_id, conversation_id];
        self.start_unlink(env, &target, &options, cancellation, CompactOutcome)
    }

    /// `link` without options and signal, as a function of its own. napi searches the receiver of a method twice for the client, and
    /// records the borrow for the whole process: together a fifth of a link's time on Node's thread.
    #[napi]
    pub fn link_function<'env>(&self, env: &'env Env) -> napi::Result<ChangeFunction<'env>> {
        self.change_function(env, |client, env, target, options| {
            client.start_link(env, target, options, None, CompactOutcome)
        })
    }

    /// `unlink` without options and signal, as a function of its own.
    #[napi]
    pub fn unlink_function<'env>(&self, env: &'env Env) -> napi::Result<ChangeFunction<'env>> {
        self.change_function(env, |client, env, target, options| {
            client.start_unlink(env, target, options, None, CompactOutcome)
        })
    }

    /// `openConversation`
    #[napi]
    pub fn open_conversation(&self, env: Env, conversation_id: Unknown<'_>) -> napi::Result<()> {
        let id = input::conversation(env, &conversation_id);
        self.or_throw(env, id.map(|id| self.session.borrow_mut().open(id)))
    }

    /// `focusConversation`
    #[napi]
    pub fn focus_conversation(&self, env: Env, conversation_id: Unknown<'_>) -> napi::Result<()> {
        let id = input::conversation(env, &conversation_id);
        self.or_throw(env, id.and_then(|id| self.session.borrow_mut().focus(id)))
    }

    /// `closeConversation`
    #[napi]
    pub fn close_conversation(&self, env: Env, conversation_id: Unknown<'_>) -> napi::Result<()> {
        let id = input::conversation(env, &conversation_id);
        self.or_throw(env, id.map(|id| self.session.borrow_mut().close(id)))
    }

    /// `getConversationId`
    #[napi]
    pub fn get_conversation_id(&self) -> Option<String> {
        self.session.borrow().focused().map(|id| id.to_string())
    }

    /// Publishes the traffic to a function from now on. Without one, publishing ends.
    #[napi]
    pub fn observe(&self, publish: Option<Function<'_, EventObject, ()>>) -> napi::Result<()> {
        self.traffic.as_ref().map_or(Ok(()), |traffic| traffic.publish(publish))
    }

    /// `dataverse` or `embedded`, for the errors that JavaScript creates.
    #[napi]
    pub fn store(&self) -> &'static str {
        self.service.store().as_str()
    }

    /// Part of every error's hint if this client uses an embedded store that was not configured.
    #[napi]
    pub fn implicit_store_hint(&self) -> Option<String> {
        self.service.implicit_store_hint().map(str::to_owned)
    }
}

impl Client {
    fn change_function<'env>(&self, env: &'env Env, start: StartChange) -> napi::Result<ChangeFunction<'env>> {
        let client = self.clone();
        env.create_function_from_closure("change", move |context| {
            let target = [context.get(0)?, context.get(1)?, context.get(2)?];
            Ok(start(&client, context.env, &target, &context.get(3)?)?.raw())
        })
    }

    pub(super) fn start_link<'env, T: ToNapiValue + Send + 'static>(
        &self,
        env: &'env Env,
        target: &Target<'env>,
        options: &Unknown<'env>,
        cancellation: Option<&Cancellation>,
        convert: fn(Outcome) -> T,
    ) -> napi::Result<Unknown<'env>> {
        let request = self.target(*env, target, cancellation).and_then(|target| {
            let (policy, options) = call::link(options)?;
            Ok(((target, policy), options))
        });
        let request = request.map_err(|error| self.made_for(*env, error, target));
        self.start(env, request, cancellation, move |service, ((record, conversation), policy), options| {
            let linked = service.link(record, conversation, policy, options);
            linked.map_ok(move |outcome| convert(outcome.into())).map_err(made_for(conversation))
        })
    }

    pub(super) fn start_unlink<'env, T: ToNapiValue + Send + 'static>(
        &self,
        env: &'env Env,
        target: &Target<'env>,
        options: &Unknown<'env>,
        cancellation: Option<&Cancellation>,
        convert: fn(Outcome) -> T,
    ) -> napi::Result<Unknown<'env>> {
        let request = self.target(*env, target, cancellation).and_then(|target| Ok((target, call::unlink(options)?)));
        let request = request.map_err(|error| self.made_for(*env, error, target));
        self.start(env, request, cancellation, move |service, (record, conversation), options| {
            let unlinked = service.unlink(record, conversation, options);
            unlinked.map_ok(move |outcome| convert(outcome.into())).map_err(made_for(conversation))
        })
    }

    /// Starts a call unless its arguments or options are invalid, it was cancelled already, or the client is closed.
    pub(super) fn start<'env, A, T, F>(
        &self,
        env: &'env Env,
        request: Result<(A, CallOptions), LinkError>,
        cancellation: Option<&Cancellation>,
        start: impl FnOnce(LinkService, A, CallOptions) -> F + Send + 'static,
    ) -> napi::Result<Unknown<'env>>
    where
        A: Send + 'static,
        T: ToNapiValue + Send + 'static,
        F: Future<Output = Result<T, LinkError>> + Send + 'static,
    {
        let service = self.service.clone();
        let cancelled = Cancelled::from(cancellation);
        let request = request.and_then(|(arguments, options)| {
            service.ensure_possible(&options)?;
            Ok((arguments, options))
        });
        let started = match request {
            Err(error) => Err(service.describe(error).into()),
            Ok(_) if cancelled.is_requested() => Err(Failure::Aborted),
            Ok(request) => match service.ensure_open().and_then(|()| runtime::jobs()) {
                Ok(jobs) => Ok((request, jobs)),
                Err(error) => Err(service.describe(error).into()),
            },
        };
        match started {
            Ok(((arguments, options), jobs)) => Promises::of(*env)?
                .promise(env, &jobs, self.place(), move || cancelled.run(start(service, arguments, options))),
            Err(failure) => Promises::rejected(env, &failure),
        }
    }

    /// The place of all calls of this client, so that they start in order. A call of the embedded store only waits for its threads.
    pub(super) fn place(&self) -> Place {
        if self.embedded.is_some() { Place::Here } else { Place::Runtime }
    }

    /// Throws the error of a synchronous method.
    fn or_throw(&self, env: Env, done: Result<(), LinkError>) -> napi::Result<()> {
        done.map_err(|error| error::thrown(env, &self.service.describe(error)))
    }

    /// The record and the conversation. Fails if the client is closed; a call with a signal is checked later, after the signal.
    fn target(
        &self,
        env: Env,
        [entity, record, conversation]: &Target<'_>,
        cancellation: Option<&Cancellation>,
    ) -> Result<(RecordReference, Option<ConversationId>), LinkError> {
        let target = (input::record(env, entity, record)?, self.conversation(env, conversation)?);
        if cancellation.is_none() {
            self.service.ensure_open()?;
        }
        Ok(target)
    }

    /// Adds the conversation of a call that did not start: the string of the argument, or the focused one.
    fn made_for(&self, env: Env, error: LinkError, [_, _, id]: &Target<'_>) -> LinkError {
        let conversation = match id.get_type() {
            // SAFETY: checked to be a string of this environment.
            Ok(ValueType::String) => unsafe { String::from_napi_value(env.raw(), id.raw()) }.ok(),
            Ok(ValueType::Null | ValueType::Undefined) => self.get_conversation_id(),
            _ => None,
        };
        error.with(|details| details.conversation_id = conversation)
    }

    /// The conversation that is named, or the one that is focused now.
    pub(super) fn conversation(&self, env: Env, id: &Unknown<'_>) -> Result<Option<ConversationId>, LinkError> {
        let named = input::optional_conversation(env, id)?;
        Ok(named.or_else(|| self.session.borrow().focused()))
    }
}

/// Adds the conversation to an error, for the event that JavaScript emits.
pub(super) fn made_for(conversation: Option<ConversationId>) -> impl Fn(LinkError) -> LinkError {
    move |error| error.with(|details| details.conversation_id = conversation.map(|id| id.to_string()))
}
