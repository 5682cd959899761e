//! The host's counters, and those of etcd processes that etcdmark started: CPU and steal, pressure
//! (PSI), the disk below each data directory, per process CPU, memory, IO and threads.
//!
//! | name | what (cumulative unless said) |
//! |---|---|
//! | `cpu.{user,system,idle,iowait,steal}_seconds` | all cores together |
//! | `cpu.count` | cores of the host (a level) |
//! | `psi.{cpu,io,memory}.{some,full}_us` | time in which some or all tasks waited, µs |
//! | `disk.DEV.{reads,writes,flushes}`, `.{read,write}_bytes`, `.{write,flush,busy}_seconds`, `.in_flight` (a level) | the device of a data directory |
//! | `etcd.NAME.cpu_seconds`, `.rss`, `.threads` (levels), `.read_bytes`, `.write_bytes` | a local member's process |
//!
//! What the machine does not have (containers, other systems, tmpfs) is absent.

use super::procfs;
use super::scraper::seconds_since;
use crate::clock::Nanos;
use crate::report::HostSample;
use crate::target::LocalMember;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Reads the host's counters.
#[derive(Debug)]
pub struct Host {
    proc_dir: PathBuf,
    members: Vec<LocalMember>,
    devices: BTreeSet<(u32, u32)>,
}

impl Host {
    /// `members`: the local etcd processes; empty for a remote store.
    pub fn new(members: Vec<LocalMember>) -> Self {
        let device = |m: &LocalMember| fs::metadata(&m.data_dir).ok().map(|meta| meta.dev());
        let devices = members.iter().filter_map(device);
        let devices = devices
            .map(|dev| (rustix::fs::major(dev), rustix::fs::minor(dev)))
            .collect();
        Host {
            proc_dir: PathBuf::from("/proc"),
            members,
            devices,
        }
    }

    /// Reads everything now. `t0`: the run's zero, monotonic ns.
    pub fn sample(&self, t0: Nanos) -> HostSample {
        let mut values = BTreeMap::new();
        let mut put = |name: String, value: f64| {
            values.insert(name, value);
        };
        if let Some(cpu) = self.read("stat").as_deref().and_then(procfs::cpu) {
            let parts = [
                ("cpu.user_seconds", cpu.user),
                ("cpu.system_seconds", cpu.system),
                ("cpu.idle_seconds", cpu.idle),
                ("cpu.iowait_seconds", cpu.iowait),
                ("cpu.steal_seconds", cpu.steal),
                ("cpu.count", cpu.count),
            ];
            parts
                .into_iter()
                .for_each(|(name, value)| put(name.to_owned(), value));
        }
        for resource in ["cpu", "io", "memory"] {
            let file = self.read(&format!("pressure/{resource}"));
            if let Some((some, full)) = file.as_deref().and_then(procfs::pressure) {
                put(format!("psi.{resource}.some_us"), some);
                if let Some(full) = full {
                    put(format!("psi.{resource}.full_us"), full);
                }
            }
        }
        if let Some(diskstats) = (!self.devices.is_empty())
            .then(|| self.read("diskstats"))
            .flatten()
        {
            for (major, minor) in &self.devices {
                let Some((device, counters)) = procfs::disk(&diskstats, *major, *minor) else {
                    continue;
                };
                counters
                    .into_iter()
                    .for_each(|(name, value)| put(format!("disk.{device}.{name}"), value));
            }
        }
        for LocalMember { name, pid, .. } in &self.members {
            let file = |kind: &str| self.read(&format!("{pid}/{kind}"));
            if let Some((cpu, threads)) = file("stat").as_deref().and_then(procfs::process) {
                put(format!("etcd.{name}.cpu_seconds"), cpu);
                put(format!("etcd.{name}.threads"), threads);
            }
            if let Some(rss) = file("status")
                .as_deref()
                .and_then(|s| procfs::kilobytes(s, "VmRSS"))
            {
                put(format!("etcd.{name}.rss"), rss);
            }
            let io = file("io").unwrap_or_default();
            for field in ["read_bytes", "write_bytes"] {
                if let Some(bytes) = procfs::io(&io, field) {
                    put(format!("etcd.{name}.{field}"), bytes);
                }
            }
        }
        HostSample {
            t: seconds_since(t0),
            values,
        }
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.proc_dir.join(file)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_as_a_member() {
        let me = LocalMember {
            name: "m1".into(),
            pid: std::process::id(),
            data_dir: "/".into(),
            file_system: String::new(),
            in_memory: None,
            medium: None,
            binary: crate::measure::BinaryInfo::default(),
            endpoint: String::new(),
            end: crate::target::ProcessEnd::default(),
        };
        let host = Host::new(vec![me]);
        let values = host.sample(0).values;
        assert!(values["cpu.idle_seconds"] > 0.0, "{values:?}");
        assert!(values["cpu.count"] >= 1.0, "{values:?}");
        assert!(values["etcd.m1.rss"] > 1e6, "{values:?}");
        assert!(values["etcd.m1.threads"] >= 1.0, "{values:?}");
    }

    #[test]
    fn what_is_missing_is_absent() {
        let gone = LocalMember {
            name: "m1".into(),
            pid: u32::MAX,
            data_dir: "/nowhere".into(),
            file_system: String::new(),
            in_memory: None,
            medium: None,
            binary: crate::measure::BinaryInfo::default(),
            endpoint: String::new(),
            end: crate::target::ProcessEnd::default(),
        };
        let mut host = Host::new(vec![gone]);
        assert!(
            !host
                .sample(0)
                .values
                .keys()
                .any(|k| k.starts_with("etcd.") || k.starts_with("disk."))
        );
        host.proc_dir = "/nowhere".into();
        assert!(host.sample(0).values.is_empty());
    }
}
