//! The changes that an experiment makes of a workload, each with where it was written.

use super::source::ExperimentSource;
use crate::experiment::error::ExperimentError;
use crate::workload::{Edit, Overrides, Split};
use serde::Serialize;

/// Why a workload's seed is refused.
pub(super) const OWN_SEED: &str =
    "the seed of a trial is the experiment's: use --seed, or seed in its file";

/// Changes in the order in which they are applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits {
    overrides: Overrides,
    /// Where resources are given stores of their own.
    split: Option<Edit>,
}

impl Edits {
    /// `PATH=VALUE` at a place in the file, or of a flag when the place is empty.
    pub(crate) fn push_set(
        &mut self,
        place: &str,
        assignment: &str,
    ) -> Result<(), ExperimentError> {
        let flag = if place.is_empty() {
            "--set".to_owned()
        } else {
            format!("{place}: set")
        };
        match assignment.split_once('=') {
            Some((path, value)) if !path.trim().is_empty() => {
                let path = path.trim().strip_prefix("spec.").unwrap_or(path.trim());
                if path == "seed" {
                    return Err(ExperimentError::at(
                        format!("{flag} {assignment}"),
                        OWN_SEED,
                    ));
                }
                self.overrides
                    .push(format!("{flag} {assignment}"), path, value.trim());
                Ok(())
            }
            _ => Err(ExperimentError::at(
                format!("{flag} {assignment}"),
                "must be PATH=VALUE, for example cluster.podsPerNode=50",
            )),
        }
    }

    /// What a flag of the workload's gives.
    pub(crate) fn push_flag(&mut self, flag: &str, path: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.overrides
                .push(format!("{flag} {value}"), path, value.as_str());
        }
    }

    /// One field gets a value; `what` is what messages call it.
    pub(crate) fn push(&mut self, place: &str, what: &str, path: &str, value: &str) {
        self.overrides.push(format!("{place}: {what}"), path, value);
    }

    /// Every field that a section of the file gives.
    pub(crate) fn push_fields(
        &mut self,
        source: &ExperimentSource,
        path: &str,
        to: &str,
        section: &impl Serialize,
    ) {
        let document = serde_json::to_value(section).unwrap_or_default();
        for (field, value) in document.as_object().into_iter().flatten() {
            let place = source.place(&format!("{path}.{field}"));
            self.push(&place, field, &format!("{to}.{field}"), &value.to_string());
        }
    }

    /// Resources get a store of their own.
    pub(crate) fn split(&mut self, place: &str, list: &str, splits: Vec<Split>) {
        self.overrides.split(splits);
        self.split = Some(Edit {
            flag: format!("{place}: split {list}"),
            path: "stores".to_owned(),
            value: list.to_owned(),
        });
    }

    /// All that is changed, splits as a change of the stores.
    pub(crate) fn all(&self) -> Vec<Edit> {
        let edits = self.overrides.edits().iter();
        edits.chain(&self.split).cloned().collect()
    }

    /// As a workload takes them.
    pub(crate) fn overrides(&self) -> Overrides {
        self.overrides.clone()
    }

    pub(crate) fn extend(&mut self, more: &Edits) {
        self.overrides.extend(&more.overrides);
        if more.split.is_some() {
            self.split.clone_from(&more.split);
        }
    }
}
