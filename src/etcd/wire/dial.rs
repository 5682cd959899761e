//! Setting one connection up: TCP, TLS, HTTP/2, until the server has said its first word.

use super::connection::Connection;
use super::headers::Template;
use super::settings::Settings;
use crate::etcd::tls::{self, DialError};
use crate::target::{Target, TlsMaterial};
use http::Uri;
use http::header::HeaderValue;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What is needed to dial one endpoint again and again.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) endpoint: String,
    host: String,
    port: u16,
    tls: Option<Arc<rustls::ClientConfig>>,
    material: TlsMaterial,
    pub(crate) timeout: Duration,
}

impl Dialer {
    /// Checks endpoint and material.
    pub(crate) fn new(target: &Target, endpoint: &str) -> Result<Self, DialError> {
        let bad = |reason: &str| DialError::BadEndpoint {
            endpoint: endpoint.to_owned(),
            reason: reason.to_owned(),
        };
        let uri: Uri = endpoint
            .parse()
            .map_err(|e: http::uri::InvalidUri| bad(&e.to_string()))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(bad(&format!("unknown scheme {other}"))),
            None => return Err(bad("no scheme")),
        };
        if !matches!(uri.path(), "" | "/") {
            return Err(bad("an endpoint has no path"));
        }
        let host = uri
            .host()
            .filter(|h| !h.is_empty())
            .ok_or_else(|| bad("no host"))?;
        let authority = uri.authority().map_or("", |a| a.as_str());
        let port = authority
            .rsplit_once(':')
            .filter(|(before, _)| before.ends_with(host));
        let port = match port {
            Some((_, text)) => text
                .parse()
                .map_err(|_| bad("the port is not 0 to 65535"))?,
            None => 2379,
        };
        let material = target.tls.clone().unwrap_or_default();
        Ok(Dialer {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port,
            tls: if tls {
                Some(tls::rustls_config(&material)?)
            } else {
                None
            },
            material,
            timeout: target.dial_timeout,
        })
    }

    pub(crate) fn material(&self) -> &TlsMaterial {
        &self.material
    }

    /// One connection, ready for requests: the server's SETTINGS have been read.
    pub(crate) async fn connect(
        &self,
        settings: &Settings,
        token: Option<HeaderValue>,
    ) -> Result<Rc<Connection>, DialError> {
        match tokio::time::timeout(self.timeout, self.try_connect(settings, token)).await {
            Ok(result) => result,
            Err(_) => Err(DialError::Timeout {
                endpoint: self.endpoint.clone(),
                after: self.timeout,
            }),
        }
    }

    async fn try_connect(
        &self,
        settings: &Settings,
        token: Option<HeaderValue>,
    ) -> Result<Rc<Connection>, DialError> {
        let mut template =
            Template::new(&self.endpoint, settings.client_api_version).map_err(|e| self.bad(&e))?;
        template.set_token(token);
        let io = self.open().await?;
        let connection = Connection::start(io, template, settings)
            .await
            .map_err(|e| self.explain_http2(&e))?;
        connection.ready().await.map_err(|e| match e {
            Some(e) => self.explain_http2(&e),
            None => self.closed(),
        })?;
        Ok(connection)
    }

    /// TCP, and TLS for https.
    pub(crate) async fn open(&self) -> Result<Io, DialError> {
        let explain = |e: &io::Error| tls::explain(&self.endpoint, &self.material, self.timeout, e);
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|e| explain(&e))?;
        tcp.set_nodelay(true).map_err(|e| explain(&e))?;
        match &self.tls {
            None => Ok(Io::Plain(tcp)),
            Some(config) => {
                let name = tls::server_name(&self.material, &self.host)?;
                let stream = TlsConnector::from(config.clone())
                    .connect(name, tcp)
                    .await
                    .map_err(|e| explain(&e))?;
                // Every etcd agrees on h2, and grpc-go refuses servers that do not; a web server may only hang up
                // when it reads our preface, which looks like a missing client certificate.
                if stream.get_ref().1.alpn_protocol().is_none() {
                    return Err(DialError::NotEtcd {
                        endpoint: self.endpoint.clone(),
                        reason: "its TLS server does not offer HTTP/2".to_owned(),
                    });
                }
                Ok(Io::Tls(Box::new(stream)))
            }
        }
    }

    fn explain_http2(&self, e: &h2::Error) -> DialError {
        match e.get_io() {
            Some(io) if is_closed(io) => self.closed(),
            Some(io) => tls::explain(&self.endpoint, &self.material, self.timeout, io),
            None => DialError::NotEtcd {
                endpoint: self.endpoint.clone(),
                reason: "it does not speak HTTP/2".to_owned(),
            },
        }
    }

    fn closed(&self) -> DialError {
        let endpoint = self.endpoint.clone();
        if self.tls.is_none() {
            DialError::PlainToTls { endpoint }
        } else {
            // The alert that says so can be lost: the server closes with our preface unread, and the
            // reset overtakes it. Little else closes right after a completed handshake.
            match &self.material.cert {
                None => DialError::NoClientCertificate { endpoint },
                Some(cert) => tls::rejected(endpoint, cert, None),
            }
        }
    }

    fn bad(&self, e: &dyn ToString) -> DialError {
        DialError::BadEndpoint {
            endpoint: self.endpoint.clone(),
            reason: e.to_string(),
        }
    }
}

fn is_closed(e: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        e.kind(),
        K::UnexpectedEof | K::ConnectionReset | K::BrokenPipe | K::ConnectionAborted
    ) && e.get_ref().is_none_or(|inner| !inner.is::<rustls::Error>())
}

/// Whether an endpoint can be reached and speaks HTTP/2: connects, reads its first word, closes. Any
/// tokio runtime will do.
///
/// # Errors
/// A [`DialError`] that names the remedy.
pub async fn probe(target: &Target, endpoint: &str) -> Result<(), DialError> {
    let dialer = Dialer::new(target, endpoint)?;
    let attempt = async {
        let io = dialer.open().await?;
        let explain = |e: h2::Error| dialer.explain_http2(&e);
        let (_send, mut connection) = h2::client::handshake(io).await.map_err(explain)?;
        // A ping's answer proves that the server read something of ours: with TLS 1.3 a missing client
        // certificate shows only then.
        let Some(mut ping) = connection.ping_pong() else {
            return Ok(());
        };
        ping.send_ping(h2::Ping::opaque()).map_err(explain)?;
        poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(Err(e)) => Poll::Ready(Err(explain(e))),
            Poll::Ready(Ok(())) => Poll::Ready(Err(dialer.closed())),
            Poll::Pending => ping.poll_pong(cx).map(|pong| match pong {
                Ok(_) => Ok(()),
                Err(e) => Err(explain(e)),
            }),
        })
        .await
    };
    match tokio::time::timeout(dialer.timeout, attempt).await {
        Ok(result) => result,
        Err(_) => Err(DialError::Timeout {
            endpoint: dialer.endpoint,
            after: dialer.timeout,
        }),
    }
}

/// A socket, plain or TLS.
pub(crate) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    /// Whether a successful write may still sit in a buffer.
    pub(crate) fn buffers(&self) -> bool {
        matches!(self, Io::Tls(_))
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Io::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Io::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Io::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Plain(s) => Pin::new(s).poll_flush(cx),
            Io::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Io::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Io::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
