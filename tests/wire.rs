//! The duties of the wire against a scripted server, and both wires against a real etcd.

mod common;
#[path = "wire/real.rs"]
mod real;
#[path = "wire/secure.rs"]
mod secure;

use common::scripted::{self, Server, answer, fail, frame, handler, read, serve};
use etcdmark::clock;
use etcdmark::etcd::wire::{Call, Pool, Reply, Settings};
use etcdmark::rpc::{Rpc, RpcError};
use etcdmark::target::Credentials;
use etcdmark::target::Target;
use futures_util::future::join_all;
use h2::server::Builder;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

const MS: u64 = 1_000_000;

fn local<T>(f: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .expect("runtime");
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), f)
            .await
            .expect("60 s")
    })
}

fn put(bytes: usize, timeout_ms: u64) -> Call {
    let timeout = Some(Duration::from_millis(timeout_ms));
    Call {
        rpc: Rpc::Put,
        frame: frame(&vec![b'x'; bytes]),
        timeout,
    }
}

async fn pool_of(endpoints: &[&Server], settings: Settings) -> Pool {
    let endpoints: Vec<String> = endpoints.iter().map(|s| s.endpoint.clone()).collect();
    Pool::connect(&Target::plain(endpoints.clone()), &endpoints, 1, settings)
        .await
        .expect("pool")
}

async fn pool(server: &Server) -> Pool {
    pool_of(&[server], Settings::default()).await
}

fn echo() -> scripted::Handler {
    handler(|mut x| async move {
        let body = read(&mut x.request).await;
        answer(&mut x.respond, &body[5..]).await;
    })
}

fn message(reply: Reply) -> Vec<u8> {
    reply.result.expect("answer").to_vec()
}

#[test]
fn a_request_carries_the_headers_of_a_kubernetes_client() {
    local(async {
        let server = serve(Builder::new(), echo()).await;
        let settings = Settings {
            client_api_version: Some("3.6"),
            ..Settings::default()
        };
        let pool = pool_of(&[&server], settings).await;
        let reply = pool.call(0, put(100, 5_000)).await;
        assert!(reply.sent.expect("sent") <= reply.done);
        assert_eq!(message(reply), vec![b'x'; 100]);
        let untimed = Call {
            timeout: None,
            ..put(1, 0)
        };
        pool.call(0, untimed).await.result.expect("answer");
        let seen = server.state.seen.borrow();
        let get = |i: usize, name: &str| seen[i].get(name).map(|v| v.to_str().expect("text"));
        assert_eq!(get(0, "content-type"), Some("application/grpc"));
        assert_eq!(get(0, "te"), Some("trailers"));
        assert!(
            get(0, "user-agent")
                .expect("agent")
                .starts_with("etcdmark/")
        );
        assert_eq!(get(0, "client-api-version"), Some("3.6"));
        assert_eq!(get(0, "grpc-timeout"), Some("5000000u"));
        assert_eq!(get(0, "hasleader"), None);
        assert_eq!(get(0, "token"), None);
        assert_eq!(get(1, "grpc-timeout"), None);
    });
}

#[test]
fn trailers_only_answers_are_decoded() {
    local(async {
        let server = serve(
            Builder::new(),
            handler(|mut x| async move {
                fail(&mut x.respond, 8, "etcdserver: 100%25 full");
            }),
        )
        .await;
        let reply = pool(&server).await.call(0, put(10, 5_000)).await;
        let expected = RpcError::Status {
            code: 8,
            message: "etcdserver: 100% full".into(),
        };
        assert_eq!(reply.result, Err(expected));
        assert!(reply.sent.is_some());
    });
}

#[test]
fn nothing_is_buffered_beyond_the_servers_window() {
    local(async {
        // Like grpc-go: 65,535 bytes for the whole connection, and nothing released until told.
        let release = Rc::new(Notify::new());
        let open = Rc::new(Cell::new(false));
        let got = Rc::new(Cell::new(0));
        let (r, o, g) = (release.clone(), open.clone(), got.clone());
        let server = serve(
            Builder::new(),
            handler(move |mut x| {
                let (r, o, g) = (r.clone(), o.clone(), g.clone());
                async move {
                    let mut held = 0;
                    loop {
                        let next = tokio::select! {
                            d = x.request.body_mut().data() => d,
                            () = r.notified(), if held > 0 => {
                                let _ = x.request.body_mut().flow_control().release_capacity(held);
                                held = 0;
                                continue;
                            }
                        };
                        let Some(Ok(chunk)) = next else { break };
                        g.set(g.get() + chunk.len());
                        held += chunk.len();
                        if o.get() {
                            let _ = x.request.body_mut().flow_control().release_capacity(held);
                            held = 0;
                        }
                    }
                    if held > 0 {
                        if !o.get() {
                            r.notified().await;
                        }
                        let _ = x.request.body_mut().flow_control().release_capacity(held);
                    }
                    answer(&mut x.respond, b"ok").await;
                }
            }),
        )
        .await;
        let pool = pool(&server).await;
        let opened_at = Cell::new(0);
        let (replies, ()) = tokio::join!(
            join_all((0..20).map(|i| pool.call(i, put(8_187, 20_000)))),
            async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                assert_eq!(got.get(), 65_535, "the window, and not a byte more");
                opened_at.set(clock::now());
                open.set(true);
                release.notify_waiters();
            }
        );
        let waited = replies
            .iter()
            .filter(|r| r.sent.expect("sent") >= opened_at.get())
            .count();
        // 65,535 B hold seven whole frames of 8,192 B; the other 13 waited for the window.
        assert_eq!(waited, 13);
        assert!(replies.into_iter().all(|r| message(r) == b"ok"));
    });
}

#[test]
fn large_answers_fit_the_window_and_give_it_back() {
    local(async {
        let big = 20 << 20;
        let server = serve(
            Builder::new(),
            handler(move |mut x| async move {
                read(&mut x.request).await;
                answer(&mut x.respond, &vec![7; big]).await;
            }),
        )
        .await;
        let pool = pool(&server).await;
        // More than four connection windows in all.
        for _ in 0..14 {
            assert_eq!(message(pool.call(0, put(1, 20_000)).await).len(), big);
        }
        assert_eq!(server.state.accepted.get(), 1);
    });
}

#[test]
fn a_stream_window_of_sixteen_mebibytes_is_open_at_once() {
    local(async {
        let sent = Rc::new(Cell::new(0));
        // Otherwise the server's own send buffer is the lesser of the two.
        let mut builder = Builder::new();
        builder.max_send_buffer_size(64 << 20);
        let wide = serve(
            builder,
            handler({
                let s = sent.clone();
                move |mut x| {
                    let s = s.clone();
                    async move {
                        let mut body = x
                            .respond
                            .send_response(http::Response::new(()), false)
                            .expect("head");
                        body.reserve_capacity(32 << 20);
                        let n = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
                        s.set(n.expect("open").expect("capacity"));
                        std::future::pending::<()>().await;
                    }
                }
            }),
        )
        .await;
        let pool = pool(&wide).await;
        let reply = pool.call(0, put(1, 200)).await;
        assert!(matches!(reply.result, Err(RpcError::Deadline(_))));
        assert!(sent.get() >= 16 << 20, "{}", sent.get());
    });
}

#[test]
fn the_servers_limit_of_streams_is_respected() {
    local(async {
        let now = Rc::new(Cell::new(0));
        let most = Rc::new(Cell::new(0));
        let (n, m) = (now.clone(), most.clone());
        let mut builder = Builder::new();
        builder.max_concurrent_streams(2);
        let server = serve(
            builder,
            handler(move |mut x| {
                let (n, m) = (n.clone(), m.clone());
                async move {
                    n.set(n.get() + 1);
                    m.set(m.get().max(n.get()));
                    read(&mut x.request).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    n.set(n.get() - 1);
                    answer(&mut x.respond, b"ok").await;
                }
            }),
        )
        .await;
        let pool = pool(&server).await;
        let mut replies = join_all((0..8).map(|i| pool.call(i, put(500, 20_000)))).await;
        assert_eq!(most.get(), 2);
        replies.sort_by_key(|r| r.sent);
        let sent: Vec<u64> = replies.iter().map(|r| r.sent.expect("sent")).collect();
        // Waiting for a place is wait, not service time: nobody's service takes more than its own 50 ms
        // and the one that shares the turn.
        assert!(sent[7] - sent[0] >= 150 * MS, "{sent:?}");
        for r in &replies {
            assert!(r.result.is_ok());
            assert!(r.done - r.sent.expect("sent") >= 50 * MS);
        }
        assert!(replies[0].done <= sent[2] && replies[0].done <= sent[7]);
    });
}

#[test]
fn the_deadline_counts_from_sent_and_cancels_the_stream() {
    local(async {
        let reset = Rc::new(Cell::new(None));
        let r = reset.clone();
        let first = Cell::new(true);
        let server = serve(
            Builder::new(),
            handler(move |mut x| {
                let hold = first.replace(false);
                let r = r.clone();
                async move {
                    read(&mut x.request).await;
                    if hold {
                        let reason = std::future::poll_fn(|cx| x.respond.poll_reset(cx)).await;
                        r.set(reason.ok());
                    } else {
                        answer(&mut x.respond, b"ok").await;
                    }
                }
            }),
        )
        .await;
        let pool = pool(&server).await;
        let reply = pool.call(0, put(10, 150)).await;
        assert_eq!(
            reply.result,
            Err(RpcError::Deadline(Duration::from_millis(150)))
        );
        assert!(reply.done - reply.sent.expect("sent") >= 150 * MS);
        assert_eq!(message(pool.call(0, put(10, 5_000)).await), b"ok");
        assert_eq!(reset.get(), Some(h2::Reason::CANCEL));
        assert_eq!(server.state.accepted.get(), 1, "the connection survives");
    });
}

#[test]
fn a_request_that_never_fits_expires_as_not_sent() {
    local(async {
        let mut builder = Builder::new();
        builder.initial_window_size(100);
        let server = serve(
            builder,
            handler(|x| async move {
                let _keep = x;
                std::future::pending::<()>().await;
            }),
        )
        .await;
        let reply = pool(&server).await.call(0, put(1_000, 150)).await;
        assert!(
            matches!(reply.result, Err(RpcError::NotConnected(_))),
            "{reply:?}"
        );
        assert_eq!(reply.sent, None);
    });
}

#[test]
fn thousands_of_late_answers_do_not_kill_the_connection() {
    local(async {
        let answer_now = Rc::new(Notify::new());
        let late = Rc::new(Cell::new(true));
        let (a, l) = (answer_now.clone(), late.clone());
        let server = serve(
            Builder::new(),
            handler(move |mut x| {
                let (a, l) = (a.clone(), l.clone());
                async move {
                    read(&mut x.request).await;
                    if l.get() {
                        a.notified().await;
                    }
                    answer(&mut x.respond, b"ok").await;
                }
            }),
        )
        .await;
        let pool = pool(&server).await;
        for round in 0..3 {
            // The answers leave while the resets are on their way.
            let replies = join_all((0..1_500).map(|i| {
                let (pool, answer_now) = (&pool, &answer_now);
                async move {
                    let reply = pool.call(i, put(10, 60)).await;
                    answer_now.notify_waiters();
                    reply
                }
            }))
            .await;
            let gone = replies
                .iter()
                .filter(|r| matches!(r.result, Err(RpcError::Deadline(_))))
                .count();
            assert!(gone > 1_000, "round {round}: {gone} late");
            assert!(
                replies
                    .iter()
                    .all(|r| matches!(r.result, Ok(_) | Err(RpcError::Deadline(_))))
            );
        }
        late.set(false);
        assert_eq!(message(pool.call(0, put(10, 5_000)).await), b"ok");
        assert_eq!(server.state.accepted.get(), 1);
    });
}

#[test]
fn goaway_drains_and_reconnects() {
    local(async {
        let release = Rc::new(Notify::new());
        let r = release.clone();
        let server = serve(
            Builder::new(),
            handler(move |mut x| {
                let r = r.clone();
                async move {
                    read(&mut x.request).await;
                    if x.connection == 0 {
                        r.notified().await;
                    }
                    answer(&mut x.respond, x.connection.to_string().as_bytes()).await;
                }
            }),
        )
        .await;
        let pool = pool(&server).await;
        let (old, new) = tokio::join!(pool.call(0, put(10, 20_000)), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.state.go_away.notify_waiters();
            tokio::time::sleep(Duration::from_millis(100)).await;
            let new = pool.call(0, put(10, 20_000)).await;
            release.notify_waiters();
            new
        });
        assert_eq!(message(new), b"1", "a new connection");
        assert_eq!(message(old), b"0", "the old one was drained");
    });
}

#[test]
fn a_refused_stream_was_not_processed() {
    local(async {
        let server = serve(
            Builder::new(),
            handler(|mut x| async move {
                x.respond.send_reset(h2::Reason::REFUSED_STREAM);
            }),
        )
        .await;
        let reply = pool(&server).await.call(0, put(10, 1_000)).await;
        assert!(
            matches!(reply.result, Err(RpcError::NotConnected(_))),
            "{reply:?}"
        );
    });
}

#[test]
fn a_cut_connection_breaks_what_was_sent_and_comes_back() {
    local(async {
        let hold = Rc::new(Cell::new(true));
        let h = hold.clone();
        let server = serve(
            Builder::new(),
            handler(move |mut x| {
                let hold = h.get();
                async move {
                    read(&mut x.request).await;
                    if hold {
                        std::future::pending::<()>().await;
                    }
                    answer(&mut x.respond, b"ok").await;
                }
            }),
        )
        .await;
        let pool = pool(&server).await;
        let (broken, ()) = tokio::join!(pool.call(0, put(10, 20_000)), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.cut();
        });
        assert!(
            matches!(broken.result, Err(RpcError::Broken(_))),
            "{broken:?}"
        );
        assert!(broken.sent.is_some());
        hold.set(false);
        assert_eq!(message(pool.call(0, put(10, 20_000)).await), b"ok");
        let up: Vec<bool> = pool.take_events().iter().map(|e| e.up).collect();
        assert_eq!(up, [true, false, true]);
    });
}

#[test]
fn a_dead_member_is_ejected_and_not_hammered() {
    local(async {
        let a = serve(Builder::new(), echo()).await;
        let b = serve(Builder::new(), echo()).await;
        let pool = pool_of(&[&a, &b], Settings::default()).await;
        assert_eq!((pool.channels(), pool.healthy()), (2, 2));
        // From now on this port accepts and closes at once.
        let address = b.endpoint.trim_start_matches("http://").to_owned();
        b.kill();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let knocks = Rc::new(Cell::new(0));
        let k = knocks.clone();
        let listener = tokio::net::TcpListener::bind(&address)
            .await
            .expect("bind again");
        let doorman = tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                k.set(k.get() + 1);
                drop(socket);
            }
        });
        for i in 0..20 {
            pool.call(i, put(10, 5_000))
                .await
                .result
                .expect("the other member answers");
            tokio::time::sleep(Duration::from_millis(75)).await;
        }
        assert_eq!(pool.healthy(), 1);
        // 1.5 s: pauses of at least 100, 200, 400, 800 ms.
        assert!((1..=4).contains(&knocks.get()), "{} attempts", knocks.get());
        let down: Vec<_> = pool.take_events().into_iter().filter(|e| !e.up).collect();
        assert_eq!(down.len(), 1, "{down:?}");
        assert_eq!(down[0].endpoint, b.endpoint);
        doorman.abort();
    });
}

#[test]
fn with_no_member_up_a_call_waits_at_most_its_timeout() {
    local(async {
        let server = serve(Builder::new(), echo()).await;
        let pool = pool(&server).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let before = clock::now();
        let reply = pool.call(0, put(10, 300)).await;
        assert!(
            matches!(reply.result, Err(RpcError::NotConnected(_))),
            "{reply:?}"
        );
        assert_eq!(reply.sent, None);
        assert!(reply.done - before >= 300 * MS);
    });
}

#[test]
fn a_silent_connection_is_pinged_after_five_seconds_at_the_earliest_and_given_up() {
    local(async {
        let server = serve(
            Builder::new(),
            handler(|x| async move {
                let _keep = x;
                std::future::pending::<()>().await;
            }),
        )
        .await;
        let settings = Settings {
            keepalive_interval: Duration::from_millis(1),
            keepalive_timeout: Duration::from_millis(300),
            ..Settings::default()
        };
        let pool = pool_of(&[&server], settings).await;
        let (reply, ()) = tokio::join!(pool.call(0, put(10, 30_000)), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.state.freeze.notify_waiters();
        });
        let Err(RpcError::Broken(_)) = &reply.result else {
            panic!("{reply:?}")
        };
        let waited = reply.done - reply.sent.expect("sent");
        assert!((5_200 * MS..20_000 * MS).contains(&waited), "{waited}");
        assert!(
            pool.take_events()
                .iter()
                .any(|e| e.reason.contains("keepalive"))
        );
    });
}

#[test]
fn a_living_but_slow_server_is_not_given_up() {
    local(async {
        let server = serve(
            Builder::new(),
            handler(|mut x| async move {
                tokio::time::sleep(Duration::from_millis(6_500)).await;
                answer(&mut x.respond, b"ok").await;
            }),
        )
        .await;
        let settings = Settings {
            keepalive_interval: Duration::from_secs(5),
            keepalive_timeout: Duration::from_millis(500),
            ..Settings::default()
        };
        let pool = pool_of(&[&server], settings).await;
        assert_eq!(message(pool.call(0, put(10, 30_000)).await), b"ok");
    });
}

#[test]
fn requests_of_one_turn_leave_in_one_write() {
    local(async {
        let server = serve(Builder::new(), echo()).await;
        let pool = pool(&server).await;
        pool.call(0, put(1, 5_000)).await.result.expect("warm");
        let replies = join_all((0..50).map(|i| pool.call(i, put(700, 5_000)))).await;
        let mut sent: Vec<_> = replies.iter().map(|r| r.sent.expect("sent")).collect();
        sent.dedup();
        assert_eq!(sent.len(), 1, "one stamp, since one write");
    });
}

#[test]
fn a_token_is_sent_and_renewed() {
    local(async {
        let logins = Rc::new(Cell::new(0));
        let used: Rc<RefCell<Vec<String>>> = Rc::default();
        let (l, u) = (logins.clone(), used.clone());
        let server = serve(
            Builder::new(),
            handler(move |mut x| {
                let (l, u) = (l.clone(), u.clone());
                async move {
                    read(&mut x.request).await;
                    if x.request.uri().path() == "/etcdserverpb.Auth/Authenticate" {
                        l.set(l.get() + 1);
                        // AuthenticateResponse { token = 2 }
                        let token = format!("\x12\x06token{}", l.get());
                        return answer(&mut x.respond, token.as_bytes()).await;
                    }
                    let token = x
                        .request
                        .headers()
                        .get("token")
                        .and_then(|t| t.to_str().ok());
                    let token = token.unwrap_or("none").to_owned();
                    u.borrow_mut().push(token.clone());
                    if token == "token1" && u.borrow().len() > 1 {
                        fail(&mut x.respond, 16, "etcdserver: invalid auth token");
                    } else {
                        answer(&mut x.respond, b"ok").await;
                    }
                }
            }),
        )
        .await;
        let mut target = Target::plain(vec![server.endpoint.clone()]);
        target.credentials = Some(Credentials {
            user: "u".into(),
            password: "p".into(),
        });
        let pool = Pool::connect(&target, &target.endpoints, 1, Settings::default())
            .await
            .expect("pool");
        assert_eq!(message(pool.call(0, put(1, 5_000)).await), b"ok");
        let refused = pool.call(0, put(1, 5_000)).await;
        assert!(
            matches!(refused.result, Err(RpcError::Status { code: 16, .. })),
            "never retried silently"
        );
        assert_eq!(message(pool.call(0, put(1, 5_000)).await), b"ok");
        assert_eq!(*used.borrow(), ["token1", "token1", "token2"]);
        assert_eq!(logins.get(), 2);
    });
}

#[test]
fn closing_lets_requests_in_flight_finish() {
    local(async {
        let server = serve(
            Builder::new(),
            handler(|mut x| async move {
                read(&mut x.request).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
                answer(&mut x.respond, b"ok").await;
            }),
        )
        .await;
        let pool = pool(&server).await;
        let (reply, ()) = tokio::join!(pool.call(0, put(10, 5_000)), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            pool.close().await;
        });
        assert_eq!(message(reply), b"ok");
        let after = pool.call(0, put(10, 300)).await;
        assert!(matches!(after.result, Err(RpcError::NotConnected(_))));
        assert_eq!(
            server.state.accepted.get(),
            1,
            "no new connection after closing"
        );
    });
}
