//! Which block device a file system lies on, from sysfs (`Documentation/ABI/stable/sysfs-block`).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A block device. What sysfs does not tell is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Device {
    /// The whole device: `nvme0n1`, `vda`, `dm-0`.
    pub name: String,
    /// The partition of it, `nvme0n1p2`.
    pub partition: Option<String>,
    /// Vendor and model, as the device calls itself.
    pub model: Option<String>,
    /// Whether it reports as rotational. Virtual disks often say so without cause.
    pub rotational: Option<bool>,
    /// What presents it when it is no hardware (`virtio`, `xen`, `Amazon EBS`, `loop` …); null otherwise, and
    /// where nothing tells.
    #[serde(rename = "virtual")]
    pub virtual_by: Option<String>,
    /// `write back`: fdatasync has to flush a volatile cache. `write through`: there is none, by its own account.
    pub write_cache: Option<String>,
    /// The devices below a mapped one (LVM, LUKS, RAID); its own name otherwise.
    pub disks: Vec<String>,
}

impl Device {
    /// The device with these numbers; none if it is none (tmpfs, NFS, overlay) or sysfs is absent.
    pub fn of(major: u32, minor: u32) -> Option<Self> {
        let link = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
        Some(read(&link.canonicalize().ok()?, 0))
    }

    /// Whether both end on the same disk.
    pub fn shares_disk(&self, other: &Device) -> bool {
        self.disks.iter().any(|d| other.disks.contains(d))
    }

    /// Its numbers (of the whole device), as `/proc/diskstats` has them.
    pub(super) fn numbers(&self) -> Option<(u32, u32)> {
        let text = fs::read_to_string(format!("/sys/class/block/{}/dev", self.name)).ok()?;
        let (major, minor) = text.trim().split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for Device {
    /// `nvme0n1p2 (Samsung SSD 990 PRO, write back)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.partition.as_deref().unwrap_or(&self.name))?;
        let mut facts: Vec<String> = self.model.iter().cloned().collect();
        facts.extend(self.virtual_by.clone());
        if self.disks.iter().any(|d| *d != self.name) {
            facts.push(format!("on {}", self.disks.join(", ")));
        }
        facts.extend(match self.rotational {
            Some(true) => Some("reports as rotational".to_owned()),
            _ => None,
        });
        facts.extend(self.write_cache.as_ref().map(|c| format!("{c} cache")));
        if facts.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", facts.join(", "))
        }
    }
}

/// Devices below devices that are followed: a partition of a LUKS volume on LVM on RAID.
const DEPTH: u32 = 6;

fn read(path: &Path, depth: u32) -> Device {
    let name_of = |p: &Path| {
        p.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let text = |p: PathBuf| {
        let text = fs::read_to_string(p).ok()?;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(text)
    };
    let is_partition = path.join("partition").exists();
    let disk = match path.parent() {
        Some(parent) if is_partition => parent,
        _ => path,
    };
    let name = name_of(disk);
    let vendor = text(disk.join("device/vendor")).filter(|v| !v.starts_with("0x"));
    let model = text(disk.join("device/model"));
    let virtual_by = presented_by(
        &disk.to_string_lossy(),
        vendor.as_deref().unwrap_or(""),
        model.as_deref().unwrap_or(""),
    );
    let mut device = Device {
        partition: is_partition.then(|| name_of(path)),
        model: match (vendor, model) {
            // NVMe has no vendor, and SATA's is the bus.
            (Some(vendor), Some(model)) if vendor != "ATA" => Some(format!("{vendor} {model}")),
            (_, model) => model,
        },
        rotational: text(disk.join("queue/rotational")).map(|r| r == "1"),
        virtual_by: virtual_by.map(str::to_owned),
        write_cache: text(disk.join("queue/write_cache")),
        disks: vec![name.clone()],
        name,
    };
    let mut below: Vec<PathBuf> = fs::read_dir(disk.join("slaves"))
        .into_iter()
        .flatten()
        .filter_map(|e| e.ok()?.path().canonicalize().ok())
        .collect();
    below.sort();
    if depth < DEPTH && !below.is_empty() {
        let below: Vec<Device> = below.iter().map(|p| read(p, depth + 1)).collect();
        device.disks = below.iter().flat_map(|d| d.disks.clone()).collect();
        device.disks.sort();
        device.disks.dedup();
        device.virtual_by = below.iter().find_map(|d| d.virtual_by.clone());
        device.model = device
            .model
            .or_else(|| below.iter().find_map(|d| d.model.clone()));
    }
    device
}

/// What presents a device that is no hardware, by its place in sysfs or by how it calls itself.
fn presented_by(path: &str, vendor: &str, model: &str) -> Option<&'static str> {
    let places = [
        ("/virtio", "virtio"),
        ("/vbd-", "Xen"),
        ("/VMBUS:", "Hyper-V"),
        ("/virtual/block/loop", "loop"),
        ("/virtual/block/zram", "zram"),
        ("/virtual/block/ram", "memory"),
        ("/virtual/block/nbd", "network block device"),
        ("/devices/rbd/", "Ceph RBD"),
    ];
    let names = [
        ("Amazon Elastic Block Store", "Amazon EBS"),
        ("PersistentDisk", "Google Persistent Disk"),
        ("nvme_card-pd", "Google Persistent Disk"),
        ("MSFT NVMe Accelerator", "Azure managed disk"),
        ("QEMU", "QEMU"),
        ("VMware", "VMware"),
        ("VBOX", "VirtualBox"),
    ];
    let place = places.iter().find(|(part, _)| path.contains(part));
    let name = names
        .iter()
        .find(|(part, _)| model.contains(part) || vendor.contains(part));
    place.or(name).map(|(_, by)| *by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_presents_a_device() {
        for (path, vendor, model, want) in [
            ("pci0/virtio1/block/vda", "", "", Some("virtio")),
            (
                "pci0/nvme/nvme0/nvme0n1",
                "",
                "Amazon Elastic Block Store",
                Some("Amazon EBS"),
            ),
            (
                "pci0/nvme/nvme1/nvme1n1",
                "",
                "Amazon EC2 NVMe Instance Storage",
                None,
            ),
            (
                "pci0/host0/target0:0:1/0:0:1:0/block/sda",
                "Google",
                "PersistentDisk",
                Some("Google Persistent Disk"),
            ),
            ("virtual/block/loop3", "", "", Some("loop")),
            ("virtual/block/dm-0", "", "", None),
        ] {
            let path = format!("/sys/devices/{path}");
            assert_eq!(presented_by(&path, vendor, model), want, "{path} {model}");
        }
    }

    /// A partition of an NVMe disk, and an encrypted volume on it.
    fn tree(root: &Path) -> (PathBuf, PathBuf) {
        let disk = root.join("devices/pci0/nvme/nvme0/nvme0n1");
        let part = disk.join("nvme0n1p2");
        let mapped = root.join("devices/virtual/block/dm-0");
        for dir in [disk.join("queue"), disk.join("device"), part.clone()] {
            fs::create_dir_all(dir).unwrap();
        }
        fs::create_dir_all(mapped.join("slaves")).unwrap();
        fs::write(disk.join("queue/rotational"), "0\n").unwrap();
        fs::write(disk.join("queue/write_cache"), "write back\n").unwrap();
        fs::write(disk.join("device/model"), "Samsung SSD 990 PRO  \n").unwrap();
        fs::write(part.join("partition"), "2\n").unwrap();
        symlink(&part, mapped.join("slaves/nvme0n1p2")).unwrap();
        (part, mapped)
    }

    #[test]
    fn partitions_and_mapped_devices_lead_to_their_disk() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (part, mapped) = tree(&root);
        let (part, mapped) = (read(&part, 0), read(&mapped, 0));
        assert_eq!(
            part.to_string(),
            "nvme0n1p2 (Samsung SSD 990 PRO, write back cache)"
        );
        assert_eq!(
            (part.name.as_str(), part.rotational),
            ("nvme0n1", Some(false))
        );
        assert_eq!(mapped.to_string(), "dm-0 (Samsung SSD 990 PRO, on nvme0n1)");
        assert!(mapped.shares_disk(&part));
        let other = Device {
            disks: vec!["sda".to_owned()],
            ..Device::default()
        };
        assert!(!other.shares_disk(&part));
    }
}
