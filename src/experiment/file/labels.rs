//! What a level and an arm are called is true of what is played: no later change may rewrite what they set, and no two
//! of them may be the same.

use super::arm::Arm;
use super::edits::Edits;
use super::etcd_spec::{EtcdSpec, flag_name};
use super::source::ExperimentSource;
use super::spec::ArmSpec;
use super::sweep::Level;
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::StorePlan;
use crate::workload::{Edit, overlap};
use serde_json::Value;

/// What levels and arms set, of one workload.
pub(super) struct Claims {
    /// The workload's spec: its lists' items have names and numbers.
    spec: Value,
    claimed: Vec<(String, Edit)>,
}

impl Claims {
    pub(super) fn new(spec: Value) -> Self {
        Claims {
            spec,
            claimed: Vec::new(),
        }
    }

    /// Adds `more` to `edits`: what `who` sets, a level or an arm.
    pub(super) fn add(
        &mut self,
        edits: &mut Edits,
        who: &str,
        more: &Edits,
    ) -> Result<(), ExperimentError> {
        let all = more.all();
        for edit in &all {
            for (other, claim) in &self.claimed {
                if let Some(path) = overlap(edit, claim, &self.spec) {
                    let message = format!(
                        "would rewrite {path}, which {other} sets ({}); remove one of them",
                        claim.flag
                    );
                    return Err(ExperimentError::at(edit.flag.as_str(), message));
                }
            }
        }
        self.claimed
            .extend(all.into_iter().map(|edit| (who.to_owned(), edit)));
        edits.extend(more);
        Ok(())
    }
}

impl ExperimentSource {
    /// Refuses a level's flag of etcd that an arm sets itself, or that the command line gives.
    pub(super) fn claimed_flags(
        &self,
        arm: &ArmSpec,
        path: &str,
        levels: &[Level],
        given: &[String],
    ) -> Result<(), ExperimentError> {
        let stores = arm.stores.iter().enumerate();
        let stores = stores.map(|(i, s)| (format!("{path}.stores.{i}.etcd"), &s.etcd));
        let own: Vec<(String, &String)> = std::iter::once((format!("{path}.etcd"), &arm.etcd))
            .chain(stores)
            .flat_map(|(at, etcd)| {
                let flags = etcd.flags.iter().enumerate();
                flags.map(move |(i, flag)| (format!("{at}.flags.{i}"), flag))
            })
            .collect();
        for level in levels {
            for (i, flag) in level.flags.iter().enumerate() {
                let at = format!("{}.etcd.flags.{i}", level.path);
                let mut given = given.iter();
                if let Some(own) = given.find(|f| flag_name(f) == flag_name(flag)) {
                    let message = format!(
                        "would rewrite {flag}, which level {} sets ({}); remove one of them",
                        level.name,
                        self.place(&at)
                    );
                    return Err(ExperimentError::at(format!("--etcd-flag {own}"), message));
                }
                let mut own = own.iter();
                if let Some((set, claim)) = own.find(|(_, f)| flag_name(f) == flag_name(flag)) {
                    let message = format!(
                        "{flag} would rewrite {claim}, which arm {} sets ({}); remove one of them",
                        arm.name,
                        self.place(set)
                    );
                    return Err(self.wrong(&at, message));
                }
            }
        }
        Ok(())
    }

    /// Refuses a flag for the etcd of every arm that this arm sets itself, or that cannot apply to it.
    pub(super) fn unclaimed(
        &self,
        arm: &ArmSpec,
        path: &str,
        flags: &EtcdSpec,
    ) -> Result<(), ExperimentError> {
        let stores = arm.stores.iter().enumerate();
        let stores = stores.map(|(i, s)| (format!("{path}.stores.{i}.etcd"), &s.etcd));
        for (at, own) in std::iter::once((format!("{path}.etcd"), &arm.etcd)).chain(stores) {
            for (field, flag) in flags.given() {
                let rewritten = own.given().into_iter().find(|(other, _)| {
                    let external = |f: &str| matches!(f, "endpoints" | "kind");
                    let binary = |f: &str| matches!(f, "path" | "version");
                    // Flags of etcd come beside one another.
                    (*other == field && field != "flags")
                        || (binary(other) && binary(field))
                        || external(other)
                        || external(field)
                });
                let Some((other, _)) = rewritten else {
                    continue;
                };
                let place = self.place(&format!("{at}.{other}"));
                let message = format!(
                    "is for the etcd of every arm, but arm {} sets etcd.{other} ({place}); remove one of them",
                    arm.name
                );
                return Err(ExperimentError::at(flag, message));
            }
            for (i, claim) in own.flags.iter().enumerate() {
                let mut given = flags.flags.iter();
                let Some(flag) = given.find(|f| flag_name(f) == flag_name(claim)) else {
                    continue;
                };
                let place = self.place(&format!("{at}.flags.{i}"));
                let message = format!(
                    "would rewrite {claim}, which arm {} sets ({place}); remove one of them",
                    arm.name
                );
                return Err(ExperimentError::at(format!("--etcd-flag {flag}"), message));
            }
        }
        Ok(())
    }

    /// Refuses two levels, or two arms, that differ in their names only.
    pub(super) fn different(&self, arms: &[Arm], levels: &[Level]) -> Result<(), ExperimentError> {
        let played: Vec<Vec<(&Value, Vec<StorePlan>)>> = arms.iter().map(played).collect();
        for (arm, played) in arms.iter().zip(&played) {
            if let Some((i, j)) = twice(played) {
                let (one, other, arm) = (&levels[i].name, &levels[j].name, arm.name());
                let message = format!(
                    "levels {one} and {other} are the same in arm {arm}: the same workload and the same etcd flags; \
                     change one of them, or remove it"
                );
                return Err(self.wrong("sweep", message));
            }
        }
        let Some((i, j)) = twice(&played) else {
            return Ok(());
        };
        let message = format!(
            "arms {} and {} are the same: workload, etcd binary, flags, members and directories; change one of \
             them, or remove it",
            arms[i].name(),
            arms[j].name()
        );
        Err(self.wrong("arms", message))
    }
}

/// What an arm plays on each level, without names.
fn played(arm: &Arm) -> Vec<(&Value, Vec<StorePlan>)> {
    let etcds = arm.etcds.iter();
    let etcds = etcds.map(|level| level.iter().map(|e| e.nameless()).collect());
    arm.workloads.iter().zip(etcds).collect()
}

/// The first two that are equal.
fn twice<T: PartialEq>(all: &[T]) -> Option<(usize, usize)> {
    let first = |(j, b): (usize, &T)| Some((all[..j].iter().position(|a| a == b)?, j));
    all.iter().enumerate().find_map(first)
}
