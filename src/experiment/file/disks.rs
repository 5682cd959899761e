//! Which arms share a disk that they were meant to tell apart, and which have none.

use super::arm::Arm;
use super::etcd::Etcd;
use crate::disk::place::Place;
use std::collections::BTreeSet;

/// One etcd's data or write-ahead log.
struct DataPlace<'a> {
    arm: usize,
    /// The store, and which of the two.
    what: (&'a str, &'static str),
    place: Place,
}

/// A remark for each disk on which arms keep the same thing in different directories.
pub(crate) fn shared(arms: &[Arm]) -> Vec<String> {
    let kept: Vec<DataPlace<'_>> = arms
        .iter()
        .enumerate()
        .flat_map(|(i, arm)| arm.places().flat_map(move |etcd| kept(i, etcd)))
        .collect();
    let mut disks: Vec<(&Place, BTreeSet<usize>)> = Vec::new();
    for (i, a) in kept.iter().enumerate() {
        let meant = |b: &&DataPlace<'_>| b.arm != a.arm && b.what == a.what;
        let apart =
            |b: &&DataPlace<'_>| b.place.path != a.place.path && b.place.shares_disk(&a.place);
        for b in kept[i..].iter().filter(meant).filter(apart) {
            let block = [a.arm, b.arm];
            match disks
                .iter_mut()
                .find(|(disk, _)| disk.shares_disk(&a.place))
            {
                Some((_, together)) => together.extend(block),
                None => disks.push((&a.place, block.into())),
            }
        }
    }
    let say = |(disk, together): (&Place, BTreeSet<usize>)| {
        let names: Vec<&str> = together.iter().map(|i| arms[*i].name()).collect();
        format!(
            "arms {} are on the same disk ({}): the disk does not explain a difference between them",
            names.join(", "),
            disk.disk()
        )
    };
    disks.into_iter().map(say).collect()
}

/// A remark where arms have no disk at all. One of which a store is in memory beside others was made so.
pub(crate) fn in_memory(arms: &[Arm]) -> Vec<String> {
    let mut remarks: Vec<(String, Vec<&str>)> = Vec::new();
    for arm in arms {
        let of_each = arm.places().map(|etcd| etcd.options(None, 1).in_memory());
        let of_each: Option<Vec<String>> = of_each.collect();
        let Some(remark) = of_each.and_then(|all| all.into_iter().next()) else {
            continue;
        };
        match remarks.iter_mut().find(|(other, _)| *other == remark) {
            Some((_, names)) => names.push(arm.name()),
            None => remarks.push((remark, vec![arm.name()])),
        }
    }
    let say = |(remark, names): (String, Vec<&str>)| {
        let s = if names.len() > 1 { "s" } else { "" };
        format!("arm{s} {}: {remark}", names.join(", "))
    };
    remarks.into_iter().map(say).collect()
}

/// Where an etcd keeps what, if its disk is to tell. A medium is on none.
fn kept(arm: usize, etcd: &Etcd) -> impl Iterator<Item = DataPlace<'_>> {
    let options = etcd.options(None, 1);
    let data = options.scratch_parent();
    let wal = options.wal_dir.unwrap_or_else(|| data.clone());
    let dirs = [("data", data), ("wal", wal)];
    let dirs = dirs
        .into_iter()
        .filter(move |_| options.medium.is_none() && options.member_media.is_empty());
    dirs.filter_map(move |(which, dir)| {
        Some(DataPlace {
            arm,
            what: (&etcd.store, which),
            place: Place::of(&dir).ok()?,
        })
    })
}
