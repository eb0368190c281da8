//! HTTP as a service with one method, and the layers around it: network, retries, token. Knows nothing of the domain.

mod network;
mod observe;
mod redact;
mod retry;
mod service;
mod token;

pub use network::{
    NetworkService,
    address::is_safe_for_secrets,
    certificate::Certificate,
    inspection::Inspection,
    options::{NetworkOptions, user_agent},
    proxy::{Proxy, ProxyResolver, ProxyUrl, ProxyVariables, UnusableProxy},
    trust::{CaCertificate, UnusableCertificates},
};
pub use observe::{Ending, Event, NoopObserver, Observer, Subject};
pub use redact::{Secret, redact};
pub use retry::{RetryPolicy, RetryingHttp, budget::RetryBudget};
pub use service::{
    HttpRequest, HttpResponse, HttpService, MAX_BODY,
    error::{HttpError, HttpErrorKind},
    headers::field_lines,
};
pub use token::{
    AccessToken, StaticToken, Token, TokenProvider,
    authorized::{AuthorizedHttp, CallError},
    cache::TokenCache,
    claims::{Audience, Claims},
    client_secret::{ClientSecret, ClientSecretCredential},
};
