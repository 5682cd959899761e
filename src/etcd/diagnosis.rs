//! Why a TLS server hung up right after the handshake. A TLS 1.3 server refuses a client certificate only
//! then, and a client that is writing meanwhile sees the closed socket before it sees the alert. So:
//! shake hands again, write nothing and read.

use super::tls::{self, DialError};
use crate::target::Target;
use std::io;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The fault behind `first`, or `first` itself when there is no more to learn. At most one dial timeout.
pub(crate) async fn second_look(target: &Target, endpoint: &str, first: DialError) -> DialError {
    let Some(address) = endpoint.strip_prefix("https://") else {
        return first;
    };
    if !matches!(first, DialError::NotEtcd { .. }) {
        return first;
    }
    let material = target.tls.clone().unwrap_or_default();
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let (Ok(config), Ok(name)) = (
        tls::rustls_config(&material),
        tls::server_name(&material, host),
    ) else {
        return first;
    };
    let listen = async {
        let tcp = TcpStream::connect(address).await?;
        let mut stream = TlsConnector::from(config).connect(name, tcp).await?;
        stream.read(&mut [0; 16]).await
    };
    match tokio::time::timeout(target.dial_timeout, listen).await {
        Ok(Err(e)) if is_tls(&e) => tls::explain(endpoint, &material, target.dial_timeout, &e),
        _ => first,
    }
}

fn is_tls(e: &io::Error) -> bool {
    e.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}
