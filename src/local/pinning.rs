//! Which cores local etcds get and which the client, so that neither takes the other's time.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::error::LocalError;
use crate::measure::Cores;

/// Logical CPUs that etcd needs to be given its own without being asked. On a single one a busy etcd carries less than on
/// two that it shares with the client, so the cure would change what is measured: docs/method/placement.md.
const ENOUGH: usize = 2;

/// Disjoint cores for the two sides of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinning {
    /// Of all etcds together.
    pub etcd: Cores,
    /// Of all other threads of this process.
    pub client: Cores,
}

impl Pinning {
    /// Parts the cores that this thread may use between `members` local etcds and a client with `workers` threads; none
    /// where there is but one.
    pub fn of_this_machine(members: usize, workers: usize) -> Option<Self> {
        Self::decide(&physical(&allowed()?, siblings), members, workers)
    }

    /// `physical`: the usable logical CPUs of each physical core, which stay together: two threads of one core take each
    /// other's time.
    ///
    /// The client gets a logical CPU for each worker and one for what samples and writes, from the end, in whole cores: at
    /// most half of them, and no more than leaves one to each etcd, but one at least. The rest is etcd's.
    fn decide(physical: &[Vec<usize>], members: usize, workers: usize) -> Option<Self> {
        let all = physical.len();
        if all < 2 || members == 0 {
            return None;
        }
        let most = (all / 2).min(all.saturating_sub(members)).max(1);
        let mut first = all;
        let mut cpus = 0;
        while all - first < most && cpus < workers + 1 {
            first -= 1;
            cpus += physical[first].len();
        }
        let cores = |part: &[Vec<usize>]| part.iter().flatten().copied().collect();
        Some(Pinning {
            etcd: cores(&physical[..first]),
            client: cores(&physical[first..]),
        })
    }

    /// Whether it is followed: as the user says, else where it leaves etcd enough.
    pub fn applies(&self, asked: Option<bool>) -> bool {
        asked.unwrap_or(self.etcd.count() >= ENOUGH)
    }

    /// Holds this thread, and those that it starts from now on, to the client's cores.
    ///
    /// # Errors
    /// Where the system does not allow it.
    pub fn hold_client(&self) -> io::Result<Held> {
        Held::to(&self.client)
    }
}

impl fmt::Display for Pinning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |cores: &Cores| if cores.count() == 1 { "" } else { "s" };
        write!(
            f,
            "etcd on core{} {}, etcdmark on core{} {}",
            s(&self.etcd),
            self.etcd,
            s(&self.client),
            self.client
        )
    }
}

/// A thread that is held to some cores until this is dropped, which has to happen on the same thread. Threads and
/// processes that it starts meanwhile stay there.
#[derive(Debug)]
pub struct Held {
    before: CpuSet,
    /// The kernel's affinity is the thread's own.
    _here: std::marker::PhantomData<*const ()>,
}

impl Held {
    pub(super) fn to(cores: &Cores) -> io::Result<Self> {
        let before = sched_getaffinity(None)?;
        let mut set = CpuSet::new();
        for core in cores.iter().filter(|core| *core < CpuSet::MAX_CPU) {
            set.set(core);
        }
        sched_setaffinity(None, &set)?;
        Ok(Held {
            before,
            _here: std::marker::PhantomData,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It was allowed a moment ago; cores that have gone since are left out by the kernel.
        let _ = sched_setaffinity(None, &self.before);
    }
}

/// Holds this thread to an etcd's cores, if it has its own.
pub(super) fn hold(cores: Option<&Cores>) -> Result<Option<Held>, LocalError> {
    let held = cores.map(Held::to).transpose();
    held.map_err(|source| LocalError::System {
        what: "cannot give etcd cores of its own (--no-pin leaves it on all)",
        source,
    })
}

/// The cores that this thread may use; none where the kernel does not say.
pub(super) fn allowed() -> Option<Cores> {
    let set = sched_getaffinity(None).ok()?;
    Some((0..CpuSet::MAX_CPU).filter(|i| set.is_set(*i)).collect())
}

/// Logical CPUs of the same physical core.
fn siblings(cpu: usize) -> Option<Cores> {
    let dir = format!("/sys/devices/system/cpu/cpu{cpu}/topology");
    let names = ["core_cpus_list", "thread_siblings_list"];
    let read = |name| std::fs::read_to_string(format!("{dir}/{name}")).ok();
    names.into_iter().find_map(read)?.parse().ok()
}

/// The usable logical CPUs by physical core, in the order of their first one. One of which nothing is known is its own.
fn physical(allowed: &Cores, siblings: impl Fn(usize) -> Option<Cores>) -> Vec<Vec<usize>> {
    let mut cores: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for cpu in allowed.iter() {
        let first = siblings(cpu).and_then(|all| all.iter().next());
        cores.entry(first.unwrap_or(cpu)).or_default().push(cpu);
    }
    let mut cores: Vec<_> = cores.into_values().collect();
    cores.sort();
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `etcd | client` of a machine's allowed cores, with `threads` per physical core, numbered as Linux does on a PC: all
    /// first threads, then all second ones.
    fn decide(
        allowed: &str,
        (cpus, threads): (usize, usize),
        members: usize,
        workers: usize,
    ) -> String {
        let siblings = |cpu: usize| {
            let cores = cpus / threads;
            Some((0..threads).map(|t| cpu % cores + t * cores).collect())
        };
        let physical = physical(&allowed.parse().unwrap(), siblings);
        match Pinning::decide(&physical, members, workers) {
            Some(p) if p.applies(None) => format!("{} | {}", p.etcd, p.client),
            Some(p) => format!("{} | {} if asked", p.etcd, p.client),
            None => "together".to_owned(),
        }
    }

    #[test]
    fn cores_are_parted() {
        for (allowed, machine, members, workers, want) in [
            // One core, or two threads of one.
            ("0", (1, 1), 1, 1, "together"),
            ("0-1", (2, 2), 1, 1, "together"),
            ("3", (8, 1), 3, 1, "together"),
            ("0-1", (2, 1), 1, 1, "0 | 1 if asked"),
            ("0-1", (2, 1), 3, 8, "0 | 1 if asked"),
            ("0-2", (3, 1), 1, 1, "0-1 | 2"),
            // Two cores of two threads each: 0 and 2 are one, 1 and 3 the other.
            ("0-3", (4, 2), 1, 1, "0,2 | 1,3"),
            ("0-3", (4, 1), 1, 1, "0-1 | 2-3"),
            ("0-3", (4, 1), 3, 1, "0-2 | 3"),
            ("0-7", (8, 1), 1, 2, "0-4 | 5-7"),
            ("0-7", (8, 1), 3, 2, "0-4 | 5-7"),
            ("0-7", (8, 1), 1, 64, "0-3 | 4-7"),
            // Four cores of two threads: a worker and what samples share one.
            ("0-7", (8, 2), 1, 1, "0-2,4-6 | 3,7"),
            ("0-63", (64, 1), 3, 16, "0-46 | 47-63"),
            // A cpuset with holes, and one that has one thread of a core only.
            ("1,4,6", (8, 1), 1, 1, "1,4 | 6"),
            ("1-2,5", (8, 2), 1, 1, "1,5 | 2"),
            // No etcd of ours.
            ("0-7", (8, 1), 0, 1, "together"),
        ] {
            let got = decide(allowed, machine, members, workers);
            assert_eq!(got, want, "{allowed} of {machine:?}, {members}, {workers}");
        }
    }

    #[test]
    fn what_the_user_says_holds() {
        let set = |cores: &str| cores.parse::<Cores>().unwrap();
        for (etcd, client) in [("0", "1"), ("0-1", "2")] {
            let (etcd, client) = (set(etcd), set(client));
            let pinning = Pinning { etcd, client };
            assert!(pinning.applies(Some(true)) && !pinning.applies(Some(false)));
        }
    }

    #[test]
    fn nothing_known_of_siblings_is_a_core_each() {
        let cores = "0-2".parse().unwrap();
        assert_eq!(physical(&cores, |_| None), [vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn a_held_thread_and_its_children_are_there_and_it_comes_back() {
        let all = allowed().unwrap();
        let one: Cores = all.iter().take(1).collect();
        let held = Held::to(&one).unwrap();
        assert_eq!(allowed().unwrap(), one);
        let child = std::thread::spawn(|| allowed().unwrap());
        assert_eq!(child.join().unwrap(), one);
        drop(held);
        assert_eq!(allowed().unwrap(), all);
        assert!(Held::to(&Cores::default()).is_err(), "no core at all");
        assert_eq!(allowed().unwrap(), all);
    }
}
