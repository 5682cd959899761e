//! What the analysis requires: its name, enough blocks, and the times of a full etcd where it fills one.

use super::changes::Changes;
use super::gate;
use super::source::ExperimentSource;
use crate::document::nearest;
use crate::experiment::analysis::{Analysis, Requirements};
use crate::experiment::error::ExperimentError;
use crate::experiment::plan::Fill;
use crate::experiment::registry::{Registry, RegistryEntry};
use crate::human::units::Span;
use std::time::Duration;

/// Blocks at most.
const MAX_BLOCKS: u32 = 1000;

impl ExperimentSource {
    /// The analysis that the file names.
    pub(crate) fn analysis(&self, analyses: &Registry) -> Result<RegistryEntry, ExperimentError> {
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

    /// Blocks of this run.
    pub(crate) fn blocks(
        &self,
        changes: &Changes,
        requirements: Requirements,
    ) -> Result<u32, ExperimentError> {
        let spec = &self.file.spec;
        if requirements.gate && !changes.smoke {
            return match (changes.blocks, spec.blocks) {
                (None, None) => Ok(gate::BLOCKS),
                (Some(n), _) => Err(ExperimentError::at(
                    format!("--blocks {n}"),
                    "a gate has its own number of blocks; remove it",
                )),
                (None, Some(_)) => {
                    Err(self.wrong("blocks", "a gate has its own number of blocks; remove it"))
                }
            };
        }
        let full = requirements.blocks;
        let least = if changes.smoke { 1 } else { full };
        let (place, blocks) = match (changes.blocks, changes.smoke) {
            (Some(n), true) => {
                let message = "a smoke test has its own number of blocks, and draws no conclusion of any; remove \
                               --blocks, or --smoke";
                return Err(ExperimentError::at(format!("--blocks {n}"), message));
            }
            (Some(n), false) => (format!("--blocks {n}"), n),
            (None, true) => (self.place("smoke.blocks"), spec.smoke.blocks.unwrap_or(1)),
            (None, false) => (self.place("blocks"), spec.blocks.unwrap_or(full)),
        };
        if (least..=MAX_BLOCKS).contains(&blocks) {
            return Ok(blocks);
        }
        let why = if changes.smoke || blocks > MAX_BLOCKS {
            ""
        } else {
            ", because fewer give no interval (--smoke runs fewer and draws no conclusion)"
        };
        Err(ExperimentError::at(
            place,
            format!("{blocks} blocks; use {least} to {MAX_BLOCKS}{why}"),
        ))
    }

    /// Times of a full etcd, where the analysis fills one.
    pub(crate) fn fill(
        &self,
        smoke: bool,
        analysis: &dyn Analysis,
    ) -> Result<Option<Fill>, ExperimentError> {
        let spec = &self.file.spec;
        let fills = analysis.requirements().full_etcd;
        for (path, times) in [("fill", spec.fill), ("smoke.fill", spec.smoke.fill)] {
            if times.is_some() && !fills {
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
}
