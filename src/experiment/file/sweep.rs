//! The levels of an experiment: what each changes of the workload.

use super::changes::Changes;
use super::edits::Edits;
use super::names::{known, label};
use super::source::ExperimentSource;
use super::spec::SweepSpec;
use crate::experiment::error::ExperimentError;
use crate::experiment::level::LevelName;

/// One level.
#[derive(Debug, Default)]
pub(crate) struct Level {
    pub(crate) name: LevelName,
    /// Where the file has it.
    pub(crate) path: String,
    /// Its changes of the workload.
    pub(crate) edits: Edits,
    /// Its flags of every etcd.
    pub(crate) flags: Vec<String>,
}

impl ExperimentSource {
    /// The levels that are going to be played; one without a name where there is no sweep.
    pub(crate) fn levels(&self, changes: &Changes) -> Result<Vec<Level>, ExperimentError> {
        let mut all = self.sweep(changes.smoke)?;
        let names: Vec<&str> = all.iter().map(|r| r.name.as_str()).collect();
        for name in &changes.levels {
            known("level", name, &names)
                .map_err(|m| ExperimentError::at(format!("--level {name}"), m))?;
        }
        all.retain(|r| changes.levels.is_empty() || changes.levels.iter().any(|l| r.name == **l));
        Ok(all)
    }

    fn sweep(&self, smoke: bool) -> Result<Vec<Level>, ExperimentError> {
        let spec = &self.file.spec;
        let (path, sweep) = match (&spec.smoke.sweep, &spec.sweep) {
            (Some(sweep), _) if smoke => ("smoke.sweep", sweep),
            (_, Some(sweep)) => ("sweep", sweep),
            (_, None) => return Ok(vec![Level::default()]),
        };
        let SweepSpec {
            rate_scale,
            nodes,
            levels,
        } = sweep;
        let numbers = |field: &str, to: &str, values: Vec<String>| -> Vec<Level> {
            let level = |(i, value): (usize, String)| {
                let path = format!("{path}.{field}.{i}");
                let place = self.place(&path);
                let mut edits = Edits::default();
                edits.push(&place, &format!("{field} {value}"), to, &value);
                Level {
                    name: LevelName::new(format!("{field}-{value}")),
                    path,
                    edits,
                    flags: Vec::new(),
                }
            };
            values.into_iter().enumerate().map(level).collect()
        };
        let all = match (rate_scale.is_empty(), nodes.is_empty(), levels.is_empty()) {
            (false, true, true) => numbers(
                "rateScale",
                "load.rateScale",
                rate_scale.iter().map(f64::to_string).collect(),
            ),
            (true, false, true) => numbers(
                "nodes",
                "cluster.nodes",
                nodes.iter().map(u64::to_string).collect(),
            ),
            (true, true, false) => {
                let mut all = Vec::new();
                for (i, level) in levels.iter().enumerate() {
                    let path = format!("{path}.levels.{i}");
                    label(&level.name).map_err(|m| self.wrong(&format!("{path}.name"), m))?;
                    all.push(Level {
                        name: LevelName::new(level.name.as_str()),
                        edits: self.set(&path, &level.set)?,
                        flags: level.etcd.flags.clone(),
                        path,
                    });
                }
                all
            }
            _ => return Err(self.wrong(path, "give exactly one of rateScale, nodes and levels")),
        };
        for (i, Level { name, .. }) in all.iter().enumerate() {
            if all[..i].iter().any(|r| r.name == *name) {
                return Err(self.wrong(path, format!("level {:?} is given twice", name.as_str())));
            }
        }
        Ok(all)
    }

    /// `set:` at a path.
    pub(crate) fn set(&self, path: &str, assignments: &[String]) -> Result<Edits, ExperimentError> {
        let mut edits = Edits::default();
        for (i, assignment) in assignments.iter().enumerate() {
            edits.push_set(&self.place(&format!("{path}.set.{i}")), assignment)?;
        }
        Ok(edits)
    }
}
