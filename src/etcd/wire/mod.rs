//! The hot path: RPCs with one request as raw gRPC frames over HTTP/2, behind one trait.
//!
//! A [`Pool`] holds the channels of one store for one worker; a channel keeps one connection to one
//! member up. Everything here lives on one thread and spawns local tasks: it needs a
//! `tokio::runtime::LocalRuntime` or a `LocalSet`.
//!
//! What *sent* means: the driver of a connection writes once per turn of the runtime, everything that
//! was queued in that turn, and stamps the clock when the write that held a request's last byte has
//! returned from the kernel (with TLS: when the records were flushed). Time spent waiting for a
//! stream slot, a flow-control window or that write is thus *wait*, not service time.

mod backoff;
mod call;
mod channel;
mod coalesce;
mod connection;
mod dial;
mod driver;
mod headers;
mod pool;
mod settings;
mod tonic;

pub use dial::probe;
pub(crate) use dial::{Dialer, Io};
pub use pool::{Pool, PoolError, ReachabilityChange};
pub use settings::Settings;

use crate::clock::Nanos;
use crate::rpc::{Rpc, RpcError};
use bytes::Bytes;
use std::time::Duration;

/// One request to send.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which RPC.
    pub rpc: Rpc,
    /// The gRPC frame: 1 byte flag (0), 4 bytes length (big endian), the message.
    pub frame: Bytes,
    /// Deadline counted from *sent*; travels as `grpc-timeout`. None = wait for ever.
    pub timeout: Option<Duration>,
}

/// What came of it.
#[derive(Debug)]
pub struct Reply {
    /// When headers and data were handed to the socket; None when they never were.
    pub sent: Option<Nanos>,
    /// When the answer (or the failure) was known.
    pub done: Nanos,
    /// The response message (without the 5-byte gRPC prefix; of a stream all of its messages, one behind the
    /// other, which protobuf reads as one message merged of them), or why there is none.
    pub result: Result<Bytes, RpcError>,
}

/// One connection to one member. Two implementations: h2 directly, and tonic.
pub(crate) trait Transport {
    /// Sends one request and waits for what comes of it. Never sent twice.
    async fn call(&self, call: Call) -> Reply;

    /// Resolves with the reason once this connection takes no new requests (GOAWAY, error, keepalive).
    async fn retired(&self) -> String;

    /// How long nothing had been heard of a connection that was retired because it hangs, ns; else 0.
    fn unheard(&self) -> Nanos;

    /// Whether it takes new requests.
    fn is_up(&self) -> bool;

    /// Lets requests in flight finish, then closes.
    async fn close(&self);
}

/// Which of the two.
#[derive(Clone)]
pub(crate) enum Link {
    H2(std::rc::Rc<connection::Connection>),
    Tonic(std::rc::Rc<tonic::TonicConnection>),
}

impl Transport for Link {
    async fn call(&self, call: Call) -> Reply {
        match self {
            Link::H2(c) => c.call(call).await,
            Link::Tonic(c) => c.call(call).await,
        }
    }

    async fn retired(&self) -> String {
        match self {
            Link::H2(c) => c.retired().await,
            Link::Tonic(c) => c.retired().await,
        }
    }

    fn unheard(&self) -> Nanos {
        match self {
            Link::H2(c) => c.unheard(),
            Link::Tonic(c) => c.unheard(),
        }
    }

    fn is_up(&self) -> bool {
        match self {
            Link::H2(c) => c.is_up(),
            Link::Tonic(c) => c.is_up(),
        }
    }

    async fn close(&self) {
        match self {
            Link::H2(c) => c.close().await,
            Link::Tonic(c) => c.close().await,
        }
    }
}
