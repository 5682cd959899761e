//! What one turn of a compactor, or of the defragmenter, leaves for the next.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// What a compactor remembers of its last round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CompactorRound {
    /// Version of the key.
    pub(crate) version: i64,
    /// The store's revision, which the next round compacts.
    pub(crate) revision: i64,
}

/// Of one worker.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    compactors: RefCell<HashMap<u64, CompactorRound>>,
    defragmenting: Cell<bool>,
}

impl Maintenance {
    /// The last round of the compactor of that index.
    pub(crate) fn last_round(&self, compactor: u64) -> CompactorRound {
        let rounds = self.compactors.borrow();
        rounds.get(&compactor).copied().unwrap_or_default()
    }

    pub(crate) fn remember(&self, compactor: u64, round: CompactorRound) {
        self.compactors.borrow_mut().insert(compactor, round);
    }

    /// Begins a turn of the defragmenter; false while another goes on.
    pub(crate) fn begin_defragmentation(&self) -> bool {
        !self.defragmenting.replace(true)
    }

    pub(crate) fn end_defragmentation(&self) {
        self.defragmenting.set(false);
    }
}
