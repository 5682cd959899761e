//! A scripted gRPC server for what a real etcd cannot be made to do on demand.

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::{Builder, Connection, SendResponse};
use http::{HeaderMap, Request, Response};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

pub(crate) type Handler = Rc<dyn Fn(Exchange) -> Pin<Box<dyn Future<Output = ()>>>>;

/// One request as the server sees it.
pub(crate) struct Exchange {
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
    /// Which connection it came on, from 0.
    pub(crate) connection: usize,
}

/// What the server saw and can be told.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) accepted: Cell<usize>,
    pub(crate) go_away: Notify,
    pub(crate) freeze: Notify,
    pub(crate) seen: RefCell<Vec<HeaderMap>>,
}

pub(crate) struct Server {
    pub(crate) endpoint: String,
    pub(crate) state: Rc<State>,
    task: tokio::task::JoinHandle<()>,
    tasks: Rc<RefCell<Vec<tokio::task::AbortHandle>>>,
}

impl Server {
    /// Stops listening and cuts every connection.
    pub(crate) fn kill(&self) {
        self.task.abort();
        for t in self.tasks.borrow().iter() {
            t.abort();
        }
    }

    /// Cuts every connection, but goes on listening.
    pub(crate) fn cut(&self) {
        for t in self.tasks.borrow_mut().drain(..) {
            t.abort();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn handler<F, Fut>(f: F) -> Handler
where
    F: Fn(Exchange) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    Rc::new(move |x| Box::pin(f(x)))
}

/// Serves on a free port of loopback, as local tasks.
pub(crate) async fn serve(builder: Builder, handler: Handler) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let endpoint = format!("http://{}", listener.local_addr().expect("address"));
    let state = Rc::new(State::default());
    let tasks: Rc<RefCell<Vec<tokio::task::AbortHandle>>> = Rc::default();
    let (s, t) = (state.clone(), tasks.clone());
    let task = tokio::task::spawn_local(async move {
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                return;
            };
            let n = s.accepted.replace(s.accepted.get() + 1);
            let one = connection(builder.clone(), socket, handler.clone(), s.clone(), n);
            t.borrow_mut()
                .push(tokio::task::spawn_local(one).abort_handle());
        }
    });
    Server {
        endpoint,
        state,
        task,
        tasks,
    }
}

async fn connection(b: Builder, socket: TcpStream, handler: Handler, state: Rc<State>, n: usize) {
    socket.set_nodelay(true).expect("nodelay");
    let Ok(mut c): Result<Connection<TcpStream, Bytes>, _> = b.handshake(socket).await else {
        return;
    };
    loop {
        tokio::select! {
            next = c.accept() => {
                let Some(Ok((request, respond))) = next else { return };
                state.seen.borrow_mut().push(request.headers().clone());
                tokio::task::spawn_local(handler(Exchange { request, respond, connection: n }));
            }
            () = state.go_away.notified() => c.graceful_shutdown(),
            // From here on not even a ping is answered.
            () = state.freeze.notified() => std::future::pending().await,
        }
    }
}

/// Reads the whole request, giving the windows back.
pub(crate) async fn read(request: &mut Request<RecvStream>) -> BytesMut {
    let mut all = BytesMut::new();
    while let Some(Ok(chunk)) = request.body_mut().data().await {
        let _ = request
            .body_mut()
            .flow_control()
            .release_capacity(chunk.len());
        all.extend_from_slice(&chunk);
    }
    all
}

/// A gRPC frame.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(5 + message.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).expect("length"));
    out.extend_from_slice(message);
    out.freeze()
}

fn head() -> Response<()> {
    Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .expect("head")
}

/// Answers OK with a message, respecting the client's windows.
pub(crate) async fn answer(respond: &mut SendResponse<Bytes>, message: &[u8]) {
    let Ok(mut body) = respond.send_response(head(), false) else {
        return;
    };
    let mut rest = frame(message);
    while !rest.is_empty() {
        body.reserve_capacity(rest.len());
        let Some(Ok(n)) = poll_fn(|cx| body.poll_capacity(cx)).await else {
            return;
        };
        let n = n.min(rest.len());
        if body.send_data(rest.split_to(n), false).is_err() {
            return;
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().expect("value"));
    let _ = body.send_trailers(trailers);
}

/// Answers trailers-only with a status; `message` as it goes on the wire.
pub(crate) fn fail(respond: &mut SendResponse<Bytes>, code: u32, message: &str) {
    let mut response = head();
    let headers = response.headers_mut();
    headers.insert("grpc-status", code.to_string().parse().expect("value"));
    headers.insert("grpc-message", message.parse().expect("value"));
    let _ = respond.send_response(response, true);
}
