use super::*;
use tokio::net::TcpListener;

const SECOND: Duration = Duration::from_secs(5);

/// Serves one connection after another, each with its answers in order.
async fn serve(connections: Vec<Vec<&'static str>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async move {
        for answers in connections {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            let mut stream = BufReader::new(Box::new(stream) as Box<dyn Stream>);
            for answer in answers {
                while matches!(line(&mut stream).await, Ok(l) if !l.is_empty()) {}
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    base
}

#[tokio::test]
async fn every_framing_is_read_and_the_connection_kept() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\netcd\r\n5;x=y\r\n_mark\r\n0\r\n\r\n";
    let sized = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
    let closed = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    // One connection answers all three: a client that reconnected would wait for ever.
    let base = serve(vec![vec![chunked, sized, closed]]).await;
    let mut client = Client::new(&base, None).expect("url");
    assert_eq!(
        client.get("/metrics", SECOND).await.expect("chunked"),
        "etcd_mark"
    );
    assert_eq!(client.get("/metrics", SECOND).await.expect("sized"), "abc");
    assert_eq!(
        client.get("/metrics", SECOND).await.expect("closed"),
        "until the end"
    );
}

#[tokio::test]
async fn a_stale_connection_is_replaced_once() {
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    let base = serve(vec![vec![sized], vec![sized]]).await;
    let mut client = Client::new(&base, None).expect("url");
    for _ in 0..2 {
        assert_eq!(client.get("/", SECOND).await.expect("answer"), "abc");
    }
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
        vec!["\0\0\x12\x04\n"],
    ])
    .await;
    let status = get(&format!("{base}/x"), None, SECOND)
        .await
        .expect_err("404");
    assert_eq!(
        status.to_string(),
        format!("{base}/x answered HTTP 404: nope")
    );
    let foreign = get(&base, None, SECOND).await.expect_err("not HTTP");
    assert!(matches!(foreign, HttpError::Malformed { .. }), "{foreign}");
    for url in [
        "127.0.0.1:2379",
        "ftp://x",
        "http://",
        "http://a:b/",
        "http://a b/",
    ] {
        assert!(
            matches!(get(url, None, SECOND).await, Err(HttpError::Url { .. })),
            "{url}"
        );
    }
}

#[tokio::test]
async fn silence_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}/metrics", listener.local_addr().expect("address"));
    let e = get(&url, None, Duration::from_millis(50))
        .await
        .expect_err("silent");
    assert!(matches!(e, HttpError::Timeout { .. }), "{e}");
}

#[test]
fn ipv6_and_default_ports() {
    let c = Client::new("http://[::1]:2379/metrics", None).expect("url");
    assert_eq!(
        (c.host.as_str(), c.port, c.base()),
        ("::1", 2379, "http://[::1]:2379")
    );
    assert_eq!(Client::new("http://[::1]", None).expect("url").port, 80);
    let tls = Client::new("https://h", None).expect_err("no CA");
    assert!(tls.to_string().contains("--cacert"), "{tls}");
}
