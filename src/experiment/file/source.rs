//! From a name or a path to an experiment file.

use super::builtin::{BUILTINS, builtin};
use super::spec::ExperimentFile;
use crate::document::parse_yaml;
use crate::document::read_document;
use crate::document::{locate, nearest};
use crate::experiment::error::ExperimentError;
use std::path::{Path, PathBuf};

/// An experiment as it was written, with where it came from.
#[derive(Clone, Debug)]
pub struct ExperimentSource {
    /// The file's path, or `workloads/experiments/NAME.yaml` of a built-in.
    pub origin: String,
    /// The text, comments included.
    pub text: String,
    /// What it says.
    pub file: ExperimentFile,
    /// The flags that made the last arms, one entry for each.
    pub(crate) made: Vec<String>,
}

impl ExperimentSource {
    /// A built-in's name, else the path of a file. A built-in can be shadowed only by a path with a slash.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is no experiment: then with line, column and the nearest right key.
    pub fn load(name: &str) -> Result<Self, ExperimentError> {
        if let Some(b) = builtin(name) {
            return Self::parse(
                format!("workloads/experiments/{}.yaml", b.name),
                b.text.to_owned(),
            );
        }
        match read_document(Path::new(name)) {
            Ok(text) => Self::parse(name.to_owned(), text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(not_found(name)),
            Err(source) => Err(ExperimentError::Read {
                path: PathBuf::from(name),
                source,
            }),
        }
    }

    /// An experiment's text; `origin` is what messages call it.
    ///
    /// # Errors
    /// It is no experiment.
    pub fn parse(origin: String, text: String) -> Result<Self, ExperimentError> {
        let file = parse_yaml(&text, &origin)?;
        Ok(ExperimentSource {
            origin,
            text,
            file,
            made: Vec::new(),
        })
    }

    /// The flags that made the arm which a path leads to, and the rest of the path.
    fn made<'a>(&self, path: &'a str) -> Option<(&str, &'a str)> {
        let path = path.strip_prefix("arms.")?;
        let (index, rest) = path.split_once('.').unwrap_or((path, ""));
        let written = self.file.spec.arms.len() - self.made.len();
        let made = index.parse::<usize>().ok()?.checked_sub(written)?;
        Some((self.made.get(made)?, rest))
    }

    /// `FILE:LINE:COLUMN` of the field at a path under `spec`, such as `arms.split.set.0`; the flags, if they made it.
    pub(crate) fn place(&self, path: &str) -> String {
        if let Some((flags, _)) = self.made(path) {
            return flags.to_owned();
        }
        match locate(&self.text, path) {
            Some((line, column)) => format!("{}:{line}:{column}", self.origin),
            None => self.origin.clone(),
        }
    }

    /// An error at that field.
    pub(crate) fn wrong(&self, path: &str, message: impl std::fmt::Display) -> ExperimentError {
        let rest = self.made(path).map_or(path, |(_, rest)| rest);
        ExperimentError::at(self.place(path), format!("{rest}: {message}"))
    }
}

fn not_found(name: &str) -> ExperimentError {
    let names: Vec<&str> = BUILTINS.iter().map(|b| b.name).collect();
    let stem = Path::new(name)
        .file_stem()
        .and_then(|s| s.to_str())
        .unwrap_or(name);
    let hint = nearest(stem, names.iter().copied())
        .map_or(String::new(), |n| format!("; did you mean {n:?}?"));
    ExperimentError::NotFound {
        name: name.to_owned(),
        hint,
        builtins: names.join(", "),
    }
}
