//! The etcds of an arm, one per store: started for each trial, or external.

use super::etcd_spec::EtcdSpec;
use super::external::ExternalEtcd;
use crate::etcd::quota;
use crate::experiment::plan::{PlannedMedium, StorePlan};
use crate::local::{
    BinaryChoice, EtcdBinary, FileSystem, LocalError, LocalOptions, Medium, Pinning, Scratch,
    quota_flag,
};
use crate::target::MemberChoice;
use std::collections::BTreeMap;
use std::path::Path;

/// Of one store of an arm.
#[derive(Clone, Debug)]
pub(crate) enum StoreEtcd {
    /// Started for each trial.
    Local(Box<Etcd>),
    /// Runs already.
    External(Box<ExternalEtcd>),
}

impl StoreEtcd {
    /// The same with a level's flags, which an external one does not take.
    pub(crate) fn on_level(&self, flags: &[String]) -> Result<Self, LocalError> {
        match self {
            StoreEtcd::Local(etcd) => Ok(StoreEtcd::Local(Box::new(etcd.on_level(flags)?))),
            StoreEtcd::External(etcd) => Ok(StoreEtcd::External(etcd.clone())),
        }
    }

    /// Its quota may be there to be reached: the experiment set it, or the user said that it is theirs.
    pub(crate) fn may_fill(&self) -> bool {
        match self {
            StoreEtcd::Local(etcd) => etcd.may_fill(),
            StoreEtcd::External(etcd) => etcd.target.owned,
        }
    }

    /// The same for two etcds that differ in names only: copies of a binary, paths of a directory, names of a medium.
    pub(crate) fn nameless(&self) -> StorePlan {
        let mut plan = self.plan();
        if let StoreEtcd::Local(etcd) = self {
            let real = |dir: &Path| {
                let real = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
                real.display().to_string()
            };
            plan.data_dir = Some(real(&etcd.scratch.parent));
            plan.wal_dir = etcd.spec.wal_dir.as_deref().map(real);
            plan.pin = Some(etcd.may_be_pinned());
        }
        if let Some(binary) = &mut plan.binary {
            binary.path.clear();
        }
        for medium in plan.medium.iter_mut().chain(plan.member_media.values_mut()) {
            medium.name.clear();
        }
        plan
    }

    /// etcdmark starts it, and gives it the cores of its own that there are.
    pub(crate) fn is_pinned(&self, pinning: &Pinning) -> bool {
        matches!(self, StoreEtcd::Local(etcd) if etcd.is_pinned(pinning))
    }

    /// What `plan.json` says of it.
    pub(crate) fn plan(&self) -> StorePlan {
        match self {
            StoreEtcd::Local(etcd) => etcd.plan(),
            StoreEtcd::External(etcd) => etcd.plan(),
        }
    }
}

/// The etcd cluster of one store of an arm, that is started.
#[derive(Clone, Debug)]
pub(crate) struct Etcd {
    pub(crate) store: String,
    spec: EtcdSpec,
    media: Media,
    binary: EtcdBinary,
    /// Where its data directories are made: decided once, the same in all trials.
    scratch: Scratch,
}

/// The media of an etcd cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Media {
    /// Of all members that have none of their own.
    pub(crate) all: Option<Medium>,
    /// By the member's number.
    pub(crate) own: BTreeMap<usize, Medium>,
}

impl Etcd {
    /// Finds the binary and checks the flags.
    pub(crate) fn find(store: &str, spec: EtcdSpec, media: Media) -> Result<Self, LocalError> {
        let choice = BinaryChoice {
            path: spec.path.clone(),
            version: spec.version.clone(),
            sha256: None,
        };
        let mut etcd = Etcd {
            store: store.to_owned(),
            binary: choice.find()?,
            media,
            scratch: Scratch::default(),
            spec,
        };
        let options = LocalOptions {
            scratch_in: etcd.spec.data_dir.clone(),
            ..etcd.options(None, 1)
        };
        options.validate()?;
        etcd.scratch = options.scratch();
        Ok(etcd)
    }

    /// The same with a level's flags.
    pub(crate) fn on_level(&self, flags: &[String]) -> Result<Self, LocalError> {
        let level = EtcdSpec {
            flags: flags.to_vec(),
            ..EtcdSpec::default()
        };
        let etcd = Etcd {
            spec: level.over(&self.spec),
            ..self.clone()
        };
        etcd.options(None, 1).validate()?;
        Ok(etcd)
    }

    /// Its quota is the experiment's own: it may be there to be reached.
    pub(crate) fn may_fill(&self) -> bool {
        self.quota().is_some()
    }

    /// What its flags say of it, bytes.
    fn quota(&self) -> Option<i64> {
        self.spec.flags.iter().find_map(|f| quota_flag(f))
    }

    /// What is to be known of it: what etcd will warn of, data that are not in memory.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        let quota = self.quota().and_then(quota::warning);
        quota.into_iter().chain(self.scratch.note.clone())
    }

    /// How it is started, on fresh data or on a copy of a snapshot's; `seed` is that of the times that a medium asks for.
    pub(crate) fn options(&self, snapshot: Option<&Path>, seed: u64) -> LocalOptions {
        LocalOptions {
            binary: BinaryChoice {
                path: Some(self.binary.path.clone()),
                version: None,
                sha256: Some(self.binary.sha256.clone()),
            },
            members: self.members(),
            scratch_in: Some(self.scratch.parent.clone()),
            wal_dir: self.spec.wal_dir.clone(),
            medium: self.media.all.clone(),
            member_media: self.media.own.clone(),
            store: self.store.clone(),
            seed,
            snapshot: snapshot.map(Path::to_owned),
            flags: self.spec.flags.clone(),
            ..LocalOptions::default()
        }
    }

    /// Where its data and its log are made.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.scratch.parent.as_path()).chain(self.spec.wal_dir.as_deref())
    }

    /// Whether it gets the cores of its own that there are.
    pub(crate) fn is_pinned(&self, pinning: &Pinning) -> bool {
        pinning.applies(self.spec.pin)
    }

    /// Whether it may get some.
    pub(crate) fn may_be_pinned(&self) -> bool {
        self.spec.pin != Some(false)
    }

    /// How many processes it is.
    pub(crate) fn members(&self) -> usize {
        self.spec.members.unwrap_or(1)
    }

    /// The member that is to lead it.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.spec.leader
    }

    /// Which of its members get the load.
    pub(crate) fn target(&self) -> MemberChoice {
        self.spec.target.unwrap_or_default()
    }

    /// What `plan.json` says of it.
    pub(crate) fn plan(&self) -> StorePlan {
        let name = |dir: &Option<std::path::PathBuf>| dir.as_ref().map(|d| d.display().to_string());
        StorePlan {
            store: self.store.clone(),
            kind: None,
            endpoints: Vec::new(),
            version: self.binary.version.to_string(),
            binary: Some(self.binary.info()),
            members: self.members(),
            flags: self.spec.flags.clone(),
            data_dir: name(&self.spec.data_dir),
            medium: self.media.all.as_ref().map(PlannedMedium::from),
            member_media: (self.media.own.iter())
                .map(|(i, m)| (*i, PlannedMedium::from(m)))
                .collect(),
            leader: self.spec.leader,
            target: self.spec.target,
            pin: self.spec.pin,
            file_system: FileSystem::of(&self.scratch.parent)
                .map_or_else(|_| String::new(), |f| f.to_string()),
            wal_dir: name(&self.spec.wal_dir),
        }
    }
}
