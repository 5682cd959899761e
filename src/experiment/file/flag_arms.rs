//! What `--dir`, `--wal-dir`, `--medium` and `--split` name: a value each, and what its arm can be called.

use super::changes::Changes;
use super::names::LONGEST;
use crate::experiment::error::ExperimentError;
use std::path::{Component, Path, PathBuf};

/// What a list of resources may take of an arm's name.
const LONGEST_SPLIT: usize = 30;
/// Characters of a directory's name that go into an arm's.
const LONGEST_WORD: usize = 30;

/// An arm that one flag makes.
pub(super) struct FlagArm {
    /// The flag, the template and the placeholder: `dir`, `medium` or `split`.
    pub(super) kind: &'static str,
    pub(super) value: String,
    /// What an arm can be called after, the last word first of all.
    words: Vec<String>,
    /// Where the write-ahead log goes, apart from the data.
    pub(super) wal_dir: Option<PathBuf>,
}

impl FlagArm {
    fn dir(dir: &Path, wal_dir: Option<&PathBuf>) -> Self {
        let mut words = words(&dir.canonicalize().unwrap_or_else(|_| dir.to_owned()));
        let wal = wal_dir.filter(|wal| *wal != dir);
        if let (Some(wal), Some(last)) = (wal.and_then(|w| self::words(w).pop()), words.last_mut())
        {
            *last = format!("{last}-wal-{wal}");
        }
        FlagArm {
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
        FlagArm {
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
        FlagArm {
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
    pub(super) fn flags(&self) -> String {
        let wal = self.wal_dir.as_ref();
        let wal = wal.map_or(String::new(), |dir| format!(" --wal-dir {}", dir.display()));
        format!("--{} {}{wal}", self.kind, self.value)
    }
}

/// Directories first, then media, then splits, each in the order given.
pub(super) fn flag_arms(changes: &Changes) -> Result<Vec<FlagArm>, ExperimentError> {
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
    let dirs = dirs.map(|(i, dir)| FlagArm::dir(dir, wals.get(i).or(wals.first())));
    let media = changes.media.iter().map(|m| FlagArm::medium(m));
    let splits = changes.splits.iter().map(|s| FlagArm::split(s));
    let arms: Vec<FlagArm> = dirs.chain(media).chain(splits).collect();
    let flags: Vec<String> = arms.iter().map(FlagArm::flags).collect();
    let mut twice = flags.iter().enumerate();
    match twice.find(|(i, one)| flags[..*i].contains(one)) {
        Some((_, one)) => Err(ExperimentError::at(
            one.as_str(),
            "given twice; name it once",
        )),
        None => Ok(arms),
    }
}

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

/// A name for each: its last word, and as many of those before it as it takes to tell it from the others. What is longer
/// than a name may be is cut at its front, and what is alike then is numbered.
pub(super) fn names(arms: &[FlagArm]) -> Vec<String> {
    let last = |one: &FlagArm, n: usize| one.words[one.words.len().saturating_sub(n)..].join("-");
    let name = |(i, one): (usize, &FlagArm)| {
        let alone = |n: &usize| {
            let name = last(one, *n);
            let others = arms.iter().enumerate().filter(|(j, _)| *j != i);
            others.map(|(_, o)| last(o, *n)).all(|o| o != name)
        };
        let n = (1..=one.words.len()).find(alone).unwrap_or(1);
        last(one, n)
    };
    let mut all: Vec<String> = Vec::new();
    for name in arms.iter().enumerate().map(name) {
        let mut fitted = end_of(&name, LONGEST);
        let mut n = 1;
        while all.contains(&fitted) {
            n += 1;
            let number = format!("-{n}");
            fitted = end_of(&name, LONGEST - number.len()) + &number;
        }
        all.push(fitted);
    }
    all
}

/// The last characters of a name, without a dash or a dot at its front.
fn end_of(name: &str, longest: usize) -> String {
    // Letters, digits, dashes and dots: a byte each.
    let end = &name[name.len().saturating_sub(longest)..];
    end.trim_start_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::file::names::label;

    fn called(dirs: &[(&str, Option<&str>)], media: &[&str]) -> Vec<String> {
        let dirs = dirs
            .iter()
            .map(|(d, w)| FlagArm::dir(Path::new(d), w.map(PathBuf::from).as_ref()));
        let media = media.iter().map(|m| FlagArm::medium(m));
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
        let split = |list| FlagArm::split(list).words;
        assert_eq!(split("events, leases+nodes"), ["events-leases.nodes"]);
        assert_eq!(
            split("events,leases,nodes,csinodes,endpoints"),
            ["5-stores"]
        );
        let volume = "/x/pvc-0b5f1c1e-2f0a-4d52-9c61-4c7a1f1b8e33";
        for name in called(&[("/x/.Cache é", None), (volume, None)], &["../.yaml"]) {
            assert_eq!(label(&name), Ok(()), "{name}");
        }
        // Kubernetes' volumes of two pods, as the kubelet mounts them, with a log apart.
        let pod = |uid: &str| {
            format!(
                "/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~csi/pvc-0b5f1c1e-2f0a-4d52-9c61-4c7a1f1b8e33/mount"
            )
        };
        let (a, b) = (pod("6f1c"), pod("7a2d"));
        let names = called(
            &[(&a, Some(&b)), (&b, Some(&a)), (&a, None), (&b, None)],
            &[],
        );
        for (i, name) in names.iter().enumerate() {
            assert_eq!(label(name), Ok(()), "{name}");
            assert!(!names[..i].contains(name), "{names:?}");
        }
    }
}
