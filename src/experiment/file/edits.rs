//! The changes that an experiment makes of a workload, each with where it was written.

use super::source::ExperimentSource;
use crate::document::DocumentError;
use crate::document::{ApiVersion, Metadata};
use crate::experiment::error::ExperimentError;
use crate::workload::file::{DocumentKind, WorkloadFile};
use crate::workload::{Overrides, Resolved, Source, Split};
use serde::Serialize;

/// What messages call a workload that is written out in the experiment's file.
const INLINE: &str = "workload.spec";

/// Changes in the order in which they are applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits(Overrides);

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
                self.0
                    .push(format!("{flag} {assignment}"), path, value.trim());
                Ok(())
            }
            _ => Err(ExperimentError::at(
                format!("{flag} {assignment}"),
                "must be PATH=VALUE, for example cluster.podsPerNode=50",
            )),
        }
    }

    /// One field gets a value; `what` is what messages call it.
    pub(crate) fn push(&mut self, place: &str, what: &str, path: &str, value: &str) {
        self.0.push(format!("{place}: {what}"), path, value);
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
    pub(crate) fn split(&mut self, splits: Vec<Split>) {
        self.0.split(splits);
    }

    pub(crate) fn extend(&mut self, more: &Edits) {
        for edit in more.0.edits() {
            self.0
                .push(edit.flag.as_str(), edit.path.as_str(), edit.value.as_str());
        }
    }
}

/// A workload with an arm's and a level's changes.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    workload: Source,
    edits: Edits,
    /// Where the experiment's file has the workload that is written out in it.
    inline: Option<ExperimentSource>,
}

impl Traffic {
    pub(crate) fn new(source: &ExperimentSource, edits: Edits) -> Result<Self, ExperimentError> {
        let spec = &source.file.spec.workload;
        match (&spec.name, &spec.spec) {
            (Some(name), None) => Ok(Traffic {
                workload: Source::load(name)?,
                edits,
                inline: None,
            }),
            (None, Some(written)) => {
                let file = WorkloadFile {
                    api_version: ApiVersion::V1Alpha1,
                    kind: DocumentKind::Workload,
                    metadata: Metadata {
                        name: source.file.metadata.name.clone(),
                        description: None,
                    },
                    spec: written.clone(),
                };
                let workload = Source {
                    origin: INLINE.to_owned(),
                    text: String::new(),
                    file,
                };
                Ok(Traffic {
                    workload,
                    edits,
                    inline: Some(source.clone()),
                })
            }
            (None, None) => Err(source.wrong(
                "workload",
                "give either name (a built-in workload or a file) or spec (a complete workload)",
            )),
            (Some(_), Some(_)) => Err(source.wrong(
                "workload.name",
                "cannot be combined with spec; remove one of them",
            )),
        }
    }

    /// The checked workload with a seed.
    pub(crate) fn resolve(&self, seed: u64) -> Result<Resolved, ExperimentError> {
        let mut overrides = self.edits.0.clone();
        overrides.set("seed", seed);
        let error = match self.workload.resolve(&overrides) {
            Ok(resolved) if resolved.phases.duration.is_none() => {
                return Err(ExperimentError::at(
                    self.workload.origin.as_str(),
                    "phases.duration is forever, but a trial must end: set the experiment's phases.duration, \
                     such as 60s",
                ));
            }
            Ok(resolved) => return Ok(resolved),
            Err(e) => e,
        };
        match (error, &self.inline) {
            (DocumentError::Field { place, error }, Some(source)) if place == INLINE => {
                Err(source.wrong(&format!("{INLINE}.{}", error.path), error.message))
            }
            (error, _) => Err(error.into()),
        }
    }
}
