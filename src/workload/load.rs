//! From a name or a path to a workload file.

use super::builtin::{BUILTINS, builtin};
use super::file::WorkloadFile;
use super::overrides::Overrides;
use super::resolve::ResolvedWorkload;
use crate::document::DocumentError;
use crate::document::read_document;
use crate::document::{nearest, parse_yaml};
use std::path::{Path, PathBuf};

/// A workload as it was written, with where it came from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file's path, or `workloads/NAME.yaml` of a built-in.
    pub origin: String,
    /// The text, comments included.
    pub text: String,
    /// What it says.
    pub file: WorkloadFile,
}

impl Source {
    /// A built-in's name, else the path of a file. A built-in can be shadowed only by a path with a
    /// slash (`./cluster`).
    pub fn load(name: &str) -> Result<Self, DocumentError> {
        if let Some(b) = builtin(name) {
            return Self::parse(format!("workloads/{}.yaml", b.name), b.text.to_owned());
        }
        let path = Path::new(name);
        match read_document(path) {
            Ok(text) => Self::parse(name.to_owned(), text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(not_found(name)),
            Err(source) => Err(DocumentError::Read {
                path: PathBuf::from(name),
                source,
            }),
        }
    }

    /// A workload's text; `origin` is what messages call it.
    pub fn parse(origin: String, text: String) -> Result<Self, DocumentError> {
        let file = parse_yaml(&text, &origin)?;
        Ok(Source { origin, text, file })
    }

    /// Applies the overrides, fills in the defaults and checks everything.
    pub fn resolve(&self, overrides: &Overrides) -> Result<ResolvedWorkload, DocumentError> {
        let mut file = overrides.apply(&self.file)?;
        let notes = overrides.apply_splits(&mut file);
        let thresholds = file.spec.thresholds.len();
        let resolved = ResolvedWorkload::new(file).map_err(|error| {
            let appended = || overrides.appended("thresholds", &error.path, thresholds);
            let flag = overrides.flag_of(&error.path).or_else(appended);
            let place =
                flag.unwrap_or_else(|| match crate::document::locate(&self.text, &error.path) {
                    Some((line, column)) => format!("{}:{line}:{column}", self.origin),
                    None => self.origin.clone(),
                });
            DocumentError::Field { place, error }
        })?;
        Ok(ResolvedWorkload { notes, ..resolved })
    }
}

fn not_found(name: &str) -> DocumentError {
    let names: Vec<&str> = BUILTINS.iter().map(|b| b.name).collect();
    let stem = Path::new(name)
        .file_stem()
        .and_then(|s| s.to_str())
        .unwrap_or(name);
    let hint = nearest(stem, names.iter().copied())
        .map_or(String::new(), |n| format!("; did you mean {n:?}?"));
    DocumentError::NotFound {
        name: name.to_owned(),
        hint,
        builtins: names.join(", "),
    }
}
