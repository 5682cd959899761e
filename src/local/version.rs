//! etcd's version: how it is read, compared and asked for.

use std::cmp::Ordering;
use std::fmt;

use super::error::LocalError;

/// Any version will do, the newest that is here.
const NEWEST: &str = "newest";

/// etcd's version, as `etcd --version` prints it. A pre-release is older than its release
/// (<https://semver.org>, 11).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EtcdVersion {
    /// 3 in 3.5.16.
    pub major: u32,
    /// 5 in 3.5.16.
    pub minor: u32,
    /// 16 in 3.5.16.
    pub patch: u32,
    /// `-rc.1+abc` in 3.7.3-rc.1+abc; empty for a release.
    pub suffix: String,
}

impl EtcdVersion {
    /// The oldest version that etcdmark supports.
    pub const OLDEST: EtcdVersion = EtcdVersion {
        major: 3,
        minor: 4,
        patch: 0,
        suffix: String::new(),
    };

    /// Parses `3.5.16` or `3.7.0-rc.0`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let (release, suffix) = text.split_at(end);
        let mut parts = release.split('.').map(|p| p.parse().ok());
        let version = EtcdVersion {
            major: parts.next()??,
            minor: parts.next()??,
            patch: parts.next()??,
            suffix: suffix.to_owned(),
        };
        parts.next().is_none().then_some(version)
    }

    /// The pre-release part: `rc.1` in 3.7.3-rc.1; none for a release.
    pub fn pre_release(&self) -> Option<&str> {
        let pre = self.suffix.strip_prefix('-')?;
        pre.split('+').next()
    }
}

impl Ord for EtcdVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let release = |v: &Self| (v.major, v.minor, v.patch);
        let pre = || match (self.pre_release(), other.pre_release()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => pre_releases(a, b),
        };
        let order = release(self).cmp(&release(other)).then_with(pre);
        // Builds of one version have no order; but only what is equal may compare as equal.
        order.then_with(|| self.suffix.cmp(&other.suffix))
    }
}

impl PartialOrd for EtcdVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Identifier by identifier: numbers by value, and before words.
fn pre_releases(a: &str, b: &str) -> Ordering {
    let key = |word: &str| match word.parse::<u64>() {
        Ok(number) => (0, number, String::new()),
        Err(_) => (1, 0, word.to_owned()),
    };
    a.split('.').map(key).cmp(b.split('.').map(key))
}

impl fmt::Display for EtcdVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EtcdVersion {
            major,
            minor,
            patch,
            suffix,
        } = self;
        write!(f, "{major}.{minor}.{patch}{suffix}")
    }
}

/// Which versions will do.
pub(super) enum VersionRequest {
    Newest,
    Series(u32, u32),
    Exact(EtcdVersion),
}

impl VersionRequest {
    pub(super) fn parse(text: &str) -> Result<Self, LocalError> {
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

    pub(super) fn matches(&self, v: &EtcdVersion) -> bool {
        match self {
            VersionRequest::Newest => true,
            VersionRequest::Series(major, minor) => (*major, *minor) == (v.major, v.minor),
            VersionRequest::Exact(exact) => exact == v,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> EtcdVersion {
        EtcdVersion::parse(text).unwrap()
    }

    #[test]
    fn versions_parse_print_and_order() {
        let ascending = [
            "3.4.0",
            "3.5.9",
            "3.5.30",
            "3.7.0-alpha.0",
            "3.7.0-beta.0",
            "3.7.0-rc.2",
            "3.7.0-rc.10",
            "3.7.0",
            "3.7.0+build",
            "3.7.1",
        ];
        for (i, a) in ascending.iter().enumerate() {
            assert_eq!(version(a).to_string(), *a);
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(version(a).cmp(&version(b)), i.cmp(&j), "{a} {b}");
            }
        }
        for bad in ["3.5", "3.5.x", "3.5.1.2", "", "3..1"] {
            assert_eq!(EtcdVersion::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_request_for_a_release_is_not_met_by_its_pre_release() {
        let meets = |request: &str, found: &str| {
            VersionRequest::parse(request)
                .unwrap()
                .matches(&version(found))
        };
        assert!(meets("3.7.3", "3.7.3") && meets("v3.7.3-rc.1", "3.7.3-rc.1"));
        assert!(!meets("3.7.3", "3.7.3-rc.1") && !meets("3.7.3-rc.1", "3.7.3"));
        assert!(meets("3.7", "3.7.3-rc.1") && meets("newest", "3.7.3-rc.1"));
    }
}
