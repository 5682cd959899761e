use super::*;
use std::cell::Cell;
use std::collections::VecDeque;

const MS: Nanos = 1_000_000;

/// Virtual time: syncs arrive when the test says, and what is let go is written down.
struct Mock {
    now: Cell<Nanos>,
    arrivals: VecDeque<(Nanos, u64, u32, Option<&'static str>)>,
    released: Vec<(Nanos, u64)>,
    /// Ids that nobody waits for any more.
    cancelled: Vec<u64>,
}

impl Mock {
    fn new(arrivals: &[(Nanos, u64, u32, Option<&'static str>)]) -> Self {
        Mock {
            now: Cell::new(0),
            arrivals: arrivals.iter().copied().collect(),
            released: Vec::new(),
            cancelled: Vec::new(),
        }
    }
}

impl Gate for Mock {
    fn next(&mut self, until: Option<Nanos>) -> io::Result<GateEvent> {
        let arrival = self.arrivals.front().map(|a| a.0);
        match (arrival, until) {
            (Some(at), until) if until.is_none_or(|u| at <= u) => {
                let (at, id, thread, file) = self.arrivals.pop_front().unwrap();
                self.now.set(at.max(self.now.get()));
                let file = file.map(PathBuf::from);
                Ok(GateEvent::Sync(HeldSync {
                    id,
                    thread,
                    at,
                    file,
                }))
            }
            (_, Some(until)) => {
                self.now.set(until);
                Ok(GateEvent::Nothing)
            }
            _ => Ok(GateEvent::Gone),
        }
    }

    fn release(&mut self, id: u64) -> io::Result<bool> {
        self.released.push((self.now.get(), id));
        Ok(!self.cancelled.contains(&id))
    }

    fn now(&self) -> Nanos {
        self.now.get()
    }
}

fn emulation(spec: &str) -> Emulation {
    let text =
        format!("apiVersion: etcdmark/v1alpha2\nkind: Medium\nmetadata: {{name: t}}\nspec: {spec}");
    let cost = Cost {
        base: MS / 10,
        overhead: MS / 10,
    };
    Emulation {
        medium: Medium::parse("t", &text).unwrap(),
        seed: 1,
        start: 0,
        wal: ("/d/member/wal".into(), cost),
        db: ("/d".into(), cost),
        book: Arc::default(),
        count: AtomicU64::new(0),
    }
}

const WAL: Option<&str> = Some("/d/member/wal/0.wal");
const DB: Option<&str> = Some("/d/member/snap/db");

#[test]
fn concurrent_delays_run_in_parallel_and_what_syncs_take_anyway_is_subtracted() {
    let e = emulation("{sync: {constant: 5ms}}");
    let mut gate = Mock::new(&[(0, 1, 11, WAL), (MS, 2, 12, DB), (2 * MS, 3, 13, WAL)]);
    e.serve(&mut gate, || false).unwrap();
    let delay = 5 * MS - MS / 5;
    let want = [(delay, 1), (MS + delay, 2), (2 * MS + delay, 3)];
    assert_eq!(gate.released, want);
    let total = e.book.total();
    assert_eq!(
        (total.wal.syncs(), total.wal.asked, total.wal.delayed),
        (2, 10 * MS, 2 * delay)
    );
    assert_eq!((total.db.syncs(), total.db.short, total.unknown), (1, 0, 0));
}

#[test]
fn only_the_mediums_files_wait() {
    let arrivals = [
        (0, 1, 11, WAL),
        (1, 2, 12, DB),
        (2, 3, 13, Some("/d.log")),
        (3, 4, 14, None),
    ];
    for (files, held) in [("wal", 1), ("db", 2)] {
        let e = emulation(&format!("{{files: {files}, sync: {{constant: 5ms}}}}"));
        let mut gate = Mock::new(&arrivals);
        e.serve(&mut gate, || false).unwrap();
        let late: Vec<u64> = gate
            .released
            .iter()
            .filter(|r| r.0 > MS)
            .map(|r| r.1)
            .collect();
        assert_eq!(late, [held]);
        assert_eq!(gate.released.len(), 4);
        let total = e.book.total();
        assert_eq!(total.wal.syncs() + total.db.syncs(), 1);
        assert_eq!(total.unknown, 1);
    }
}

#[test]
fn a_sync_that_a_signal_interrupted_does_not_wait_twice() {
    let e = emulation("{sync: {constant: 5ms}}");
    let mut gate = Mock::new(&[(0, 1, 11, WAL), (3 * MS, 2, 11, WAL)]);
    e.serve(&mut gate, || false).unwrap();
    assert_eq!(gate.released, [(5 * MS - MS / 5, 2)]);
    assert_eq!(e.book.total().wal.syncs(), 1);
}

#[test]
fn a_sync_whose_thread_has_gone_is_not_counted() {
    let e = emulation("{sync: {constant: 5ms}}");
    let mut gate = Mock::new(&[(0, 1, 11, WAL)]);
    gate.cancelled.push(1);
    e.serve(&mut gate, || false).unwrap();
    assert_eq!(e.book.total().wal.syncs(), 0);
}

#[test]
fn nothing_is_delayed_by_nothing_and_short_syncs_are_counted() {
    let none = emulation("{sync: {constant: 0s}}");
    let mut gate = Mock::new(&[(7, 1, 11, WAL)]);
    none.serve(&mut gate, || false).unwrap();
    assert_eq!(gate.released, [(7, 1)]);
    assert_eq!(none.book.total().wal.short, 0);

    let fast = emulation(
        "{sync: {quantiles: [{p: 0.2, value: 1us}, {p: 0.3, value: 3ms}, {p: 1, value: 3ms}]}}",
    );
    let arrivals: Vec<_> = (0..100).map(|i| (i * 10 * MS, i, 11, WAL)).collect();
    let mut gate = Mock::new(&arrivals);
    fast.serve(&mut gate, || false).unwrap();
    let wal = fast.book.total().wal;
    assert_eq!(wal.syncs(), 100);
    assert!((5..50).contains(&wal.short), "{}", wal.short);
    let same = emulation(
        "{sync: {quantiles: [{p: 0.2, value: 1us}, {p: 0.3, value: 3ms}, {p: 1, value: 3ms}]}}",
    );
    let mut again = Mock::new(&arrivals);
    same.serve(&mut again, || false).unwrap();
    assert_eq!(gate.released, again.released, "a seed gives the same");
}

#[test]
fn a_stall_holds_everything() {
    let e = emulation("{sync: {constant: 1ms}, stalls: {every: 1s, for: 100ms}}");
    let mut gate = Mock::new(&[(100 * MS, 1, 11, WAL), (950 * MS, 2, 12, DB)]);
    e.serve(&mut gate, || false).unwrap();
    let anyway = MS / 5;
    assert_eq!(
        gate.released,
        [(101 * MS - anyway, 1), (1001 * MS - anyway, 2)]
    );
}
