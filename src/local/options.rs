//! What a local cluster is made of.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::binary::BinaryChoice;
use super::error::LocalError;
use super::medium::{Medium, SyncCosts};
use super::pinning::{self, Held};
use super::version::EtcdVersion;
use crate::measure::Cores;

/// The database file of an etcd that holds nothing, bytes (3.4.23, 3.5.35, 3.6.16 and 3.7.3): with a quota of no more, etcd is
/// full when it starts.
const EMPTY_DB: i64 = 20 << 10;

/// Flags that etcdmark sets itself, and which of its own flags to use instead.
const RESERVED: [(&str, &str); 14] = [
    ("name", ""),
    ("data-dir", ", by its own --data-dir"),
    ("wal-dir", ", by its own --wal-dir"),
    ("listen-client-urls", ""),
    ("advertise-client-urls", ""),
    ("listen-peer-urls", ""),
    ("initial-advertise-peer-urls", ""),
    ("initial-cluster", ", by --members"),
    ("initial-cluster-token", ""),
    ("initial-cluster-state", ""),
    ("logger", ""),
    ("log-outputs", ""),
    (
        "config-file",
        " on the command line, because a file would override it",
    ),
    ("version", ""),
];

/// How to start a local cluster. [`Default`]: one member of the newest etcd here, in a temporary directory.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// Which etcd.
    pub binary: BinaryChoice,
    /// 1 or 3.
    pub members: usize,
    /// Parent of the members' data directories: must be absent or empty, and is kept. `None`: a fresh temporary
    /// directory, removed when the cluster stops; in memory, if there is room, when a medium is emulated.
    pub data_dir: Option<PathBuf>,
    /// Where the fresh temporary directory is made, which decides the disk; the system's place for them if none.
    pub scratch_in: Option<PathBuf>,
    /// Parent of the members' write-ahead logs, kept or removed as the data directories are. `None`: within them.
    pub wal_dir: Option<PathBuf>,
    /// The storage medium to emulate for every member.
    pub medium: Option<Medium>,
    /// Members, from 0, that get another one.
    pub member_media: BTreeMap<usize, Medium>,
    /// What syncs cost where media are going to be emulated, as far as it was measured before.
    pub sync_costs: SyncCosts,
    /// The store that it is, in a run of several: media of different stores ask for different times.
    pub store: String,
    /// Seed of the times that media ask for.
    pub seed: u64,
    /// The data directory of a stopped one-member cluster ([`crate::local::LocalCluster::data_dir`]): begin from a copy
    /// of its bytes.
    pub snapshot: Option<PathBuf>,
    /// Handed to every etcd as they are, each `--name=value` (`--etcd-flag`).
    pub flags: Vec<String>,
    /// The cores that all members get. `None`: those of the thread that starts them.
    pub cores: Option<Cores>,
    /// Serve clients over TLS; peers always talk plain on loopback.
    pub tls: Option<LocalTls>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        LocalOptions {
            binary: BinaryChoice::default(),
            members: 1,
            data_dir: None,
            scratch_in: None,
            wal_dir: None,
            medium: None,
            member_media: BTreeMap::new(),
            sync_costs: SyncCosts::default(),
            store: String::new(),
            seed: 1,
            snapshot: None,
            flags: Vec::new(),
            cores: None,
            tls: None,
        }
    }
}

/// PEM files for TLS between client and etcd. The server certificate must be good for 127.0.0.1 and, as etcd
/// calls itself with it, for client authentication too (as kubeadm's is).
#[derive(Clone, Debug)]
pub struct LocalTls {
    /// CA of both certificates (`--trusted-ca-file`).
    pub ca: PathBuf,
    /// Server certificate chain (`--cert-file`).
    pub server_cert: PathBuf,
    /// Its key (`--key-file`).
    pub server_key: PathBuf,
    /// Client certificate chain and key: what [`crate::target::Target`] will present.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Demand a client certificate (`--client-cert-auth`).
    pub client_cert_auth: bool,
}

impl LocalOptions {
    /// Checks what can be checked before anything is started.
    pub(crate) fn validate(&self) -> Result<(), LocalError> {
        if !matches!(self.members, 1 | 3) {
            return Err(LocalError::Members(self.members));
        }
        if let Some(index) = self.member_media.keys().find(|i| **i >= self.members) {
            return Err(LocalError::MediumMember {
                index: *index,
                members: self.members,
            });
        }
        if let (Some(data), Some(wal)) = (&self.data_dir, &self.wal_dir) {
            let (one, other) = (real(data), real(wal));
            if one.starts_with(&other) || other.starts_with(&one) {
                let (data, wal) = (data.clone(), wal.clone());
                return Err(LocalError::WalInData { wal, data });
            }
        }
        let syncless =
            |f: &&String| flag_name(f) == Some("unsafe-no-fsync") && !f.ends_with("=false");
        if self.emulates()
            && let Some(flag) = self.flags.iter().find(syncless)
        {
            return Err(LocalError::MediumWithoutSyncs(flag.clone()));
        }
        self.flags.iter().try_for_each(|flag| check_flag(flag))
    }

    /// Holds this thread to the members' cores.
    pub(super) fn hold(&self) -> Result<Option<Held>, LocalError> {
        pinning::hold(self.cores.as_ref())
    }

    /// Whether any member gets a medium.
    pub(super) fn emulates(&self) -> bool {
        self.medium.is_some() || !self.member_media.is_empty()
    }

    /// The medium of member `index`.
    pub(super) fn medium_of(&self, index: usize) -> Option<&Medium> {
        self.member_media.get(&index).or(self.medium.as_ref())
    }

    /// The flags that are ours by default and left out when the user gives them.
    pub(super) fn default_flags(&self, version: &EtcdVersion) -> Vec<String> {
        let given = |name: &str| self.flags.iter().any(|f| flag_name(f) == Some(name));
        let mut flags = vec!["--log-outputs=stderr".to_owned()];
        if (version.major, version.minor) == (3, 4) {
            // 3.4 still starts with a logger that knows no levels.
            flags.push("--logger=zap".to_owned());
        }
        if !given("log-level") {
            flags.push("--log-level=warn".to_owned());
        }
        flags
    }
}

/// A path that need not be there yet, as far as it is there with links followed.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = absolute.ancestors().find_map(|dir| {
        let rest = absolute.strip_prefix(dir).ok()?;
        Some(dir.canonicalize().ok()?.join(rest))
    });
    let mut plain = PathBuf::new();
    for part in there.unwrap_or(absolute).components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

fn flag_name(flag: &str) -> Option<&str> {
    let bare = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-'))?;
    Some(bare.split('=').next().unwrap_or(bare))
}

/// The quota that a flag sets, bytes; none for another flag, or where etcd will not take it.
pub(crate) fn quota_flag(flag: &str) -> Option<i64> {
    flag_name(flag).filter(|n| *n == "quota-backend-bytes")?;
    flag.split_once('=')?.1.parse().ok()
}

fn check_flag(flag: &str) -> Result<(), LocalError> {
    // 0 is etcd's default, and less none at all.
    if quota_flag(flag).is_some_and(|q| (1..=EMPTY_DB).contains(&q)) {
        return Err(LocalError::QuotaTooSmall(flag.to_owned()));
    }
    let name = flag_name(flag)
        .filter(|n| !n.is_empty())
        .ok_or_else(|| LocalError::BadFlag(flag.to_owned()))?;
    match RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        Some((_, hint)) => Err(LocalError::ReservedFlag {
            flag: flag.to_owned(),
            name: format!("--{name}"),
            hint,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_flag(flag: &str) -> Result<(), LocalError> {
        LocalOptions {
            flags: vec![flag.to_owned()],
            ..LocalOptions::default()
        }
        .validate()
    }

    #[test]
    fn flags_that_are_ours_are_refused() {
        assert!(with_flag("--quota-backend-bytes=1000000").is_ok());
        assert!(with_flag("--pre-vote").is_ok());
        assert!(matches!(
            with_flag("--data-dir=/x"),
            Err(LocalError::ReservedFlag { .. })
        ));
        for (quota, taken) in [
            ("4096", false),
            ("20480", false),
            ("1048576", true),
            ("-1", true),
        ] {
            let checked = with_flag(&format!("--quota-backend-bytes={quota}"));
            assert_eq!(checked.is_ok(), taken, "{quota}: {checked:?}");
        }
        assert!(matches!(
            with_flag("-name=x"),
            Err(LocalError::ReservedFlag { .. })
        ));
        assert!(matches!(
            with_flag("quota-backend-bytes=1"),
            Err(LocalError::BadFlag(_))
        ));
        assert!(matches!(with_flag("--"), Err(LocalError::BadFlag(_))));
    }

    #[test]
    fn data_and_log_do_not_lie_in_each_other() {
        let tmp = tempfile::tempdir().unwrap();
        let checked = |data: &str, wal: &str| {
            let options = LocalOptions {
                data_dir: Some(tmp.path().join(data)),
                wal_dir: Some(tmp.path().join(wal)),
                ..LocalOptions::default()
            };
            options.validate()
        };
        for (data, wal) in [
            ("x", "x"),
            ("x", "x/"),
            ("x", "y/../x"),
            ("x", "x/etcd-0"),
            ("x/wal", "x"),
        ] {
            let refused = matches!(checked(data, wal), Err(LocalError::WalInData { .. }));
            assert!(refused, "{data} {wal}");
        }
        std::fs::create_dir(tmp.path().join("data")).unwrap();
        std::os::unix::fs::symlink("data", tmp.path().join("link")).unwrap();
        assert!(checked("data", "link").is_err());
        assert!(checked("x", "x-wal").is_ok());
    }

    #[test]
    fn one_or_three_members() {
        for members in [0, 2, 4, usize::MAX] {
            let options = LocalOptions {
                members,
                ..LocalOptions::default()
            };
            assert!(matches!(options.validate(), Err(LocalError::Members(_))));
        }
    }

    #[test]
    fn the_users_log_level_wins() {
        let options = LocalOptions {
            flags: vec!["--log-level=debug".to_owned()],
            ..LocalOptions::default()
        };
        let v37 = EtcdVersion {
            major: 3,
            minor: 7,
            patch: 3,
            suffix: String::new(),
        };
        assert_eq!(options.default_flags(&v37), ["--log-outputs=stderr"]);
        assert!(
            LocalOptions::default()
                .default_flags(&EtcdVersion::OLDEST)
                .contains(&"--logger=zap".to_owned())
        );
    }
}
