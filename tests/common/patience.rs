//! How long a test waits, and how it looks again.

use std::time::Duration;

use etcdmark::clock;

/// No step of a test takes longer, even on a machine with much else to do.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Tells how long ago it was started.
#[derive(Clone, Copy)]
pub struct Stopwatch(clock::Nanos);

impl Stopwatch {
    pub fn start() -> Stopwatch {
        Stopwatch(clock::now())
    }

    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(clock::now().saturating_sub(self.0))
    }

    /// Fails the test where it has been waiting for longer.
    #[track_caller]
    pub fn check(&self, limit: Duration, what: &str) {
        assert!(self.elapsed() < limit, "not within {limit:?}: {what}");
    }
}

/// Waits until this holds.
#[track_caller]
pub fn until(what: &str, holds: impl FnMut() -> bool) {
    within(PATIENCE, what, holds);
}

/// [`until`], where it may not take as long as that.
#[track_caller]
pub fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let began = Stopwatch::start();
    while !holds() {
        began.check(limit, what);
        std::thread::sleep(PAUSE);
    }
}

/// [`until`], in a task.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Stopwatch::start();
    while !holds().await {
        began.check(PATIENCE, what);
        tokio::time::sleep(PAUSE).await;
    }
}
