//! The same hot path over tonic: `--wire tonic`, to compare with.

use super::dial::Dialer;
use super::settings::Settings;
use super::{Call, Reply, Transport};
use crate::clock;
use crate::etcd::channel;
use crate::etcd::tls::DialError;
use crate::rpc::{Rpc, RpcError};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::HeaderValue;
use http::uri::PathAndQuery;
use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// One tonic channel with one connection.
pub(crate) struct TonicConnection {
    grpc: Grpc<Channel>,
    token: RefCell<Option<HeaderValue>>,
    client_api_version: Option<&'static str>,
    retired: RefCell<Option<String>>,
    changed: Notify,
    active: Cell<usize>,
}

struct Active<'a>(&'a TonicConnection);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        self.0.changed.notify_waiters();
    }
}

impl TonicConnection {
    pub(crate) async fn connect(
        dialer: &Dialer,
        settings: &Settings,
        token: Option<HeaderValue>,
    ) -> Result<Self, DialError> {
        let channel = channel::connect(dialer, |plan| {
            plan.http2_max_concurrent_reset_streams(2 * settings.max_in_flight + 1024)
                .http2_max_local_error_reset_streams(None)
        })
        .await?;
        Ok(TonicConnection {
            grpc: Grpc::new(channel).max_decoding_message_size(usize::MAX),
            token: RefCell::new(token),
            client_api_version: settings.client_api_version,
            retired: RefCell::new(None),
            changed: Notify::new(),
            active: Cell::new(0),
        })
    }

    pub(crate) fn set_token(&self, token: Option<HeaderValue>) {
        *self.token.borrow_mut() = token;
    }

    async fn exchange(&self, call: &Call, sent: Arc<AtomicU64>) -> Result<Bytes, RpcError> {
        let mut grpc = self.grpc.clone();
        if let Err(e) = grpc.ready().await {
            let reason = chain(&e);
            self.retire(&reason);
            return Err(RpcError::NotConnected(reason));
        }
        let mut request = Request::new(call.frame.slice(call.frame.len().min(5)..));
        let metadata = request.metadata_mut();
        if let Some(version) = self.client_api_version {
            metadata.insert("client-api-version", MetadataValue::from_static(version));
        }
        if let Some(token) = &*self.token.borrow()
            && let Ok(token) = MetadataValue::try_from(token.as_bytes())
        {
            metadata.insert("token", token);
        }
        if let Some(timeout) = call.timeout {
            request.set_timeout(timeout);
        }
        let path = PathAndQuery::from_static(call.rpc.path());
        let answer = match call.rpc {
            Rpc::RangeStream => joined(&mut grpc, request, path, sent).await,
            _ => grpc
                .unary(request, path, RawCodec(sent))
                .await
                .map(tonic::Response::into_inner),
        };
        answer.map_err(|status| self.explain(call, &status))
    }

    fn explain(&self, call: &Call, status: &Status) -> RpcError {
        let source = StdError::source(status);
        let timed_out = source.is_some_and(|s| s.is::<tonic::TimeoutExpired>());
        if let (true, Some(timeout)) = (timed_out, call.timeout) {
            return RpcError::Deadline(timeout);
        }
        match source {
            // Without a source the status came from the server.
            None => RpcError::Status {
                code: u32::try_from(i32::from(status.code())).unwrap_or(2),
                message: status.message().to_owned(),
            },
            Some(source) => {
                let reason = chain(source);
                if status.code() != Code::Cancelled {
                    self.retire(&reason);
                }
                if reason.contains("tcp connect error") {
                    RpcError::NotConnected(reason)
                } else {
                    RpcError::Broken(reason)
                }
            }
        }
    }

    fn retire(&self, reason: &str) {
        self.retired
            .borrow_mut()
            .get_or_insert_with(|| reason.to_owned());
        self.changed.notify_waiters();
    }
}

impl Transport for TonicConnection {
    async fn call(&self, call: Call) -> Reply {
        self.active.set(self.active.get() + 1);
        let _active = Active(self);
        let stamp = Arc::new(AtomicU64::new(0));
        let result = self.exchange(&call, stamp.clone()).await;
        let done = clock::now();
        let sent = Some(stamp.load(Ordering::Relaxed)).filter(|t| *t != 0);
        Reply { sent, done, result }
    }

    async fn retired(&self) -> String {
        loop {
            if let Some(reason) = &*self.retired.borrow() {
                return reason.clone();
            }
            self.changed.notified().await;
        }
    }

    fn unheard(&self) -> clock::Nanos {
        0
    }

    fn is_up(&self) -> bool {
        self.retired.borrow().is_none()
    }

    async fn close(&self) {
        self.retire("closed by etcdmark");
        let idle = async {
            while self.active.get() > 0 {
                self.changed.notified().await;
            }
        };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), idle).await;
    }
}

/// The messages of a stream, one behind the other.
async fn joined(
    grpc: &mut Grpc<Channel>,
    request: Request<Bytes>,
    path: PathAndQuery,
    sent: Arc<AtomicU64>,
) -> Result<Bytes, Status> {
    let answer = grpc.server_streaming(request, path, RawCodec(sent)).await?;
    let mut stream = answer.into_inner();
    let mut all = BytesMut::new();
    while let Some(message) = stream.message().await? {
        all.extend_from_slice(&message);
    }
    Ok(all.freeze())
}

/// An error with its causes.
fn chain(e: &dyn StdError) -> String {
    let mut text = e.to_string();
    let mut next = e.source();
    while let Some(e) = next {
        text = format!("{text}: {e}");
        next = e.source();
    }
    text
}

/// Bytes in, bytes out. tonic tells nobody when a frame reaches the socket: *sent* is when hyper asked for the body.
#[derive(Clone)]
struct RawCodec(Arc<AtomicU64>);

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = RawCodec;
    type Decoder = RawCodec;

    fn encoder(&mut self) -> RawCodec {
        self.clone()
    }

    fn decoder(&mut self) -> RawCodec {
        self.clone()
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        self.0.store(clock::now(), Ordering::Relaxed);
        out.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, frame: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(frame.copy_to_bytes(frame.remaining())))
    }
}
