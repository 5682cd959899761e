//! How to reach one etcd cluster. Secrets never appear in `Debug`.

use crate::human::shell::word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::measure::{BinaryInfo, DelayBook, MediumInfo};

/// One etcd cluster, as the user (or a local cluster, or `--kind`) named it.
#[derive(Clone, Debug)]
pub struct Target {
    /// `http://host:port` or `https://host:port`, one per chosen member. Never synced from the member list.
    pub endpoints: Vec<String>,
    /// Where `/metrics` is, if apart from the endpoints (kubeadm: `http://127.0.0.1:2381`).
    pub metrics_endpoints: Vec<String>,
    /// TLS material; used for `https` endpoints.
    pub tls: Option<TlsMaterial>,
    /// User name and password.
    pub credentials: Option<Credentials>,
    /// Time to set a connection up.
    pub dial_timeout: Duration,
    /// Deadline of a control call.
    pub command_timeout: Duration,
    /// Which members get load.
    pub members: MemberChoice,
    /// etcdmark started this etcd itself, or the user said that it is theirs: cluster-wide acts are allowed.
    pub owned: bool,
    /// The store goes away with the run (a throwaway local etcd): nothing needs to be cleaned up.
    pub disposable: bool,
    /// The flag that named it, when it was not `--endpoints`: `--kind demo`. For commands that are told to the user.
    pub named_by: Option<String>,
    /// The flags that name it and the other etcds of the command, when there are several.
    pub all_named_by: Option<String>,
    /// A local etcd's processes, for process and disk counters; empty for a remote one.
    pub local_members: Vec<LocalMember>,
}

/// What TLS needs, in memory only (a `--kind` cluster's keys never touch the disk).
#[derive(Clone, Default)]
pub struct TlsMaterial {
    /// Trusted CA certificates; none = the system's.
    pub ca: Option<Pem>,
    /// Client certificate chain.
    pub cert: Option<Pem>,
    /// Client private key.
    pub key: Option<Pem>,
    /// Accept any server certificate.
    pub insecure_skip_verify: bool,
    /// Verify the server certificate for this name instead of the endpoint's host.
    pub server_name: Option<String>,
}

/// The content of a PEM file, and what messages call it. It may be a key: no `Debug` of the content.
#[derive(Clone)]
pub struct Pem {
    /// The content.
    pub bytes: Vec<u8>,
    /// What named it: `--cacert`, `ETCDCTL_CACERT`, `cacert`; or where it is, for a file on another machine.
    pub named_by: String,
    /// Its path.
    pub path: String,
}

/// `--cacert /etc/etcd/ca.crt`.
impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.named_by, self.path)
    }
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsMaterial")
            .field("ca", &self.ca.is_some())
            .field("cert", &self.cert.is_some())
            .field("insecure_skip_verify", &self.insecure_skip_verify)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// etcd user and password.
#[derive(Clone)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Which members get load.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum MemberChoice {
    /// Every endpoint.
    #[default]
    All,
    /// The leader only.
    Leader,
    /// Every endpoint but the leader's.
    Followers,
}

/// A member that etcdmark started itself.
#[derive(Clone, Debug)]
pub struct LocalMember {
    /// Member name.
    pub name: String,
    /// Process id.
    pub pid: u32,
    /// Client URL.
    pub endpoint: String,
    /// Data directory.
    pub data_dir: std::path::PathBuf,
    /// The file system there, in words.
    pub file_system: String,
    /// What to say where its data lie in memory and no medium is emulated.
    pub in_memory: Option<String>,
    /// The storage medium that is emulated for it.
    pub medium: Option<LocalMedium>,
    /// What was started.
    pub binary: BinaryInfo,
    /// Whether its process has ended.
    pub end: ProcessEnd,
}

/// Asks whoever started a process how it ended.
#[derive(Clone)]
pub struct ProcessEnd(Arc<dyn Fn() -> Option<String> + Send + Sync>);

impl ProcessEnd {
    /// `ask` gives the words for it ("killed by signal 9"), None while it runs.
    pub fn new(ask: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        ProcessEnd(Arc::new(ask))
    }

    /// How it ended; None while it runs.
    pub fn get(&self) -> Option<String> {
        (self.0)()
    }
}

impl Default for ProcessEnd {
    /// Of a process that never ends.
    fn default() -> Self {
        ProcessEnd::new(|| None)
    }
}

impl fmt::Debug for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProcessEnd").field(&self.get()).finish()
    }
}

/// A storage medium that is emulated for a local member.
#[derive(Clone, Debug)]
pub struct LocalMedium {
    /// For the result's header.
    pub info: MediumInfo,
    /// What it delays.
    pub delays: Arc<DelayBook>,
}

impl Target {
    /// What a command that is told to the user needs besides its endpoints, with a space before; often nothing. A password
    /// is never in it.
    pub fn access(&self) -> String {
        if self.named_by.is_some() {
            return String::new();
        }
        let mut flags = String::new();
        if let Some(tls) = &self.tls {
            for (flag, file) in [
                ("--cacert", &tls.ca),
                ("--cert", &tls.cert),
                ("--key", &tls.key),
            ] {
                if let Some(file) = file {
                    flags += &format!(" {flag} {}", word(&file.path));
                }
            }
            if tls.insecure_skip_verify {
                flags += " --insecure-skip-tls-verify";
            }
        }
        if let Some(credentials) = &self.credentials {
            flags += &format!(" --user {}", word(&credentials.user));
            flags += " (with the password in ETCDCTL_PASSWORD)";
        }
        flags
    }

    /// The flags that name this etcd in a command that is told to the user, with those of the run's other stores.
    pub fn named(&self) -> String {
        let named = self.all_named_by.as_ref().or(self.named_by.as_ref());
        let endpoints = || format!("--endpoints {}", word(&self.endpoints.join(",")));
        named.cloned().unwrap_or_else(endpoints)
    }

    /// What to do where metrics cannot be read, in brackets; nothing where the flag cannot be given.
    pub fn metrics_remedy(&self, otherwise: &str) -> String {
        match &self.named_by {
            Some(_) => String::new(),
            None => format!(" ({otherwise})"),
        }
    }

    /// A plain-text target with the default timeouts (etcdctl's: dial 2 s, command 5 s).
    pub fn plain(endpoints: Vec<String>) -> Self {
        Target {
            endpoints,
            metrics_endpoints: Vec::new(),
            tls: None,
            credentials: None,
            dial_timeout: Duration::from_secs(2),
            command_timeout: Duration::from_secs(5),
            members: MemberChoice::All,
            owned: false,
            disposable: false,
            named_by: None,
            all_named_by: None,
            local_members: Vec::new(),
        }
    }
}
