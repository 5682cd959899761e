//! Arms that the command line makes: one for each `--dir`, `--medium` and `--split`, of the file's template.

use super::builtin::BUILTINS;
use super::changes::Changes;
use super::flag_arms::{FlagArm, flag_arms, names};
use super::source::ExperimentSource;
use super::spec::{ArmSpec, ForEachSpec};
use crate::experiment::error::ExperimentError;
use serde_json::Value;
use std::borrow::Cow;

/// A template that makes no arm of a flag's value.
#[derive(Debug, thiserror::Error)]
enum TemplateError {
    #[error(transparent)]
    Arm(#[from] serde_json::Error),
    #[error("forEach.dir has no dataDir, so a separate log directory has no effect")]
    NoDataDir,
}

impl ForEachSpec {
    fn templates(&self) -> [(&'static str, Option<&ArmSpec>); 3] {
        [
            ("dir", self.dir.as_ref()),
            ("medium", self.medium.as_ref()),
            ("split", self.split.as_ref()),
        ]
    }

    fn template(&self, kind: &str) -> Option<&ArmSpec> {
        let mut all = self.templates().into_iter();
        all.find_map(|(k, template)| template.filter(|_| k == kind))
    }
}

impl ExperimentSource {
    /// This experiment with an arm for everything that the flags name; `least` is how many it needs.
    pub(crate) fn for_each(
        &self,
        changes: &Changes,
        least: usize,
    ) -> Result<Cow<'_, Self>, ExperimentError> {
        self.check_templates()?;
        let found = flag_arms(changes)?;
        if found.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let mut source = self.clone();
        let spec = source.file.spec.for_each.clone().unwrap_or_default();
        if spec.keep_arms != Some(true) {
            (source.file.spec.arms, source.file.spec.baseline) = (Vec::new(), None);
        }
        for (one, name) in found.iter().zip(names(&found)) {
            let flags = one.flags();
            let Some(template) = spec.template(one.kind) else {
                return Err(ExperimentError::at(flags, self.no_template(one.kind)));
            };
            let arm = one.arm(template, &name);
            let arm = arm.map_err(|e| ExperimentError::at(flags.as_str(), e))?;
            source.file.spec.arms.push(arm);
            source.made.push(flags);
        }
        if source.file.spec.arms.len() < least {
            let message =
                format!("makes only one arm, but at least {least} are needed: name another one");
            return Err(ExperimentError::at(source.made.join(" "), message));
        }
        Ok(Cow::Owned(source))
    }

    /// A template that does not say where its words go would make arms that are all alike.
    fn check_templates(&self) -> Result<(), ExperimentError> {
        let spec = self.file.spec.for_each.iter();
        for (kind, template) in spec.flat_map(ForEachSpec::templates) {
            let Some(template) = template else { continue };
            let text = serde_json::to_string(template).unwrap_or_default();
            let wrong = |path: String, word: &str| {
                let message =
                    format!("does not contain {{{word}}}, so its arms would be identical");
                Err(self.wrong(&path, message))
            };
            if !template.name.contains("{name}") {
                return wrong(format!("forEach.{kind}.name"), "name");
            }
            if !text.contains(&format!("{{{kind}}}")) {
                return wrong(format!("forEach.{kind}"), kind);
            }
        }
        Ok(())
    }

    fn no_template(&self, kind: &str) -> String {
        let takes = |name: &&str| {
            let spec = ExperimentSource::load(name).map(|s| s.file.spec.for_each);
            spec.is_ok_and(|s| s.is_some_and(|s| s.template(kind).is_some()))
        };
        let names: Vec<&str> = BUILTINS.iter().map(|b| b.name).filter(takes).collect();
        format!(
            "{} cannot make arms from it, because its file has no forEach.{kind}; experiments that can: {}",
            self.file.metadata.name,
            names.join(", ")
        )
    }
}

impl FlagArm {
    /// The arm of a template.
    fn arm(&self, template: &ArmSpec, name: &str) -> Result<ArmSpec, TemplateError> {
        let mut document = serde_json::to_value(template)?;
        let own = format!("{{{}}}", self.kind);
        fill(
            &mut document,
            &[(&own, self.value.as_str()), ("{name}", name)],
        );
        let mut arm: ArmSpec = serde_json::from_value(document)?;
        if let Some(wal_dir) = &self.wal_dir {
            // Wherever the template places data, their log goes apart.
            let etcds = arm.stores.iter_mut().map(|s| &mut s.etcd);
            let mut placed = 0;
            for etcd in etcds
                .chain([&mut arm.etcd])
                .filter(|e| e.data_dir.is_some())
            {
                etcd.wal_dir = Some(wal_dir.clone());
                placed += 1;
            }
            if placed == 0 {
                return Err(TemplateError::NoDataDir);
            }
        }
        Ok(arm)
    }
}

/// Puts values where the words stand, in every text.
fn fill(document: &mut Value, words: &[(&str, &str)]) {
    match document {
        Value::String(text) => {
            for (word, value) in words {
                *text = text.replace(word, value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| fill(v, words)),
        Value::Object(fields) => fields.values_mut().for_each(|v| fill(v, words)),
        _ => {}
    }
}
