//! Names of arms and levels: their form, and which ones a flag or a field chooses.

use super::changes::Changes;
use super::source::ExperimentSource;
use super::spec::ArmSpec;
use crate::document::nearest;
use crate::experiment::analysis::Analysis;
use crate::experiment::error::ExperimentError;

/// Arms at most.
const MAX_ARMS: usize = 50;
/// Characters of a name at most.
pub(super) const LONGEST: usize = 40;

/// A name that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    /// Names of arms and levels become names of directories.
    #[error(
        "{0:?} is not a valid name; use up to 40 lowercase letters, digits, dots and dashes, starting with a \
         letter or digit"
    )]
    Form(String),
    /// Nothing has a name.
    #[error("this experiment has no {what}s to choose from; remove it")]
    None {
        /// Arm or level.
        what: &'static str,
    },
    /// Nothing is called so.
    #[error("this experiment has no {what} {name:?}{hint} ({what}s: {known})")]
    Unknown {
        /// Arm or level.
        what: &'static str,
        name: String,
        /// "; did you mean …?" or nothing.
        hint: String,
        known: String,
    },
}

/// Whether an arm or a level may be called so.
pub(crate) fn label(name: &str) -> Result<(), NameError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if begins && name.len() <= LONGEST && name.chars().all(fits) {
        return Ok(());
    }
    Err(NameError::Form(name.to_owned()))
}

/// Whether `name` is one of `names`.
pub(crate) fn known(what: &'static str, name: &str, names: &[&str]) -> Result<(), NameError> {
    if names.contains(&name) {
        return Ok(());
    }
    if names.iter().all(|n| n.is_empty()) {
        return Err(NameError::None { what });
    }
    let hint = nearest(name, names.iter().copied());
    Err(NameError::Unknown {
        what,
        name: name.to_owned(),
        hint: hint.map_or(String::new(), |n| format!("; did you mean {n:?}?")),
        known: names.join(", "),
    })
}

impl ExperimentSource {
    /// Arms' names are names, once each; the baseline is one of them.
    pub(crate) fn names(&self, analysis: &dyn Analysis) -> Result<(), ExperimentError> {
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
    pub(crate) fn chosen(
        &self,
        changes: &Changes,
    ) -> Result<Vec<(usize, &ArmSpec)>, ExperimentError> {
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
}
