use super::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

const SECOND: Duration = Duration::from_secs(5);
const SIZED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
/// Instead of an answer: the connection ends after the request.
const HANG_UP: &str = "";

/// Serves one connection after another, each with its answers in order, and then no more.
async fn serve(connections: Vec<Vec<&'static str>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async move {
        for answers in connections {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            let mut stream = BufReader::new(stream);
            for answer in answers {
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|n| n > 2) {
                    line.clear();
                }
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    base
}

async fn failure(answer: &'static str) -> HttpError {
    let base = serve(vec![vec![answer]]).await;
    get(&base, None, SECOND).await.expect_err(answer)
}

#[tokio::test]
async fn every_framing_is_read_and_the_connection_kept() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\netcd\r\n5;x=y\r\n_mark\r\n0\r\n\r\n";
    let trailed = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: a\r\n\r\n4\r\netcd\r\n0\r\na: b\r\n\r\n";
    let closed = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    // One connection answers all four: nobody else is there to be asked.
    let base = serve(vec![vec![chunked, trailed, SIZED, closed]]).await;
    let mut client = Client::new(&base, None).expect("url");
    for want in ["etcd_mark", "etcd", "abc", "until the end"] {
        assert_eq!(client.get("/metrics", SECOND).await.expect(want), want);
    }
}

#[tokio::test]
async fn a_stale_connection_is_replaced_once() {
    let announced = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    // Closed between two gets, closed when asked again, and closed as announced.
    let base = serve(vec![vec![SIZED], vec![SIZED, HANG_UP], vec![announced]]).await;
    let mut client = Client::new(&base, None).expect("url");
    for _ in 0..3 {
        assert_eq!(client.get("/", SECOND).await.expect("answer"), "abc");
    }
    let base = serve(vec![vec![SIZED, HANG_UP], vec![HANG_UP], vec![SIZED]]).await;
    let mut client = Client::new(&base, None).expect("url");
    client.get("/", SECOND).await.expect("answer");
    let e = client.get("/", SECOND).await.expect_err("twice closed");
    assert!(matches!(e, HttpError::Io { .. }), "{e}");
    client.get("/", SECOND).await.expect("a later get");
}

#[tokio::test]
async fn failures_name_the_page() {
    let down = get("http://127.0.0.1:1/metrics", None, SECOND)
        .await
        .expect_err("nobody listens there");
    assert!(
        down.to_string()
            .starts_with("cannot read http://127.0.0.1:1/metrics: "),
        "{down}"
    );
    let base = serve(vec![
        vec!["HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"],
        vec!["HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"],
    ])
    .await;
    for status in ["404: nope", "302: "] {
        let e = get(&format!("{base}/x"), None, SECOND)
            .await
            .expect_err(status);
        assert_eq!(e.to_string(), format!("{base}/x answered HTTP {status}"));
    }
    for url in [
        "127.0.0.1:2379",
        "ftp://x",
        "http://",
        "http://a:b/",
        "http://a b/",
        "http://127.0.0.1:1/a<b",
    ] {
        assert!(
            matches!(get(url, None, SECOND).await, Err(HttpError::Url { .. })),
            "{url}"
        );
    }
}

#[tokio::test]
async fn what_is_no_http_is_said_to_be_none() {
    for garbage in [
        "\0\0\x12\x04\n",
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ] {
        let e = failure(garbage).await;
        assert!(matches!(e, HttpError::Malformed { .. }), "{garbage:?}: {e}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(2 * MAX_HEAD));
    let e = failure(endless.leak()).await;
    assert!(matches!(e, HttpError::Malformed { .. }), "{e}");
    for cut in [
        "",
        "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\netcd\r\n",
    ] {
        let e = failure(cut).await.to_string();
        assert!(
            e.ends_with("/: connection closed in the middle of an answer"),
            "{cut:?}: {e}"
        );
    }
}

#[tokio::test]
async fn who_speaks_first_is_no_http_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}/", listener.local_addr().expect("address"));
    let greeting = async {
        let (mut stream, _) = listener.accept().await.expect("connection");
        stream.write_all(b"220 smtp\r\n").await.expect("write");
        stream
    };
    let (_stream, e) = tokio::join!(greeting, get(&url, None, SECOND));
    let e = e.expect_err("not HTTP");
    assert!(matches!(e, HttpError::Malformed { .. }), "{e}");
}

#[tokio::test]
async fn size_is_bounded_in_every_framing() {
    let body = "x".repeat(MAX_BODY + 1);
    let size = body.len();
    for answer in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n"),
        format!("HTTP/1.1 200 OK\r\n\r\n{body}"),
    ] {
        let e = failure(answer.leak()).await.to_string();
        assert!(
            e.ends_with("an answer that is not understood: larger than 16 MiB"),
            "{e}"
        );
    }
    let all = "x".repeat(MAX_BODY);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {MAX_BODY}\r\n\r\n{all}");
    let base = serve(vec![vec![answer.leak()]]).await;
    assert!(get(&base, None, SECOND).await.expect("just so large") == all);
}

#[tokio::test]
async fn time_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    let slow = async {
        // Silent, then begun and never ended, then well again.
        let (silent, _) = listener.accept().await.expect("connection");
        let (mut begun, _) = listener.accept().await.expect("connection");
        let half = SIZED.split_at(SIZED.len() - 1).0;
        begun.write_all(half.as_bytes()).await.expect("write");
        let (mut well, _) = listener.accept().await.expect("connection");
        well.write_all(SIZED.as_bytes()).await.expect("write");
        (silent, begun, well)
    };
    let gets = async {
        let mut client = Client::new(&base, None).expect("url");
        for _ in 0..2 {
            let e = client.get("/metrics", Duration::from_millis(50)).await;
            let e = e.expect_err("silent");
            assert_eq!(
                e.to_string(),
                format!("{base}/metrics did not answer within 50ms")
            );
        }
        client.get("/metrics", SECOND).await
    };
    let (_streams, page) = tokio::join!(slow, gets);
    assert_eq!(page.expect("a connection of its own"), "abc");
}

#[test]
fn ipv6_and_default_ports() {
    let c = Client::new("http://[::1]:2379/metrics", None).expect("url");
    assert_eq!(
        (c.endpoint.host.as_str(), c.endpoint.port, c.base()),
        ("::1", 2379, "http://[::1]:2379")
    );
    let c = Client::new("http://[::1]", None).expect("url");
    assert_eq!(c.endpoint.port, 80);
    // Without a CA of its own, the system's roots are trusted.
    let c = Client::new("https://h", None).expect("url");
    assert_eq!(c.endpoint.port, 443);
}
