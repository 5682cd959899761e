//! A throwaway etcd of our own: what `run` uses when no endpoints are given.

use super::CliError;
use crate::local::{BinaryChoice, LocalCluster, LocalError, LocalOptions};
use std::path::PathBuf;

/// etcd to start.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Local etcd (when no --endpoints are given)")]
pub struct LocalFlags {
    /// The etcd to start [default: the newest that scripts/install-etcd.sh provided, or the one on PATH]
    #[arg(long, value_name = "PATH")]
    pub etcd: Option<PathBuf>,
    /// Its version, among those that scripts/install-etcd.sh provided: 3.6.4, or 3.6
    #[arg(long, value_name = "VERSION", conflicts_with = "etcd")]
    pub etcd_version: Option<String>,
    /// Where its data goes; kept [default: a temporary directory, removed afterwards]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// How many members: 1 or 3 [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub members: Option<String>,
    /// A flag for etcd, as it is; may be given more than once: --etcd-flag --quota-backend-bytes=4294967296
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub etcd_flag: Vec<String>,
}

impl LocalFlags {
    /// The first flag that says something about a local etcd.
    pub fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--etcd", self.etcd.is_some()),
            ("--etcd-version", self.etcd_version.is_some()),
            ("--data-dir", self.data_dir.is_some()),
            ("--members", self.members.is_some()),
            ("--etcd-flag", !self.etcd_flag.is_empty()),
        ];
        flags
            .into_iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| name)
    }

    /// Starts it. With several stores each gets a directory below `--data-dir`.
    ///
    /// # Errors
    /// What is wrong with a flag, or why etcd did not start, with its last log lines.
    pub async fn start(&self, store: Option<&str>) -> Result<LocalCluster, CliError> {
        let data_dir = match (&self.data_dir, store) {
            (Some(dir), Some(store)) => Some(dir.join(store)),
            (dir, _) => dir.clone(),
        };
        let members = self.members.as_deref().unwrap_or("1");
        let members = members.parse().map_err(|_| {
            CliError::usage(format!(
                "--members {members}: a local cluster has 1 or 3 members"
            ))
        })?;
        let options = LocalOptions {
            binary: BinaryChoice {
                path: self.etcd.clone(),
                version: self.etcd_version.clone(),
            },
            members,
            data_dir,
            flags: self.etcd_flag.clone(),
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
}
