//! A throwaway etcd of our own: what `run` uses when no endpoints are given.

use super::CliError;
use crate::local::{BinaryChoice, LocalCluster, LocalError, LocalOptions, Medium, Pinning};
use crate::workload::Split;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// etcd to start.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Local etcd (without --endpoints and --kind)")]
pub struct LocalFlags {
    /// etcd binary to start [default: the newest from scripts/install-etcd.sh, or the one on PATH]
    #[arg(long, value_name = "PATH")]
    pub etcd: Option<PathBuf>,
    /// etcd version to start, installed by scripts/install-etcd.sh: 3.6.4, or 3.6
    #[arg(long, value_name = "VERSION", conflicts_with = "etcd")]
    pub etcd_version: Option<String>,
    /// Data directory; kept after the run [default: a temporary directory, removed afterwards]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Separate directory for the write-ahead log [default: in the data directory]
    #[arg(long, value_name = "DIR")]
    pub wal_dir: Option<PathBuf>,
    /// Emulate a storage medium: local-nvme, local-ssd, gp3, network-ssd, openai-2018, hdd, gp2-exhausted, stalls, or
    /// a file; without --data-dir, the data directory is in /dev/shm
    #[arg(long, value_name = "NAME|FILE")]
    pub medium: Option<String>,
    /// Emulate a different medium for one member, numbered from 0; can be repeated: --medium-member 0=hdd
    #[arg(long, value_name = "N=NAME|FILE")]
    pub medium_member: Vec<String>,
    /// Start a separate etcd for each of these resources: events, or events,leases; resources joined by +
    /// share one etcd: events,leases+nodes
    #[arg(long, value_delimiter = ',', value_name = "RESOURCE[,…]")]
    pub split: Vec<String>,
    /// Number of members: 1 or 3 [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub members: Option<String>,
    /// Pass a flag to etcd; can be repeated: --etcd-flag --quota-backend-bytes=4294967296
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub etcd_flag: Vec<String>,
    /// Every start has fresh data, in a temporary directory in --data-dir.
    #[arg(skip)]
    pub scratch: bool,
}

/// Which cores it gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Local etcd (without --endpoints and --kind)")]
pub struct PinFlags {
    /// Give etcd and etcdmark cores of their own also where etcd gets a single one [default: where it gets two or more]
    #[arg(long, conflicts_with = "no_pin")]
    pub pin: bool,
    /// Leave etcd and etcdmark on the same cores
    #[arg(long)]
    pub no_pin: bool,
}

impl PinFlags {
    /// What the user wants, if they said so.
    pub fn asked(self) -> Option<bool> {
        (self.pin || self.no_pin).then_some(self.pin)
    }

    /// The flag that was given.
    pub fn given(self) -> Option<&'static str> {
        self.asked()
            .map(|pin| if pin { "--pin" } else { "--no-pin" })
    }
}

impl LocalFlags {
    /// The first flag that says something about a local etcd.
    pub fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--etcd", self.etcd.is_some()),
            ("--etcd-version", self.etcd_version.is_some()),
            ("--data-dir", self.data_dir.is_some()),
            ("--wal-dir", self.wal_dir.is_some()),
            ("--medium", self.medium.is_some()),
            ("--medium-member", !self.medium_member.is_empty()),
            ("--split", !self.split.is_empty()),
            ("--members", self.members.is_some()),
            ("--etcd-flag", !self.etcd_flag.is_empty()),
        ];
        flags
            .into_iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| name)
    }

    /// Whether the data are there after the command.
    pub fn keeps_data(&self) -> bool {
        self.data_dir.is_some() && !self.scratch
    }

    /// The stores that --split asks for.
    ///
    /// # Errors
    /// A word that is no resource, or one that is given twice.
    pub fn splits(&self) -> Result<Vec<Split>, CliError> {
        if self.split.is_empty() {
            return Ok(Vec::new());
        }
        Split::parse("--split", &self.split.join(","))
            .map_err(|e| CliError::usage(format!("--split {e}")))
    }

    /// Starts it. With several stores each gets a directory below `--data-dir` and `--wal-dir`. `seed` is that of the times
    /// that media ask for.
    ///
    /// # Errors
    /// What is wrong with a flag, or why etcd did not start, with its last log lines.
    pub async fn start(
        &self,
        store: Option<&str>,
        seed: u64,
        pinning: Option<&Pinning>,
    ) -> Result<LocalCluster, CliError> {
        let below = |dir: &Option<PathBuf>| match (dir, store) {
            (Some(dir), Some(store)) => Some(dir.join(store)),
            (dir, _) => dir.clone(),
        };
        let members = self.members()?;
        let medium = |name: &String| Medium::load(name).map_err(|e| CliError::usage(e.to_string()));
        let options = LocalOptions {
            binary: BinaryChoice {
                path: self.etcd.clone(),
                version: self.etcd_version.clone(),
                sha256: None,
            },
            members,
            data_dir: below(&self.data_dir).filter(|_| !self.scratch),
            scratch_in: self.data_dir.clone().filter(|_| self.scratch),
            wal_dir: below(&self.wal_dir),
            medium: self.medium.as_ref().map(medium).transpose()?,
            member_media: self.member_media()?,
            store: store.unwrap_or_default().to_owned(),
            seed,
            flags: self.etcd_flag.clone(),
            cores: pinning.map(|pinning| pinning.etcd.clone()),
            ..LocalOptions::default()
        };
        LocalCluster::start(options).await.map_err(|e: LocalError| {
            if e.is_usage() {
                CliError::usage(e.to_string())
            } else {
                CliError::failure(e.to_string())
            }
        })
    }

    /// The cores of `stores` local etcds and of a client with `workers` threads; none where there is but one.
    ///
    /// # Errors
    /// A wrong `--members`.
    pub fn pinning(&self, stores: usize, workers: usize) -> Result<Option<Pinning>, CliError> {
        let members = stores.saturating_mul(self.members()?);
        Ok(Pinning::of_this_machine(members, workers))
    }

    fn members(&self) -> Result<usize, CliError> {
        let members = self.members.as_deref().unwrap_or("1");
        members.parse().map_err(|_| {
            CliError::usage(format!(
                "--members {members}: a local cluster has 1 or 3 members"
            ))
        })
    }

    fn member_media(&self) -> Result<BTreeMap<usize, Medium>, CliError> {
        let mut media = BTreeMap::new();
        for given in &self.medium_member {
            let wrong = |what: &str| CliError::usage(format!("--medium-member {given:?}: {what}"));
            let form = "write a member number and a medium, such as 0=hdd";
            let (index, name) = given.split_once('=').ok_or_else(|| wrong(form))?;
            let index: usize = index.parse().map_err(|_| wrong(form))?;
            let medium = Medium::load(name).map_err(|e| CliError::usage(e.to_string()))?;
            if media.insert(index, medium).is_some() {
                return Err(wrong("this member already has a medium; remove one"));
            }
        }
        Ok(media)
    }
}
