//! Chooses the proxy of a request.

use std::{fmt, str::FromStr, sync::Arc};

use futures_util::future::BoxFuture;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::{Host, Url};

use super::address::is_loopback;
use crate::http::service::error::{HttpError, HttpErrorKind};

/// Most entries of a PAC script's result that are tried.
const MAX_ENTRIES: usize = 16;

/// How the proxy of a server is found. Plain HTTP, which is only used within this machine, never goes through a proxy.
#[derive(Clone)]
pub enum Proxy {
    /// From environment variables. Loopback addresses are always reached directly.
    Environment(ProxyVariables),
    Direct,
    /// One proxy for every server, loopback addresses included.
    Url(ProxyUrl),
    /// A function that is called per server, about once a minute and after an error.
    Resolver(Arc<dyn ProxyResolver>),
}

/// The variables as the caller sees them, because a Node worker has its own environment. A blank value counts as not set.
///
/// Without `HTTPS_PROXY`, `HTTP_PROXY` serves HTTPS too, as in Node itself. With neither, the proxy settings of macOS and
/// Windows apply; the library that reads them checks the process's own variables first, including `ALL_PROXY`.
#[derive(Clone, Default)]
pub struct ProxyVariables {
    /// `https_proxy` or `HTTPS_PROXY`. The default scheme is `http://`.
    pub https_proxy: Option<String>,
    pub http_proxy: Option<String>,
    /// `no_proxy` or `NO_PROXY`: names (their subdomains included), addresses, networks, each with or without a port, or `*`.
    pub no_proxy: Option<String>,
}

impl ProxyVariables {
    /// Reads each in both cases, lower case first, as curl and Node do.
    pub fn look_up(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            let lower = variable(&name.to_ascii_lowercase()).filter(|value| !value.trim().is_empty());
            lower.or_else(|| variable(name)).filter(|value| !value.trim().is_empty())
        };
        Self { https_proxy: set("HTTPS_PROXY"), http_proxy: set("HTTP_PROXY"), no_proxy: set("NO_PROXY") }
    }

    fn proxy_of(&self, server: &Url) -> Result<Option<ProxyUrl>, HttpError> {
        if is_loopback(&without_root(server)) || self.no_proxy.as_deref().is_some_and(|list| is_listed(list, server)) {
            return Ok(None);
        }
        let https = ("HTTPS_PROXY", self.https_proxy.as_deref());
        let http = ("HTTP_PROXY", self.http_proxy.as_deref());
        let set = [https, http].into_iter().find_map(|(name, value)| Some((name, value?)));
        if let Some((name, value)) = set {
            let proxy = value.parse().map_err(|unusable| no_route(format!("{name}: {unusable}")))?;
            return Ok(Some(proxy));
        }
        // Other systems have only the variables.
        if !cfg!(any(windows, target_os = "macos")) {
            return Ok(None);
        }
        let Some(proxy) = as_uri(server).and_then(|server| Matcher::from_system().intercept(&server)) else {
            return Ok(None);
        };
        let unusable = |unusable| no_route(format!("the system's proxy settings: {unusable}"));
        proxy.uri().to_string().parse().map(Some).map_err(unusable)
    }
}

fn no_route(message: String) -> HttpError {
    HttpError::new(HttpErrorKind::NoRoute, message)
}

/// Whether `NO_PROXY` lists the server. Matches as curl does, which does not support a dot at the end, and additionally supports ports
/// and a leading `*.`, as Node does.
fn is_listed(list: &str, server: &Url) -> bool {
    let server = &without_root(server);
    let port = server.port_or_known_default();
    let entries = list.split([',', ' ', '\t', '\n']).filter_map(|entry| {
        let entry = if entry.starts_with("*.") { &entry[1..] } else { entry };
        let host = match entry.rsplit_once(':') {
            // Any other colon is part of an IPv6 address.
            Some((host, number)) if !host.contains(':') || host.ends_with(']') => {
                (number.parse().ok() == port).then_some(host)?
            }
            _ => entry,
        };
        Some(host.trim_matches(['[', ']']).trim_end_matches('.'))
    });
    let list = entries.collect::<Vec<_>>().join(",");
    let matcher = Matcher::builder().all("http://proxy").no(list).build();
    as_uri(server).is_some_and(|server| matcher.intercept(&server).is_none())
}

/// The URL without the dot at the end of its host, which stands for the DNS root and does not change the server.
fn without_root(server: &Url) -> Url {
    let mut server = server.clone();
    if let Some(name) = server.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
        // The rest of a valid host is valid.
        let _is_set = server.set_host(Some(&name));
    }
    server
}

fn as_uri(url: &Url) -> Option<http::Uri> {
    url.as_str().parse().ok()
}

/// An HTTP proxy, with its user and password. They are only sent to the proxy and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

/// Why a proxy cannot be used. Quotes nothing of its URL, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableProxy {
    #[error(
        "not a URL like http://user:password@proxy.example:8080, with special characters of the password percent-encoded"
    )]
    Malformed,
    #[error("SOCKS proxies are not supported; name an http:// or https:// proxy")]
    Socks,
    #[error("a proxy's URL begins with http:// or https://")]
    Scheme,
    /// It is probably the URL of a PAC script.
    #[error("a proxy's URL has no path, query or fragment; a PAC script is used by passing a function")]
    ExtraParts,
    /// The server is addressed by plain HTTP.
    #[error("plain HTTP through a proxy would show it the token; use https:// for the server, or no proxy")]
    PlainText,
}

impl FromStr for ProxyUrl {
    type Err = UnusableProxy;

    fn from_str(text: &str) -> Result<Self, UnusableProxy> {
        let text = text.trim();
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&with_scheme).map_err(|_| UnusableProxy::Malformed)?;
        match url.scheme() {
            "http" | "https" => {}
            scheme if scheme.starts_with("socks") => return Err(UnusableProxy::Socks),
            _ => return Err(UnusableProxy::Scheme),
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(UnusableProxy::ExtraParts);
        }
        let proxy = Self(url);
        proxy.read().map(|_| proxy)
    }
}

impl ProxyUrl {
    pub(super) fn has_user(&self) -> bool {
        !self.0.username().is_empty()
    }

    /// Address and `Proxy-Authorization`.
    pub(super) fn read(&self) -> Result<Intercept, UnusableProxy> {
        let server = http::Uri::from_static("https://server.example");
        // The matcher silently ignores a proxy that it cannot read.
        Matcher::builder().all(self.0.as_str()).build().intercept(&server).ok_or(UnusableProxy::Malformed)
    }
}

/// Host and port.
impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host().unwrap_or(Host::Domain(""));
        write!(f, "{host}:{}", self.0.port_or_known_default().unwrap_or_default())
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{self}", self.0.scheme())
    }
}

/// Finds the proxy of a server, as Electron's `session.resolveProxy` does.
pub trait ProxyResolver: Send + Sync {
    /// Returns the result of a PAC script (`PROXY host:port; HTTPS host:port; DIRECT`), a proxy's URL, or an empty string for no proxy.
    /// Entries are tried in order. `server` has no path or query. The message of an error must not hold a secret.
    fn resolve(&self, server: Url) -> BoxFuture<'_, Result<String, String>>;
}

impl Proxy {
    pub fn check(&self, server: &Url) -> Result<(), UnusableProxy> {
        match self {
            Self::Url(_) if server.scheme() == "http" => Err(UnusableProxy::PlainText),
            _ => Ok(()),
        }
    }

    /// The proxies for this server, in the order in which to try them. `None` is a direct connection. There is at least one entry.
    pub(super) async fn exits_to(&self, server: &Url) -> Result<Vec<Option<ProxyUrl>>, HttpError> {
        self.check(server).map_err(|unusable| no_route(unusable.to_string()))?;
        match self {
            Self::Url(proxy) => Ok(vec![Some(proxy.clone())]),
            Self::Environment(variables) if server.scheme() == "https" => Ok(vec![variables.proxy_of(server)?]),
            Self::Resolver(resolver) if server.scheme() == "https" => {
                let result = resolver.resolve(server.clone()).await;
                let result = result.map_err(|reason| no_route(format!("the proxy function failed: {reason}")))?;
                usable_entries(&result).map_err(|unusable| no_route(format!("the proxy function's result: {unusable}")))
            }
            _ => Ok(vec![None]),
        }
    }
}

/// The supported entries of a PAC script's result. An empty result means a direct connection.
fn usable_entries(result: &str) -> Result<Vec<Option<ProxyUrl>>, UnusableProxy> {
    let (mut entries, mut unusable) = (Vec::new(), None);
    for entry in result.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (kind, address) = entry.split_once(char::is_whitespace).unwrap_or((entry, ""));
        let proxy = match (kind.to_ascii_uppercase().as_str(), address.trim()) {
            ("DIRECT", _) => Ok(None),
            ("PROXY" | "HTTP" | "HTTPS", "") => Err(UnusableProxy::Malformed),
            (kind, _) if kind.starts_with("SOCKS") => Err(UnusableProxy::Socks),
            (_, "") => entry.parse().map(Some),
            ("PROXY" | "HTTP", address) => address.parse().map(Some),
            ("HTTPS", address) => format!("https://{address}").parse().map(Some),
            _ => Err(UnusableProxy::Scheme),
        };
        match proxy {
            Ok(proxy) if entries.contains(&proxy) => {}
            Ok(proxy) if entries.len() < MAX_ENTRIES => entries.push(proxy),
            Ok(_) => break,
            Err(reason) => unusable = unusable.or(Some(reason)),
        }
    }
    match (entries.is_empty(), unusable) {
        (false, _) => Ok(entries),
        (true, Some(reason)) => Err(reason),
        (true, None) => Ok(vec![None]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_without_showing_its_password() {
        for (text, shown) in [
            ("http://me:s3cr%40t@proxy.example:8080", "http://proxy.example:8080"),
            ("https://proxy.example/", "https://proxy.example:443"),
            ("proxy.example:3128", "http://proxy.example:3128"),
            ("me:s3cr%40t@10.0.0.1", "http://10.0.0.1:80"),
            (" http://[::1]:8080 ", "http://[::1]:8080"),
        ] {
            let proxy: ProxyUrl = text.parse().unwrap();
            assert_eq!(format!("{proxy:?}"), shown);
            assert!(shown.ends_with(&proxy.to_string()));
        }
        for (text, reason) in [
            ("", UnusableProxy::Malformed),
            ("http://", UnusableProxy::Malformed),
            ("http://me:s3cret@:80", UnusableProxy::Malformed),
            ("http://me:s3c/ret@proxy", UnusableProxy::Malformed),
            ("socks5://me:s3cret@proxy:1080", UnusableProxy::Socks),
            ("ftp://me:s3cret@proxy", UnusableProxy::Scheme),
            ("http://me:s3cret@proxy/wpad.dat", UnusableProxy::ExtraParts),
        ] {
            let unusable = text.parse::<ProxyUrl>().unwrap_err();
            assert_eq!(unusable, reason, "{text}");
            assert!(!format!("{unusable}{unusable:?}").contains("s3c"));
        }
    }

    #[test]
    fn no_proxy_supports_the_forms_of_curl_and_node() {
        for (list, url, is_in) in [
            ("*", "https://contoso.crm4.dynamics.com", true),
            ("dynamics.com", "https://contoso.crm4.dynamics.com", true),
            (".dynamics.com", "https://contoso.crm4.dynamics.com", true),
            ("*.dynamics.com", "https://contoso.crm4.dynamics.com", true),
            ("DYNAMICS.COM", "https://contoso.crm4.dynamics.com", true),
            ("a.example, dynamics.com", "https://contoso.crm4.dynamics.com", true),
            ("a.example dynamics.com", "https://contoso.crm4.dynamics.com", true),
            ("mics.com", "https://contoso.crm4.dynamics.com", false),
            ("contoso.crm4.dynamics.com:443", "https://contoso.crm4.dynamics.com", true),
            ("contoso.crm4.dynamics.com:444", "https://contoso.crm4.dynamics.com", false),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("fe80::1", "https://[fe80::1]", true),
            ("[fe80::1]", "https://[fe80::1]", true),
            ("[fe80::1]:8443", "https://[fe80::1]:8443", true),
            ("[fe80::1]:8443", "https://[fe80::1]", false),
            ("contoso.crm4.dynamics.com.", "https://contoso.crm4.dynamics.com", true),
            ("dynamics.com.", "https://contoso.crm4.dynamics.com", true),
            (".dynamics.com.", "https://contoso.crm4.dynamics.com", true),
            ("*.DYNAMICS.com.", "https://contoso.crm4.dynamics.com", true),
            ("dynamics.com.:443", "https://contoso.crm4.dynamics.com", true),
            ("dynamics.com.:444", "https://contoso.crm4.dynamics.com", false),
            ("mics.com.", "https://contoso.crm4.dynamics.com", false),
            ("dynamics.com", "https://contoso.crm4.dynamics.com.", true),
            ("dynamics.com.", "https://contoso.crm4.dynamics.com.:8443", true),
            ("contoso.crm4.dynamics.com:8443", "https://contoso.crm4.dynamics.com.:8443", true),
            ("10.1.2.3.", "https://10.1.2.3", true),
            ("*:443", "https://contoso.crm4.dynamics.com", true),
            ("*:444", "https://contoso.crm4.dynamics.com", false),
            ("10.0.0.0/8:443", "https://10.1.2.3", true),
            ("fd00::/8", "https://[fd00::1]", true),
            (".", "https://contoso.crm4.dynamics.com", false),
            (".", "https://contoso.crm4.dynamics.com.", false),
            ("", "https://contoso.crm4.dynamics.com", false),
            (",", "https://contoso.crm4.dynamics.com", false),
        ] {
            assert_eq!(is_listed(list, &Url::parse(url).unwrap()), is_in, "{list:?} {url}");
        }
    }

    #[test]
    fn variables_are_read_in_both_cases_and_blank_means_unset() {
        let variables = ProxyVariables::look_up(|name| match name {
            "https_proxy" => Some("  ".into()),
            "HTTPS_PROXY" | "no_proxy" => Some(name.into()),
            "NO_PROXY" => Some("upper".into()),
            _ => None,
        });
        assert_eq!(variables.https_proxy.as_deref(), Some("HTTPS_PROXY"));
        assert_eq!(variables.http_proxy, None);
        assert_eq!(variables.no_proxy.as_deref(), Some("no_proxy"));
    }

    #[test]
    fn the_server_decides_which_variable_applies() {
        let proxy_of = |variables: &ProxyVariables, url: &str| variables.proxy_of(&Url::parse(url).unwrap());
        let variables = ProxyVariables {
            https_proxy: Some("secure:1".into()),
            http_proxy: Some("plain:2".into()),
            no_proxy: Some("internal.example".into()),
        };
        let shown = |url| proxy_of(&variables, url).unwrap().map(|proxy| proxy.to_string());
        assert_eq!(shown("https://contoso.example").as_deref(), Some("secure:1"));
        for url in [
            "https://a.internal.example",
            "https://127.0.0.1",
            "https://[::1]:8",
            "https://localhost",
            "https://localhost.",
        ] {
            assert_eq!(shown(url), None, "{url}");
        }
        let only_http = ProxyVariables { http_proxy: Some("plain:2".into()), ..ProxyVariables::default() };
        assert_eq!(proxy_of(&only_http, "https://a.example").unwrap().unwrap().to_string(), "plain:2");
        let socks = ProxyVariables { https_proxy: Some("socks5://a:s3cret@b".into()), ..ProxyVariables::default() };
        let error = proxy_of(&socks, "https://a.example").unwrap_err();
        assert_eq!(error.kind, crate::http::HttpErrorKind::NoRoute);
        assert!(error.message.starts_with("HTTPS_PROXY: SOCKS proxies are not supported"), "{error}");
    }

    #[test]
    fn supported_entries_of_a_pac_result_keep_their_order() {
        for (result, expected) in [
            ("DIRECT", "DIRECT"),
            ("direct;", "DIRECT"),
            ("", "DIRECT"),
            (" ; ;", "DIRECT"),
            ("PROXY a:1; DIRECT", "http://a:1 DIRECT"),
            ("DIRECT; PROXY a:1", "DIRECT http://a:1"),
            ("proxy a:1;PROXY b:2;HTTP c:3", "http://a:1 http://b:2 http://c:3"),
            ("PROXY\ta:1 ;\n PROXY   b:2", "http://a:1 http://b:2"),
            ("HTTPS a:1; PROXY a:1", "https://a:1 http://a:1"),
            ("PROXY a:1; PROXY a:1; DIRECT; DIRECT", "http://a:1 DIRECT"),
            ("SOCKS5 a:1; PROXY b:2; SOCKS c:3", "http://b:2"),
            ("QUIC a:1; PROXY b:2 ; PROXY ; nonsense x", "http://b:2"),
            ("SOCKS a:1; DIRECT", "DIRECT"),
            ("http://me:s3cret@a:1", "http://a:1"),
        ] {
            let shown = |proxy: &Option<ProxyUrl>| proxy.as_ref().map_or("DIRECT".into(), |proxy| format!("{proxy:?}"));
            let entries = usable_entries(result).unwrap().iter().map(shown).collect::<Vec<_>>().join(" ");
            assert_eq!(entries, expected, "{result}");
        }
        let many: Vec<_> = (1..100).map(|number| format!("PROXY a:{number}")).collect();
        assert_eq!(usable_entries(&many.join(";")).unwrap().len(), MAX_ENTRIES);
        assert_eq!(usable_entries("SOCKS5 a:1; SOCKS b:2"), Err(UnusableProxy::Socks));
        assert_eq!(usable_entries("QUIC a:1"), Err(UnusableProxy::Scheme));
    }
}
