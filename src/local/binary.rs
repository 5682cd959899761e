//! Finding an etcd binary: the one named, else one of the version asked for, else the newest that is here.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::LocalError;

/// Any version will do, the newest that is here.
const NEWEST: &str = "newest";

/// etcd's version, as `etcd --version` prints it; pre-release suffixes are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtcdVersion {
    /// 3 in 3.5.16.
    pub major: u32,
    /// 5 in 3.5.16.
    pub minor: u32,
    /// 16 in 3.5.16.
    pub patch: u32,
}

impl EtcdVersion {
    /// The oldest version that etcdmark supports.
    pub const OLDEST: EtcdVersion = EtcdVersion {
        major: 3,
        minor: 4,
        patch: 0,
    };

    /// Parses `3.5.16` or `3.7.0-rc.0`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let release = text.split(['-', '+']).next()?;
        let mut parts = release.split('.').map(|p| p.parse().ok());
        let version = EtcdVersion {
            major: parts.next()??,
            minor: parts.next()??,
            patch: parts.next()??,
        };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for EtcdVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What the user said about the binary (`--etcd`, `--etcd-version`).
#[derive(Clone, Debug, Default)]
pub struct BinaryChoice {
    /// `--etcd PATH`: this file and no other.
    pub path: Option<PathBuf>,
    /// `--etcd-version V`: exact (`3.5.16`), a series (`3.5`) or `newest`.
    pub version: Option<String>,
}

/// An etcd server binary that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdBinary {
    /// Absolute path.
    pub path: PathBuf,
    /// What `--version` says.
    pub version: EtcdVersion,
}

impl BinaryChoice {
    /// Finds the binary. Blocks for one or a few `etcd --version` (some 20 ms each).
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
                let binary = probe(path)?;
                if let (Some(wanted), Some(text)) = (wanted, &self.version)
                    && !wanted.matches(binary.version)
                {
                    return Err(LocalError::VersionMismatch {
                        path: binary.path,
                        found: binary.version.to_string(),
                        wanted: text.clone(),
                    });
                }
                binary
            }
            None => places
                .candidates()
                .filter_map(|path| probe(&path).ok())
                .filter(|binary| wanted.is_none_or(|w| w.matches(binary.version)))
                .max_by_key(|binary| binary.version)
                .ok_or_else(|| LocalError::NotFound {
                    wanted: self.version.clone(),
                    searched: places.cache_name(),
                })?,
        };
        if found.version < EtcdVersion::OLDEST {
            return Err(LocalError::TooOld {
                path: found.path,
                found: found.version.to_string(),
            });
        }
        Ok(found)
    }
}

#[derive(Clone, Copy)]
enum VersionRequest {
    Newest,
    Series(u32, u32),
    Exact(EtcdVersion),
}

impl VersionRequest {
    fn parse(text: &str) -> Result<Self, LocalError> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        if bare == NEWEST {
            return Ok(VersionRequest::Newest);
        }
        if let Some(exact) = EtcdVersion::parse(bare) {
            return Ok(VersionRequest::Exact(exact));
        }
        let series = bare
            .split_once('.')
            .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        series
            .map(|(a, b)| VersionRequest::Series(a, b))
            .ok_or_else(|| LocalError::BadVersion(text.to_owned()))
    }

    fn matches(self, v: EtcdVersion) -> bool {
        match self {
            VersionRequest::Newest => true,
            VersionRequest::Series(major, minor) => (major, minor) == (v.major, v.minor),
            VersionRequest::Exact(exact) => exact == v,
        }
    }
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

/// Runs `PATH --version`.
fn probe(path: &Path) -> Result<EtcdBinary, LocalError> {
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
    Ok(EtcdBinary {
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
            path: None,
            version: Some(version.to_owned()),
        }
    }

    #[test]
    fn versions_parse_and_order_by_number() {
        assert_eq!(EtcdVersion::parse("3.7.0-rc.0"), Some(v(3, 7, 0)));
        assert!(EtcdVersion::parse("3.5.9") < EtcdVersion::parse("3.5.30"));
        for bad in ["3.5", "3.5.x", "3.5.1.2", "", "3..1"] {
            assert_eq!(EtcdVersion::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn cache_and_path_are_searched_and_the_newest_match_wins() {
        let tmp = tempfile::tempdir().unwrap();
        for version in ["3.4.23", "3.5.9", "3.5.30", "3.6.1"] {
            fake(&tmp.path().join("etcd").join(version), version);
        }
        fake(&tmp.path().join("etcd/.stage.x"), "3.9.9");
        fake(&tmp.path().join("bin"), "3.7.2");
        let places = Places {
            cache: Some(tmp.path().to_owned()),
            path: Some(tmp.path().join("bin").into_os_string()),
        };
        let find = |c: &BinaryChoice| c.find_in(&places).map(|b| b.version);
        assert_eq!(find(&BinaryChoice::default()).unwrap(), v(3, 7, 2));
        assert_eq!(find(&choice("newest")).unwrap(), v(3, 7, 2));
        assert_eq!(find(&choice("3.5")).unwrap(), v(3, 5, 30));
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
            }
            .find_in(&none)
        };
        let etcd = fake(&tmp.path().join("a"), "3.5.30");
        assert_eq!(named(etcd.clone(), None).unwrap().version, v(3, 5, 30));
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
