//! The rungs of an experiment: what each changes of the workload.

use super::edits::Edits;
use super::error::ExperimentError;
use super::file::LadderSpec;
use super::load::ExperimentSource;
use super::resolve::{Changes, known};

/// One rung.
#[derive(Debug, Default)]
pub(super) struct Rung {
    pub(super) name: String,
    /// Its changes of the workload.
    pub(super) edits: Edits,
    /// Its flags of every etcd.
    pub(super) flags: Vec<String>,
}

impl ExperimentSource {
    /// The rungs that are going to be played; one without a name where there is no ladder.
    pub(super) fn rungs(&self, changes: &Changes) -> Result<Vec<Rung>, ExperimentError> {
        let mut all = self.ladder(changes.smoke)?;
        let names: Vec<&str> = all.iter().map(|r| r.name.as_str()).collect();
        for name in &changes.rungs {
            known("level", name, &names)
                .map_err(|m| ExperimentError::at(format!("--rung {name}"), m))?;
        }
        all.retain(|r| changes.rungs.is_empty() || changes.rungs.contains(&r.name));
        Ok(all)
    }

    fn ladder(&self, smoke: bool) -> Result<Vec<Rung>, ExperimentError> {
        let spec = &self.file.spec;
        let (path, ladder) = match (&spec.smoke.ladder, &spec.ladder) {
            (Some(ladder), _) if smoke => ("smoke.ladder", ladder),
            (_, Some(ladder)) => ("ladder", ladder),
            (_, None) => return Ok(vec![Rung::default()]),
        };
        let LadderSpec {
            rate_scale,
            nodes,
            rungs,
        } = ladder;
        let numbers = |field: &str, to: &str, values: Vec<String>| -> Vec<Rung> {
            let rung = |(i, value): (usize, String)| {
                let place = self.place(&format!("{path}.{field}.{i}"));
                let mut edits = Edits::default();
                edits.push(&place, &format!("{field} {value}"), to, &value);
                Rung {
                    name: format!("{field}-{value}"),
                    edits,
                    flags: Vec::new(),
                }
            };
            values.into_iter().enumerate().map(rung).collect()
        };
        let all = match (rate_scale.is_empty(), nodes.is_empty(), rungs.is_empty()) {
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
                for (i, rung) in rungs.iter().enumerate() {
                    let path = format!("{path}.rungs.{i}");
                    label(&rung.name).map_err(|m| self.wrong(&format!("{path}.name"), m))?;
                    all.push(Rung {
                        name: rung.name.clone(),
                        edits: self.set(&path, &rung.set)?,
                        flags: rung.etcd.flags.clone(),
                    });
                }
                all
            }
            _ => return Err(self.wrong(path, "give exactly one of rateScale, nodes and levels")),
        };
        for (i, Rung { name, .. }) in all.iter().enumerate() {
            if all[..i].iter().any(|r| r.name == *name) {
                return Err(self.wrong(path, format!("level {name:?} is given twice")));
            }
        }
        Ok(all)
    }

    /// `set:` at a path.
    pub(super) fn set(&self, path: &str, assignments: &[String]) -> Result<Edits, ExperimentError> {
        let mut edits = Edits::default();
        for (i, assignment) in assignments.iter().enumerate() {
            edits.push_set(&self.place(&format!("{path}.set.{i}")), assignment)?;
        }
        Ok(edits)
    }
}

/// Names of arms and rungs become names of directories.
pub(super) fn label(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if begins && name.len() <= 40 && name.chars().all(fits) {
        return Ok(());
    }
    Err(format!(
        "{name:?} is not a valid name; use up to 40 lowercase letters, digits, dots and dashes, starting with a \
         letter or digit"
    ))
}
