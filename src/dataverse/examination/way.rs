//! The way to the server: proxy, name, certificate.

use std::net::IpAddr;

use url::{Host, Url};

use super::{Notes, Seen};
use crate::{
    domain::{CheckName, Finding},
    error::{Code, LinkError},
    http::{Certificate, HttpErrorKind, Inspection, ReqwestService},
};

/// Whether a request may reach the server, as far as can be seen.
pub(super) async fn look(notes: &mut Notes<'_>, inspector: Option<&ReqwestService>, url: &Url) -> bool {
    use CheckName::{Dns, Proxy, Tls};

    let Some(inspector) = inspector else {
        for name in [Proxy, Dns, Tls] {
            notes.skip::<()>(name, "This store was made without a way to look at the network.");
        }
        return true;
    };
    let Some((through, inspection)) = notes.look(Proxy, proxy(inspector, url)).await else {
        return notes.rests_on::<()>(&[Dns, Tls], Proxy).is_some();
    };
    let is_named = match (&through, url.host()) {
        (Some(proxy), _) => {
            notes.skip::<()>(Dns, &format!("The proxy {proxy} finds the server."));
            true
        }
        (None, Some(Host::Domain(_))) => notes.look(Dns, dns(inspector, url)).await.is_some(),
        (None, _) => {
            notes.skip::<()>(Dns, "The URL holds an address and no name.");
            true
        }
    };
    if !is_named {
        return notes.rests_on::<()>(&[Tls], Dns).is_some();
    }
    if url.scheme() != "https" {
        notes.skip::<()>(Tls, "Plain HTTP, which never leaves this machine.");
        return true;
    }
    let seen = async {
        match inspection {
            Some(inspection) => tls(inspection),
            None => tls(inspector.inspect(url).await),
        }
    };
    notes.look(Tls, seen).await.is_some()
}

/// The proxy that requests take, and what a look through it showed: only that tells whether it lets anybody through, and which
/// of several leads anywhere.
async fn proxy(inspector: &ReqwestService, url: &Url) -> Seen<(Option<String>, Option<Inspection>)> {
    const DIRECT: &str = "None: the server is reached directly.";

    if inspector.proxies_of(url).await.map_err(unreached)? == [None] {
        return Ok(((None, None), Finding::Passed(DIRECT.into())));
    }
    let mut inspection = inspector.inspect(url).await;
    if matches!(&inspection.version, Err(error) if error.kind == HttpErrorKind::ProxyRefused)
        && let Err(refused) = std::mem::replace(&mut inspection.version, Ok(http::Version::HTTP_11))
    {
        return Err(unreached(refused));
    }
    let proxy = inspection.proxy.take();
    let found = proxy.as_ref().map_or(DIRECT.to_owned(), |proxy| format!("The proxy {proxy}."));
    let found = match inspection.skipped.as_slice() {
        [] => found,
        passed => format!("{found} What comes before it in the list led nowhere: {}.", passed.join("; ")),
    };
    Ok(((proxy, Some(inspection)), Finding::Passed(found)))
}

async fn dns(inspector: &ReqwestService, url: &Url) -> Seen<()> {
    let fix =
        "Check the URL's spelling, and that this machine can resolve public names; where it cannot, it takes a proxy.";
    let addresses = inspector.addresses_of(url).await.map_err(|error| unreached(error).hint(fix))?;
    let addresses = addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    let found = format!("{} is {addresses}.", url.host_str().unwrap_or_default());
    Ok(((), Finding::Passed(found)))
}

fn tls(Inspection { certificate, version, .. }: Inspection) -> Seen<()> {
    let is_shown = certificate.is_some();
    let certificate = certificate.as_deref().and_then(Certificate::read);
    let certificate =
        certificate.map_or_else(|| "A certificate that cannot be read".to_owned(), |read| format!("A {read}"));
    match version {
        Ok(version) => Ok(((), Finding::Passed(format!("{certificate}. {version:?} was agreed on.")))),
        Err(error) if error.kind == HttpErrorKind::Untrusted => {
            let refused = unreached(error);
            let fix = refused.details().hint.clone().unwrap_or_default();
            // What is trusted may be at fault, before any was shown.
            let shown = if is_shown { format!(" {certificate}.") } else { String::new() };
            Err(LinkError::new(refused.code(), format!("{}{shown}", refused.message())).hint(fix))
        }
        Err(error) => Err(unreached(error)),
    }
}

fn unreached(error: crate::http::HttpError) -> LinkError {
    let fault = error.into_link_error("The server");
    let is_silent = fault.code() == Code::Unavailable && fault.details().hint.is_none();
    let fix = "Check the URL, and that a firewall lets this machine out to it; where only a proxy is let out, name it in `proxy`.";
    if is_silent { fault.hint(fix) } else { fault }
}
