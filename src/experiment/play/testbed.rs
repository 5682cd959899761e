//! The etcds of a trial: started for it and ended with it, or external.

use super::leader;
use crate::control::Control;
use crate::experiment::error::ExperimentError;
use crate::experiment::file::etcd::{Etcd, StoreEtcd};
use crate::local::{LocalCluster, LocalOptions, Pinning, SyncCosts};
use crate::target::MemberChoice;
use crate::target::Target;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;

/// Running etcds, one cluster per store. Dropping it kills those that it started and removes their data.
#[derive(Debug)]
pub struct Testbed {
    runtime: Runtime,
    stores: Vec<(String, RunningEtcd)>,
    /// Their data are kept: they are going to be a snapshot.
    kept: bool,
}

/// One store's etcd.
#[derive(Debug)]
enum RunningEtcd {
    /// It was started, and these members get the load.
    Local(Box<LocalCluster>, MemberChoice),
    /// It runs already.
    External(Box<Target>),
}

/// On what the etcds begin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InitialData<'a> {
    /// Nothing.
    Fresh,
    /// A copy of the snapshot in this directory (one below it per store).
    Copy(&'a Path),
    /// Nothing, and what becomes of it is kept in this directory as a snapshot.
    Keep(&'a Path),
}

impl Testbed {
    /// Starts the etcds of an arm, external ones apart, and waits until they answer. `seed` is that of the times
    /// that media ask for, `costs` what syncs cost where they are emulated, `pinning` the cores of those that get their own.
    pub(crate) fn start(
        arm: &str,
        etcds: &[StoreEtcd],
        ground: InitialData<'_>,
        seed: u64,
        costs: &SyncCosts,
        pinning: Option<&Pinning>,
        control: &Control,
    ) -> Result<Testbed, ExperimentError> {
        let mut testbed = Testbed {
            runtime: runtime()?,
            stores: Vec::new(),
            kept: matches!(ground, InitialData::Keep(_)),
        };
        for etcd in etcds {
            let etcd = match etcd {
                StoreEtcd::Local(etcd) => etcd,
                StoreEtcd::External(etcd) => {
                    let external = RunningEtcd::External(Box::new(etcd.target.clone()));
                    testbed.stores.push((etcd.store.clone(), external));
                    continue;
                }
            };
            let failed = |source| ExperimentError::Local {
                arm: arm.to_owned(),
                source: Box::new(source),
            };
            let options = on_cores(options(etcd, ground, seed, costs), etcd, pinning);
            let started = testbed.runtime.block_on(async {
                tokio::select! {
                    started = LocalCluster::start(options) => started.map_err(failed),
                    // Dropping an etcd that is starting ends it and removes its directory.
                    () = control.until_interrupted() => Err(ExperimentError::Interrupted),
                }
            })?;
            if let Some(index) = etcd.leader() {
                let led = testbed.block_on(leader::lead(&started.target(), index));
                led.map_err(|source| ExperimentError::Leader {
                    arm: arm.to_owned(),
                    source: Box::new(source),
                })?;
            }
            let started = RunningEtcd::Local(Box::new(started), etcd.target());
            testbed.stores.push((etcd.store.clone(), started));
        }
        Ok(testbed)
    }

    /// No etcd.
    #[cfg(test)]
    pub(crate) fn empty() -> Testbed {
        Testbed {
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
            stores: Vec::new(),
            kept: false,
        }
    }

    /// The etcd of a store, if it was started for it.
    pub fn etcd(&self, store: &str) -> Option<&LocalCluster> {
        let mut all = self.etcds().filter(|(name, _)| *name == store);
        all.next().map(|(_, etcd)| etcd)
    }

    /// The etcds that were started with their stores' names, in the workload's order.
    pub fn etcds(&self) -> impl Iterator<Item = (&str, &LocalCluster)> {
        self.stores.iter().filter_map(|(name, etcd)| match etcd {
            RunningEtcd::Local(etcd, _) => Some((name.as_str(), etcd.as_ref())),
            RunningEtcd::External(_) => None,
        })
    }

    /// How to reach them, in the workload's order.
    pub fn targets(&self) -> Vec<Target> {
        let target = |(_, etcd): &(String, RunningEtcd)| match etcd {
            RunningEtcd::Local(etcd, members) => Target {
                disposable: !self.kept,
                members: *members,
                ..etcd.target()
            },
            RunningEtcd::External(target) => target.as_ref().clone(),
        };
        self.stores.iter().map(target).collect()
    }

    /// Waits for work that talks to them.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn spawn(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        self.runtime.spawn(work)
    }

    /// Ends the etcds that were started in an orderly way.
    pub(crate) fn stop(self) {
        let Testbed {
            runtime, stores, ..
        } = self;
        let stops = stores.into_iter().filter_map(|(_, etcd)| match etcd {
            RunningEtcd::Local(etcd, _) => Some(etcd.stop()),
            RunningEtcd::External(_) => None,
        });
        runtime.block_on(futures_util::future::join_all(stops));
    }
}

/// For what talks to etcds beside the engine.
pub(crate) fn runtime() -> Result<Runtime, ExperimentError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| ExperimentError::at("experiment", format!("cannot start a runtime: {e}")))
}

/// The same on the etcd's own cores, if it gets any.
pub(super) fn on_cores(
    options: LocalOptions,
    etcd: &Etcd,
    pinning: Option<&Pinning>,
) -> LocalOptions {
    let pinning = pinning.filter(|pinning| etcd.is_pinned(pinning));
    LocalOptions {
        cores: pinning.map(|pinning| pinning.etcd.clone()),
        ..options
    }
}

fn options(etcd: &Etcd, ground: InitialData<'_>, seed: u64, costs: &SyncCosts) -> LocalOptions {
    let below = |dir: &Path| -> PathBuf { dir.join(&etcd.store) };
    let mut options = match ground {
        InitialData::Fresh => etcd.options(None, seed),
        InitialData::Copy(dir) => etcd.options(Some(&below(dir)), seed),
        InitialData::Keep(dir) => LocalOptions {
            data_dir: Some(below(dir)),
            // In a snapshot, data and log lie together, and nobody measures how it is filled; a trial parts them again.
            wal_dir: None,
            medium: None,
            member_media: BTreeMap::new(),
            ..etcd.options(None, seed)
        },
    };
    options.sync_costs = costs.clone();
    options
}
