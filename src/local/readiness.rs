//! Waiting until a member serves: a linearizable read through it, which needs a leader and that it caught up.

use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Error, Identity, TlsOptions};
use tonic::Code;

use super::error::LocalError;
use super::member::Member;
use crate::clock::{SECOND, now};
use crate::target::TlsMaterial;

/// A slow disk under load takes seconds for its first fsyncs; a hanging etcd should still be told soon.
const READY_TIMEOUT_SECONDS: u64 = 30;
const ATTEMPT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(25);

/// Returns once `member` answers; an error if it ends or does not answer in 30 s.
pub(super) async fn wait_ready(
    member: &Member,
    tls: Option<&TlsMaterial>,
) -> Result<(), LocalError> {
    let deadline = now() + READY_TIMEOUT_SECONDS * SECOND;
    loop {
        if let Some(exited) = member.exited() {
            return Err(exited);
        }
        let reason = match read(member.endpoint(), tls).await {
            Ok(()) => return Ok(()),
            Err(reason) => reason,
        };
        if now() > deadline {
            return Err(LocalError::NotReady {
                member: member.name().to_owned(),
                seconds: READY_TIMEOUT_SECONDS,
                reason,
                log: member.log().to_owned(),
                tail: member.tail(),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn read(endpoint: &str, tls: Option<&TlsMaterial>) -> Result<(), String> {
    let mut options = ConnectOptions::new()
        .with_connect_timeout(ATTEMPT)
        .with_timeout(ATTEMPT);
    if let Some(tls) = tls {
        options = options.with_tls(tls_options(tls));
    }
    let attempt = async {
        let mut client = Client::connect([endpoint], Some(options)).await?;
        client.get("\0", None).await
    };
    match tokio::time::timeout(2 * ATTEMPT, attempt).await {
        Ok(Ok(_)) => Ok(()),
        // With auth enabled etcd looks at the user before it reads: it is up.
        Ok(Err(Error::GRpcStatus(status)))
            if matches!(
                status.code(),
                Code::InvalidArgument | Code::PermissionDenied | Code::Unauthenticated
            ) =>
        {
            Ok(())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

fn tls_options(tls: &TlsMaterial) -> TlsOptions {
    let mut options = TlsOptions::new();
    if let Some(ca) = &tls.ca {
        options = options.ca_certificate(Certificate::from_pem(&ca.bytes));
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        options = options.identity(Identity::from_pem(&cert.bytes, &key.bytes));
    }
    options
}
