//! A look at the way to a server, for diagnosis.

use std::{net::IpAddr, sync::Arc};

use futures_util::future::BoxFuture;
use http::Version;
use url::{Host, Url};

use super::{
    ReqwestService,
    address::server_of,
    exits::{self, Exit, Taken},
    threads,
    trust::verifier::Recording,
};
use crate::http::service::error::{HttpError, HttpErrorKind};

/// What one look showed.
#[derive(Debug)]
pub struct Inspection {
    /// Host and port of the proxy that was taken, if one was.
    pub proxy: Option<String>,
    /// Why what comes before it in the list led nowhere.
    pub passed: Vec<String>,
    /// The certificate that the server showed (DER), accepted or not. None over plain HTTP, or if it did not come to that.
    pub certificate: Option<Vec<u8>>,
    /// The version of HTTP that was agreed on, or why no answer came.
    pub answer: Result<Version, HttpError>,
}

/// Who can look at the way that requests take.
pub trait Inspector: Send + Sync {
    /// Asks the server for nothing, over a connection of its own: see [`ReqwestService::inspect`].
    fn inspect<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Inspection>;

    /// Host and port of each proxy through which this URL is requested, in the order in which they are tried; none stands for a
    /// direct connection. Nothing is sent.
    fn proxies_of<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Vec<Option<String>>, HttpError>>;

    /// The addresses of the URL's host, as requests without a proxy find them.
    fn addresses_of<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Vec<IpAddr>, HttpError>>;
}

impl Inspector for ReqwestService {
    fn inspect<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Inspection> {
        Box::pin(self.inspect(url))
    }

    fn proxies_of<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Vec<Option<String>>, HttpError>> {
        Box::pin(async move {
            let proxies = self.options.proxy.exits_to(&server_of(url)).await?;
            Ok(proxies.iter().map(|proxy| proxy.as_ref().map(ToString::to_string)).collect())
        })
    }

    fn addresses_of<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Vec<IpAddr>, HttpError>> {
        Box::pin(async move {
            let name = match url.host() {
                Some(Host::Domain(name)) => name,
                Some(Host::Ipv4(address)) => return Ok(vec![address.into()]),
                Some(Host::Ipv6(address)) => return Ok(vec![address.into()]),
                None => "",
            };
            let unknown = |why: &dyn std::fmt::Display| {
                HttpError::new(HttpErrorKind::Connect, format!("the name of {name} cannot be resolved ({why})"))
            };
            let looking = tokio::net::lookup_host((name, url.port_or_known_default().unwrap_or_default()));
            let found = threads::unless_refused(looking).await.and_then(|found| found);
            let mut addresses: Vec<_> = found.map_err(|error| unknown(&error))?.map(|found| found.ip()).collect();
            addresses.dedup();
            if addresses.is_empty() { Err(unknown(&"it has no address")) } else { Ok(addresses) }
        })
    }
}

impl ReqwestService {
    /// Asks the server for nothing (`HEAD /`, without a token), over a connection of its own, so that requests pay nothing for it.
    /// Every entry of a list is tried in its order, whatever became of it lately.
    pub async fn inspect(&self, url: &Url) -> Inspection {
        let server = server_of(url);
        let exits = match self.prepare(&server).await {
            Ok(exits) => exits,
            Err(error) => return Inspection { proxy: None, passed: Vec::new(), certificate: None, answer: Err(error) },
        };
        let deadline = self.clock.now() + self.options.connect_timeout;
        let listed: Vec<_> = exits.iter().map(|(exit, _)| exit).collect();
        let taken = exits::first_open(
            &listed,
            &*self.clock,
            || self.time_to_connect(Some(deadline)),
            |exit| self.route(&server, exit.proxy.as_ref()),
            |exit| exit.client.head(server.clone()).send(),
            |_, _| {},
        );
        let Taken { outcome, exit, passed, .. } = taken.await;
        let (taken, recording) = &exits[exit];
        Inspection {
            proxy: taken.proxy.as_ref().map(ToString::to_string),
            passed,
            certificate: recording.as_ref().and_then(|recording| recording.certificate()),
            answer: outcome.map(|answer| answer.version()),
        }
    }

    /// One at least.
    async fn prepare(&self, server: &Url) -> Result<Vec<(Exit, Option<Arc<Recording>>)>, HttpError> {
        let mut exits = Vec::new();
        for proxy in self.options.proxy.exits_to(server).await? {
            let (tls, recording) = self.recording_tls(server).await?;
            exits.push((Exit::new(&self.options, proxy, tls)?, recording));
        }
        Ok(exits)
    }
}
