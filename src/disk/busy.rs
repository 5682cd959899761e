//! How busy a disk is with others' work.

use super::device::Device;
use crate::clock;
use crate::server::procfs;
use std::time::Duration;

/// How long a device is watched before it is written to.
const WATCH: Duration = Duration::from_millis(500);

/// Share of the time in which each device is busy now, with us at rest.
pub(super) fn busy_before(devices: Vec<Option<&Device>>) -> Vec<Option<f64>> {
    let numbers: Vec<_> = devices
        .iter()
        .map(|d| d.and_then(Device::numbers))
        .collect();
    if numbers.iter().all(Option::is_none) {
        return vec![None; devices.len()];
    }
    let busy = || -> Vec<Option<f64>> {
        let table = std::fs::read_to_string("/proc/diskstats").unwrap_or_default();
        let of = |n: &Option<(u32, u32)>| {
            let (_, counters) = n.and_then(|(major, minor)| procfs::disk(&table, major, minor))?;
            counters
                .into_iter()
                .find(|(name, _)| *name == "busy_seconds")
                .map(|(_, v)| v)
        };
        numbers.iter().map(of).collect()
    };
    let (begun, before) = (clock::now(), busy());
    std::thread::sleep(WATCH);
    let (after, length) = (busy(), (clock::now() - begun) as f64 / 1e9);
    let share =
        |(a, b): (&Option<f64>, &Option<f64>)| Some((((*b)? - (*a)?) / length).clamp(0.0, 1.0));
    before.iter().zip(&after).map(share).collect()
}
