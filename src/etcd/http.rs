//! A client of etcd's pages `/metrics` and `/health`: GET over HTTP/1.1 by hyper, plain or TLS, one kept connection,
//! bounded in size and time. No redirects, no compression, no proxies.

mod endpoint;
mod error;

pub use error::HttpError;

use crate::target::TlsMaterial;
use bytes::Bytes;
use endpoint::{Endpoint, Stream};
use http::{Request, Response, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use std::time::Duration;

/// The largest body that is read; etcd's page is about 250 KiB.
pub const MAX_BODY: usize = 16 << 20;
/// The largest head of an answer.
const MAX_HEAD: usize = 64 << 10;

/// The end of a connection at which requests are handed in; the connection lives as long.
type Sender = SendRequest<Empty<Bytes>>;
/// The end that reads and writes: a task.
type Driver = Connection<TokioIo<Box<dyn Stream>>, Empty<Bytes>>;

/// Gets one page on a connection of its own. `timeout` bounds all of it.
pub async fn get(
    url: &str,
    tls: Option<&TlsMaterial>,
    timeout: Duration,
) -> Result<String, HttpError> {
    let (endpoint, path) = Endpoint::parse(url, tls)?;
    let kept = None;
    Client { endpoint, kept }.get(&path, timeout).await
}

/// A client of one server; keeps its connection between gets.
pub struct Client {
    endpoint: Endpoint,
    kept: Option<Sender>,
}

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
        let (endpoint, _) = Endpoint::parse(base, tls)?;
        let kept = None;
        Ok(Client { endpoint, kept })
    }

    /// `http://host:port`.
    pub fn base(&self) -> &str {
        &self.endpoint.base
    }

    /// Gets `path` (`/metrics`); an answer other than 200 is an error. `timeout` bounds all of it.
    pub async fn get(&mut self, path: &str, timeout: Duration) -> Result<String, HttpError> {
        let Answer { status, body } = self.request(path, timeout).await?;
        if status == 200 {
            return Ok(body);
        }
        Err(HttpError::Status {
            url: self.url(path),
            status,
            body: body.chars().take(200).collect(),
        })
    }

    /// Gets `path`, whatever the status. A kept connection that the server has closed meanwhile is
    /// replaced once.
    pub async fn request(&mut self, path: &str, timeout: Duration) -> Result<Answer, HttpError> {
        let request = self.build(path)?;
        // Taken out, so that a timeout in the middle of an answer ends the connection.
        let kept = self.kept.take();
        let work = async {
            if let Some(mut sender) = kept
                && sender.ready().await.is_ok()
                && let Ok(answer) = self.read(path, sender.send_request(request.clone())).await
            {
                return Ok((answer, sender));
            }
            let (mut sender, driver) = self.connect(path).await?;
            // Handed in before the first read: whatever comes is the answer to it, or its error.
            let answer = sender.send_request(request);
            tokio::spawn(driver);
            Ok((self.read(path, answer).await?, sender))
        };
        let done = tokio::time::timeout(timeout, work).await;
        let (answer, sender) = done.map_err(|_| HttpError::Timeout {
            url: self.url(path),
            timeout,
        })??;
        self.kept = Some(sender);
        Ok(answer)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base())
    }

    fn build(&self, path: &str) -> Result<Request<Empty<Bytes>>, HttpError> {
        let agent = concat!("etcdmark/", env!("CARGO_PKG_VERSION"));
        Request::get(path)
            .header(header::HOST, self.endpoint.authority())
            .header(header::USER_AGENT, agent)
            .header(header::ACCEPT, "*/*")
            .body(Empty::new())
            .map_err(|_| HttpError::Url {
                url: self.url(path),
                reason: "a character in it that no URL has",
            })
    }

    async fn connect(&self, path: &str) -> Result<(Sender, Driver), HttpError> {
        let stream = self.endpoint.dial().await.map_err(|source| HttpError::Io {
            url: self.url(path),
            source,
        })?;
        let mut builder = Builder::new();
        let handshake = builder
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream));
        handshake
            .await
            .map_err(|e| HttpError::from_hyper(self.url(path), &e))
    }

    async fn read(
        &self,
        path: &str,
        answer: impl Future<Output = hyper::Result<Response<Incoming>>>,
    ) -> Result<Answer, HttpError> {
        let broken = |e| HttpError::from_hyper(self.url(path), &e);
        let bad = |reason| HttpError::Malformed {
            url: self.url(path),
            reason,
        };
        let (head, mut page) = answer.await.map_err(broken)?.into_parts();
        // What is announced, before any of it is read.
        if page.size_hint().lower() > MAX_BODY as u64 {
            return Err(bad("larger than 16 MiB"));
        }
        let mut body = Vec::new();
        while let Some(frame) = page.frame().await {
            // Trailers are no data.
            let data = frame.map_err(broken)?.into_data().unwrap_or_default();
            if data.len() > MAX_BODY - body.len() {
                return Err(bad("larger than 16 MiB"));
            }
            body.extend_from_slice(&data);
        }
        Ok(Answer {
            status: head.status.as_u16(),
            body: String::from_utf8(body).map_err(|_| bad("the body is no text"))?,
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
