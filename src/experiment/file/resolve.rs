//! An experiment file with nothing left to decide: flags applied, arms, levels and trials laid out, everything checked
//! before the first etcd is started.

use super::arm::{Arm, StoreEtcd};
use super::disks;
use super::edits::{Edits, Traffic};
use super::order::order;
use super::source::ExperimentSource;
use super::spec::ArmSpec;
use super::sweep::{Level, label};
use crate::document::{check_name, nearest};
use crate::experiment::analysis::{Analysis, Requirements};
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::{ArmPlan, ExperimentPlan, Fill, PLAN_VERSION, SkippedArm, TrialPlan};
use crate::experiment::registry::{Registered, Registry};
use crate::experiment::result::metric::Metric;
use crate::human::units::Span;
use crate::workload::{Resolved, canonical_sha256};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Primary metrics at most: more hypotheses than that and none can be found with a few blocks.
const MAX_PRIMARY: usize = 4;
/// Blocks and arms at most.
const MAX_BLOCKS: u32 = 1000;
const MAX_ARMS: usize = 50;

/// What flags change.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The smoke form.
    pub smoke: bool,
    /// `--blocks`.
    pub blocks: Option<u32>,
    /// `--seed`.
    pub seed: Option<u64>,
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
    /// `--allow-live-cluster`, of etcds that run already.
    pub allow_live_cluster: bool,
    /// `--yes-this-etcd-is-mine`, of all of them.
    pub yes_this_etcd_is_mine: bool,
}

/// A checked experiment.
#[derive(Debug)]
pub struct Experiment {
    /// What `plan.json` holds.
    pub plan: ExperimentPlan,
    pub(crate) analysis: Registered,
    pub(crate) arms: Vec<Arm>,
    /// External etcds may be a live cluster's.
    pub(crate) allow_live_cluster: bool,
}

impl Experiment {
    /// The arm, the etcds and the workload of a trial.
    pub(crate) fn scene(
        &self,
        trial: &TrialPlan,
    ) -> Result<(&str, &[StoreEtcd], Resolved), ExperimentError> {
        let level = self
            .plan
            .levels
            .iter()
            .position(|r| *r == trial.level)
            .unwrap_or(0);
        let arm = self.arms.iter().find(|a| a.name == trial.arm);
        let arm = arm.ok_or_else(|| {
            ExperimentError::at("plan", format!("there is no arm {:?}", trial.arm))
        })?;
        let workload = arm.traffic[level].resolve(trial.seed)?;
        Ok((&arm.name, &arm.etcds[level], workload))
    }

    /// Every workload that is going to be played, with the first block's seed.
    pub fn workloads(&self) -> impl Iterator<Item = Result<Resolved, ExperimentError>> + '_ {
        let traffic = self.arms.iter().flat_map(|a| &a.traffic);
        traffic.map(|t| t.resolve(self.plan.seed))
    }
}

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
        registered: Registered,
    ) -> Result<Experiment, ExperimentError> {
        let (analysis, requirements) = (registered.analysis, registered.analysis.requirements());
        let spec = &self.file.spec;
        let at = |path: &str, message: String| self.wrong(path, message);
        let name = &self.file.metadata.name;
        if let Err(e) = check_name("metadata.name", name) {
            return Err(ExperimentError::at(
                self.place("metadata.name"),
                e.to_string(),
            ));
        }
        let blocks = self.blocks(changes, requirements)?;
        let seed = changes.seed.or(spec.seed).unwrap_or(1);
        let snapshot = spec.snapshot.unwrap_or(false);
        self.names(analysis)?;
        let chosen = self.chosen(changes)?;
        let levels = self.levels(changes)?;
        let primary = self.metrics("primary", &spec.primary)?;
        if !(1..=MAX_PRIMARY).contains(&primary.len()) {
            let n = primary.len();
            return Err(at(
                "primary",
                format!("has {n} metrics; name 1 to {MAX_PRIMARY}"),
            ));
        }
        self.metrics("metrics", &spec.metrics)?;

        let (mut arms, mut plans, mut skipped_arms) = (Vec::new(), Vec::new(), Vec::new());
        for (index, arm) in chosen {
            let path = format!("arms.{index}");
            let traffic = levels
                .iter()
                .map(|level| self.traffic(arm, &path, &level.edits, changes))
                .collect::<Result<Vec<_>, _>>()?;
            let mut resolved = Vec::new();
            for t in &traffic {
                resolved.push(t.resolve(seed)?);
            }
            for workload in &resolved {
                self.written(arm, &path, workload)?;
                for (i, metric) in primary.iter().enumerate() {
                    metric.fits(&workload.rates()).map_err(|m| {
                        at(
                            &format!("primary.{i}"),
                            format!("{:?} in arm {}: {m}", metric.name, arm.name),
                        )
                    })?;
                }
            }
            let stores: Vec<String> = resolved[0].stores.iter().map(|s| s.name.clone()).collect();
            match self.etcds(arm, &path, &stores, snapshot, changes)? {
                Ok(etcds) => {
                    plans.push(ArmPlan {
                        name: arm.name.clone(),
                        description: arm.description.clone().unwrap_or_default(),
                        stores: etcds.iter().map(StoreEtcd::plan).collect(),
                    });
                    arms.push(Arm {
                        name: arm.name.clone(),
                        etcds: on_levels(&arm.name, &etcds, &levels)?,
                        traffic,
                        workloads: resolved.iter().map(Resolved::json).collect(),
                    });
                }
                Err(reason) => skipped_arms.push(SkippedArm {
                    arm: arm.name.clone(),
                    reason,
                }),
            }
        }
        self.distinct(&arms, changes)?;
        let least = requirements.arms;
        if arms.len() < least {
            let out: Vec<String> = skipped_arms
                .iter()
                .map(|l| format!("; {}: {}", l.arm, l.reason))
                .collect();
            let message = format!(
                "{} left, but the analysis {} needs at least {least}{}",
                match arms.len() {
                    1 => "1 arm is".to_owned(),
                    n => format!("{n} arms are"),
                },
                analysis.name(),
                out.concat()
            );
            return Err(at("arms", message));
        }
        let wanted = spec.baseline.as_deref();
        let baseline = arms
            .iter()
            .find(|a| Some(a.name.as_str()) == wanted)
            .unwrap_or(&arms[0]);
        let mut plan = ExperimentPlan {
            version: PLAN_VERSION,
            hash: String::new(),
            name: name.clone(),
            question: spec.question.clone(),
            analysis: analysis.name().to_owned(),
            smoke: changes.smoke,
            seed,
            blocks,
            snapshot,
            baseline: baseline.name.clone(),
            arms: plans,
            skipped_arms,
            level_flags: levels
                .iter()
                .filter(|r| !r.flags.is_empty())
                .map(|r| (r.name.clone(), r.flags.clone()))
                .collect(),
            levels: levels.into_iter().map(|r| r.name).collect(),
            primary: spec.primary.clone(),
            metrics: spec.metrics.clone(),
            fill: self.fill(changes.smoke, analysis)?,
            notes: Vec::new(),
            trials: Vec::new(),
        };
        plan.trials = trials(&plan);
        plan.hash = hash(&plan, &arms);
        // Remarks decide nothing.
        plan.notes = disks::shared(&arms);
        plan.notes.extend(warnings(&arms));
        Ok(Experiment {
            plan,
            analysis: registered,
            arms,
            allow_live_cluster: changes.allow_live_cluster,
        })
    }

    fn analysis(&self, analyses: &Registry) -> Result<Registered, ExperimentError> {
        let Some(wanted) = self.file.spec.analysis.as_deref() else {
            return Ok(analyses.default());
        };
        let known: Vec<&str> = analyses.iter().map(|r| r.analysis.name()).collect();
        analyses.get(wanted).ok_or_else(|| {
            let meant = nearest(wanted, known.iter().copied())
                .map_or(String::new(), |n| format!("; did you mean {n:?}?"));
            self.wrong(
                "analysis",
                format!(
                    "{wanted:?} is not known{meant} (known: {})",
                    known.join(", ")
                ),
            )
        })
    }

    fn blocks(
        &self,
        changes: &Changes,
        requirements: Requirements,
    ) -> Result<u32, ExperimentError> {
        let spec = &self.file.spec;
        let full = requirements.blocks;
        let least = if changes.smoke { 1 } else { full };
        let (place, blocks) = match (changes.blocks, changes.smoke) {
            (Some(n), _) => (format!("--blocks {n}"), n),
            (None, true) => (self.place("smoke.blocks"), spec.smoke.blocks.unwrap_or(1)),
            (None, false) => (self.place("blocks"), spec.blocks.unwrap_or(full)),
        };
        if (least..=MAX_BLOCKS).contains(&blocks) {
            return Ok(blocks);
        }
        let why = if changes.smoke {
            ""
        } else {
            ", because fewer give no interval (--smoke runs fewer and draws no conclusion)"
        };
        Err(ExperimentError::at(
            place,
            format!("{blocks} blocks; use {least} to {MAX_BLOCKS}{why}"),
        ))
    }

    /// What becomes of a full etcd, where the analysis fills one.
    fn fill(&self, smoke: bool, analysis: &dyn Analysis) -> Result<Option<Fill>, ExperimentError> {
        let spec = &self.file.spec;
        let fills = analysis.requirements().full_etcd;
        for (path, given) in [("fill", spec.fill), ("smoke.fill", spec.smoke.fill)] {
            if given.is_some() && !fills {
                let name = analysis.name();
                let message = format!("the analysis {name} does not fill an etcd; remove it");
                return Err(self.wrong(path, message));
            }
        }
        let own = spec.fill.unwrap_or_default();
        let short = spec.smoke.fill.filter(|_| smoke).unwrap_or_default();
        let seconds = |a: Option<Span>, b: Option<Span>, default: u64| {
            a.or(b)
                .map_or(Duration::from_secs(default), |s| s.0)
                .as_secs_f64()
        };
        Ok(fills.then(|| Fill {
            hold: seconds(short.hold, own.hold, 60),
            after: seconds(short.after, own.after, 10),
        }))
    }

    /// Arms' names are names, once each; the baseline is one of them.
    fn names(&self, analysis: &dyn Analysis) -> Result<(), ExperimentError> {
        let spec = &self.file.spec;
        let least = analysis.requirements().arms;
        if !(least..=MAX_ARMS).contains(&spec.arms.len()) {
            let (n, name) = (spec.arms.len(), analysis.name());
            return Err(self.wrong(
                "arms",
                format!("has {n}; the analysis {name} needs {least} to {MAX_ARMS} arms"),
            ));
        }
        let names: Vec<&str> = spec.arms.iter().map(|a| a.name.as_str()).collect();
        for (i, name) in names.iter().enumerate() {
            let path = format!("arms.{i}.name");
            label(name).map_err(|m| self.wrong(&path, m))?;
            if names[..i].contains(name) {
                return Err(self.wrong(&path, format!("{name:?} is given twice")));
            }
        }
        match &spec.baseline {
            Some(wanted) => known("arm", wanted, &names).map_err(|m| self.wrong("baseline", m)),
            None => Ok(()),
        }
    }

    /// The arms that `--arm` names (else the smoke form's own choice), in the file's order, with their index there.
    fn chosen(&self, changes: &Changes) -> Result<Vec<(usize, &ArmSpec)>, ExperimentError> {
        let spec = &self.file.spec;
        let names: Vec<&str> = spec.arms.iter().map(|a| a.name.as_str()).collect();
        for name in &changes.arms {
            known("arm", name, &names)
                .map_err(|m| ExperimentError::at(format!("--arm {name}"), m))?;
        }
        // Arms that flags made are played whatever the smoke form chooses of the file's; they may have replaced those.
        let written = spec.arms.len() - self.made.len();
        let of_file = if written > 0 {
            spec.smoke.arms.as_slice()
        } else {
            &[]
        };
        for (i, name) in of_file.iter().enumerate() {
            known("arm", name, &names[..written])
                .map_err(|m| self.wrong(&format!("smoke.arms.{i}"), m))?;
        }
        let by_smoke = changes.arms.is_empty() && changes.smoke;
        let wanted = if by_smoke { of_file } else { &changes.arms };
        let all = spec.arms.iter().enumerate();
        Ok(all
            .filter(|(i, a)| {
                wanted.is_empty() || wanted.contains(&a.name) || (by_smoke && *i >= written)
            })
            .collect())
    }

    fn metrics(&self, list: &str, names: &[String]) -> Result<Vec<Metric>, ExperimentError> {
        let metrics = names.iter().enumerate().map(|(i, name)| {
            Metric::parse(name).map_err(|m| self.wrong(&format!("{list}.{i}"), m))
        });
        metrics.collect()
    }

    /// The traffic of an arm on a level.
    fn traffic(
        &self,
        arm: &ArmSpec,
        path: &str,
        level: &Edits,
        changes: &Changes,
    ) -> Result<Traffic, ExperimentError> {
        let spec = &self.file.spec;
        let mut edits = self.set("workload", &spec.workload.set)?;
        edits.push_fields(self, "phases", "phases", &spec.phases);
        if changes.smoke {
            edits.push_fields(self, "smoke.phases", "phases", &spec.smoke.phases);
            edits.extend(&self.set("smoke", &spec.smoke.set)?);
        }
        edits.extend(level);
        edits.push_fields(self, &format!("{path}.cluster"), "cluster", &arm.cluster);
        if !arm.stores.is_empty() {
            let stores: Vec<Value> = arm
                .stores
                .iter()
                .map(|s| match &s.resources {
                    Some(resources) => json!({ "name": s.name, "resources": resources }),
                    None => json!({ "name": s.name }),
                })
                .collect();
            let place = self.place(&format!("{path}.stores"));
            edits.push(&place, "stores", "stores", &Value::from(stores).to_string());
        }
        if let Some(list) = &arm.split {
            edits.split(self.splits(arm, path, list)?);
        }
        edits.extend(&self.set(path, &arm.set)?);
        for assignment in &changes.set {
            edits.push_set("", assignment)?;
        }
        Traffic::new(self, edits)
    }
}

/// What etcd will warn of, each once.
fn warnings(arms: &[Arm]) -> Vec<String> {
    let mut all = Vec::new();
    for arm in arms {
        let started = arm.etcds.iter().flatten().filter_map(|etcd| match etcd {
            StoreEtcd::Local(etcd) => etcd.warning(),
            StoreEtcd::External(_) => None,
        });
        for warning in started.map(|w| format!("arm {}: {w}", arm.name)) {
            if !all.contains(&warning) {
                all.push(warning);
            }
        }
    }
    all
}

/// An arm's etcds on each level.
fn on_levels(
    arm: &str,
    etcds: &[StoreEtcd],
    levels: &[Level],
) -> Result<Vec<Vec<StoreEtcd>>, ExperimentError> {
    let external = etcds.iter().any(|e| matches!(e, StoreEtcd::External(_)));
    if let Some(level) = levels.iter().find(|r| external && !r.flags.is_empty()) {
        let message = format!(
            "etcd.flags apply only to etcds that etcdmark starts, but arm {arm} has endpoints; remove them"
        );
        return Err(ExperimentError::at(
            format!("level {}", level.name),
            message,
        ));
    }

    let on_level = |level: &Level| {
        let etcds = etcds.iter().map(|e| e.on_level(&level.flags));
        etcds.collect::<Result<Vec<_>, _>>()
    };
    let all = levels.iter().map(on_level).collect::<Result<Vec<_>, _>>();
    all.map_err(|source| ExperimentError::Local {
        arm: arm.to_owned(),
        source: Box::new(source),
    })
}

fn trials(plan: &ExperimentPlan) -> Vec<TrialPlan> {
    let slots = order(plan.seed, plan.blocks, plan.levels.len(), plan.arms.len());
    let trial = |(trial, slot): (u32, super::order::Slot)| {
        let (level, arm) = (&plan.levels[slot.level], &plan.arms[slot.arm].name);
        let dash = if level.is_empty() { "" } else { "-" };
        // All trials of a snapshot begin with the same bytes, which are one seed's.
        let step = if plan.snapshot {
            0
        } else {
            u64::from(slot.block)
        };
        TrialPlan {
            trial,
            block: slot.block + 1,
            level: level.clone(),
            arm: arm.clone(),
            order: slot.order,
            seed: plan.seed.wrapping_add(step),
            directory: format!("trials/{trial:03}-{level}{dash}{arm}"),
        }
    };
    (1..).zip(slots).map(trial).collect()
}

fn hash(plan: &ExperimentPlan, arms: &[Arm]) -> String {
    let workloads: Vec<&Vec<Value>> = arms.iter().map(|a| &a.workloads).collect();
    canonical_sha256(&json!({
        "plan": serde_json::to_value(plan).unwrap_or_default(),
        "workloads": workloads,
    }))
}

pub(crate) fn known(what: &str, name: &str, names: &[&str]) -> Result<(), String> {
    if names.contains(&name) {
        return Ok(());
    }
    let meant = nearest(name, names.iter().copied())
        .map_or(String::new(), |n| format!("; did you mean {n:?}?"));
    Err(format!(
        "this experiment has no {what} {name:?}{meant} ({what}s: {})",
        names.join(", ")
    ))
}
