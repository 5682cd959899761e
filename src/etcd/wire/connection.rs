//! One HTTP/2 connection to one member, over the h2 crate.

use super::call::CallState;
use super::coalesce;
use super::dial::Io;
use super::driver::Driver;
use super::headers::{self, Template};
use super::settings::Settings;
use super::{Call, Reply, Transport};
use crate::clock::{self, Nanos};
use crate::rpc::RpcError;
use crate::rpc::frames::{expected_len, unframe};
use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::header::HeaderValue;
use http::{Request, Response, StatusCode, Uri};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Concurrent streams when the server names no limit.
const MANY_STREAMS: usize = 1 << 20;
/// How long late frames of a reset stream are recognised.
const RESET_MEMORY: Duration = Duration::from_secs(60);
/// How long requests in flight may take to finish when a pool closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What callers and the driver share.
pub(crate) struct ConnectionState {
    pub(crate) send: RefCell<Option<SendRequest<Bytes>>>,
    /// The newest stream has no place yet (the server lowered its limit); nothing may be sent until it has.
    pub(crate) opening: Cell<bool>,
    pub(crate) opened: Notify,
    slots: Semaphore,
    slots_total: Cell<usize>,
    slots_debt: Cell<usize>,
    /// Handed to h2 but not yet to the socket: (bytes after which it has left, the call).
    pub(crate) awaiting: RefCell<VecDeque<(u64, Rc<CallState>)>>,
    /// Calls with a deadline.
    pub(crate) deadlines: RefCell<Vec<Rc<CallState>>>,
    pub(crate) active: Cell<usize>,
    pub(crate) driver: RefCell<Option<Waker>>,
    pub(crate) ready: Cell<bool>,
    pub(crate) retired: RefCell<Option<String>>,
    /// How long nothing had been heard when it was found to hang.
    pub(crate) unheard: Cell<Nanos>,
    pub(crate) closed: Cell<bool>,
    pub(crate) failure: RefCell<Option<h2::Error>>,
    /// `ready`, `retired` or `closed` changed.
    pub(crate) changed: Notify,
}

impl ConnectionState {
    /// Follows the server's MAX_CONCURRENT_STREAMS.
    pub(crate) fn set_slots(&self, limit: usize) {
        let limit = limit.clamp(0, MANY_STREAMS);
        let before = self.slots_total.replace(limit);
        if limit > before {
            let paid = self.slots_debt.get().min(limit - before);
            self.slots_debt.set(self.slots_debt.get() - paid);
            self.slots.add_permits(limit - before - paid);
        } else if limit < before {
            let forgotten = self.slots.forget_permits(before - limit);
            self.slots_debt
                .set(self.slots_debt.get() + before - limit - forgotten);
        }
    }

    /// Takes no new requests from now on.
    pub(crate) fn retire(&self, reason: &str) {
        self.retired
            .borrow_mut()
            .get_or_insert_with(|| reason.to_owned());
        self.slots.close();
        self.opened.notify_waiters();
        self.changed.notify_waiters();
    }

    fn wake_driver(&self) {
        if let Some(waker) = &*self.driver.borrow() {
            waker.wake_by_ref();
        }
    }

    fn watch_deadline(&self, call: &Rc<CallState>) {
        let mut deadlines = self.deadlines.borrow_mut();
        if deadlines.is_empty() {
            self.wake_driver();
        }
        deadlines.push(call.clone());
    }
}

/// A place among the server's concurrent streams; given back on drop.
struct Slot<'a>(&'a ConnectionState);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        match self.0.slots_debt.get() {
            0 => self.0.slots.add_permits(1),
            debt => self.0.slots_debt.set(debt - 1),
        }
    }
}

/// Marks a call finished whichever way its future ends.
struct Finish<'a>(&'a CallState);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// One HTTP/2 connection. Its driver runs as a local task until the connection ends.
pub(crate) struct Connection {
    shared: Rc<ConnectionState>,
    template: RefCell<Template>,
    task: tokio::task::AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Sends preface and SETTINGS and starts the driver.
    pub(crate) async fn start(
        io: Io,
        template: Template,
        settings: &Settings,
    ) -> Result<Rc<Self>, h2::Error> {
        let buffers = io.buffers();
        let (io, outlet) = coalesce::pair(io, buffers);
        let (send, connection) = h2::client::Builder::new()
            .initial_window_size(settings.stream_window)
            .initial_connection_window_size(settings.connection_window)
            .enable_push(false)
            .max_concurrent_reset_streams(2 * settings.max_in_flight + 1024)
            .reset_stream_duration(RESET_MEMORY)
            .max_local_error_reset_streams(None)
            .handshake(io)
            .await?;
        let shared = Rc::new(ConnectionState {
            send: RefCell::new(Some(send)),
            opening: Cell::new(false),
            opened: Notify::new(),
            slots: Semaphore::new(0),
            slots_total: Cell::new(0),
            slots_debt: Cell::new(0),
            awaiting: RefCell::default(),
            deadlines: RefCell::default(),
            active: Cell::new(0),
            driver: RefCell::new(None),
            ready: Cell::new(false),
            retired: RefCell::new(None),
            unheard: Cell::new(0),
            closed: Cell::new(false),
            failure: RefCell::new(None),
            changed: Notify::new(),
        });
        let driver = Driver::new(connection, outlet, shared.clone(), settings);
        let task = tokio::task::spawn_local(driver).abort_handle();
        Ok(Rc::new(Connection {
            shared,
            template: RefCell::new(template),
            task,
        }))
    }

    /// Until the server has said its first word; the error of a connection that ended before.
    pub(crate) async fn ready(&self) -> Result<(), Option<h2::Error>> {
        loop {
            if self.shared.closed.get() {
                return Err(self.shared.failure.borrow_mut().take());
            }
            if self.shared.ready.get() {
                return Ok(());
            }
            self.shared.changed.notified().await;
        }
    }

    /// From now on requests carry this token.
    pub(crate) fn set_token(&self, token: Option<HeaderValue>) {
        self.template.borrow_mut().set_token(token);
    }

    /// Any unary RPC, by its URI (for Authenticate).
    pub(crate) async fn unary(&self, uri: Uri, frame: Bytes, timeout: Option<Duration>) -> Reply {
        let head = || self.template.borrow_mut().request_to(uri, timeout);
        self.run(head, frame, timeout).await
    }

    async fn run(
        &self,
        head: impl FnOnce() -> Request<()>,
        frame: Bytes,
        timeout: Option<Duration>,
    ) -> Reply {
        let state = CallState::new(clock::now(), timeout);
        let _finish = Finish(&state);
        if timeout.is_some() {
            self.shared.watch_deadline(&state);
        }
        let mut exchange = pin!(self.exchange(&state, head, frame));
        let outcome =
            poll_fn(|cx| state.poll_until_expired(cx, |cx| exchange.as_mut().poll(cx))).await;
        let done = clock::now();
        finish(&state, done, outcome.unwrap_or_else(|| Err(state.expiry())))
    }

    async fn exchange(
        &self,
        state: &Rc<CallState>,
        head: impl FnOnce() -> Request<()>,
        frame: Bytes,
    ) -> Result<Bytes, RpcError> {
        let slot = self.slot().await?;
        let (mut response, mut body) = self.open(head).await?;
        let early = self
            .send_body(state, &mut response, &mut body, frame)
            .await?;
        let response = match early {
            Some(response) => response,
            None => (&mut response).await.map_err(|e| broken(&e))?,
        };
        let message = read_message(response).await;
        drop(slot);
        message
    }

    async fn slot(&self) -> Result<Slot<'_>, RpcError> {
        let slots = &self.shared.slots;
        let permit = match slots.try_acquire() {
            Ok(permit) => permit,
            Err(_) => slots.acquire().await.map_err(|_| self.gone())?,
        };
        permit.forget();
        self.shared.active.set(self.shared.active.get() + 1);
        Ok(Slot(&self.shared))
    }

    /// Opens the stream: queues HEADERS.
    async fn open(
        &self,
        head: impl FnOnce() -> Request<()>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), RpcError> {
        loop {
            {
                let mut send = self.shared.send.borrow_mut();
                let send = send.as_mut().ok_or_else(|| self.gone())?;
                // The driver polls it again with its own waker while `opening` is set.
                match send.poll_ready(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Ok(())) => {
                        return send.send_request(head(), false).map_err(|e| unsent(&e));
                    }
                    Poll::Ready(Err(e)) => return Err(unsent(&e)),
                    Poll::Pending => self.shared.opening.set(true),
                }
            }
            self.shared.wake_driver();
            self.shared.opened.notified().await;
        }
    }

    /// Queues the body as far as the windows allow, never more: h2 would buffer it without bound. Returns
    /// an answer that came before all of it was sent.
    async fn send_body(
        &self,
        state: &Rc<CallState>,
        response: &mut ResponseFuture,
        body: &mut SendStream<Bytes>,
        mut frame: Bytes,
    ) -> Result<Option<Response<RecvStream>>, RpcError> {
        loop {
            body.reserve_capacity(frame.len());
            let capacity = body.capacity();
            if capacity >= frame.len() {
                body.send_data(frame, true).map_err(|e| broken(&e))?;
                self.shared
                    .awaiting
                    .borrow_mut()
                    .push_back((u64::MAX, state.clone()));
                return Ok(None);
            }
            if capacity > 0 {
                body.send_data(frame.split_to(capacity), false)
                    .map_err(|e| broken(&e))?;
                continue;
            }
            let early = poll_fn(|cx| {
                if let Poll::Ready(response) = Pin::new(&mut *response).poll(cx) {
                    return Poll::Ready(Some(response));
                }
                // None or an error: the stream has ended; the response says why.
                body.poll_capacity(cx).map(|_| None)
            })
            .await;
            if let Some(response) = early {
                return response.map(Some).map_err(|e| broken(&e));
            }
        }
    }

    fn gone(&self) -> RpcError {
        let reason = self.shared.retired.borrow();
        RpcError::NotConnected(reason.clone().unwrap_or_else(|| "connection closed".into()))
    }
}

impl Transport for Connection {
    async fn call(&self, call: Call) -> Reply {
        let head = || self.template.borrow_mut().request(call.rpc, call.timeout);
        self.run(head, call.frame, call.timeout).await
    }

    async fn retired(&self) -> String {
        loop {
            if let Some(reason) = &*self.shared.retired.borrow() {
                return reason.clone();
            }
            self.shared.changed.notified().await;
        }
    }

    fn unheard(&self) -> Nanos {
        self.shared.unheard.get()
    }

    fn is_up(&self) -> bool {
        self.shared.ready.get() && self.shared.retired.borrow().is_none()
    }

    async fn close(&self) {
        self.shared.retire("closed by etcdmark");
        // Without a handle h2 finishes the open streams, says GOAWAY and ends.
        self.shared.send.borrow_mut().take();
        self.shared.wake_driver();
        let closed = async {
            while !self.shared.closed.get() {
                self.shared.changed.notified().await;
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            self.task.abort();
        }
    }
}

/// The instants and the outcome of a call, made consistent with each other.
fn finish(state: &CallState, done: Nanos, result: Result<Bytes, RpcError>) -> Reply {
    let sent = state.sent();
    match (sent, result) {
        // The last byte never left, so etcd never acted on it.
        (None, Err(RpcError::Broken(why))) => Reply {
            sent,
            done,
            result: Err(RpcError::NotConnected(why)),
        },
        // Answered before the whole request had left.
        (None, result @ (Ok(_) | Err(RpcError::Status { .. } | RpcError::Malformed(_)))) => Reply {
            sent: Some(done),
            done,
            result,
        },
        (sent, result) => Reply { sent, done, result },
    }
}

/// Reads an answer: its message, or all messages of a stream joined, and a status.
async fn read_message(response: Response<RecvStream>) -> Result<Bytes, RpcError> {
    let (head, mut body) = response.into_parts();
    if let Some(status) = headers::status(&head.headers) {
        // Trailers-only.
        return status
            .and_then(|()| Err(RpcError::Malformed("status OK without a message".into())));
    }
    if head.status != StatusCode::OK {
        return Err(RpcError::Malformed(format!(
            "HTTP status {}, not gRPC",
            head.status
        )));
    }
    let mut message = Bytes::new();
    let mut more = BytesMut::new();
    let mut read = 0;
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(|e| broken(&e))?;
        // Only fails when the stream has gone, which the next read tells.
        let _ = body.flow_control().release_capacity(chunk.len());
        read += chunk.len();
        // What is announced is reserved: so it is looked at before it comes.
        let announced = if message.is_empty() { &chunk } else { &message };
        fits(read.max(expected_len(announced)))?;
        if message.is_empty() && more.is_empty() {
            message = chunk;
        } else {
            if more.is_empty() {
                more.reserve(expected_len(&message).max(message.len() + chunk.len()));
                more.extend_from_slice(&message);
            }
            more.extend_from_slice(&chunk);
        }
    }
    if !more.is_empty() {
        message = more.freeze();
    }
    let trailers = body.trailers().await.map_err(|e| broken(&e))?;
    match trailers.as_ref().and_then(headers::status) {
        Some(Ok(())) => unframe(message),
        Some(Err(e)) => Err(e),
        None => Err(RpcError::Broken(
            "the answer ended without a grpc-status".into(),
        )),
    }
}

/// The largest answer that is read, bytes: a list of a hundred thousand large Nodes.
const MAX_ANSWER: usize = 1 << 30;

/// Whether an answer of so many bytes is read; its error is the one that grpc-go's clients have for it.
fn fits(bytes: usize) -> Result<(), RpcError> {
    if bytes <= MAX_ANSWER {
        return Ok(());
    }
    Err(RpcError::Status {
        code: 8,
        message: format!(
            "etcdmark: received message larger than max ({bytes} vs. {MAX_ANSWER} bytes): list fewer or smaller objects"
        ),
    })
}

/// An error before anything of the request was queued.
fn unsent(e: &h2::Error) -> RpcError {
    RpcError::NotConnected(e.to_string())
}

/// An error of a stream. Refused, or above the last stream of a GOAWAY: the server promises not to have
/// acted on it (RFC 9113 §6.8, §8.7).
fn broken(e: &h2::Error) -> RpcError {
    let refused = e.is_remote() && e.reason() == Some(h2::Reason::REFUSED_STREAM);
    if refused || (e.is_go_away() && e.is_remote()) {
        RpcError::NotConnected(format!("not processed by the server: {e}"))
    } else {
        RpcError::Broken(e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_broke_before_it_left_was_not_sent() {
        let state = CallState::new(1, None);
        let reply = finish(&state, 9, Err(RpcError::Broken("x".into())));
        assert_eq!(
            (reply.sent, reply.result),
            (None, Err(RpcError::NotConnected("x".into())))
        );
        state.stamp_sent(5);
        let reply = finish(&state, 9, Err(RpcError::Broken("x".into())));
        assert_eq!(
            (reply.sent, reply.result),
            (Some(5), Err(RpcError::Broken("x".into())))
        );
    }

    #[test]
    fn an_answer_is_refused_by_what_it_announces() {
        // Compressed: no; 2 GiB follow.
        let first = [0, 0x80, 0, 0, 0, 1];
        let refused = fits(expected_len(&first)).unwrap_err();
        assert!(refused.to_string().contains("larger than max"), "{refused}");
        assert_eq!(fits(expected_len(&[0, 0, 0, 0, 1, 1])), Ok(()));
        assert!(fits(MAX_ANSWER + 1).is_err());
    }
}
