//! Why a run cannot begin: one message per fault, with the remedy, and its exit code.

use super::manifest::{HOME, ManifestError};
use super::others::OthersKeys;
use super::preflight::OLDEST;
use crate::etcd::control::ControlError;
use crate::etcd::tls::DialError;
use crate::exit::Exit;
use crate::human::numbers as units;
use crate::human::shell::word;
use crate::target::Target;

/// Why a run (or another command) cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// An endpoint could not be reached.
    #[error(transparent)]
    Dial(DialError),
    /// Any other failure of a control call.
    #[error(transparent)]
    Control(ControlError),
    /// Wrong user or password.
    #[error(
        "{endpoint} does not accept user {user:?} with this password: check --user and --password"
    )]
    WrongPassword {
        endpoint: String,
        /// User.
        user: String,
    },
    /// Authentication is on, and no user was given.
    #[error(
        "{endpoint} requires authentication: pass --user and --password (or set ETCDCTL_USER and ETCDCTL_PASSWORD)"
    )]
    NoUser { endpoint: String },
    /// The user may not read or write what is needed.
    #[error(
        "user {user:?} may not {what}; to grant this: etcdctl role grant-permission ROLE --prefix=true readwrite {}",
        grants(prefix)
    )]
    NoPermission {
        /// User.
        user: String,
        /// "write /registry-etcdmark/…".
        what: String,
        /// Prefix.
        prefix: String,
    },
    /// The user may not read what a command that only reads looks at.
    #[error(
        "user {user:?} may not read {what}; to grant this: etcdctl role grant-permission ROLE --prefix=true read {}",
        word(prefix)
    )]
    NotReadable {
        /// User.
        user: String,
        /// "all keys".
        what: String,
        /// Prefix that has to be readable; empty = all keys.
        prefix: String,
    },
    /// etcd refuses a member's status to this user, and its metrics cannot be read either.
    #[error(
        "user {user:?} may not call Status at {endpoint}, and its metrics cannot be read either: pass --metrics-endpoints, one for each \
         endpoint, or a user with the role root (etcd 3.6.5 refuses Status to all others)"
    )]
    NoStatus {
        /// User.
        user: String,
        endpoint: String,
    },
    /// Not etcd's gRPC services.
    #[error("{endpoint} is not an etcd: {reason}; is --endpoints the client port (2379)?")]
    NotEtcd {
        endpoint: String,
        /// What was seen.
        reason: String,
    },
    /// kine: k3s' stand-in for etcd on a SQL database.
    #[error(
        "{endpoint} is not an etcd but kine (k3s on SQLite, MySQL or PostgreSQL), which serves only what kube-apiserver asks for; \
         etcdmark can measure the embedded etcd of k3s (k3s server --cluster-init)"
    )]
    Kine { endpoint: String },
    /// It took the connection, and answers nothing.
    #[error(transparent)]
    Silent(ControlError),
    /// Too old.
    #[error("{endpoint} is etcd {version}; etcdmark needs etcd {}.{} or newer", OLDEST.0, OLDEST.1)]
    TooOld { endpoint: String, version: String },
    /// Endpoints of two clusters.
    #[error(
        "--endpoints names two clusters: {a} belongs to cluster {a_id:x}, {b} to cluster {b_id:x}; name the \
         members of one cluster (use --overrides for further etcds)"
    )]
    TwoClusters {
        a: String,
        /// Its cluster.
        a_id: u64,
        b: String,
        /// Its cluster.
        b_id: u64,
    },
    /// One member under two endpoints.
    #[error("--endpoints names one member twice: {a} and {b} are both member {id:x}; remove one")]
    SameMember {
        a: String,
        b: String,
        /// Member id.
        id: u64,
    },
    /// A learner.
    #[error(
        "{endpoint} is a learner, which serves no load; remove it or promote it (etcdctl member promote)"
    )]
    Learner { endpoint: String },
    /// No leader.
    #[error(
        "the cluster has no leader (according to {endpoint}): start enough members for a quorum"
    )]
    NoLeader { endpoint: String },
    /// The leader (or every follower) is not among the endpoints.
    #[error("--target {choice} selects no endpoint: {reason}")]
    NoTarget {
        /// The flag's value.
        choice: &'static str,
        reason: String,
    },
    /// NOSPACE.
    #[error(
        "etcd is full: it raised the alarm NOSPACE; free space (etcdctl compact REVISION; etcdctl defrag) and \
         clear the alarm (etcdctl alarm disarm), or raise --quota-backend-bytes"
    )]
    NoSpace,
    /// CORRUPT.
    #[error(
        "etcd has the alarm CORRUPT on member {member:x}: its data cannot be trusted; restore that member first"
    )]
    Corrupt {
        /// Member.
        member: u64,
    },
    /// Somebody uses the store, a live Kubernetes cluster for example.
    #[error(
        "{endpoint} holds {keys}, and the load would affect who uses them; pass --allow-live-cluster to allow it \
         (the load then ramps up and guards watch the run)"
    )]
    LiveCluster {
        endpoint: String,
        /// Whose keys.
        keys: OthersKeys,
    },
    /// Perhaps a live Kubernetes cluster: this user may not look.
    #[error(
        "this user may not read all keys, so etcdmark cannot tell whether {endpoint} belongs to a live Kubernetes \
         cluster or to others; grant read access (etcdctl role grant-permission ROLE --prefix=true read ''), or \
         pass --allow-live-cluster (the load then ramps up and guards watch the run)"
    )]
    PerhapsLive { endpoint: String },
    /// `/registry` without saying whose it is.
    #[error(
        "--prefix /registry writes where Kubernetes keeps its objects; to allow it, pass --yes-this-etcd-is-mine"
    )]
    NotMine,
    /// `/registry` holds someone's keys.
    #[error(
        "--prefix /registry is refused: /registry/ holds {} that this run is not known to have written; use an empty \
         etcd, or omit --prefix",
        units::things(*.count, "key")
    )]
    ForeignKeys {
        /// How many.
        count: u64,
    },
    /// A prefix that is not etcdmark's.
    #[error("--prefix {prefix:?} is not allowed: use {HOME}/RUN (the default) or /registry")]
    Prefix { prefix: String },
    /// The data would take more than half of what is free.
    #[error(
        "{} keys with {} would grow the db file by about {} to {}, which is more than half of the {} left of \
         the quota ({quota}); use fewer --nodes, or raise --quota-backend-bytes",
        units::count(*.keys), size(*.bytes), size(*.growth), size(*.projected), size(*.free)
    )]
    TooBig {
        /// Keys.
        keys: u64,
        /// Bytes.
        bytes: u64,
        /// Projected growth.
        growth: u64,
        /// Projected file.
        projected: u64,
        /// Free quota.
        free: u64,
        /// The quota in words.
        quota: String,
    },
    /// The manifest could not be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

fn size(bytes: u64) -> String {
    units::bytes(bytes as f64)
}

/// The prefixes that a run under `prefix` needs: one run's own place would not do for the next run.
fn grants(prefix: &str) -> String {
    if prefix.starts_with(HOME) {
        format!("{HOME}/")
    } else {
        format!("{prefix}/ (and {HOME}/ for the manifest)")
    }
}

impl PreflightError {
    /// 2 for a flag or a precondition that the user can set right, 1 where etcd or the network failed.
    pub fn exit(&self) -> Exit {
        match self {
            PreflightError::Control(_) => Exit::Failure,
            PreflightError::Manifest(e) => e.exit(),
            // Nothing was started: what was given, or the etcd, is not as it must be.
            _ => Exit::Usage,
        }
    }

    /// Gives a refused control call its own message.
    pub fn from_control(e: ControlError, target: &Target) -> PreflightError {
        let user = || {
            target
                .credentials
                .as_ref()
                .map(|c| c.user.clone())
                .unwrap_or_default()
        };
        let ControlError::Status {
            endpoint,
            code,
            message,
            call,
        } = &e
        else {
            return match e {
                ControlError::Dial(d) => PreflightError::Dial(d),
                other => PreflightError::Control(other),
            };
        };
        let endpoint = endpoint.clone();
        let has = |s: &str| message.contains(s);
        if has("authentication failed") || has("invalid user ID or password") {
            PreflightError::WrongPassword {
                endpoint,
                user: user(),
            }
        } else if has("user name is empty")
            || has("user name not found")
            || (*code == 16 && target.credentials.is_none())
        {
            PreflightError::NoUser { endpoint }
        } else if has("permission denied") && *call == "Status" {
            PreflightError::NoStatus {
                user: user(),
                endpoint,
            }
        } else if has("permission denied") {
            PreflightError::NoPermission {
                user: user(),
                what: match *call {
                    "Range" => format!("read {HOME}/"),
                    "Txn" | "Put" | "DeleteRange" => format!("write {HOME}/"),
                    call => format!("call {call}"),
                },
                prefix: HOME.to_owned(),
            }
        } else if has("database space exceeded") {
            PreflightError::NoSpace
        } else if has("no leader") {
            PreflightError::NoLeader { endpoint }
        } else if has("rpc not supported for learner") {
            PreflightError::Learner { endpoint }
        } else if let Some((_, status)) = message.split_once("mapped from HTTP status code ") {
            let reason =
                format!("it answers HTTP {status}, as a web server or a proxy without gRPC does");
            PreflightError::NotEtcd { endpoint, reason }
        } else if *code == 12
            || (*code == 2 && (has("http2") || has("h2 protocol") || has("status: 4")))
            || has("content-type")
        {
            PreflightError::NotEtcd {
                endpoint,
                reason: message.clone(),
            }
        } else {
            PreflightError::Control(e)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/reference/exit-codes.md: nothing was started.
    #[test]
    fn what_is_refused_before_the_start_is_2_and_what_fails_on_the_way_is_1() {
        let endpoint = || "http://a:1".to_owned();
        let timeout = || ControlError::Timeout {
            endpoint: endpoint(),
            call: "Status",
            after: std::time::Duration::from_secs(1),
        };
        for (error, exit) in [
            (
                PreflightError::Dial(DialError::Unreachable {
                    endpoint: endpoint(),
                    reason: "refused".to_owned(),
                }),
                Exit::Usage,
            ),
            (PreflightError::Silent(timeout()), Exit::Usage),
            (
                PreflightError::Kine {
                    endpoint: endpoint(),
                },
                Exit::Usage,
            ),
            (
                PreflightError::NoLeader {
                    endpoint: endpoint(),
                },
                Exit::Usage,
            ),
            (PreflightError::NoSpace, Exit::Usage),
            (PreflightError::Corrupt { member: 1 }, Exit::Usage),
            (
                PreflightError::NoUser {
                    endpoint: endpoint(),
                },
                Exit::Usage,
            ),
            (
                PreflightError::PerhapsLive {
                    endpoint: endpoint(),
                },
                Exit::Usage,
            ),
            (PreflightError::NotMine, Exit::Usage),
            (PreflightError::Control(timeout()), Exit::Failure),
        ] {
            assert_eq!(error.exit(), exit, "{error}");
        }
    }
}
