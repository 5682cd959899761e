//! What etcdmark itself uses: CPU of the process and of each worker's thread, resident memory.

use super::procfs;
use crate::clock::{Nanos, SECOND};
use rustix::time::{ClockId, clock_gettime};
use std::fs;

/// The kernel's id of the calling thread: what a worker hands to [`Meter::new`].
pub fn thread_id() -> u32 {
    u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).unwrap_or(0)
}

/// What was used since the last sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU seconds of the process, user and system.
    pub cpu_seconds: f64,
    /// Wall seconds since the last sample.
    pub wall_seconds: f64,
    /// Per worker, CPU seconds; 0 for a thread that has ended.
    pub worker_cpu_seconds: Vec<f64>,
    /// Resident memory now, bytes; 0 where it cannot be read.
    pub rss: Option<u64>,
}

/// Measures this process from one sample to the next.
#[derive(Debug)]
pub struct Meter {
    threads: Vec<u32>,
    wall: Nanos,
    cpu: f64,
    thread_cpu: Vec<f64>,
}

impl Meter {
    /// `threads`: the workers' [`thread_id`]s; `now`: monotonic ns.
    pub fn new(threads: Vec<u32>, now: Nanos) -> Self {
        let thread_cpu = threads
            .iter()
            .map(|tid| thread_cpu(*tid).unwrap_or(0.0))
            .collect();
        Meter {
            threads,
            wall: now,
            cpu: process_cpu(),
            thread_cpu,
        }
    }

    /// What was used since the last call (or [`Meter::new`]).
    pub fn sample(&mut self, now: Nanos) -> Usage {
        let cpu = process_cpu();
        let mut usage = Usage {
            cpu_seconds: (cpu - self.cpu).max(0.0),
            wall_seconds: now.saturating_sub(self.wall) as f64 / SECOND as f64,
            worker_cpu_seconds: Vec::with_capacity(self.threads.len()),
            rss: rss(),
        };
        for (tid, before) in self.threads.iter().zip(&mut self.thread_cpu) {
            let after = thread_cpu(*tid).unwrap_or(*before);
            usage.worker_cpu_seconds.push((after - *before).max(0.0));
            *before = after;
        }
        (self.cpu, self.wall) = (cpu, now);
        usage
    }
}

/// CPU seconds of this process since it began (`CLOCK_PROCESS_CPUTIME_ID`: a CPU clock, not a time of day).
fn process_cpu() -> f64 {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

/// CPU seconds of one of this process' threads: `schedstat` (ns), else `stat` (ticks of 10 ms).
fn thread_cpu(tid: u32) -> Option<f64> {
    let file = |name: &str| fs::read_to_string(format!("/proc/self/task/{tid}/{name}")).ok();
    let fine = file("schedstat")
        .as_deref()
        .and_then(procfs::schedstat)
        .filter(|s| *s > 0.0);
    fine.or_else(|| {
        file("stat")
            .as_deref()
            .and_then(procfs::process)
            .map(|(cpu, _)| cpu)
    })
}

fn rss() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    procfs::kilobytes(&status, "VmRSS").map(|bytes| bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn work_is_seen_on_the_thread_that_did_it() {
        let (tx, rx) = std::sync::mpsc::channel();
        let idle = std::thread::spawn(move || {
            tx.send(thread_id()).expect("send");
            std::thread::park();
        });
        let other = rx.recv().expect("the other thread's id");
        let mut meter = Meter::new(vec![thread_id(), other], clock::now());
        let mut x = 0u64;
        // Until the CPU clock itself says that work was done: no assumption about the machine's speed.
        let start = process_cpu();
        while process_cpu() - start < 0.05 {
            x = std::hint::black_box(x.wrapping_mul(31).wrapping_add(7));
        }
        let usage = meter.sample(clock::now());
        assert!(usage.cpu_seconds >= 0.05, "{usage:?}");
        assert!(
            usage.worker_cpu_seconds[0] > usage.worker_cpu_seconds[1],
            "{usage:?}"
        );
        assert!(
            usage.rss > Some(1 << 20) && usage.wall_seconds > 0.0,
            "{usage:?}"
        );
        idle.thread().unpark();
        idle.join().expect("join");
    }
}
