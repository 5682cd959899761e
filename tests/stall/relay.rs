//! A relay between etcdmark and a real etcd, request by request: everything is passed on as it is, but the answers
//! to Lease renewals are given back by a script, and when each was given back is written down.

use bytes::{Bytes, BytesMut};
use etcdmark::clock::{self, Nanos, SECOND, UnixNanos};
use etcdmark::rpc::messages::TxnRequest;
use etcdmark::rpc::messages::request_op::Request as Op;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use k8s_pb::api::coordination::v1::Lease;
use k8s_pb::apimachinery::pkg::runtime::Unknown;
use prost::Message;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Wider than all that is open at once.
const WINDOW: u32 = 16 << 20;

/// How the answers to renewals are given back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    /// No sooner after the request than this.
    pub(crate) service: Nanos,
    /// Held answers go out this far apart.
    pub(crate) spacing: Nanos,
    /// Nothing is given back within [from, to); none yet.
    pub(crate) hold: Option<(Nanos, Nanos)>,
    last: Nanos,
}

impl Script {
    pub(crate) fn new(service: Nanos, spacing: Nanos) -> Self {
        Script {
            service,
            spacing,
            hold: None,
            last: 0,
        }
    }

    /// When the answer to a request of that instant is due. In order of the requests.
    pub(crate) fn due(&mut self, at: Nanos) -> Nanos {
        let due = self.held(at + self.service);
        let due = self.held(due.max(self.last + self.spacing));
        self.last = due;
        due
    }

    fn held(&self, at: Nanos) -> Nanos {
        match self.hold {
            Some((from, to)) if (from..to).contains(&at) => to,
            _ => at,
        }
    }
}

/// One renewal: its renewTime, which is the intended instant, and when its answer was given back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) intended: UnixNanos,
    pub(crate) given_back: Nanos,
}

/// A running relay; ends with its thread's runtime when dropped.
pub(crate) struct Relay {
    pub(crate) endpoint: String,
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) answers: Arc<Mutex<Vec<Answer>>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// Starts a relay in front of `upstream` (`http://host:port`).
pub(crate) fn start(upstream: &str, script: Script) -> Relay {
    let upstream = upstream.trim_start_matches("http://").to_owned();
    let script = Arc::new(Mutex::new(script));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let (told, endpoint) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shared = Shared {
        script: Arc::clone(&script),
        answers: Arc::clone(&answers),
    };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap().to_string())
                .unwrap();
            let accept = async {
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(connection(socket, upstream.clone(), shared.clone()));
                }
            };
            tokio::select! {
                () = accept => {}
                _ = stopped => {}
            }
        });
    });
    Relay {
        endpoint: format!("http://{}", endpoint.recv().unwrap()),
        script,
        answers,
        _stop: stop,
    }
}

#[derive(Clone)]
struct Shared {
    script: Arc<Mutex<Script>>,
    answers: Arc<Mutex<Vec<Answer>>>,
}

async fn connection(socket: TcpStream, upstream: String, shared: Shared) {
    socket.set_nodelay(true).unwrap();
    let Ok(behind) = TcpStream::connect(upstream).await else {
        return;
    };
    behind.set_nodelay(true).unwrap();
    let mut client = h2::client::Builder::new();
    client
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let Ok((requests, driver)) = client.handshake::<_, Bytes>(behind).await else {
        return;
    };
    tokio::spawn(driver);
    let mut server = h2::server::Builder::new();
    server
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let Ok(mut connection) = server.handshake::<_, Bytes>(socket).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(pass(request, respond, requests.clone(), shared.clone()));
    }
}

/// Passes one request on, and its answer back. Either side that goes away ends it.
async fn pass(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    requests: SendRequest<Bytes>,
    shared: Shared,
) -> Option<()> {
    let at = clock::now();
    let (head, mut body) = request.into_parts();
    let unary = head.uri.path() == "/etcdserverpb.KV/Txn";
    let mut requests = requests.ready().await.ok()?;
    let (answer, mut to) = requests
        .send_request(Request::from_parts(head, ()), false)
        .ok()?;
    let mut renewal = None;
    if unary {
        let mut all = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk.ok()?;
            let _ = body.flow_control().release_capacity(chunk.len());
            all.extend_from_slice(&chunk);
        }
        if let Some(intended) = intended(&all) {
            renewal = Some((intended, shared.script.lock().unwrap().due(at)));
        }
        send(&mut to, all.freeze(), true).await?;
    } else {
        tokio::spawn(async move { pump(body, to).await });
    }
    let (head, body) = answer.await.ok()?.into_parts();
    if let Some((_, due)) = renewal {
        wait(due, &shared.script).await;
    }
    let end = body.is_end_stream();
    let to = respond
        .send_response(Response::from_parts(head, ()), end)
        .ok()?;
    if !end {
        pump(body, to).await?;
    }
    if let Some((intended, _)) = renewal {
        // The connection's own task, woken by the answer, writes it before this one has its next turn.
        tokio::task::yield_now().await;
        let given_back = clock::now();
        shared.answers.lock().unwrap().push(Answer {
            intended,
            given_back,
        });
    }
    Some(())
}

/// Until `due`; an answer that was to be given back within a hold that has begun since waits for its end.
async fn wait(due: Nanos, script: &Mutex<Script>) {
    let mut due = due;
    loop {
        let left = due.saturating_sub(clock::now());
        tokio::time::sleep(Duration::from_nanos(left)).await;
        let held = script.lock().unwrap().held(clock::now());
        if held <= clock::now() && due <= clock::now() {
            return;
        }
        due = due.max(held);
    }
}

async fn pump(mut from: RecvStream, mut to: SendStream<Bytes>) -> Option<()> {
    while let Some(chunk) = from.data().await {
        let chunk = chunk.ok()?;
        let _ = from.flow_control().release_capacity(chunk.len());
        let end = from.is_end_stream();
        send(&mut to, chunk, end).await?;
        if end {
            return Some(());
        }
    }
    match from.trailers().await.ok()? {
        Some(trailers) => to.send_trailers(trailers).ok(),
        None => to.send_data(Bytes::new(), true).ok(),
    }
}

async fn send(to: &mut SendStream<Bytes>, mut data: Bytes, end: bool) -> Option<()> {
    while !data.is_empty() {
        to.reserve_capacity(data.len());
        let n = poll_fn(|cx| to.poll_capacity(cx)).await?.ok()?;
        let part = data.split_to(n.min(data.len()));
        let last = end && data.is_empty();
        to.send_data(part, last).ok()?;
    }
    Some(())
}

/// The renewTime of a CAS update of a Lease; none for every other transaction (creates, the manifest).
fn intended(frame: &[u8]) -> Option<UnixNanos> {
    let txn = TxnRequest::decode(frame.get(5..)?).ok()?;
    let compare = txn.compare.first()?;
    let created = matches!(
        compare.target_union,
        Some(etcdmark::rpc::messages::compare::TargetUnion::ModRevision(
            0
        ))
    );
    let Some(Op::Put(put)) = &txn.success.first()?.request else {
        return None;
    };
    if created || txn.success.len() != 1 {
        return None;
    }
    let unknown = Unknown::decode(put.value.strip_prefix(b"k8s\0")?).ok()?;
    let lease = Lease::decode(&unknown.raw?[..]).ok()?;
    let time = lease.spec?.renew_time?;
    Some(u64::try_from(time.seconds?).ok()? * SECOND + u64::try_from(time.nanos?).ok()?)
}
