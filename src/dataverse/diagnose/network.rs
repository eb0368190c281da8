//! Checks of the connection: proxy, name and certificate.

use std::net::IpAddr;

use url::{Host, Url};

use super::checks::Checks;
use crate::{
    domain::{CheckKind, CheckOutcome, CheckResult},
    error::{Code, LinkError},
    http::{Certificate, HttpError, HttpErrorKind, Inspection, NetworkService},
};

const PROXY: CheckKind = CheckKind {
    name: "proxy",
    if_passed: "Every request takes this route.",
    if_failed: "No request reaches the server.",
};
const DNS: CheckKind = CheckKind {
    name: "dns",
    if_passed: "The server's name can be resolved.",
    if_failed: "The server's name cannot be resolved, so every call fails.",
};
pub(super) const TLS: CheckKind = CheckKind {
    name: "tls",
    if_passed: "The server has proved its identity; only the holder of this certificate can read the traffic.",
    if_failed: "No connection can be made, so every call fails.",
};

/// Makes the checks. Returns whether requests can reach the server, as far as this shows.
pub(super) async fn check(checks: &mut Checks<'_>, network: Option<&NetworkService>, url: &Url) -> bool {
    let Some(network) = network else {
        checks.report.skip(&[&PROXY, &DNS, &TLS], "This store was made without access to its network connections.");
        return true;
    };
    let Some((proxy, inspection)) = checks.run(&PROXY, proxy(network, url)).await else {
        checks.report.skip_after(&PROXY, &[&DNS, &TLS]);
        return false;
    };
    match (&proxy, url.host()) {
        (Some(proxy), _) => checks.report.skip(&[&DNS], &format!("The proxy {proxy} resolves the server's name.")),
        (None, Some(Host::Domain(_))) => {
            if checks.run(&DNS, dns(network, url)).await.is_none() {
                checks.report.skip_after(&DNS, &[&TLS]);
                return false;
            }
        }
        (None, _) => checks.report.skip(&[&DNS], "The URL holds an IP address instead of a name."),
    }
    if url.scheme() != "https" {
        checks.report.skip(&[&TLS], "Plain HTTP, which never leaves this machine.");
        return true;
    }
    let certificate = async {
        match inspection {
            Some(inspection) => tls(inspection),
            None => tls(network.inspect(url).await),
        }
    };
    checks.run(&TLS, certificate).await.is_some()
}

/// The proxy that requests take, and the test connection through it, if there is any. Only a connection shows whether a proxy
/// accepts the client, and which proxy of a list works.
async fn proxy(network: &NetworkService, url: &Url) -> CheckResult<(Option<String>, Option<Inspection>)> {
    const DIRECT: &str = "None: the server is reached directly.";

    if network.proxies_of(url).await.map_err(unreached)? == [None] {
        return Ok(((None, None), CheckOutcome::Passed(DIRECT.into())));
    }
    let mut inspection = network.inspect(url).await;
    if matches!(&inspection.version, Err(error) if error.kind == HttpErrorKind::ProxyRefused)
        && let Err(refused) = std::mem::replace(&mut inspection.version, Ok(http::Version::HTTP_11))
    {
        return Err(unreached(refused));
    }
    let proxy = inspection.proxy.take();
    let found = proxy.as_ref().map_or(DIRECT.to_owned(), |proxy| format!("The proxy {proxy}."));
    let found = match inspection.skipped.as_slice() {
        [] => found,
        failed => format!("{found} Earlier entries of the list failed: {}.", failed.join("; ")),
    };
    Ok(((proxy, Some(inspection)), CheckOutcome::Passed(found)))
}

async fn dns(network: &NetworkService, url: &Url) -> CheckResult<()> {
    let fix = "Check the URL's spelling, and that this machine can resolve public names; if it cannot, use a proxy.";
    let addresses = network.addresses_of(url).await.map_err(|error| unreached(error).hint(fix))?;
    let addresses = addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    let found = format!("{} is {addresses}.", url.host_str().unwrap_or_default());
    Ok(((), CheckOutcome::Passed(found)))
}

fn tls(Inspection { certificate, version, .. }: Inspection) -> CheckResult<()> {
    let is_shown = certificate.is_some();
    let certificate = certificate.as_deref().and_then(Certificate::read);
    let certificate =
        certificate.map_or_else(|| "A certificate that cannot be read".to_owned(), |read| format!("A {read}"));
    match version {
        Ok(version) => Ok(((), CheckOutcome::Passed(format!("{certificate}. {version:?} was negotiated.")))),
        Err(error) if error.kind == HttpErrorKind::Untrusted => {
            let untrusted = unreached(error);
            let fix = untrusted.details().hint.clone().unwrap_or_default();
            // The local trust settings may be wrong, which shows before the server sends a certificate.
            let shown = if is_shown { format!(" {certificate}.") } else { String::new() };
            Err(LinkError::new(untrusted.code(), format!("{}{shown}", untrusted.message())).hint(fix))
        }
        Err(error) => Err(unreached(error)),
    }
}

fn unreached(error: HttpError) -> LinkError {
    let error = error.into_link_error("The server");
    let has_no_hint = error.code() == Code::Unavailable && error.details().hint.is_none();
    let fix = "Check the URL, and that a firewall lets this machine connect to it; if only a proxy may connect, set it in `proxy` or HTTPS_PROXY.";
    if has_no_hint { error.hint(fix) } else { error }
}
