//! Network options of a client.

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

use super::{credential::SecretOption, process_env::ProcessEnv};
use crate::{
    error::LinkError,
    http::{CaCertificate, NetworkOptions, Proxy, ProxyResolver, ProxyVariables, Secret, user_agent},
};

/// Certificates in PEM, in one string or several.
pub(super) struct Certificates(Vec<CaCertificate>);

impl<'de> Deserialize<'de> for Certificates {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> de::Visitor<'de> for OneOrMany {
            type Value = Certificates;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("certificates as a PEM string, or an array of such strings")
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

        value.deserialize_any(OneOrMany)
    }
}

/// The part of the User-Agent that names the application.
pub(super) struct UserAgent(HeaderValue);

impl<'de> Deserialize<'de> for UserAgent {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let invalid = || de::Error::custom("expected 1 to 256 printable ASCII characters, such as my-service/1.2");
        user_agent(&String::deserialize(value)?).map(Self).ok_or_else(invalid)
    }
}

/// The server that a proxy is wanted for.
#[napi(object, object_from_js = false)]
pub struct ProxyRequest {
    pub url: String,
}

/// The result of a proxy function. lib/credential.js ensures that the function never throws and never rejects.
#[napi(object, object_to_js = false)]
pub struct ProxyResponse {
    pub proxies: Option<String>,
    pub failure: Option<String>,
}

/// The function that lib/credential.js makes of the option `proxy`.
pub(in crate::node) type ProxyFunction<'env> = Function<'env, ProxyRequest, Promise<ProxyResponse>>;

/// A proxy resolver that is a function of JavaScript. Weak, like a credential.
pub(super) struct JsProxy(ThreadsafeFunction<ProxyRequest, Promise<ProxyResponse>, ProxyRequest, Status, false, true>);

impl JsProxy {
    pub(super) fn new(function: &ProxyFunction<'_>) -> napi::Result<Self> {
        Ok(Self(function.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?))
    }

    async fn request(&self, server: Url) -> Result<String, String> {
        let response = match self.0.call_async_catch(ProxyRequest { url: server.into() }).await {
            Ok(promise) => promise.await,
            Err(error) => Err(error),
        };
        match response.map_err(|error| error.reason.clone())? {
            ProxyResponse { proxies: Some(proxies), .. } => Ok(proxies),
            ProxyResponse { failure, .. } => Err(failure.unwrap_or_default()),
        }
    }
}

impl ProxyResolver for JsProxy {
    fn resolve(&self, server: Url) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(self.request(server))
    }
}

/// Completes the network options from the process environment, for an environment at `url`. A proxy function is added later.
pub(super) fn options(
    proxy: Option<SecretOption>,
    certificates: Option<Certificates>,
    application: Option<UserAgent>,
    process_env: &ProcessEnv,
    url: &Url,
) -> Result<NetworkOptions, LinkError> {
    let defaults = NetworkOptions::default();
    let proxy = match proxy {
        Some(SecretOption(given)) => proxy_of(&given, url)?,
        None => Proxy::Environment(ProxyVariables::look_up(|name| process_env.get(name))),
    };
    let ca_certificates = certificates.map_or_else(Vec::new, |Certificates(given)| given);
    let extra_ca_file = process_env.get("NODE_EXTRA_CA_CERTS").map(Into::into);
    let user_agent = application.map_or(defaults.user_agent.clone(), |UserAgent(given)| given);
    Ok(NetworkOptions { ca_certificates, extra_ca_file, proxy, user_agent, ..defaults })
}

fn proxy_of(given: &Secret, url: &Url) -> Result<Proxy, LinkError> {
    let invalid = |why| LinkError::invalid_option("options.dataverse.proxy", why);
    if given.reveal().eq_ignore_ascii_case("DIRECT") {
        return Ok(Proxy::Direct);
    }
    let proxy = given.reveal().parse().map(Proxy::Url).map_err(invalid)?;
    proxy.check(url).map_err(invalid)?;
    Ok(proxy)
}
