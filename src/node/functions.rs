//! The two functions that the addon itself exports, and the default client behind them.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use napi::{Env, ValueType, bindgen_prelude::Unknown};
use napi_derive::napi;

use super::{client::Client, outcome::OutcomeObject, promise::Promises};
use crate::error::{Code, LinkError};

thread_local! {
    /// The default clients of this thread's environments, by address. A window of Electron may have several.
    static DEFAULT_CLIENTS: RefCell<HashMap<usize, Rc<Client>>> = RefCell::default();
}

/// The default client of the current environment, created by the first call from `process.env` alone.
fn default_client(env: Env) -> Result<Rc<Client>, LinkError> {
    let address = env.raw().addr();
    if let Some(client) = DEFAULT_CLIENTS.with_borrow(|clients| clients.get(&address).cloned()) {
        return Ok(client);
    }
    let client = Rc::new(Client::from_process(env)?);
    let forget = |address: usize| drop(DEFAULT_CLIENTS.try_with(|clients| clients.borrow_mut().remove(&address)));
    env.add_env_cleanup_hook(address, forget).map_err(|error| LinkError::new(Code::Internal, error.reason.clone()))?;
    DEFAULT_CLIENTS.with_borrow_mut(|clients| clients.insert(address, Rc::clone(&client)));
    Ok(client)
}

/// `linkToConversation` of the default client, which uses `DATAVERSE_URL` if it is set, else `omnichannel-link.db` in the working
/// directory.
///
/// Takes the first three arguments of `linkToConversation` in types/client.d.ts, and has its outcome. An error is a plain `Error`
/// with the properties of `LinkError`.
#[napi]
pub fn link_to_conversation<'env>(
    env: &'env Env,
    entity_logical_name: Unknown<'env>,
    record_id: Unknown<'env>,
    conversation_id: Unknown<'env>,
    options: Unknown<'env>,
) -> napi::Result<Unknown<'env>> {
    let target = [entity_logical_name, record_id, conversation_id];
    with_default_client(env, &options, |client| client.start_link(env, &target, &options, None, OutcomeObject))
}

/// `unlinkFromConversation` of the default client; see [`link_to_conversation`].
#[napi]
pub fn unlink_from_conversation<'env>(
    env: &'env Env,
    entity_logical_name: Unknown<'env>,
    record_id: Unknown<'env>,
    conversation_id: Unknown<'env>,
    options: Unknown<'env>,
) -> napi::Result<Unknown<'env>> {
    let target = [entity_logical_name, record_id, conversation_id];
    with_default_client(env, &options, |client| client.start_unlink(env, &target, &options, None, OutcomeObject))
}

/// Rejects if there cannot be a default client, because an async function never throws. Options are rejected, too: lib/options.js
/// reads them, and ignoring a `dryRun` would write.
fn with_default_client<'env>(
    env: &'env Env,
    options: &Unknown<'env>,
    call: impl FnOnce(&Client) -> napi::Result<Unknown<'env>>,
) -> napi::Result<Unknown<'env>> {
    let client = match options.get_type() {
        Ok(ValueType::Undefined) => default_client(*env),
        _ => Err(LinkError::invalid_argument(
            "options",
            "expected none; calls with options need the package `omnichannel-link`",
        )),
    };
    match client {
        Ok(client) => call(&client),
        Err(error) => Promises::rejected(env, &error.into()),
    }
}
