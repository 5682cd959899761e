//! Arms that the command line makes: one for each `--dir`, `--medium` and `--split`, of the file's template.

use super::builtin::BUILTINS;
use super::changes::Changes;
use super::source::ExperimentSource;
use super::spec::{ArmSpec, ForEachSpec};
use crate::experiment::error::ExperimentError;
use serde_json::Value;
use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

/// What a list of resources may take of an arm's name.
const LONGEST_SPLIT: usize = 30;

/// What one flag named.
struct Named {
    /// The flag, the template and the placeholder: `dir`, `medium` or `split`.
    kind: &'static str,
    /// As given.
    value: String,
    /// What an arm can be called after, the last word first of all.
    words: Vec<String>,
    /// Where the write-ahead log goes, apart from the data.
    wal_dir: Option<PathBuf>,
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
        let named = named(changes)?;
        if named.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let mut source = self.clone();
        let spec = source.file.spec.for_each.clone().unwrap_or_default();
        if spec.keep_arms != Some(true) {
            (source.file.spec.arms, source.file.spec.baseline) = (Vec::new(), None);
        }
        for (one, name) in named.iter().zip(names(&named)) {
            let flags = one.flags();
            let Some(template) = spec.template(one.kind) else {
                return Err(ExperimentError::at(flags, self.no_template(one.kind)));
            };
            let arm = one.arm(template, &name);
            let arm = arm.map_err(|m| ExperimentError::at(flags.as_str(), m))?;
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

impl Named {
    fn dir(dir: &Path, wal_dir: Option<&PathBuf>) -> Self {
        let mut words = words(&dir.canonicalize().unwrap_or_else(|_| dir.to_owned()));
        let wal = wal_dir.filter(|wal| *wal != dir);
        if let (Some(wal), Some(last)) = (wal.and_then(|w| self::words(w).pop()), words.last_mut())
        {
            *last = format!("{last}-wal-{wal}");
        }
        Named {
            kind: "dir",
            value: dir.display().to_string(),
            words,
            wal_dir: wal_dir.cloned(),
        }
    }

    fn medium(medium: &str) -> Self {
        let name = [".yaml", ".yml"]
            .into_iter()
            .find_map(|end| medium.strip_suffix(end))
            .unwrap_or(medium);
        Named {
            kind: "medium",
            value: medium.to_owned(),
            words: words(Path::new(name)),
            wal_dir: None,
        }
    }

    /// `events,leases+nodes` → `events-leases.nodes`, and where that is no name any more, `7-stores`.
    fn split(list: &str) -> Self {
        let name = list.replace(' ', "").replace(',', "-").replace('+', ".");
        let stores = list.split(',').count();
        Named {
            kind: "split",
            value: list.to_owned(),
            words: vec![if name.len() > LONGEST_SPLIT {
                format!("{stores}-stores")
            } else {
                name
            }],
            wal_dir: None,
        }
    }

    /// The flags that make its arm, for messages.
    fn flags(&self) -> String {
        let wal = self.wal_dir.as_ref();
        let wal = wal.map_or(String::new(), |dir| format!(" --wal-dir {}", dir.display()));
        format!("--{} {}{wal}", self.kind, self.value)
    }

    fn arm(&self, template: &ArmSpec, name: &str) -> Result<ArmSpec, String> {
        let mut document = serde_json::to_value(template).map_err(|e| e.to_string())?;
        let own = format!("{{{}}}", self.kind);
        fill(
            &mut document,
            &[(&own, self.value.as_str()), ("{name}", name)],
        );
        let mut arm: ArmSpec = serde_json::from_value(document).map_err(|e| e.to_string())?;
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
                return Err(
                    "forEach.dir has no dataDir, so a separate log directory has no effect"
                        .to_owned(),
                );
            }
        }
        Ok(arm)
    }
}

/// Directories first, then media, then splits, each in the order given.
fn named(changes: &Changes) -> Result<Vec<Named>, ExperimentError> {
    let (dirs, wals) = (&changes.dirs, &changes.wal_dirs);
    if !wals.is_empty() && (dirs.is_empty() || ![1, dirs.len()].contains(&wals.len())) {
        let message = format!(
            "{} with {} --dir: name one for all of them, or one for each, in the same order",
            wals.len(),
            dirs.len()
        );
        return Err(ExperimentError::at("--wal-dir", message));
    }
    if let Some(dir) = dirs.iter().chain(wals).find(|d| d.to_str().is_none()) {
        return Err(ExperimentError::at(
            format!("directory {}", dir.display()),
            "its name is not UTF-8",
        ));
    }
    let dirs = dirs.iter().enumerate();
    let dirs = dirs.map(|(i, dir)| Named::dir(dir, wals.get(i).or(wals.first())));
    let media = changes.media.iter().map(|m| Named::medium(m));
    let splits = changes.splits.iter().map(|s| Named::split(s));
    Ok(dirs.chain(media).chain(splits).collect())
}

/// Characters of a directory's name that go into an arm's.
const LONGEST_WORD: usize = 30;

/// A path's parts, each fit for an arm's name.
fn words(path: &Path) -> Vec<String> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy().to_lowercase()),
        _ => None,
    });
    let fit = |part: String| -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let fit = |c: char| if fits(c) { c } else { '-' };
        let part: Vec<char> = part.chars().map(fit).collect();
        // Of pvc-UUID the end tells it from others; an arm's name has 40 characters at most.
        let end: String = part[part.len().saturating_sub(LONGEST_WORD)..]
            .iter()
            .collect();
        end.trim_matches(['-', '.']).to_owned()
    };
    let words: Vec<String> = parts.map(fit).filter(|p| !p.is_empty()).collect();
    if words.is_empty() {
        vec!["root".to_owned()]
    } else {
        words
    }
}

/// A name for each: its last word, and as many of those before it as it takes to tell it from the others.
fn names(named: &[Named]) -> Vec<String> {
    let last = |one: &Named, n: usize| one.words[one.words.len().saturating_sub(n)..].join("-");
    let name = |(i, one): (usize, &Named)| {
        let alone = |n: &usize| {
            let name = last(one, *n);
            let others = named.iter().enumerate().filter(|(j, _)| *j != i);
            others.map(|(_, o)| last(o, *n)).all(|o| o != name)
        };
        let n = (1..=one.words.len()).find(alone).unwrap_or(1);
        last(one, n)
    };
    named.iter().enumerate().map(name).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::file::names::label;

    fn called(dirs: &[(&str, Option<&str>)], media: &[&str]) -> Vec<String> {
        let dirs = dirs
            .iter()
            .map(|(d, w)| Named::dir(Path::new(d), w.map(PathBuf::from).as_ref()));
        let media = media.iter().map(|m| Named::medium(m));
        names(&dirs.chain(media).collect::<Vec<_>>())
    }

    #[test]
    fn arms_are_called_after_what_they_are_made_of() {
        assert_eq!(
            called(&[("/x/nvme", None), ("/x/GP3_a", None)], &["hdd"]),
            ["nvme", "gp3-a", "hdd"]
        );
        assert_eq!(
            called(
                &[("/x/a/etcd", None), ("/x/b/etcd", None), ("/x/hdd", None)],
                &["hdd", "media/mine.yaml"]
            ),
            ["a-etcd", "b-etcd", "x-hdd", "hdd", "mine"]
        );
        assert_eq!(
            called(
                &[
                    ("/x/gp3", Some("/x/gp3")),
                    ("/x/gp3", Some("/x/nvme")),
                    ("/", None)
                ],
                &[]
            ),
            ["gp3", "gp3-wal-nvme", "root"]
        );
        let split = |list| Named::split(list).words;
        assert_eq!(split("events, leases+nodes"), ["events-leases.nodes"]);
        assert_eq!(
            split("events,leases,nodes,csinodes,endpoints"),
            ["5-stores"]
        );
        let volume = "/x/pvc-0b5f1c1e-2f0a-4d52-9c61-4c7a1f1b8e33";
        for name in called(&[("/x/.Cache é", None), (volume, None)], &["../.yaml"]) {
            assert_eq!(label(&name), Ok(()), "{name}");
        }
    }
}
