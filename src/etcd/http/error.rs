//! Why a page could not be had.

use std::error::Error;
use std::io;
use std::time::Duration;

/// A page could not be had.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not a URL this client speaks.
    #[error("{url:?} is not a URL like http://host:port/metrics: {reason}")]
    Url {
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The TLS material is unusable.
    #[error("cannot use TLS for {url}: {reason}")]
    Tls { url: String, reason: String },
    /// The connection failed or broke; also what a missing client certificate shows as.
    #[error("cannot read {url}: {source}")]
    Io { url: String, source: io::Error },
    /// No complete answer in time.
    #[error("{url} did not answer within {timeout:?}")]
    Timeout {
        url: String,
        /// The limit.
        timeout: Duration,
    },
    /// Answered, but not with 200.
    #[error("{url} answered HTTP {status}: {body}")]
    Status {
        url: String,
        /// The code.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The answer is not HTTP/1.1, or larger than [`MAX_BODY`](super::MAX_BODY).
    #[error("{url} gave an answer that is not understood: {reason}")]
    Malformed {
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl HttpError {
    /// hyper's error in an operator's words. hyper tells an answer that breaks the protocol from a broken connection
    /// by the kind of an error or of its causes, not by its text.
    pub(super) fn from_hyper(url: String, error: &hyper::Error) -> Self {
        let outermost: &(dyn Error + 'static) = error;
        let mut causes = std::iter::successors(Some(outermost), |&e| e.source());
        let io = causes.clone().find_map(|e| e.downcast_ref::<io::Error>());
        let innermost = causes.clone().filter_map(|e| e.downcast_ref()).last();
        let closed =
            |e: &hyper::Error| e.is_incomplete_message() || e.is_canceled() || e.is_closed();
        let malformed = |url, reason| HttpError::Malformed { url, reason };
        match io {
            _ if causes.any(|e| e.downcast_ref().is_some_and(hyper::Error::is_parse)) => {
                malformed(url, "its head is not HTTP/1.1's")
            }
            // hyper's decoder of chunks; a socket does not fail so.
            Some(io) if io.kind() == io::ErrorKind::InvalidInput => {
                malformed(url, "chunk size is no number")
            }
            Some(io) if io.kind() != io::ErrorKind::UnexpectedEof => {
                let source = io::Error::new(io.kind(), io.to_string());
                HttpError::Io { url, source }
            }
            None if !innermost.is_some_and(closed) => malformed(
                url,
                "it came before the request, as where only gRPC is spoken",
            ),
            _ => {
                let text = "connection closed in the middle of an answer";
                let source = io::Error::new(io::ErrorKind::UnexpectedEof, text);
                HttpError::Io { url, source }
            }
        }
    }
}
