//! How a client reaches the network, as its options and its environment say.

use futures_util::future::BoxFuture;
use http::HeaderValue;
use napi::{
    Status,
    bindgen_prelude::{Function, Promise},
    threadsafe_function::ThreadsafeFunction,
};
use napi_derive::napi;
use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::{
    configuration::{Surroundings, misconfigured},
    credential::SecretOption,
};
use crate::{
    error::LinkError,
    http::{CaCertificate, NetworkOptions, Proxy, ProxyResolver, ProxyVariables, Secret, user_agent},
};

/// What of the options of a client is about the network.
#[derive(Default)]
pub(super) struct NetworkOption {
    pub(super) proxy: Option<SecretOption>,
    pub(super) ca_certificates: Option<Certificates>,
    pub(super) application: Option<UserAgent>,
}

/// PEM, in one text or in several.
pub(super) struct Certificates(Vec<CaCertificate>);

impl<'de> Deserialize<'de> for Certificates {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct TextOrTexts;

        impl<'de> de::Visitor<'de> for TextOrTexts {
            type Value = Certificates;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("certificates as a PEM text, or an array of such texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Certificates, E> {
                CaCertificate::read_pem(text.as_bytes()).map(Certificates).map_err(|why| E::custom(format!("it {why}")))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut texts: A) -> Result<Certificates, A::Error> {
                let mut all = String::new();
                while let Some(text) = texts.next_element::<String>()? {
                    all.push_str(&text);
                    all.push('\n');
                }
                self.visit_str(&all)
            }
        }

        value.deserialize_any(TextOrTexts)
    }
}

/// What is added to the User-Agent.
pub(super) struct UserAgent(HeaderValue);

impl<'de> Deserialize<'de> for UserAgent {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let refused = || de::Error::custom("expected 1 to 256 printable ASCII characters, such as my-service/1.2");
        user_agent(&String::deserialize(value)?).map(Self).ok_or_else(refused)
    }
}

/// What is asked of the proxy function.
#[napi(object, object_from_js = false)]
pub struct ProxyQuestion {
    pub url: String,
}

/// What index.js makes of whatever it did: it never throws and never rejects.
#[napi(object, object_to_js = false)]
pub struct ProxyAnswer {
    pub answer: Option<String>,
    pub failure: Option<String>,
}

/// As `napi` hands it over.
pub(super) type ProxyFunction<'env> = Function<'env, ProxyQuestion, Promise<ProxyAnswer>>;

/// A proxy function of JavaScript. Weak: see `CredentialFunction`.
pub(super) struct AskedProxy(
    ThreadsafeFunction<ProxyQuestion, Promise<ProxyAnswer>, ProxyQuestion, Status, false, true>,
);

impl AskedProxy {
    pub(super) fn new(function: &ProxyFunction<'_>) -> napi::Result<Self> {
        Ok(Self(function.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?))
    }

    async fn ask(&self, server: Url) -> Result<String, String> {
        let answer = match self.0.call_async_catch(ProxyQuestion { url: server.into() }).await {
            Ok(promise) => promise.await,
            Err(error) => Err(error),
        };
        match answer.map_err(|error| error.reason.clone())? {
            ProxyAnswer { answer: Some(answer), .. } => Ok(answer),
            ProxyAnswer { failure, .. } => Err(failure.unwrap_or_default()),
        }
    }
}

impl ProxyResolver for AskedProxy {
    fn resolve(&self, server: Url) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(self.ask(server))
    }
}

impl NetworkOption {
    /// The options made sense of, for an environment at `url`. A proxy function comes later, because napi owns it.
    pub(super) fn understood(self, surroundings: &mut Surroundings, url: &Url) -> Result<NetworkOptions, LinkError> {
        let defaults = NetworkOptions::default();
        let proxy = match self.proxy {
            Some(SecretOption(given)) => proxy_of(&given, url)?,
            None => Proxy::Environment(ProxyVariables::look_up(|name| surroundings.variables.get(name).cloned())),
        };
        let ca_certificates = self.ca_certificates.map_or_else(Vec::new, |Certificates(given)| given);
        let extra_ca_file = surroundings.take("NODE_EXTRA_CA_CERTS").map(Into::into);
        let user_agent = self.application.map_or(defaults.user_agent.clone(), |UserAgent(given)| given);
        Ok(NetworkOptions { ca_certificates, extra_ca_file, proxy, user_agent, ..defaults })
    }
}

fn proxy_of(given: &Secret, url: &Url) -> Result<Proxy, LinkError> {
    let refused = |why| misconfigured(format!("`options.dataverse.proxy`: {why}."));
    if given.reveal().eq_ignore_ascii_case("DIRECT") {
        return Ok(Proxy::Direct);
    }
    let proxy = given.reveal().parse().map(Proxy::Url).map_err(refused)?;
    proxy.check(url).map_err(refused)?;
    Ok(proxy)
}
