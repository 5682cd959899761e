//! Which etcds an arm starts and where: looked at before the first one is started.

use super::changes::Changes;
use super::etcd::{Etcd, Media, StoreEtcd};
use super::etcd_spec::EtcdSpec;
use super::source::ExperimentSource;
use super::spec::ArmSpec;
use crate::disk::{DiskError, place::Place};
use crate::experiment::error::ExperimentError;
use crate::local::{LocalError, Medium};
use std::collections::BTreeMap;

/// What an etcd member writes at least: segments of its log, the database, a snapshot; bytes.
const ROOM: u64 = 256 << 20;

/// The etcds of an arm.
pub(crate) enum Placement {
    /// One per store.
    Ready(Vec<StoreEtcd>),
    /// Why the arm, which is optional, is skipped.
    Skipped(String),
}

impl ExperimentSource {
    /// The etcds of an arm, one per store.
    pub(crate) fn etcds(
        &self,
        arm: &ArmSpec,
        path: &str,
        stores: &[String],
        snapshot: bool,
        changes: &Changes,
    ) -> Result<Placement, ExperimentError> {
        let of_all = changes.etcd.over(&self.file.spec.etcd);
        let of_arm = arm.etcd.over(&of_all);
        let mut etcds = Vec::new();
        for store in stores {
            let own = arm.stores.iter().position(|s| s.name == *store);
            let (path, spec) = match own {
                Some(i) => (
                    format!("{path}.stores.{i}.etcd"),
                    arm.stores[i].etcd.over(&of_arm),
                ),
                None => (format!("{path}.etcd"), of_arm.clone()),
            };
            if let Some(external) = self.external(&path, store, &spec, snapshot, changes)? {
                etcds.push(StoreEtcd::External(Box::new(external)));
                continue;
            }
            let elsewhere = changes.elsewhere && arm.optional != Some(true);
            if let Err(e) = self.placement(&path, &spec, snapshot, elsewhere) {
                return match arm.optional {
                    Some(true) => Ok(Placement::Skipped(e.reason(&path))),
                    _ => Err(e),
                };
            }
            let media = self.media(&path, &spec)?;
            match Etcd::find(store, spec, media) {
                Ok(etcd) => etcds.push(StoreEtcd::Local(Box::new(etcd))),
                Err(LocalError::NotFound { wanted, searched }) if arm.optional == Some(true) => {
                    let wanted = wanted.unwrap_or_default();
                    return Ok(Placement::Skipped(format!(
                        "no etcd {wanted} in {searched} or on PATH (to install it: scripts/install-etcd.sh {wanted})"
                    )));
                }
                Err(source) => {
                    return Err(ExperimentError::Local {
                        arm: arm.name.clone(),
                        source: Box::new(source),
                    });
                }
            }
        }
        Ok(Placement::Ready(etcds))
    }

    fn media(&self, path: &str, spec: &EtcdSpec) -> Result<Media, ExperimentError> {
        let load = |field: String, name: &str| {
            Medium::load(name).map_err(|e| self.wrong(&format!("{path}.{field}"), e))
        };
        let all = spec.medium.as_deref();
        let all = all
            .map(|name| load("medium".to_owned(), name))
            .transpose()?;
        let mut own = BTreeMap::new();
        for (index, name) in &spec.member_media {
            let field = format!("memberMedia.{index}");
            self.member(path, &field, *index, spec)?;
            own.insert(*index, load(field, name)?);
        }
        Ok(Media { all, own })
    }

    /// Refuses a member that there is not.
    fn member(
        &self,
        path: &str,
        field: &str,
        index: usize,
        spec: &EtcdSpec,
    ) -> Result<(), ExperimentError> {
        let members = spec.members.unwrap_or(1);
        if index < members {
            return Ok(());
        }
        let plural = if members == 1 { "" } else { "s" };
        let message = format!(
            "there is no member {index}: the etcd has {members} member{plural}, numbered from 0"
        );
        Err(self.wrong(&format!("{path}.{field}"), message))
    }

    /// What can be known of an etcd's place before it is started.
    fn placement(
        &self,
        path: &str,
        spec: &EtcdSpec,
        snapshot: bool,
        elsewhere: bool,
    ) -> Result<(), ExperimentError> {
        if snapshot && spec.members.is_some_and(|n| n != 1) {
            let message = "snapshot works only with one member; remove snapshot, or use one member";
            return Err(self.wrong("snapshot", message));
        }
        if let Some(leader) = spec.leader {
            self.member(path, "leader", leader, spec)?;
        }
        for (field, dir) in [("dataDir", &spec.data_dir), ("walDir", &spec.wal_dir)] {
            let Some(dir) = dir else { continue };
            if elsewhere && !dir.exists() {
                continue;
            }
            let at = |message: String| {
                self.wrong(
                    &format!("{path}.{field}"),
                    format!("{}: {message}", dir.display()),
                )
            };
            let disk = |e: DiskError| self.wrong(&format!("{path}.{field}"), e);
            let place = Place::of(dir).map_err(disk)?;
            let probe = dir.join(format!(".etcdmark-probe-{}", std::process::id()));
            let written = std::fs::write(&probe, "").and_then(|()| std::fs::remove_file(&probe));
            written.map_err(|e| at(format!("cannot write in it: {e}")))?;
            let members = spec.members.unwrap_or(1) as u64;
            let hint = "; free some space, or name another directory";
            place.needs(ROOM * members, hint).map_err(disk)?;
        }
        Ok(())
    }
}
