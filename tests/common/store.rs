//! What is in a store.

use etcd_client::{Client, GetOptions};

/// Every key, as text.
pub async fn keys(client: &Client) -> Vec<String> {
    let all = GetOptions::new().with_all_keys().with_keys_only();
    let found = client.kv_client().get("", Some(all)).await.unwrap();
    let name = |kv: &etcd_client::KeyValue| String::from_utf8_lossy(kv.key()).into_owned();
    found.kvs().iter().map(name).collect()
}

/// How many etcd leases there are.
pub async fn leases(client: &Client) -> usize {
    let mut client = client.clone();
    client.leases().await.unwrap().leases().len()
}

/// An etcd's page of metrics, and nothing else of it. HTTP/1.0, so that it does not come in chunks.
pub async fn metrics(endpoint: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = endpoint.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    socket.read_to_end(&mut text).await.unwrap();
    String::from_utf8_lossy(&text).into_owned()
}
