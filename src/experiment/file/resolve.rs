//! An experiment file with nothing left to decide: flags applied, arms, levels and trials laid out, everything checked
//! before the first etcd is started.

use super::arm::{Arm, on_levels};
use super::changes::Changes;
use super::disks;
use super::edits::OWN_SEED;
use super::etcd::StoreEtcd;
use super::experiment::Experiment;
use super::external;
use super::order::trials;
use super::placement::Placement;
use super::source::ExperimentSource;
use super::spec::ArmSpec;
use super::sweep::Level;
use crate::document::check_name;
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::{ArmPlan, ExperimentPlan, PLAN_VERSION, SkippedArm};
use crate::experiment::registry::{Registry, RegistryEntry};
use crate::experiment::result::metric::Metric;
use crate::workload::{ResolvedWorkload, canonical_sha256};
use serde_json::{Value, json};
use std::path::Path;

/// Primary metrics at most: more hypotheses than that and none can be found with a few blocks.
const MAX_PRIMARY: usize = 4;

impl ExperimentSource {
    /// Applies the flags, lays out the trials and checks everything.
    ///
    /// # Errors
    /// What is wrong, where, and what would be right.
    pub fn resolve(
        &self,
        changes: &Changes,
        analyses: &Registry,
    ) -> Result<Experiment, ExperimentError> {
        let analysis = self.analysis(analyses)?;
        let least = analysis.analysis.requirements().arms;
        self.for_each(changes, least)?.lay_out(changes, analysis)
    }

    fn lay_out(
        &self,
        changes: &Changes,
        analysis: RegistryEntry,
    ) -> Result<Experiment, ExperimentError> {
        let spec = &self.file.spec;
        let name = &self.file.metadata.name;
        check_name("metadata.name", name)
            .map_err(|e| ExperimentError::at(self.place("metadata.name"), e.to_string()))?;
        if spec
            .workload
            .spec
            .as_ref()
            .is_some_and(|w| w.seed.is_some())
        {
            return Err(self.wrong("workload.spec.seed", OWN_SEED));
        }
        let blocks = self.blocks(changes, analysis.analysis.requirements())?;
        self.names(analysis.analysis)?;
        let gate = self.gate(changes, analysis.analysis.requirements())?;
        let chosen = self.chosen(changes)?;
        let levels = self.levels(changes)?;
        let layout = Layout {
            source: self,
            changes,
            seed: changes.seed.or(spec.seed).unwrap_or(1),
            snapshot: spec.snapshot.unwrap_or(false),
            primary: self.judged(gate.as_ref())?,
            levels: &levels,
        };
        self.metrics("metrics", &spec.metrics)?;
        let (mut arms, mut skipped_arms) = (Vec::new(), Vec::new());
        for (index, arm) in &chosen {
            self.unclaimed(arm, &format!("arms.{index}"), &changes.etcd)?;
        }
        for (index, arm) in chosen {
            match layout.arm(arm, &format!("arms.{index}"))? {
                ArmLayout::Ready(arm) => arms.push(*arm),
                ArmLayout::Skipped(skipped) => skipped_arms.push(skipped),
            }
        }
        self.distinct(&arms, changes)?;
        self.enough(&arms, &skipped_arms, analysis, changes)?;
        if !changes.null {
            self.different(&arms, &levels)?;
        }
        let wanted = spec.baseline.as_deref();
        let baseline = arms.iter().find(|a| Some(a.name()) == wanted);
        let primary = layout.primary.iter().map(|m| m.name.clone()).collect();
        let mut plan = ExperimentPlan {
            version: PLAN_VERSION,
            hash: String::new(),
            name: name.clone(),
            question: spec.question.clone(),
            analysis: analysis.analysis.name().to_owned(),
            smoke: changes.smoke,
            seed: layout.seed,
            blocks,
            snapshot: layout.snapshot,
            baseline: baseline.unwrap_or(&arms[0]).name().to_owned(),
            arms: arms.iter().map(|a| a.plan.clone()).collect(),
            skipped_arms,
            level_flags: levels
                .iter()
                .filter(|r| !r.flags.is_empty())
                .map(|r| (r.name.clone(), r.flags.clone()))
                .collect(),
            levels: levels.into_iter().map(|r| r.name).collect(),
            primary,
            metrics: spec.metrics.clone(),
            gate,
            fill: self.fill(changes.smoke, analysis.analysis)?,
            notes: Vec::new(),
            trials: Vec::new(),
        };
        plan.trials = trials(&plan);
        plan.hash = hash(&plan, &arms);
        // Remarks decide nothing.
        plan.notes = disks::in_memory(&arms);
        plan.notes.extend(disks::shared(&arms));
        plan.notes.extend(elsewhere(&plan));
        plan.notes.extend(external::shared(&arms));
        for warning in arms.iter().flat_map(Arm::warnings) {
            if !plan.notes.contains(&warning) {
                plan.notes.push(warning);
            }
        }
        // A smoke test is short on purpose, and concludes nothing.
        if !changes.smoke {
            let sparse = self.hardly_played(&plan, &arms)?;
            plan.notes.extend(sparse);
        }
        Ok(Experiment {
            plan,
            analysis,
            arms,
            allow_live_cluster: changes.allow_live_cluster,
        })
    }

    /// What is to be said of actors whose period is longer than a trial: of the arms where it is so.
    ///
    /// # Errors
    /// When nothing at all would be played.
    fn hardly_played(
        &self,
        plan: &ExperimentPlan,
        arms: &[Arm],
    ) -> Result<Vec<String>, ExperimentError> {
        let mut said: Vec<(String, Vec<&str>)> = Vec::new();
        for arm in arms {
            for traffic in &arm.traffic {
                // What is wrong with a workload is told where it is played or validated.
                let Ok(workload) = traffic.resolve(plan.seed) else {
                    continue;
                };
                let sentences = workload.hardly_played();
                if workload.plays_nothing() {
                    let message =
                        format!("arm {} plays nothing: {}", arm.name(), sentences.join("; "));
                    return Err(self.wrong("phases", message));
                }
                for sentence in sentences {
                    match said.iter_mut().find(|(s, _)| *s == sentence) {
                        Some((_, of)) if of.last() == Some(&arm.name()) => {}
                        Some((_, of)) => of.push(arm.name()),
                        None => said.push((sentence, vec![arm.name()])),
                    }
                }
            }
        }
        let note = |(sentence, of): (String, Vec<&str>)| match of.len() {
            n if n == arms.len() => sentence,
            1 => format!("arm {}: {sentence}", of[0]),
            _ => format!("arms {}: {sentence}", of.join(", ")),
        };
        Ok(said.into_iter().map(note).collect())
    }

    /// Refuses an experiment of which too few arms are left.
    fn enough(
        &self,
        arms: &[Arm],
        skipped: &[SkippedArm],
        analysis: RegistryEntry,
        changes: &Changes,
    ) -> Result<(), ExperimentError> {
        let least = analysis.analysis.requirements().arms;
        if arms.len() >= least {
            return Ok(());
        }
        let skipped = skipped.iter().map(|l| format!("; {}: {}", l.arm, l.reason));
        let message = format!(
            "{} left, but the analysis {} needs at least {least}{}",
            match arms.len() {
                1 => "1 arm is".to_owned(),
                n => format!("{n} arms are"),
            },
            analysis.analysis.name(),
            skipped.collect::<String>()
        );
        // Who names one arm is to blame, and not the file.
        match changes.arms.as_slice() {
            [] => Err(self.wrong("arms", message)),
            names => Err(ExperimentError::at(
                format!("--arm {}", names.join(" --arm ")),
                message,
            )),
        }
    }

    pub(super) fn primary(&self) -> Result<Vec<Metric>, ExperimentError> {
        let primary = self.metrics("primary", &self.file.spec.primary)?;
        match primary.len() {
            1..=MAX_PRIMARY => Ok(primary),
            n => {
                let message = format!("has {n} metrics; name 1 to {MAX_PRIMARY}");
                Err(self.wrong("primary", message))
            }
        }
    }

    pub(super) fn metrics(
        &self,
        list: &str,
        names: &[String],
    ) -> Result<Vec<Metric>, ExperimentError> {
        let mut metrics: Vec<Metric> = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let wrong = |message: String| self.wrong(&format!("{list}.{i}"), message);
            let metric = Metric::parse(name).map_err(|m| wrong(m.to_string()))?;
            // Holm's correction would count it twice.
            if metrics.iter().any(|m| m.same(&metric)) {
                return Err(wrong(format!("{name:?} is given twice")));
            }
            metrics.push(metric);
        }
        Ok(metrics)
    }
}

/// Directories that are not here: a plan with them can be printed, not played.
fn elsewhere(plan: &ExperimentPlan) -> Vec<String> {
    let missing = |arm: &ArmPlan| {
        let stores = arm.stores.iter();
        let mut dirs = stores.flat_map(|s| s.data_dir.iter().chain(&s.wal_dir));
        let dir = dirs.find(|dir| !Path::new(dir).exists())?;
        Some(format!(
            "arm {}: {dir} is not on this machine, so nothing is known of it",
            arm.name
        ))
    };
    plan.arms.iter().filter_map(missing).collect()
}

/// What all arms have in common.
struct Layout<'a> {
    source: &'a ExperimentSource,
    changes: &'a Changes,
    seed: u64,
    snapshot: bool,
    primary: Vec<Metric>,
    levels: &'a [Level],
}

enum ArmLayout {
    Ready(Box<Arm>),
    Skipped(SkippedArm),
}

impl Layout<'_> {
    /// The arm that the file has at `path`.
    fn arm(&self, arm: &ArmSpec, path: &str) -> Result<ArmLayout, ExperimentError> {
        let given = &self.changes.etcd.flags;
        self.source.claimed_flags(arm, path, self.levels, given)?;
        let of_level = |level: &Level| self.source.traffic(arm, path, level, self.changes);
        let traffic = self.levels.iter().map(of_level);
        let traffic = traffic.collect::<Result<Vec<_>, _>>()?;
        let workloads = traffic.iter().map(|t| t.resolve(self.seed));
        let workloads = workloads.collect::<Result<Vec<ResolvedWorkload>, _>>()?;
        for workload in &workloads {
            self.source.written(arm, path, workload)?;
            for (i, metric) in self.primary.iter().enumerate() {
                metric.fits(&workload.rates()).map_err(|m| {
                    let message = format!("{:?} in arm {}: {m}", metric.name, arm.name);
                    self.source.wrong(&format!("primary.{i}"), message)
                })?;
            }
        }
        let stores: Vec<String> = workloads[0].stores.iter().map(|s| s.name.clone()).collect();
        let placed = self
            .source
            .etcds(arm, path, &stores, self.snapshot, self.changes)?;
        Ok(match placed {
            Placement::Ready(etcds) => ArmLayout::Ready(Box::new(Arm {
                plan: ArmPlan {
                    name: arm.name.clone(),
                    description: arm.description.clone().unwrap_or_default(),
                    stores: etcds.iter().map(StoreEtcd::plan).collect(),
                },
                etcds: on_levels(&arm.name, &etcds, self.levels)?,
                traffic,
                workloads: workloads.iter().map(ResolvedWorkload::json).collect(),
            })),
            Placement::Skipped(reason) => ArmLayout::Skipped(SkippedArm {
                arm: arm.name.clone(),
                reason,
            }),
        })
    }
}

/// Over all that decides the trials, and nothing that changes while they are played: how much room there is. The number of blocks
/// does not: more of them do not change the first ones.
fn hash(plan: &ExperimentPlan, arms: &[Arm]) -> String {
    let mut plan = ExperimentPlan {
        blocks: 0,
        trials: Vec::new(),
        ..plan.clone()
    };
    for skipped in &mut plan.skipped_arms {
        skipped.reason.clear();
    }
    for store in plan.arms.iter_mut().flat_map(|a| &mut a.stores) {
        if store.goes_where_there_is_room() {
            store.file_system.clear();
        }
        // A kind cluster's ports and addresses change when it is started again.
        if store.kind.is_some() {
            store.endpoints.clear();
        }
    }
    let workloads: Vec<&Vec<Value>> = arms.iter().map(|a| &a.workloads).collect();
    canonical_sha256(&json!({
        "plan": serde_json::to_value(&plan).unwrap_or_default(),
        "workloads": workloads,
    }))
}
