//! Where a page is, and a byte stream to there: TCP or TLS.

use super::HttpError;
use crate::etcd::tls::{TlsError, rustls_config, server_name};
use crate::target::TlsMaterial;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection to a server, whatever it is made of.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One server.
pub(super) struct Endpoint {
    /// `http://host:port`, as given.
    pub(super) base: String,
    pub(super) host: String,
    pub(super) port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Endpoint {
    /// A URL → its server and its path (`/` at least).
    pub(super) fn parse(url: &str, tls: Option<&TlsMaterial>) -> Result<(Self, String), HttpError> {
        let bad = |reason| HttpError::Url {
            url: url.to_owned(),
            reason,
        };
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| bad("no http:// or https:// before the host"))?;
        if scheme != "http" && scheme != "https" {
            return Err(bad("only http and https are spoken"));
        }
        if url.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(bad("a space or control character in it"));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let secure = scheme == "https";
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (
                host,
                port.parse().map_err(|_| bad("the port is no number"))?,
            ),
            _ => (authority, if secure { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(bad("no host"));
        }
        let base = format!("{scheme}://{authority}");
        let fail = |e: TlsError| HttpError::Tls {
            url: base.clone(),
            reason: e.to_string(),
        };
        let tls = if secure {
            let material = tls.cloned().unwrap_or_default();
            // Without ALPN etcd answers by HTTP/1.1 on the port that also speaks gRPC.
            let mut config = (*rustls_config(&material).map_err(fail)?).clone();
            config.alpn_protocols.clear();
            let name = server_name(&material, host).map_err(fail)?;
            Some((Arc::new(config), name))
        } else {
            None
        };
        let (host, path) = (host.to_owned(), path.to_owned());
        let endpoint = Endpoint {
            base,
            host,
            port,
            tls,
        };
        Ok((endpoint, path))
    }

    /// `host:port`, or as much of it as was given.
    pub(super) fn authority(&self) -> &str {
        self.base.split_once("://").map_or("", |(_, a)| a)
    }

    /// A connection of its own.
    pub(super) async fn dial(&self) -> io::Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        Ok(match &self.tls {
            Some((config, name)) => {
                let connector = tokio_rustls::TlsConnector::from(config.clone());
                Box::new(connector.connect(name.clone(), tcp).await?)
            }
            None => Box::new(tcp),
        })
    }
}
