//! The traffic of an arm on a level: the experiment's workload with all changes.

use super::changes::Changes;
use super::edits::Edits;
use super::labels::Claims;
use super::source::ExperimentSource;
use super::spec::ArmSpec;
use super::sweep::Level;
use crate::document::DocumentError;
use crate::document::{ApiVersion, Metadata};
use crate::experiment::error::ExperimentError;
use crate::workload::file::{DocumentKind, WorkloadFile};
use crate::workload::{ResolvedWorkload, Source};
use serde_json::{Value, json};

/// What messages call a workload that is written out in the experiment's file.
const INLINE: &str = "workload.spec";

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
                    api_version: ApiVersion::V1Alpha2,
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

    /// The workload's spec with the changes as far as they can be made: what is wrong with one is said by
    /// [`Traffic::resolve`].
    fn spec(&self) -> Value {
        let changed = self.edits.overrides().apply(&self.workload.file);
        let file = changed.unwrap_or_else(|_| self.workload.file.clone());
        serde_json::to_value(&file.spec).unwrap_or_default()
    }

    /// The checked workload with a seed.
    pub(crate) fn resolve(&self, seed: u64) -> Result<ResolvedWorkload, ExperimentError> {
        let mut overrides = self.edits.overrides();
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

impl ExperimentSource {
    /// The traffic of an arm on a level.
    pub(crate) fn traffic(
        &self,
        arm: &ArmSpec,
        path: &str,
        level: &Level,
        changes: &Changes,
    ) -> Result<Traffic, ExperimentError> {
        let spec = &self.file.spec;
        let mut edits = self.set("workload", &spec.workload.set)?;
        edits.push_fields(self, "phases", "phases", &spec.phases);
        if changes.smoke {
            edits.push_fields(self, "smoke.phases", "phases", &spec.smoke.phases);
            edits.extend(&self.set("smoke", &spec.smoke.set)?);
        }
        let mut claims = Claims::new(Traffic::new(self, edits.clone())?.spec());
        claims.add(&mut edits, &format!("level {}", level.name), &level.edits)?;
        let mut own = Edits::default();
        own.push_fields(self, &format!("{path}.cluster"), "cluster", &arm.cluster);
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
            own.push(&place, "stores", "stores", &Value::from(stores).to_string());
        }
        if let Some(list) = &arm.split {
            let place = self.place(&format!("{path}.split"));
            own.split(&place, list, self.splits(arm, path, list)?);
        }
        own.extend(&self.set(path, &arm.set)?);
        claims.add(&mut edits, &format!("arm {}", arm.name), &own)?;
        let mut flags = Edits::default();
        flags.push_flag("--nodes", "cluster.nodes", changes.nodes.as_ref());
        flags.push_flag("--duration", "phases.duration", changes.duration.as_ref());
        for assignment in &changes.set {
            flags.push_set("", assignment)?;
        }
        claims.add(&mut edits, "the command line", &flags)?;
        Traffic::new(self, edits)
    }
}
