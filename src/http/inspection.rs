//! A look at the way to a server, for diagnosis.

use std::sync::Arc;

use http::Version;
use reqwest::Client;
use url::Url;

use super::{HttpError, failure, proxy::ProxyUrl, transport::ReqwestService, trust::Witness};

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
        let (tls, witness) = self.witnessed_tls(server)?;
        let client = self.client(proxy.as_ref(), tls)?;
        Ok((proxy, client, witness))
    }
}
