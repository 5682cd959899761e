//! The sources of traffic, one file each. A file says all that is particular to its kind of actor: its
//! [`Definition`], and the [`Model`] of what it does. A model says which objects it needs before the load
//! ([`Model::population`]) and, for each arrival, which objects are touched by which steps ([`Model::session`]). It
//! knows no clock, no wire and no state of the store.

mod definition;
mod field;
mod kind;
mod script;
mod session;
mod step;

pub use definition::{
    Apart, Ceiling, DefaultArrivals, Definition, Exceptions, Form, Members, Scope,
};
pub use field::{Accepts, Field, Settings, Value};
pub use kind::ActorKind;
pub use script::{Row, RowObject, Script, Think};
pub use session::{Session, Turn};
pub use step::{LeaseUse, Population, Step};

use crate::kube::OpClass;
use crate::schedule::{Cells, Sessions};

macro_rules! kinds {
    ($($file:ident,)*) => {
        $(mod $file;)*
        static LIST: &[ActorKind] = &[$(ActorKind::new(&$file::DEFINITION)),*];
    };
}

// Every kind, in the order of the reference page: a line makes one known. (rustfmt does not look into macros:
// `scripts/test.sh` has these files formatted one by one.)
kinds! {
    node_lease,
    node_status,
    event,
    leader_lease,
    apiserver_lease,
    endpoints,
    endpoint_slice,
    list,
    probe,
    compactor,
    defragmenter,
}

/// What every actor answers. A model has no state: what it says of an index depends on the index, the cluster and the
/// seed. Its cells are those of the objects that it writes: an arrival is about an object of its cell.
pub trait Model: Cells {
    /// Objects that must exist before the load, with the op class that creates them.
    fn population(&self) -> Vec<Population>;

    /// Members of a periodic schedule: how many chains there are in the whole plan.
    fn members(&self) -> u64;

    /// The session of the `index`-th arrival (open or closed loop), or of the member `index` (periodic
    /// schedule) at its `occurrence`-th time. None when there is no object.
    fn session(&self, index: u64, occurrence: u64) -> Option<Session>;

    /// How often each op class of the load is sent per second when this many sessions begin per second, over all
    /// members; without what only conflicts cause.
    fn rates(&self, sessions: f64) -> Vec<(OpClass, f64)>;

    /// The same of sessions that are not spread evenly over the members ([`Exceptions::tail`]).
    fn rates_of(&self, sessions: Sessions) -> Vec<(OpClass, f64)> {
        self.rates(sessions.total())
    }

    /// Every op class of the load that its sessions can send.
    fn classes(&self) -> Vec<OpClass> {
        self.rates(1.0)
            .into_iter()
            .map(|(class, _)| class)
            .collect()
    }

    /// Every op class that a threshold may name: also those that a setting has turned off, so that who turns them
    /// off need not change thresholds too.
    fn nameable(&self) -> Vec<OpClass> {
        self.classes()
    }
}

/// Every family of objects that these models need, each once.
pub fn populations<'a>(models: impl IntoIterator<Item = &'a dyn Model>) -> Vec<Population> {
    let mut all: Vec<Population> = Vec::new();
    for p in models.into_iter().flat_map(|m| m.population()) {
        if !all.iter().any(|q| q.kind == p.kind) {
            all.push(p);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_a_field_means_the_same_type_everywhere() {
        let names: BTreeSet<_> = LIST.iter().map(|k| k.name).collect();
        assert_eq!(names.len(), LIST.len());
        for (kind, field) in ActorKind::all_fields() {
            for (other, f) in ActorKind::all_fields() {
                let same = f.name != field.name || f.accepts.same_type(&field.accepts);
                assert!(same, "{kind:?} and {other:?}: {}", f.name);
            }
        }
    }
}
