//! tonic channels, for control calls and `--wire tonic`, over the same sockets and TLS as the hot path's.

use super::tls::{DialError, explain};
use super::wire::{Dialer, Io, probe};
use crate::clock::{self, Nanos};
use crate::target::Target;
use http::Uri;
use hyper_util::rt::TokioIo;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tower_service::Service;

/// A connected channel to one endpoint, for control calls, watches and etcd-client's `Client::from_channel`. The
/// endpoint is probed first, since TLS 1.3 tells of a missing client certificate only at the first read. In the seconds after
/// an etcd, or its container, has started, its port refuses, resets or closes connections: it is asked again until the dial
/// timeout has passed.
///
/// # Errors
/// A [`DialError`] that names the remedy.
pub async fn channel(target: &Target, endpoint: &str) -> Result<Channel, DialError> {
    let until = clock::now() + clock::nanos(target.dial_timeout);
    while let Err(e) = probe(target, endpoint).await {
        if !boots(&e) || clock::now() + AGAIN > until {
            return Err(e);
        }
        tokio::time::sleep(Duration::from_nanos(AGAIN)).await;
    }
    let dialer = Dialer::new(target, endpoint)?;
    connect(&dialer, |plan| plan).await
}

/// How long after a refusal an etcd that may be starting is asked again, ns.
const AGAIN: Nanos = clock::SECOND / 5;

/// What a port says whose etcd is not ready yet, among others.
fn boots(e: &DialError) -> bool {
    matches!(
        e,
        DialError::Unreachable { .. } | DialError::PlainToTls { .. } | DialError::TlsToPlain { .. }
    )
}

/// A connected channel with a keepalive that gives up a member that hangs (etcd allows a ping in 5 s) and what else `settings` sets.
pub(crate) async fn connect(
    dialer: &Dialer,
    settings: impl FnOnce(Endpoint) -> Endpoint,
) -> Result<Channel, DialError> {
    let bad = |e: tonic::transport::Error| DialError::BadEndpoint {
        endpoint: dialer.endpoint.clone(),
        reason: e.to_string(),
    };
    // The socket that it is given speaks TLS already: tonic is to see none, but for the requests' scheme.
    let address = dialer.endpoint.replacen("https://", "http://", 1);
    let origin = dialer
        .endpoint
        .parse()
        .map_err(|e: http::uri::InvalidUri| DialError::BadEndpoint {
            endpoint: dialer.endpoint.clone(),
            reason: e.to_string(),
        })?;
    let plan = Endpoint::from_shared(address)
        .map_err(bad)?
        .origin(origin)
        .user_agent(concat!("etcdmark/", env!("CARGO_PKG_VERSION")))
        .map_err(bad)?
        .connect_timeout(dialer.timeout)
        .http2_keep_alive_interval(Duration::from_secs(6))
        .keep_alive_timeout(Duration::from_secs(4))
        .initial_stream_window_size(16 << 20)
        .initial_connection_window_size(64 << 20);
    settings(plan)
        .connect_with_connector(Connector(dialer.clone()))
        .await
        .map_err(|e| explain(&dialer.endpoint, dialer.material(), dialer.timeout, &e))
}

/// Opens a socket each time tonic wants one.
struct Connector(Dialer);

impl Service<Uri> for Connector {
    type Response = TokioIo<Io>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let dialer = self.0.clone();
        Box::pin(async move { dialer.open().await.map(TokioIo::new) })
    }
}
