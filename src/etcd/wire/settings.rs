//! What a pool is told besides where to connect.

use crate::etcd::auth::Auth;
use crate::rpc::WireKind;
use std::time::Duration;

/// etcd closes a connection that pings more often than this (`--grpc-keepalive-min-time`).
pub(crate) const KEEPALIVE_MIN: Duration = Duration::from_secs(5);

/// How a pool behaves. `Settings::default()` is what Kubernetes' client does, with larger windows, and it gives a
/// member that hangs up after 5 s instead of 40 s: a run must not send it a share of its requests for so long.
#[derive(Clone, Debug)]
pub struct Settings {
    /// h2 directly, or tonic.
    pub wire: WireKind,
    /// `client-api-version` metadata of every RPC (see `KubernetesVersion::client_api_version`).
    pub client_api_version: Option<&'static str>,
    /// Requests that the engine may have in flight over the whole pool; sizes the memory for reset streams.
    pub max_in_flight: usize,
    /// A shared token; made from the target's credentials when absent. Workers share one, since etcd
    /// spends about 0.1 s of CPU (bcrypt) on each login.
    pub auth: Option<Auth>,
    /// Silence after which a ping is sent; two pings are at least 5 s apart.
    pub keepalive_interval: Duration,
    /// A connection whose ping is unanswered for so long is dead.
    pub keepalive_timeout: Duration,
    /// Receive window of a stream, bytes.
    pub stream_window: u32,
    /// Receive window of a connection, bytes.
    pub connection_window: u32,
    /// Write once per turn of the runtime instead of once per request.
    pub coalesce: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            wire: WireKind::H2,
            client_api_version: None,
            max_in_flight: 10_000,
            auth: None,
            keepalive_interval: Duration::from_secs(2),
            keepalive_timeout: Duration::from_secs(3),
            stream_window: 16 << 20,
            connection_window: 64 << 20,
            coalesce: true,
        }
    }
}
