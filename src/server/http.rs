//! A small HTTP/1.1 GET client for `/metrics` and `/health`: plain or TLS, one kept connection, bounded
//! in size and time. Nothing else of HTTP is spoken (RFC 9112: content-length, chunked or until close).

use crate::etcd::tls::{TlsError, rustls_config, server_name};
use crate::target::TlsMaterial;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The largest body that is read; etcd's page is about 250 KiB.
pub const MAX_BODY: usize = 16 << 20;
const MAX_HEAD: usize = 64 << 10;

/// A page could not be had.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not a URL this client speaks.
    #[error("{url:?} is not a URL like http://host:port/metrics: {reason}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The TLS material is unusable.
    #[error("cannot use TLS for {url}: {reason}")]
    Tls {
        /// Which page.
        url: String,
        /// Why.
        reason: String,
    },
    /// The connection failed or broke; also what a missing client certificate shows as.
    #[error("cannot read {url}: {source}")]
    Io {
        /// Which page.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// No complete answer in time.
    #[error("{url} did not answer within {timeout:?}")]
    Timeout {
        /// Which page.
        url: String,
        /// The limit.
        timeout: Duration,
    },
    /// Answered, but not with 200.
    #[error("{url} answered HTTP {status}: {body}")]
    Status {
        /// Which page.
        url: String,
        /// The code.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The answer is not HTTP/1.1, or larger than [`MAX_BODY`].
    #[error("cannot parse the answer of {url}: {reason}")]
    Malformed {
        /// Which page.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Gets one page on a connection of its own. `timeout` bounds all of it.
pub async fn get(
    url: &str,
    tls: Option<&TlsMaterial>,
    timeout: Duration,
) -> Result<String, HttpError> {
    let (base, path) = split(url)?;
    Client::new(&base, tls)?.get(&path, timeout).await
}

/// A client of one server; keeps its connection between gets.
pub struct Client {
    base: String,
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    connection: Option<BufReader<Box<dyn Stream>>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// An answer: status and body.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body, as text.
    pub body: String,
}

impl Client {
    /// `base`: `http://host:port` or `https://host:port` (an IPv6 host in brackets), path ignored.
    /// `tls` is used for https only.
    pub fn new(base: &str, tls: Option<&TlsMaterial>) -> Result<Self, HttpError> {
        let bad = |reason| HttpError::Url {
            url: base.to_owned(),
            reason,
        };
        let (base, _) = split(base)?;
        let (scheme, authority) = base.split_once("://").ok_or_else(|| bad("no scheme"))?;
        let secure = scheme == "https";
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (
                host,
                port.parse().map_err(|_| bad("the port is no number"))?,
            ),
            _ => (authority, if secure { 443 } else { 80 }),
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if host.is_empty() {
            return Err(bad("no host"));
        }
        let tls = if secure {
            let material = tls.cloned().unwrap_or_default();
            let fail = |e: TlsError| HttpError::Tls {
                url: base.clone(),
                reason: e.to_string(),
            };
            // Without ALPN etcd answers by HTTP/1.1 on the port that also speaks gRPC.
            let mut config = (*rustls_config(&material).map_err(fail)?).clone();
            config.alpn_protocols.clear();
            let name = server_name(&material, &host).map_err(fail)?;
            Some((Arc::new(config), name))
        } else {
            None
        };
        Ok(Client {
            base,
            host,
            port,
            tls,
            connection: None,
        })
    }

    /// `http://host:port`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Gets `path` (`/metrics`); an answer other than 200 is an error. `timeout` bounds all of it.
    pub async fn get(&mut self, path: &str, timeout: Duration) -> Result<String, HttpError> {
        let answer = self.request(path, timeout).await?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let body = answer.body.chars().take(200).collect();
        Err(HttpError::Status {
            url: format!("{}{path}", self.base),
            status: answer.status,
            body,
        })
    }

    /// Gets `path`, whatever the status. A kept connection that the server has closed meanwhile is
    /// replaced once.
    pub async fn request(&mut self, path: &str, timeout: Duration) -> Result<Answer, HttpError> {
        // Taken out, so that a timeout in the middle of an answer drops the connection.
        let kept = self.connection.take();
        let work = async {
            if let Some(connection) = kept
                && let Ok(done) = self.exchange(connection, path).await
            {
                return Ok(done);
            }
            let connection = self.connect(path).await?;
            self.exchange(connection, path).await
        };
        let (answer, connection) =
            tokio::time::timeout(timeout, work)
                .await
                .map_err(|_| HttpError::Timeout {
                    url: format!("{}{path}", self.base),
                    timeout,
                })??;
        self.connection = connection;
        Ok(answer)
    }

    async fn connect(&self, path: &str) -> Result<BufReader<Box<dyn Stream>>, HttpError> {
        let io = |source| HttpError::Io {
            url: format!("{}{path}", self.base),
            source,
        };
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(io)?;
        tcp.set_nodelay(true).map_err(io)?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some((config, name)) => {
                let connector = tokio_rustls::TlsConnector::from(config.clone());
                Box::new(connector.connect(name.clone(), tcp).await.map_err(io)?)
            }
            None => Box::new(tcp),
        };
        Ok(BufReader::with_capacity(64 << 10, stream))
    }

    /// One request and its answer; gives the connection back when it may be used again.
    async fn exchange(
        &self,
        mut stream: BufReader<Box<dyn Stream>>,
        path: &str,
    ) -> Result<(Answer, Option<BufReader<Box<dyn Stream>>>), HttpError> {
        let url = || format!("{}{path}", self.base);
        let io = |source| HttpError::Io { url: url(), source };
        let bad = |reason| HttpError::Malformed { url: url(), reason };
        let authority = self.base.split_once("://").map_or("", |(_, a)| a);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: etcdmark/{}\r\nAccept: */*\r\n\r\n",
            env!("CARGO_PKG_VERSION")
        );
        stream.write_all(request.as_bytes()).await.map_err(io)?;
        stream.flush().await.map_err(io)?;

        let status_line = line(&mut stream).await.map_err(io)?;
        let status = status_line
            .strip_prefix("HTTP/1.")
            .and_then(|s| s.split_ascii_whitespace().nth(1))
            .and_then(|s| s.parse::<u16>().ok())
            .ok_or_else(|| bad("no HTTP/1 status line"))?;
        let (mut length, mut chunked, mut close, mut head) = (None, false, false, 0);
        loop {
            let header = line(&mut stream).await.map_err(io)?;
            if header.is_empty() {
                break;
            }
            head += header.len();
            if head > MAX_HEAD {
                return Err(bad("headers without end"));
            }
            let Some((name, value)) = header.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    length = Some(
                        value
                            .parse()
                            .map_err(|_| bad("content-length is no number"))?,
                    )
                }
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "connection" => close = value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        let mut body = Vec::new();
        if chunked {
            loop {
                let size = line(&mut stream).await.map_err(io)?;
                let size = size.split(';').next().unwrap_or_default().trim();
                let size =
                    usize::from_str_radix(size, 16).map_err(|_| bad("chunk size is no number"))?;
                if size > MAX_BODY - body.len() {
                    return Err(bad("larger than 16 MiB"));
                }
                exactly(&mut stream, size, &mut body).await.map_err(io)?;
                // After the last chunk trailers may come; the empty line ends them, as it ends a chunk.
                while !line(&mut stream).await.map_err(io)?.is_empty() {}
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = length {
            if length > MAX_BODY {
                return Err(bad("larger than 16 MiB"));
            }
            exactly(&mut stream, length, &mut body).await.map_err(io)?;
        } else {
            close = true;
            (&mut stream)
                .take(MAX_BODY as u64)
                .read_to_end(&mut body)
                .await
                .map_err(io)?;
        }
        let body = String::from_utf8(body).map_err(|_| bad("the body is no text"))?;
        Ok((Answer { status, body }, (!close).then_some(stream)))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// A URL → `scheme://authority` and the path (`/` at least).
fn split(url: &str) -> Result<(String, String), HttpError> {
    let bad = |reason| HttpError::Url {
        url: url.to_owned(),
        reason,
    };
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| bad("no http:// or https:// before the host"))?;
    if scheme != "http" && scheme != "https" {
        return Err(bad("only http and https are supported"));
    }
    if url.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err(bad("a space or control character in it"));
    }
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    Ok((format!("{scheme}://{authority}"), path.to_owned()))
}

async fn line(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<String> {
    let mut line = Vec::new();
    let n = stream
        .take(MAX_HEAD as u64)
        .read_until(b'\n', &mut line)
        .await?;
    if n == 0 || line.last() != Some(&b'\n') {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "connection closed in the middle of an answer",
        ));
    }
    let text = String::from_utf8_lossy(&line);
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

async fn exactly(
    stream: &mut BufReader<Box<dyn Stream>>,
    size: usize,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    let n = stream.take(size as u64).read_to_end(body).await?;
    if n < size {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "connection closed in the middle of an answer",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
