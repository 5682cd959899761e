//! How the requests of a worker spread over its connections and the members. The member that a request goes to depends
//! on its object only, not on the number of workers or connections.

use crate::kube::ObjectRef;
use crate::rng::mix;

/// Each worker's connections to a store with so many members in use: `connections` in all, rounded up to the same
/// number for each member and each worker.
pub(crate) fn per_worker(connections: usize, workers: usize, members: usize) -> usize {
    let members = members.max(1);
    connections.div_ceil(workers.max(1) * members).max(1) * members
}

/// Which connection the requests about an object choose first: this number modulo the connections.
pub(crate) fn hint(object: ObjectRef) -> u64 {
    mix(0x63_6f_6e_6e, object.kind as u64, object.index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Kind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_request_goes_to_the_same_member_with_any_number_of_workers_and_connections(
            workers in 1..17_usize, connections in 1..65_usize, members in 1..6_usize,
        ) {
            let n = per_worker(connections, workers, members);
            prop_assert_eq!(n % members, 0);
            prop_assert!(n * workers >= connections);
            prop_assert!(n * workers < connections + workers * members);
            // What populate sends first of each full transaction, and neighbours.
            for step in [1, 128] {
                let mut load = vec![0_u64; n];
                for i in 0..64 * n as u64 {
                    let h = hint(ObjectRef { kind: Kind::NodeLease, index: i * step });
                    let slot = (h % n as u64) as usize;
                    prop_assert_eq!(slot % members, (h % members as u64) as usize);
                    load[slot] += 1;
                }
                // 64 each, give or take six standard deviations.
                prop_assert!(load.iter().all(|l| (16..=112).contains(l)), "{:?}", load);
            }
        }
    }
}
