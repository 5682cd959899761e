//! The CPU quota of the process's control group: what a container or a systemd slice may use of the cores.

use rustix::process::Pid;
use std::fs;
use std::path::{Path, PathBuf};

/// Cores' worth of CPU time that this process may use, by the tightest quota on its way up; none without one.
pub(crate) fn cpu_quota() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    quota_below(Path::new("/sys/fs/cgroup"), &groups)
}

/// Whether another process is in this one's control group; true where it cannot be read.
pub(crate) fn is_mine(pid: Pid) -> bool {
    let of = |pid: &str| fs::read_to_string(format!("/proc/{pid}/cgroup"));
    match (of("self"), of(&pid.as_raw_nonzero().to_string())) {
        (Ok(mine), Ok(theirs)) => mine == theirs,
        _ => true,
    }
}

/// `groups` is `/proc/self/cgroup`: `0::/PATH` (v2), `4:cpu,cpuacct:/PATH` (v1).
fn quota_below(root: &Path, groups: &str) -> Option<f64> {
    let quotas = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next(), fields.next(), fields.next());
        let path = path.unwrap_or_default().trim_start_matches('/');
        match controllers {
            Some("") => up(root, path).filter_map(|dir| v2(&dir)).collect(),
            Some(c) if c.split(',').any(|c| c == "cpu") => {
                let dirs = [root.join("cpu"), root.join(c)];
                let all = dirs.iter().flat_map(|dir| up(dir, path));
                all.filter_map(|dir| v1(&dir)).collect()
            }
            _ => Vec::new(),
        }
    });
    quotas.min_by(f64::total_cmp)
}

/// The group's directory and its parents up to the root, which in a container is the group itself.
fn up(root: &Path, path: &str) -> impl Iterator<Item = PathBuf> {
    let full = root.join(path);
    let depth = Path::new(path).components().count() + 1;
    let all: Vec<PathBuf> = full.ancestors().take(depth).map(Path::to_owned).collect();
    all.into_iter()
}

/// `cpu.max`: `MICROSECONDS PERIOD` or `max PERIOD`.
fn v2(dir: &Path) -> Option<f64> {
    let file = fs::read_to_string(dir.join("cpu.max")).ok()?;
    let mut words = file.split_ascii_whitespace().map(str::parse::<f64>);
    share(words.next()?.ok()?, words.next()?.ok()?)
}

/// `cpu.cfs_quota_us` (−1: none) of `cpu.cfs_period_us`.
fn v1(dir: &Path) -> Option<f64> {
    let number = |file: &str| {
        let text = fs::read_to_string(dir.join(file)).ok()?;
        text.trim().parse::<f64>().ok()
    };
    share(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

fn share(quota: f64, period: f64) -> Option<f64> {
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_tightest_quota_on_the_way_up_holds() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, "pod/cpu.max", "150000 100000\n");
        put(root, "pod/box/cpu.max", "max 100000\n");
        assert_eq!(quota_below(root, "0::/pod/box\n"), Some(1.5));
        assert_eq!(quota_below(root, "0::/elsewhere\n"), None);
        put(root, "cpu.max", "50000 100000\n");
        assert_eq!(quota_below(root, "0::/\n"), Some(0.5));
        assert_eq!(quota_below(root, "0::/pod/box\n"), Some(0.5));
    }

    #[test]
    fn version_1_has_files_of_its_own_also_where_the_path_is_the_hosts() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, "cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
        put(root, "cpu,cpuacct/cpu.cfs_period_us", "100000\n");
        let groups = "7:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n";
        assert_eq!(quota_below(root, groups), Some(2.0));
        put(root, "cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
        assert_eq!(quota_below(root, groups), None);
    }
}
