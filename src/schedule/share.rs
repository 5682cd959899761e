//! Who plays what: an index of a schedule belongs to the worker that owns the cell which it is about. So the number of
//! workers decides who sends a request, and nothing else.

use super::Stripe;
use std::fmt::Debug;
use std::rc::Rc;

/// What the indices of a schedule, its arrivals or the members of a population, are about.
pub trait Cells: Debug {
    /// How many cells there are; none when there is no end of them.
    fn cells(&self) -> Option<u64>;

    /// The cell that an index is about, below [`Cells::cells`] unless that is zero. They take turns.
    fn cell(&self, index: u64) -> u64 {
        match self.cells() {
            Some(n) => index % n.max(1),
            None => index,
        }
    }
}

/// Each index is a cell of its own.
#[derive(Debug)]
struct Each;

impl Cells for Each {
    fn cells(&self) -> Option<u64> {
        None
    }
}

/// The indices whose cells a part owns.
#[derive(Clone, Debug)]
pub struct Share {
    stripe: Stripe,
    cells: Rc<dyn Cells>,
}

impl Share {
    /// Of these cells, a part.
    pub fn new(stripe: Stripe, cells: Rc<dyn Cells>) -> Share {
        Share { stripe, cells }
    }

    /// Where each index is a cell of its own.
    pub fn of_each(stripe: Stripe) -> Share {
        Share::new(stripe, Rc::new(Each))
    }

    /// Whether the index belongs to this part.
    pub fn owns(&self, index: u64) -> bool {
        self.stripe.of() == 1 || self.stripe.owns(self.cells.cell(index))
    }

    /// The first index of this part from `from` on; none when it owns no cell.
    pub fn next(&self, from: u64) -> Option<u64> {
        if self.cells.cells().is_some_and(|n| n <= self.stripe.part()) {
            return None;
        }
        (from..u64::MAX).find(|i| self.owns(*i))
    }

    /// How many of the first `count` indices belong to this part.
    pub fn share_of(&self, count: u64) -> u64 {
        let mine = (0..count).filter(|i| self.owns(*i)).count();
        match self.next(0) {
            Some(_) => mine as u64,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Of(Option<u64>);

    impl Cells for Of {
        fn cells(&self) -> Option<u64> {
            self.0
        }
    }

    #[test]
    fn every_index_has_one_owner_however_few_cells_there_are() {
        for cells in [None, Some(1), Some(3), Some(20)] {
            for of in 1..17 {
                let shares: Vec<Share> = (0..of)
                    .filter_map(|part| Stripe::new(part, of))
                    .map(|stripe| Share::new(stripe, Rc::new(Of(cells))))
                    .collect();
                let mut all: Vec<u64> = Vec::new();
                for share in &shares {
                    let mut at = 0;
                    while let Some(index) = share.next(at).filter(|i| *i < 100) {
                        all.push(index);
                        at = index + 1;
                    }
                }
                all.sort_unstable();
                assert_eq!(all, (0..100).collect::<Vec<_>>(), "{cells:?} over {of}");
                let counts: u64 = shares.iter().map(|s| s.share_of(64)).sum();
                assert_eq!(counts, 64);
            }
        }
        let none = Share::new(Stripe::new(3, 4).unwrap(), Rc::new(Of(Some(3))));
        assert_eq!((none.next(0), none.share_of(64)), (None, 0));
        let empty = Share::new(Stripe::WHOLE, Rc::new(Of(Some(0))));
        assert_eq!((empty.next(0), empty.share_of(64)), (None, 0));
    }
}
