//! The etcds that a command loads: external ones that flags name, or local ones that it starts.

use super::CliError;
use super::cluster_flags::{Access, ClusterFlags, EtcdChoice, LoadTargetFlags};
use super::local_flags::LocalFlags;
use super::local_flags::PinFlags;
use super::output::complain;
use super::overrides;
use crate::human::numbers::ns;
use crate::kube::Resource;
use crate::local::{Held, LocalCluster, Member, Pinning};
use crate::measure::SyncCost;
use crate::target::Target;
use crate::workload::{ResolvedWorkload, RoutedStore};

/// The flags that name them.
#[derive(Clone, Copy)]
pub(super) struct Etcds<'a> {
    pub(super) cluster: &'a ClusterFlags,
    pub(super) load: &'a LoadTargetFlags,
    pub(super) local: &'a LocalFlags,
    pub(super) pin: &'a PinFlags,
}

impl Etcds<'_> {
    /// What `--endpoints` or `--kind` and `--overrides` name; says what there is to say of it.
    ///
    /// # Errors
    /// Flags that contradict each other, or that have no effect.
    pub(super) fn external(self, keep_data: bool) -> Result<EtcdChoice, CliError> {
        let found = self.cluster.targets(Access::Write)?.loaded(self.load)?;
        for line in found.ignored.iter().chain(&found.notes) {
            complain(&format!("note: {line}"));
        }
        let by = match self.cluster.kind {
            Some(_) => "--kind",
            None => "--endpoints",
        };
        match (&found.target, self.local.given().or(self.pin.given())) {
            (Some(_), Some(flag)) => Err(CliError::usage(format!(
                "{flag} applies only to a local etcd, but {by} names an external one"
            ))),
            (None, _) if keep_data && self.local.data_dir.is_none() => Err(CliError::usage(
                "--keep-data: the temporary local etcd and its keys are gone after the run; also pass --data-dir DIR, \
                 --endpoints or --kind",
            )),
            _ => Ok(found),
        }
    }

    /// The cores of local etcds and of this process, to which the thread is held as long as the second value lives; none where
    /// all share theirs.
    ///
    /// # Errors
    /// A wrong `--members`, or the system refuses.
    pub(super) fn pin(
        self,
        resolved: &ResolvedWorkload,
        external: &EtcdChoice,
    ) -> Result<Option<(Pinning, Held)>, CliError> {
        if external.target.is_some() {
            return Ok(None);
        }
        let pinning = (self.local).pinning(resolved.stores.len(), resolved.load.workers)?;
        let Some(pinning) = pinning.filter(|pinning| pinning.applies(self.pin.asked())) else {
            return Ok(None);
        };
        let held = pinning.hold_client().map_err(|e| {
            CliError::failure(format!(
                "cannot give etcdmark cores of its own: {e}; pass --no-pin"
            ))
        })?;
        Ok(Some((pinning, held)))
    }

    /// One target per store: the external ones, or an etcd that is started for each.
    ///
    /// # Errors
    /// A local etcd does not start, or the workload has more stores than etcds were named.
    pub(super) async fn start(
        self,
        resolved: &ResolvedWorkload,
        external: EtcdChoice,
        pinning: Option<&Pinning>,
        quiet: bool,
    ) -> Result<(Vec<Target>, Vec<LocalCluster>), CliError> {
        let names: Vec<&str> = resolved.stores.iter().map(|s| s.name.as_str()).collect();
        if let Some(main) = external.target {
            let own = &resolved.stores[..names.len() - external.overrides.len()];
            if own.len() > 1 {
                return Err(CliError::usage(too_many_stores(own)));
            }
            let overridden = external.overrides.into_iter().map(|o| o.target);
            let targets = std::iter::once(main).chain(overridden).collect();
            return Ok((targets, Vec::new()));
        }
        if let Some(pinning) = pinning.filter(|_| !quiet) {
            complain(&pinning.to_string());
        }
        let mut targets = Vec::new();
        let mut locals = Vec::new();
        for name in &names {
            let of = (names.len() > 1).then_some(*name);
            let local = self.local.start(of, resolved.seed, pinning).await?;
            if !quiet {
                let files = local.file_system();
                let members = local.members().len();
                let etcd = local.binary();
                let store = of.map_or(String::new(), |of| format!("store {of}: "));
                complain(&format!(
                    "{store}etcd {} ({members} member{}), data in {} on {}",
                    etcd.version,
                    if members == 1 { "" } else { "s" },
                    local.data_dir().display(),
                    files,
                ));
                for line in media(&local) {
                    complain(&line);
                }
            }
            if let Some(note) = local.note() {
                complain(&format!("store {name}: {note}"));
            }
            let mut target = local.target();
            target.disposable = !self.local.keeps_data();
            target.members = self.load.target;
            targets.push(target);
            locals.push(local);
        }
        Ok((targets, locals))
    }
}

/// `--endpoints` is one etcd, and the workload wants more of its own.
fn too_many_stores(own: &[RoutedStore]) -> String {
    let names: Vec<&str> = own.iter().map(|s| s.name.as_str()).collect();
    let further = own.iter().skip(1).flat_map(|s| &s.resources);
    let further: Vec<String> = further
        .filter(|r| **r != Resource::Internal)
        .map(|r| format!("{}#URL", overrides::name(*r)))
        .collect();
    format!(
        "this workload has {} stores ({}), but --endpoints names one etcd: name the others with --overrides \
         '{}', or omit --endpoints to start a local etcd for each store",
        names.len(),
        names.join(", "),
        further.join(",")
    )
}

/// What is emulated under a local etcd, a line for each member that has a medium.
fn media(local: &LocalCluster) -> Vec<String> {
    let line = |member: &Member| {
        let info = member.medium()?.info;
        let cost = |c: SyncCost| {
            let (base, overhead) = (ns(c.base_ns), ns(c.overhead_ns));
            format!("{base} in the directory plus {overhead} emulation overhead")
        };
        let db = match info.db == info.wal {
            true => String::new(),
            false => format!(" (database: {})", cost(info.db)),
        };
        Some(format!(
            "medium {} for {}: etcdmark subtracts the cost of a real sync, {}{db}",
            info.name,
            member.name(),
            cost(info.wal)
        ))
    };
    local.members().iter().filter_map(line).collect()
}
