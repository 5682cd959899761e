//! What a cleanup deleted, and what shrinks the file afterwards.

use crate::etcd::control::ControlClient;
use crate::human::numbers::{bytes, things};
use crate::store::others::others;
use crate::target::Target;
use serde::Serialize;

/// What was deleted, as the command's JSON.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// `main`, or the resources that --overrides routes there.
    pub store: String,
    /// One per run.
    pub runs: Vec<CleanupResult>,
    /// One per range under /registry-etcdmark/ without a manifest.
    pub orphans: Vec<OrphanResult>,
    /// Largest db file after it, bytes: no smaller than before.
    pub db_size: i64,
    /// Of these in use.
    pub db_size_in_use: i64,
    /// Command lines that shrink the file, in this order.
    pub shrink_with: Vec<String>,
    /// The store holds others' keys, or may: who uses it compacts it (kube-apiserver every 5 minutes).
    pub live_cluster: bool,
    /// The same of each etcd of --overrides.
    pub overrides: Vec<Summary>,
}

/// What was deleted of one run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CleanupResult {
    /// Run id.
    pub run_id: String,
    /// Keys deleted, the manifest not counted.
    pub keys: u64,
    /// Leases revoked.
    pub leases: u64,
}

/// A range without a manifest.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrphanResult {
    /// `/registry-etcdmark/NAME`.
    pub prefix: String,
    /// Keys that were there.
    pub found: u64,
    /// Of these deleted.
    pub keys: u64,
    /// Leases revoked.
    pub leases: u64,
    /// What deletes them, if they were left.
    pub delete_with: Option<String>,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.overrides.is_empty() {
            return self.one(f);
        }
        for store in std::iter::once(self).chain(&self.overrides) {
            writeln!(f, "store {}:", store.store)?;
            store.one(f)?;
        }
        Ok(())
    }
}

impl Summary {
    /// Adds the sizes of the db file, and what shrinks it.
    pub(super) async fn sizes(&mut self, target: &Target, cluster: &ControlClient) {
        let mut revision = 0;
        // (it leads, endpoint): the leader is defragmented last.
        let mut members = Vec::new();
        for m in cluster.each() {
            if let Ok(s) = m.status().await {
                self.db_size = self.db_size.max(s.db_size);
                self.db_size_in_use = self.db_size_in_use.max(s.db_size_in_use);
                revision = revision.max(s.revision);
                members.push((s.leader == s.member_id, s.endpoint));
            }
        }
        members.sort();
        // Where that cannot be seen, it may be: no advice may harm it.
        let found = others(cluster, false).await.ok().flatten();
        self.live_cluster = found.is_none_or(|o| o.count > 0);
        let endpoints = target.endpoints.join(",");
        let access = match &target.named_by {
            Some(_) => " (with the certificates in the node's /etc/kubernetes/pki/etcd)".to_owned(),
            None => target.access(),
        };
        let alarms = cluster.alarms().await.unwrap_or_default();
        let full = alarms.iter().any(|a| a.kind == "NOSPACE");
        // Compacting a live cluster's newest revision would end its watches that lag; its own compactor does it, but
        // cannot write to a full store.
        if !self.live_cluster || full {
            let line = format!("etcdctl --endpoints={endpoints} compact {revision}{access}");
            self.shrink_with.push(line);
        }
        for (_, endpoint) in members {
            let line = format!("etcdctl --endpoints={endpoint} defrag{access}");
            self.shrink_with.push(line);
        }
        if full {
            let line = format!("etcdctl --endpoints={endpoints} alarm disarm{access}");
            self.shrink_with.push(line);
        }
    }

    /// Of one store.
    fn one(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.runs.is_empty() && self.orphans.is_empty() {
            return writeln!(f, "nothing to delete: this store holds no keys of any run");
        }
        for r in &self.runs {
            writeln!(
                f,
                "run {}: {} deleted, {} revoked",
                r.run_id,
                things(r.keys, "key"),
                things(r.leases, "lease")
            )?;
        }
        for o in &self.orphans {
            let (prefix, found) = (&o.prefix, things(o.found, "key"));
            match &o.delete_with {
                Some(line) => writeln!(
                    f,
                    "{prefix}/: {found} without a manifest, not deleted; to delete them, run: {line}"
                )?,
                None => writeln!(
                    f,
                    "{prefix}/: {} without a manifest deleted, {} revoked",
                    things(o.keys, "key"),
                    things(o.leases, "lease")
                )?,
            }
        }
        if self.runs.is_empty() && self.orphans.iter().all(|o| o.keys == 0) {
            return Ok(());
        }
        let compacts = self
            .shrink_with
            .iter()
            .any(|line| line.contains(" compact "));
        let when = match self.live_cluster && !compacts {
            true => {
                "wait for the next compaction by those who use this etcd, 10 minutes for kube-apiserver; then defragment \
                 one member at a time"
            }
            false => "one member at a time",
        };
        writeln!(
            f,
            "deleting does not shrink the db file: {} ({} in use); etcd reuses the free pages after its next \
             compaction.\nto shrink the file, run ({when}; defrag blocks a member for seconds per GB):",
            bytes(self.db_size as f64),
            bytes(self.db_size_in_use as f64)
        )?;
        self.shrink_with
            .iter()
            .try_for_each(|line| writeln!(f, "  {line}"))
    }
}
