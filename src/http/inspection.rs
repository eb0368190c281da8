//! A look at the way to a server, for diagnosis.

use std::{net::IpAddr, sync::Arc};

use futures_util::future::BoxFuture;
use http::Version;
use reqwest::Client;
use url::{Host, Url};

use super::{HttpError, HttpErrorKind, failure, proxy::ProxyUrl, transport::ReqwestService, trust::Witness};

/// What one look showed.
#[derive(Debug)]
pub struct Inspection {
    /// Host and port of the proxy, if there is one.
    pub proxy: Option<String>,
    /// The certificate that the server showed (DER), accepted or not. None over plain HTTP, or if it did not come to that.
    pub certificate: Option<Vec<u8>>,
    /// The version of HTTP that was agreed on, or why no answer came.
    pub answer: Result<Version, HttpError>,
}

/// Who can look at the way that requests take.
pub trait Inspector: Send + Sync {
    /// Asks the server for nothing, over a connection of its own: see [`ReqwestService::inspect`].
    fn inspect<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Inspection>;

    /// Host and port of the proxy through which this URL is requested, if any. Nothing is sent.
    fn proxy_of<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Option<String>, HttpError>>;

    /// The addresses of the URL's host, as requests without a proxy find them.
    fn addresses_of<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Vec<IpAddr>, HttpError>>;
}

impl Inspector for ReqwestService {
    fn inspect<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Inspection> {
        Box::pin(self.inspect(url))
    }

    fn proxy_of<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<Option<String>, HttpError>> {
        Box::pin(async move {
            let proxy = self.options.proxy.proxy_of(&super::transport::server_of(url)).await?;
            Ok(proxy.map(|proxy| proxy.to_string()))
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
            let unknown = |why: &dyn std::fmt::Display| HttpError {
                kind: HttpErrorKind::Connect,
                message: format!("the name of {name} cannot be resolved ({why})"),
                retry_after: None,
                source: None,
            };
            let found = tokio::net::lookup_host((name, url.port_or_known_default().unwrap_or_default())).await;
            let mut addresses: Vec<_> = found.map_err(|error| unknown(&error))?.map(|found| found.ip()).collect();
            addresses.dedup();
            if addresses.is_empty() { Err(unknown(&"it has no address")) } else { Ok(addresses) }
        })
    }
}

impl ReqwestService {
    /// Asks the server for nothing (`HEAD /`, without a token), over a connection of its own, so that requests pay nothing for it.
    pub async fn inspect(&self, url: &Url) -> Inspection {
        let server = super::transport::server_of(url);
        match self.prepare(&server).await {
            Err(error) => Inspection { proxy: None, certificate: None, answer: Err(error) },
            Ok((proxy, client, witness)) => {
                let answer = client.head(server.clone()).send().await;
                Inspection {
                    certificate: witness.and_then(|witness| witness.certificate()),
                    answer: answer
                        .map(|answer| answer.version())
                        .map_err(|error| failure::explain(error, &self.route(&server, proxy.as_ref()))),
                    proxy: proxy.map(|proxy| proxy.to_string()),
                }
            }
        }
    }

    async fn prepare(&self, server: &Url) -> Result<(Option<ProxyUrl>, Client, Option<Arc<Witness>>), HttpError> {
        let proxy = self.options.proxy.proxy_of(server).await?;
        let (tls, witness) = self.witnessed_tls(server).await?;
        let client = self.client(proxy.as_ref(), tls)?;
        Ok((proxy, client, witness))
    }
}
