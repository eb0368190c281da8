//! Inspects the route to a server, for diagnosis.

use std::{fmt, net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use url::{Host, Url};

use super::{
    NetworkService,
    address::without_path,
    exits::{self, Exit, Tried},
    threads,
    trust::verifier::Recording,
};
use crate::{
    http::service::{
        HttpRequest,
        error::{HttpError, HttpErrorKind},
    },
    sync::lock,
};

#[derive(Debug)]
pub struct Inspection {
    /// Host and port of the proxy that was used, if any.
    pub proxy: Option<String>,
    /// Errors of the proxies that were tried before it.
    pub skipped: Vec<String>,
    /// The server's certificate in DER, accepted or not. `None` over plain HTTP, or if the server presented none.
    pub certificate: Option<Vec<u8>>,
    /// Negotiated HTTP version, or why there was no response.
    pub version: Result<Version, HttpError>,
}

impl NetworkService {
    /// Sends `HEAD /` without a token, over a connection of its own, so that requests are not affected. All proxies are tried in their
    /// order, even those that recently failed.
    pub async fn inspect(&self, url: &Url) -> Inspection {
        let server = without_path(url);
        let exits = match self.recorded_exits(&server).await {
            Ok(exits) => exits,
            Err(error) => {
                return Inspection { proxy: None, skipped: Vec::new(), certificate: None, version: Err(error) };
            }
        };
        let deadline = self.clock.now() + self.options.connect_timeout;
        let request = HttpRequest {
            method: Method::HEAD,
            // The exits were made of it.
            uri: server.as_str().parse().unwrap_or_default(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            repeatable: true,
            deadline: None,
            progress: Arc::default(),
        };
        let in_order: Vec<_> = exits.iter().map(|(exit, _)| exit).collect();
        let tried = exits::try_in_order(
            &in_order,
            &*self.clock,
            || self.time_to_connect(Some(deadline)),
            |exit| self.route(&server, exit.proxy.as_ref()),
            |exit| exit.exchange(&request),
            |_, _| {},
        );
        let Tried { outcome, exit, skipped, .. } = tried.await;
        let (exit, recording) = &exits[exit];
        Inspection {
            proxy: exit.proxy.as_ref().map(ToString::to_string),
            skipped,
            certificate: recording.as_ref().and_then(|recording| recording.certificate()),
            version: outcome.map(|(response, _)| response.version()),
        }
    }

    /// Host and port of each proxy for this URL, in the order in which requests try them now. `None` stands for a direct connection.
    pub async fn proxies_of(&self, url: &Url) -> Result<Vec<Option<String>>, HttpError> {
        let proxies = self.options.proxy.exits_to(&without_path(url)).await?;
        let order = lock(&self.state).avoided.order(proxies.iter().map(Option::as_ref), self.clock.now());
        Ok(order.into_iter().map(|index| proxies[index].as_ref().map(ToString::to_string)).collect())
    }

    /// The addresses of the URL's host, as requests without a proxy resolve them.
    pub async fn addresses_of(&self, url: &Url) -> Result<Vec<IpAddr>, HttpError> {
        let name = match url.host() {
            Some(Host::Domain(name)) => name,
            Some(Host::Ipv4(address)) => return Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => return Ok(vec![address.into()]),
            None => "",
        };
        let unresolved = |why: &dyn fmt::Display| {
            HttpError::new(HttpErrorKind::Connect, format!("the name of {name} cannot be resolved ({why})"))
        };
        let found = threads::resolve(name, url.port_or_known_default().unwrap_or_default()).await;
        let found = found.map_err(|error| unresolved(&error))?;
        let mut addresses: Vec<_> = found.into_iter().map(|found| found.ip()).collect();
        addresses.dedup();
        if addresses.is_empty() { Err(unresolved(&"it has no address")) } else { Ok(addresses) }
    }

    /// The exits to this server, at least one. Each records the certificate that it receives.
    async fn recorded_exits(&self, server: &Url) -> Result<Vec<(Exit, Option<Arc<Recording>>)>, HttpError> {
        let mut exits = Vec::new();
        for proxy in self.options.proxy.exits_to(server).await? {
            let (tls, recording) = self.recording_tls(server).await?;
            exits.push((Exit::new(&self.options, server, proxy, tls)?, recording));
        }
        Ok(exits)
    }
}
