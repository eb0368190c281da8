//! The two functions that the addon itself exports, and the default client behind them.

use std::cell::OnceCell;

use napi::{Env, bindgen_prelude::Unknown};
use napi_derive::napi;

use super::{client::Client, outcome::OutcomeObject, promise::Promises};
use crate::error::LinkError;

/// The state of one environment: the main thread's, or a worker's.
pub(super) struct Environment {
    pub(super) promises: Promises,
    default_client: OnceCell<Client>,
}

impl Environment {
    /// The state of the current environment, set up by its first call.
    pub(super) fn current(env: Env) -> napi::Result<&'static Self> {
        if env.get_instance_data::<Self>()?.is_none() {
            let environment = Self { promises: Promises::new(env)?, default_client: OnceCell::new() };
            env.set_instance_data(environment, (), |_| {})?;
        }
        let environment = env.get_instance_data::<Self>()?;
        environment.map(|environment| &*environment).ok_or_else(|| napi::Error::from_reason("no instance data"))
    }

    /// The default client, created by the first call from `process.env` alone.
    fn default_client(&self, env: Env) -> Result<&Client, LinkError> {
        if let Some(client) = self.default_client.get() {
            return Ok(client);
        }
        let client = Client::from_process(env)?;
        Ok(self.default_client.get_or_init(|| client))
    }
}

/// `linkToConversation` of a default client: of `DATAVERSE_URL` if it is set, else of `omnichannel-link.db` in the working directory.
///
/// Arguments, outcome and errors are those of `linkToConversation` in types/client.d.ts; an error is a plain `Error` with the
/// properties of `LinkError`, and options cannot have a `signal`.
#[napi]
pub fn link_to_conversation<'env>(
    env: &'env Env,
    entity_logical_name: Unknown<'env>,
    record_id: Unknown<'env>,
    conversation_id: Unknown<'env>,
    options: Unknown<'env>,
) -> napi::Result<Unknown<'env>> {
    let target = [entity_logical_name, record_id, conversation_id];
    with_default_client(env, |client| client.start_link::<OutcomeObject>(env, &target, &options, None))
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
    with_default_client(env, |client| client.start_unlink::<OutcomeObject>(env, &target, &options, None))
}

/// Rejects if there cannot be a default client, because an async function never throws.
fn with_default_client<'env>(
    env: &'env Env,
    call: impl FnOnce(&Client) -> napi::Result<Unknown<'env>>,
) -> napi::Result<Unknown<'env>> {
    match Environment::current(*env)?.default_client(*env) {
        Ok(client) => call(client),
        Err(error) => Promises::rejected(env, &error.into()),
    }
}
