//! A throwaway etcd of our own: what `run` uses when no endpoints are given.

use super::CliError;
use crate::kube::Resource;
use crate::local::{BinaryChoice, LocalCluster, LocalError, LocalOptions};
use crate::workload::Split;
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
    /// Resources that get an etcd of their own, each its own: events, or events,leases; with + several
    /// share one: events,leases+nodes
    #[arg(long, value_delimiter = ',', value_name = "RESOURCE[,…]")]
    pub split: Vec<String>,
    /// How many members: 1 or 3
    #[arg(long, value_name = "N")]
    pub members: Option<usize>,
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
            ("--split", !self.split.is_empty()),
            ("--members", self.members.is_some()),
            ("--etcd-flag", !self.etcd_flag.is_empty()),
        ];
        flags
            .into_iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| name)
    }

    /// The stores that --split asks for.
    ///
    /// # Errors
    /// A word that is no resource, or one that is given twice.
    pub fn splits(&self) -> Result<Vec<Split>, CliError> {
        let known = || {
            Resource::ALL
                .into_iter()
                .filter(|r| *r != Resource::Internal)
        };
        let mut seen = Vec::new();
        let mut splits = Vec::new();
        for group in &self.split {
            let mut resources = Vec::new();
            for word in group.split('+').map(str::trim) {
                let Some(found) = known().find(|r| r.plural() == word) else {
                    let names: Vec<&str> = known().map(Resource::plural).collect();
                    return Err(CliError::usage(format!(
                        "--split {word:?} is not a resource; known: {}",
                        names.join(", ")
                    )));
                };
                if seen.contains(&found) {
                    return Err(CliError::usage(format!(
                        "--split names {word} twice: a resource is in one etcd"
                    )));
                }
                seen.push(found);
                resources.push(found);
            }
            splits.push(Split {
                flag: "--split",
                resources,
            });
        }
        Ok(splits)
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
        let options = LocalOptions {
            binary: BinaryChoice {
                path: self.etcd.clone(),
                version: self.etcd_version.clone(),
            },
            members: self.members.unwrap_or(1),
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
