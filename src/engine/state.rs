//! What one worker knows of its objects: 16 bytes each, dense for the families that are many.

use crate::kube::actors::Population;
use crate::kube::{Kind, ObjectRef};
use crate::schedule::Stripe;
use std::collections::HashMap;

/// What is known of one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObjState {
    /// Of the last acknowledged write, or of what a conflict or a read showed: where that is older, the difference
    /// is counted as lost before it is forgotten here (`losses.rs`).
    pub(crate) mod_revision: i64,
    /// Acknowledged writes; 0 = not in the store.
    pub(crate) version: u32,
    flags: u8,
    /// Index + 1 of the worker's etcd lease that the last write carried, 0 = none (24 bits).
    lease: [u8; 3],
}

const BUSY: u8 = 1;
const QUEUED: u8 = 2;
const UNKNOWN: u8 = 4;

impl ObjState {
    /// Whether a write is in flight.
    pub(crate) fn busy(self) -> bool {
        self.flags & BUSY != 0
    }
    /// Whether a further operation waits for it.
    pub(crate) fn queued(self) -> bool {
        self.flags & QUEUED != 0
    }
    /// Whether the last write's outcome is not known.
    pub(crate) fn unknown(self) -> bool {
        self.flags & UNKNOWN != 0
    }
    pub(crate) fn set_busy(&mut self, on: bool) {
        self.set(BUSY, on);
    }
    pub(crate) fn set_queued(&mut self, on: bool) {
        self.set(QUEUED, on);
    }
    pub(crate) fn set_unknown(&mut self, on: bool) {
        self.set(UNKNOWN, on);
    }
    fn set(&mut self, flag: u8, on: bool) {
        if on {
            self.flags |= flag
        } else {
            self.flags &= !flag
        }
    }
    /// Which of the worker's etcd leases the last write carried.
    pub(crate) fn lease(self) -> Option<usize> {
        let [a, b, c] = self.lease;
        usize::try_from(u32::from_le_bytes([a, b, c, 0]))
            .ok()?
            .checked_sub(1)
    }
    pub(crate) fn set_lease(&mut self, lease: Option<usize>) {
        let n = lease.and_then(|l| u32::try_from(l + 1).ok()).unwrap_or(0);
        let [a, b, c, _] = n.to_le_bytes();
        self.lease = [a, b, c];
    }
    /// Whether the store is believed to hold it.
    pub(crate) fn exists(self) -> bool {
        self.version > 0
    }
}

/// A dense family: cells of this part × objects per cell.
#[derive(Debug, Default)]
struct Family {
    per_cell: u64,
    states: Vec<ObjState>,
}

/// All objects of one worker.
#[derive(Debug)]
pub(crate) struct States {
    part: Stripe,
    dense: [Family; DENSE.len()],
    sparse: HashMap<ObjectRef, ObjState>,
}

/// Families that are many: one `Vec` each.
const DENSE: [Kind; 6] = [
    Kind::NodeLease,
    Kind::Node,
    Kind::CsiNode,
    Kind::Event,
    Kind::Endpoints,
    Kind::EndpointSlice,
];

#[inline]
fn dense(kind: Kind) -> Option<usize> {
    DENSE.iter().position(|k| *k == kind)
}

impl States {
    pub(crate) fn new(part: Stripe, populations: &[Population]) -> Self {
        let mut dense_families: [Family; DENSE.len()] = Default::default();
        for family in &mut dense_families {
            family.per_cell = 1;
        }
        for p in populations {
            if let Some(i) = dense(p.kind) {
                let n = part.share_of(p.cells) * p.per_cell;
                dense_families[i].per_cell = p.per_cell;
                dense_families[i].states.resize(
                    usize::try_from(n).unwrap_or(usize::MAX),
                    ObjState::default(),
                );
            }
        }
        States {
            part,
            dense: dense_families,
            sparse: HashMap::new(),
        }
    }

    fn local(&self, family: &Family, index: u64) -> usize {
        // One object per cell, one part: the usual case, without its divisions.
        let at = match (family.per_cell, self.part.of()) {
            (1, 1) => index,
            (1, of) => index / of,
            (per_cell, of) => index / per_cell / of * per_cell + index % per_cell,
        };
        usize::try_from(at).unwrap_or(usize::MAX)
    }

    /// The state of an object; a fresh one when it has never been touched.
    pub(crate) fn get(&self, object: ObjectRef) -> ObjState {
        match dense(object.kind) {
            Some(i) => {
                let family = &self.dense[i];
                family
                    .states
                    .get(self.local(family, object.index))
                    .copied()
                    .unwrap_or_default()
            }
            None => self.sparse.get(&object).copied().unwrap_or_default(),
        }
    }

    /// Changes the state of an object.
    pub(crate) fn change(&mut self, object: ObjectRef, f: impl FnOnce(&mut ObjState)) {
        match dense(object.kind) {
            Some(i) => {
                let at = self.local(&self.dense[i], object.index);
                let family = &mut self.dense[i];
                if at >= family.states.len() {
                    family.states.resize(at + 1, ObjState::default());
                }
                f(&mut family.states[at]);
            }
            None => f(self.sparse.entry(object).or_default()),
        }
    }

    /// Every object that was ever touched, with its state.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ObjectRef, ObjState)> + '_ {
        let dense = DENSE
            .iter()
            .zip(&self.dense)
            .flat_map(move |(kind, family)| {
                family.states.iter().enumerate().map(move |(i, s)| {
                    let i = i as u64;
                    let cell = i / family.per_cell * self.part.of() + self.part.part();
                    (
                        ObjectRef {
                            kind: *kind,
                            index: cell * family.per_cell + i % family.per_cell,
                        },
                        *s,
                    )
                })
            });
        dense.chain(self.sparse.iter().map(|(o, s)| (*o, *s)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::OpClass;

    #[test]
    fn a_state_is_16_bytes_and_keeps_its_parts_apart() {
        assert_eq!(size_of::<ObjState>(), 16);
        let mut s = ObjState::default();
        s.set_busy(true);
        s.set_unknown(true);
        s.set_lease(Some(70_000));
        assert!(s.busy() && s.unknown() && !s.queued() && !s.exists());
        s.set_busy(false);
        assert_eq!((s.busy(), s.lease()), (false, Some(70_000)));
        s.set_lease(None);
        assert_eq!(s.lease(), None);
    }

    #[test]
    fn every_object_of_a_part_has_its_own_state() {
        for of in 1..4 {
            for index in 0..of {
                let part = Stripe::new(index, of).unwrap();
                let slices = Population {
                    kind: Kind::EndpointSlice,
                    cells: 7,
                    per_cell: 3,
                    class: OpClass::EndpointSliceCreate,
                };
                let mut states = States::new(part, &[slices]);
                let mine: Vec<u64> = (0..21).filter(|i| part.owns(i / 3)).collect();
                for i in &mine {
                    let object = ObjectRef {
                        kind: Kind::EndpointSlice,
                        index: *i,
                    };
                    states.change(object, |s| s.version = u32::try_from(*i).unwrap() + 1);
                }
                let mut seen: Vec<u64> = states
                    .iter()
                    .map(|(o, s)| {
                        assert_eq!(u64::from(s.version), o.index + 1);
                        o.index
                    })
                    .collect();
                seen.sort_unstable();
                assert_eq!(seen, mine);
            }
        }
    }
}
