//! An arm, ready to be played: which etcds it starts and which traffic they get.

use super::edits::Traffic;
use super::file::EtcdSpec;
use super::plan::{PlannedMedium, StorePlan};
use crate::etcd::target::MemberChoice;
use crate::local::{BinaryChoice, EtcdBinary, FileSystem, LocalError, LocalOptions, Medium};
use std::collections::BTreeMap;
use std::path::Path;

/// One variant.
#[derive(Debug)]
pub(super) struct Arm {
    pub(super) name: String,
    /// Of each rung one per store, in the workload's order.
    pub(super) etcds: Vec<Vec<Etcd>>,
    /// One per rung.
    pub(super) traffic: Vec<Traffic>,
    /// The effective workloads, one per rung.
    pub(super) workloads: Vec<serde_json::Value>,
}

impl Arm {
    /// Its etcds on its first rung: they lie in the same place on all of them.
    pub(super) fn places(&self) -> impl Iterator<Item = &Etcd> {
        self.etcds.first().into_iter().flatten()
    }
}

/// The etcd cluster of one store of an arm.
#[derive(Clone, Debug)]
pub(super) struct Etcd {
    pub(super) store: String,
    spec: EtcdSpec,
    media: Media,
    binary: EtcdBinary,
}

/// The media of an etcd cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Media {
    /// Of all members that have none of their own.
    pub(super) all: Option<Medium>,
    /// By the member's number.
    pub(super) own: BTreeMap<usize, Medium>,
}

impl Etcd {
    /// Finds the binary and checks the flags.
    pub(super) fn find(store: &str, spec: EtcdSpec, media: Media) -> Result<Self, LocalError> {
        let choice = BinaryChoice {
            path: spec.path.clone(),
            version: spec.version.clone(),
        };
        let etcd = Etcd {
            store: store.to_owned(),
            binary: choice.find()?,
            media,
            spec,
        };
        etcd.options(None, 1).validate()?;
        Ok(etcd)
    }

    /// The same with a rung's flags.
    pub(super) fn on_rung(&self, flags: &[String]) -> Result<Self, LocalError> {
        let rung = EtcdSpec {
            flags: flags.to_vec(),
            ..EtcdSpec::default()
        };
        let etcd = Etcd {
            spec: rung.over(&self.spec),
            ..self.clone()
        };
        etcd.options(None, 1).validate()?;
        Ok(etcd)
    }

    /// Its quota is the experiment's own: it may be there to be reached.
    pub(super) fn may_fill(&self) -> bool {
        let quota = |f: &String| f.trim_start_matches('-').starts_with("quota-backend-bytes");
        self.spec.flags.iter().any(quota)
    }

    /// How it is started, on fresh data or on a copy of a snapshot's; `seed` is that of the times that a medium asks for.
    pub(super) fn options(&self, snapshot: Option<&Path>, seed: u64) -> LocalOptions {
        LocalOptions {
            binary: BinaryChoice {
                path: Some(self.binary.path.clone()),
                version: None,
            },
            members: self.spec.members.unwrap_or(1),
            scratch_in: self.spec.data_dir.clone(),
            wal_dir: self.spec.wal_dir.clone(),
            medium: self.media.all.clone(),
            member_media: self.media.own.clone(),
            seed,
            snapshot: snapshot.map(Path::to_owned),
            flags: self.spec.flags.clone(),
            ..LocalOptions::default()
        }
    }

    /// The member that is to lead it.
    pub(super) fn leader(&self) -> Option<usize> {
        self.spec.leader
    }

    /// Which of its members get the load.
    pub(super) fn target(&self) -> MemberChoice {
        self.spec.target.unwrap_or_default()
    }

    /// What `plan.json` says of it.
    pub(super) fn plan(&self) -> StorePlan {
        let name = |dir: &Option<std::path::PathBuf>| dir.as_ref().map(|d| d.display().to_string());
        StorePlan {
            store: self.store.clone(),
            version: self.binary.version.to_string(),
            members: self.spec.members.unwrap_or(1),
            flags: self.spec.flags.clone(),
            data_dir: name(&self.spec.data_dir),
            medium: self.media.all.as_ref().map(PlannedMedium::from),
            member_media: (self.media.own.iter())
                .map(|(i, m)| (*i, PlannedMedium::from(m)))
                .collect(),
            leader: self.spec.leader,
            target: self.spec.target,
            file_system: FileSystem::of(&self.options(None, 1).scratch_parent())
                .map_or_else(|_| String::new(), |f| f.to_string()),
            wal_dir: name(&self.spec.wal_dir),
        }
    }
}
