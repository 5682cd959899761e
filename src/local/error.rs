//! What can go wrong with an etcd of our own, each with what to do about it.

use std::io;
use std::path::PathBuf;

use super::medium::MediumError;
use crate::clock::Nanos;
use crate::human::units::Span;

/// Why a local etcd could not be found, started, reached or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// No etcd in the cache or on `PATH`.
    #[error(
        "found no etcd{} in {searched} or on PATH; install one with `scripts/install-etcd.sh {}` from \
         etcdmark's sources, from https://github.com/etcd-io/etcd/releases or from your distribution (Debian, \
         Ubuntu: etcd-server; Fedora: etcd; macOS: brew install etcd); or pass --etcd PATH, or --endpoints URL \
         for an external etcd",
        .wanted.as_ref().map(|v| format!(" {v}")).unwrap_or_default(),
        .wanted.as_deref().unwrap_or("newest")
    )]
    NotFound {
        /// The version that was asked for.
        wanted: Option<String>,
        /// The cache directory that was searched.
        searched: String,
    },
    /// `--etcd` names something that is no etcd.
    #[error("--etcd {}: {reason}; name an etcd server binary (`{} --version` must print `etcd Version: \
             …`)", .path.display(), .path.display())]
    NotEtcd {
        /// The path that was tried.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// `--etcd-version` is not a version.
    #[error(
        "--etcd-version {0}: not a version; write an exact version (3.5.16), a minor version (3.5) or `newest`"
    )]
    BadVersion(String),
    /// `--etcd` and `--etcd-version` contradict each other.
    #[error("--etcd {} is etcd {found}, but --etcd-version asks for {wanted}; remove one of the \
             flags", .path.display())]
    VersionMismatch {
        /// The named binary.
        path: PathBuf,
        found: String,
        /// The version that was asked for.
        wanted: String,
    },
    /// Older than etcdmark supports.
    #[error("{} is etcd {found}, which is too old: etcdmark needs 3.4 or newer", .path.display())]
    TooOld {
        /// The binary.
        path: PathBuf,
        found: String,
    },
    /// The file is no longer the one that was found at first.
    #[error("the etcd binary {} has changed since it was first looked at; put the first one back, or begin anew with a \
             new --out", .path.display())]
    BinaryChanged {
        /// The binary.
        path: PathBuf,
    },
    /// Data and log would lie in each other.
    #[error("--wal-dir {} and --data-dir {} lie in each other; name a directory beside it, or leave --wal-dir out to keep \
             the log with the data", .wal.display(), .data.display())]
    WalInData {
        /// `--wal-dir`.
        wal: PathBuf,
        /// `--data-dir`.
        data: PathBuf,
    },
    /// A number of members that makes no sense here.
    #[error("--members {0}: a local cluster has 1 or 3 members")]
    Members(usize),
    /// An `--etcd-flag` that etcdmark itself must set.
    #[error("--etcd-flag {flag}: etcdmark sets {name} itself{hint}; remove it")]
    ReservedFlag {
        flag: String,
        /// The flag's name.
        name: String,
        /// Which flag of etcdmark to use instead, with its punctuation; may be empty.
        hint: &'static str,
    },
    /// An `--etcd-flag` that is not of the form `--name=value`.
    #[error("--etcd-flag {0}: write it in etcd's form, --name=value")]
    BadFlag(String),
    /// A quota below an empty database.
    #[error(
        "--etcd-flag {0}: an empty database already has 20 KiB, so etcd would refuse every write; use a larger \
         value, such as --quota-backend-bytes=2147483648"
    )]
    QuotaTooSmall(String),
    /// A directory that the user named holds something.
    #[error("{flag} {}: not empty, but a measurement needs a fresh store; name a new or empty directory on the \
             disk to measure", .path.display())]
    DataDirInUse {
        /// `--data-dir`, `--wal-dir`.
        flag: &'static str,
        path: PathBuf,
    },
    /// A directory that the user named cannot be used.
    #[error("{flag} {}: {what}: {source}; name a writable directory", .path.display())]
    DataDir {
        /// `--data-dir`, `--wal-dir`.
        flag: &'static str,
        /// The directory.
        path: PathBuf,
        /// `cannot create it`, `cannot read it` …
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// A medium that cannot be read, or makes no sense.
    #[error(transparent)]
    Medium(#[from] MediumError),
    /// A medium for a member that there is not.
    #[error("--medium-member {index}: this cluster has {members} member(s), numbered from 0")]
    MediumMember {
        /// The index asked for.
        index: usize,
        /// How many there are.
        members: usize,
    },
    /// etcd would not sync at all.
    #[error(
        "--etcd-flag {0}: etcd does not sync with this flag, so a medium has no effect; remove one of them"
    )]
    MediumWithoutSyncs(String),
    /// The system does not let us hold a process's syncs.
    #[error("medium {medium}: {}; real directories work everywhere: --data-dir and --wal-dir", refusal(.source))]
    MediumRefused {
        medium: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The medium is faster than what it would be emulated on.
    #[error(
        "medium {medium} has a median sync time of {}, but a real sync in {} ({file_system}) takes {} plus {} \
         emulation overhead: emulation can only slow a disk down; use a slower medium{}",
        span(*.median), .dir.display(), span(*.base), span(*.overhead),
        if base > overhead { " or --data-dir and --wal-dir on a faster disk" } else { "" }
    )]
    MediumTooFast {
        medium: String,
        /// Its median, ns.
        median: Nanos,
        /// Where it would be emulated.
        dir: PathBuf,
        /// What that lies on.
        file_system: String,
        /// Median sync there, ns.
        base: Nanos,
        /// What holding a sync adds, ns.
        overhead: Nanos,
    },
    /// No place for a temporary directory.
    #[error("cannot create a temporary directory in {}: {source}; name a writable directory by TMPDIR or --data-dir", .parent.display())]
    Temporary {
        parent: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file or directory of the local cluster.
    #[error("{what} {}: {source}", .path.display())]
    Io {
        /// What was attempted, in words.
        what: String,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// No free port, no process, no thread.
    #[error("{what}: {source}")]
    System {
        /// What was attempted, in words.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// etcd ended while it was expected to run.
    #[error("etcd member {member} ended ({status}); its last log lines:\n{tail}")]
    Exited {
        /// Member name.
        member: String,
        /// Exit status in words.
        status: String,
        /// The whole log; gone when the data directory was a temporary one.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// etcd runs, but does not answer.
    #[error(
        "etcd member {member} did not answer a linearizable read within {seconds} s ({reason}); its last log \
         lines:\n{tail}"
    )]
    NotReady {
        /// Member name.
        member: String,
        /// How long it was waited for.
        seconds: u64,
        /// The last answer or error.
        reason: String,
        /// The whole log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// There is no such member.
    #[error("there is no local member {index}: this cluster has {members}")]
    NoSuchMember {
        /// The index asked for.
        index: usize,
        /// How many there are.
        members: usize,
    },
    /// The member's process is not running.
    #[error("etcd member {0} is not running")]
    NotRunning(String),
}

impl LocalError {
    /// Whether the user can mend it by other flags (exit code 2), as against a failure (1).
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. }
                | Self::NotEtcd { .. }
                | Self::BadVersion(_)
                | Self::VersionMismatch { .. }
                | Self::TooOld { .. }
                | Self::Members(_)
                | Self::ReservedFlag { .. }
                | Self::BadFlag(_)
                | Self::QuotaTooSmall(_)
                | Self::DataDirInUse { .. }
                | Self::DataDir { .. }
                | Self::WalInData { .. }
                | Self::Temporary { .. }
                | Self::Medium(_)
                | Self::MediumMember { .. }
                | Self::MediumWithoutSyncs(_)
                | Self::MediumRefused { .. }
                | Self::MediumTooFast { .. }
        )
    }
}

/// To three digits or so.
fn span(ns: Nanos) -> Span {
    let unit = match ns {
        0..10_000 => 1,
        10_000..10_000_000 => 1_000,
        _ => 1_000_000,
    };
    Span(std::time::Duration::from_nanos(ns / unit * unit))
}

/// Why syncs cannot be held, and what would have to be different.
fn refusal(source: &io::Error) -> String {
    let why = match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "this container or sandbox forbids it; its seccomp profile must allow the system calls seccomp and prctl"
        }
        Some(libc::ENOSYS | libc::EOPNOTSUPP) => {
            "this kernel does not support it (gVisor and Linux before 5.5 do not)"
        }
        Some(libc::EINVAL) => "this kernel is too old; it needs Linux 5.5",
        Some(libc::EBUSY) => "another program already uses it for this process, and only one can",
        _ => "it does not work here",
    };
    format!("emulation of media needs Linux' seccomp user notification, but {why} ({source})")
}
