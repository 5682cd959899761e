//! What the command line changes in an experiment.

use super::etcd_spec::EtcdSpec;
use std::path::PathBuf;

/// What flags change.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The smoke form.
    pub smoke: bool,
    /// `--blocks`.
    pub blocks: Option<u32>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// Base and head are one etcd (`compare --null`).
    pub null: bool,
    /// Only these arms (`--arm`); all if empty.
    pub arms: Vec<String>,
    /// Only these levels (`--level`); all if empty.
    pub levels: Vec<String>,
    /// Directories to make arms of (`--dir`).
    pub dirs: Vec<PathBuf>,
    /// Where these arms' write-ahead logs go (`--wal-dir`): none, one for all, or one for each.
    pub wal_dirs: Vec<PathBuf>,
    /// Media to make arms of (`--medium`): names or files.
    pub media: Vec<String>,
    /// Splits to make arms of (`--split`), each as `run --split` takes it.
    pub splits: Vec<String>,
    /// Further changes of the workload (`--set`), applied last.
    pub set: Vec<String>,
    /// The etcd of every arm (`--etcd`, `--etcd-version`, `--etcd-flag`, `--members`, `--data-dir`, `--kind`).
    pub etcd: EtcdSpec,
    /// `--nodes`.
    pub nodes: Option<String>,
    /// `--duration`.
    pub duration: Option<String>,
    /// `--allow-live-cluster`, of etcds that run already.
    pub allow_live_cluster: bool,
    /// `--yes-this-etcd-is-mine`, of all of them.
    pub yes_this_etcd_is_mine: bool,
    /// Nothing is going to be played here: directories of arms that are not optional may be another machine's.
    pub elsewhere: bool,
}
