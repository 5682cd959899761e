//! Finding an etcd binary: the one named, else one of the version asked for, else the newest that is here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::error::LocalError;
use super::version::{EtcdVersion, VersionRequest};
use crate::measure::BinaryInfo;

/// What the user said about the binary (`--etcd`, `--etcd-version`).
#[derive(Clone, Debug, Default)]
pub struct BinaryChoice {
    /// `--etcd PATH`: this file and no other.
    pub path: Option<PathBuf>,
    /// `--etcd-version V`: exact (`3.5.16`, `3.7.0-rc.1`), a series (`3.5`) or `newest`. Of several that will do the newest
    /// release is taken, and a pre-release only where there is no release.
    pub version: Option<String>,
    /// The file must still hold these bytes, hex SHA-256: another process may have put something else there.
    pub sha256: Option<String>,
}

/// An etcd server binary that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdBinary {
    /// Absolute path.
    pub path: PathBuf,
    /// What `--version` says.
    pub version: EtcdVersion,
    /// Of its bytes, hex.
    pub sha256: String,
}

impl EtcdBinary {
    /// For plans and results.
    pub fn info(&self) -> BinaryInfo {
        BinaryInfo {
            path: self.path.display().to_string(),
            version: self.version.to_string(),
            sha256: self.sha256.clone(),
        }
    }
}

impl BinaryChoice {
    /// Finds the binary. Blocks for one or a few `etcd --version` (some 20 ms each) and one reading of the file.
    ///
    /// The cache is `$ETCDMARK_CACHE`, `$XDG_CACHE_HOME/etcdmark` or `~/.cache/etcdmark`, as in
    /// `scripts/install-etcd.sh`.
    pub fn find(&self) -> Result<EtcdBinary, LocalError> {
        self.find_in(&Places::from_env())
    }

    fn find_in(&self, places: &Places) -> Result<EtcdBinary, LocalError> {
        let wanted = self
            .version
            .as_deref()
            .map(VersionRequest::parse)
            .transpose()?;
        let found = match &self.path {
            Some(path) => {
                let found = probe(path)?;
                if let (Some(wanted), Some(text)) = (wanted, &self.version)
                    && !wanted.matches(&found.version)
                {
                    return Err(LocalError::VersionMismatch {
                        path: found.path,
                        found: found.version.to_string(),
                        wanted: text.clone(),
                    });
                }
                found
            }
            None => places
                .candidates()
                .filter_map(|path| probe(&path).ok())
                .filter(|found| wanted.as_ref().is_none_or(|w| w.matches(&found.version)))
                .max_by_key(|found| {
                    let released = found.version.pre_release().is_none();
                    (released, found.version.clone())
                })
                .ok_or_else(|| LocalError::NotFound {
                    wanted: self.version.clone(),
                    searched: places.cache_name(),
                })?,
        };
        let Found { path, version } = found;
        if version < EtcdVersion::OLDEST {
            let found = version.to_string();
            return Err(LocalError::TooOld { path, found });
        }
        let sha256 = sha256(&path)?;
        if self.sha256.as_ref().is_some_and(|s| *s != sha256) {
            return Err(LocalError::BinaryChanged { path });
        }
        Ok(EtcdBinary {
            path,
            version,
            sha256,
        })
    }
}

/// A file that says that it is etcd.
struct Found {
    path: PathBuf,
    version: EtcdVersion,
}

/// Where binaries may lie.
struct Places {
    cache: Option<PathBuf>,
    path: Option<OsString>,
}

impl Places {
    fn from_env() -> Self {
        let dir = |name| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let cache = dir("ETCDMARK_CACHE")
            .or_else(|| Some(dir("XDG_CACHE_HOME")?.join("etcdmark")))
            .or_else(|| Some(dir("HOME")?.join(".cache/etcdmark")));
        Places {
            cache,
            path: std::env::var_os("PATH"),
        }
    }

    fn cache_name(&self) -> String {
        let cache = self
            .cache
            .as_ref()
            .map(|c| c.join("etcd").display().to_string());
        cache.unwrap_or_else(|| {
            "the cache (none: neither ETCDMARK_CACHE nor HOME is set)".to_owned()
        })
    }

    fn candidates(&self) -> impl Iterator<Item = PathBuf> {
        let cached = self
            .cache
            .iter()
            .filter_map(|c| std::fs::read_dir(c.join("etcd")).ok());
        // A directory that begins with a dot is an installation under way.
        let cached = cached
            .flatten()
            .flatten()
            .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
            .map(|entry| entry.path().join("etcd"));
        let on_path = self
            .path
            .iter()
            .flat_map(std::env::split_paths)
            .map(|dir| dir.join("etcd"));
        cached
            .chain(on_path.filter(|p| p.is_file()).take(1))
            .filter(|p| p.is_file())
    }
}

fn sha256(path: &Path) -> Result<String, LocalError> {
    let bytes = std::fs::read(path).map_err(|e| LocalError::NotEtcd {
        path: path.to_owned(),
        reason: e.to_string(),
    })?;
    let digest = Sha256::digest(bytes);
    Ok(digest.iter().map(|b| format!("{b:02x}")).collect())
}

/// Runs `PATH --version`.
fn probe(path: &Path) -> Result<Found, LocalError> {
    let not_etcd = |reason: String| LocalError::NotEtcd {
        path: path.to_owned(),
        reason,
    };
    let path_of_file = std::fs::canonicalize(path).map_err(|e| not_etcd(e.to_string()))?;
    let output = Command::new(&path_of_file)
        .arg("--version")
        .stdin(Stdio::null())
        // Its own settings (ETCD_…) must not keep it from saying its version.
        .env_clear()
        .output()
        .map_err(|e| not_etcd(e.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("etcd Version:"))
        .map(str::trim);
    let version = version.and_then(EtcdVersion::parse).ok_or_else(|| {
        not_etcd(format!(
            "`--version` printed {:?}",
            text.lines().next().unwrap_or("")
        ))
    })?;
    Ok(Found {
        path: path_of_file,
        version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(major: u32, minor: u32, patch: u32) -> EtcdVersion {
        EtcdVersion {
            major,
            minor,
            patch,
            suffix: String::new(),
        }
    }

    /// A script that says a version, as only the finding is under test here. Another process writes it: a file that
    /// we had open for writing while another test forks could not be run ("text file busy").
    fn fake(dir: &Path, version: &str) -> PathBuf {
        std::fs::create_dir_all(dir).unwrap();
        let path = dir.join("etcd");
        let write = r#"printf '#!/bin/sh\necho "etcd Version: %s"\n' "$2" >"$1" && chmod 755 "$1""#;
        let status = Command::new("sh")
            .args(["-c", write, "sh"])
            .arg(&path)
            .arg(version)
            .status()
            .unwrap();
        assert!(status.success());
        path
    }

    fn choice(version: &str) -> BinaryChoice {
        BinaryChoice {
            version: Some(version.to_owned()),
            ..BinaryChoice::default()
        }
    }

    #[test]
    fn cache_and_path_are_searched_and_the_newest_match_wins() {
        let tmp = tempfile::tempdir().unwrap();
        for version in ["3.4.23", "3.5.9", "3.5.30", "3.6.1"] {
            fake(&tmp.path().join("etcd").join(version), version);
        }
        fake(&tmp.path().join("etcd/.stage.x"), "3.9.9");
        for version in ["3.7.3-rc.1", "3.8.0-rc.0"] {
            fake(&tmp.path().join("etcd").join(version), version);
        }
        fake(&tmp.path().join("bin"), "3.7.2");
        let places = Places {
            cache: Some(tmp.path().to_owned()),
            path: Some(tmp.path().join("bin").into_os_string()),
        };
        let find = |c: &BinaryChoice| c.find_in(&places).map(|b| b.version);
        assert_eq!(find(&BinaryChoice::default()).unwrap(), v(3, 7, 2));
        assert_eq!(find(&choice("newest")).unwrap(), v(3, 7, 2));
        assert_eq!(find(&choice("3.5")).unwrap(), v(3, 5, 30));
        assert_eq!(find(&choice("3.7")).unwrap(), v(3, 7, 2));
        let only = find(&choice("3.8")).unwrap();
        assert_eq!(only.to_string(), "3.8.0-rc.0");
        assert_eq!(find(&choice("v3.5.9")).unwrap(), v(3, 5, 9));
        assert!(matches!(
            find(&choice("3.5.1")),
            Err(LocalError::NotFound { .. })
        ));
        assert!(matches!(
            find(&choice("three")),
            Err(LocalError::BadVersion(_))
        ));
    }

    #[test]
    fn a_named_binary_is_used_and_checked() {
        let tmp = tempfile::tempdir().unwrap();
        let none = Places {
            cache: None,
            path: None,
        };
        let named = |path: PathBuf, version: Option<&str>| {
            BinaryChoice {
                path: Some(path),
                version: version.map(str::to_owned),
                sha256: None,
            }
            .find_in(&none)
        };
        let etcd = fake(&tmp.path().join("a"), "3.5.30");
        let found = named(etcd.clone(), None).unwrap();
        assert_eq!((&found.version, found.sha256.len()), (&v(3, 5, 30), 64));
        fake(&tmp.path().join("a"), "3.5.31");
        let kept = BinaryChoice {
            path: Some(etcd.clone()),
            version: None,
            sha256: Some(found.sha256),
        };
        assert!(matches!(
            kept.find_in(&none),
            Err(LocalError::BinaryChanged { .. })
        ));
        assert!(matches!(
            named(etcd, Some("3.6")),
            Err(LocalError::VersionMismatch { .. })
        ));
        assert!(matches!(
            named("/bin/true".into(), None),
            Err(LocalError::NotEtcd { .. })
        ));
        assert!(matches!(
            named("/nonexistent/etcd".into(), None),
            Err(LocalError::NotEtcd { .. })
        ));
        let old = fake(&tmp.path().join("b"), "3.3.27");
        assert!(matches!(named(old, None), Err(LocalError::TooOld { .. })));
    }

    #[test]
    fn nothing_found_tells_what_to_do() {
        let nothing = Places {
            cache: None,
            path: None,
        };
        let error = choice("3.6").find_in(&nothing).unwrap_err();
        let text = error.to_string();
        for remedy in [
            "scripts/install-etcd.sh 3.6",
            "etcd-server",
            "--endpoints",
            "--etcd PATH",
        ] {
            assert!(text.contains(remedy), "{text}");
        }
        assert!(error.is_usage());
    }
}
