//! Where an etcd's syncs are held: what the emulator needs of the operating system, so that it can be tested
//! without one.

use std::io;
use std::path::PathBuf;

use crate::clock::{self, Nanos};

/// A sync that waits for us.
#[derive(Debug)]
pub(super) struct HeldSync {
    /// Names it to [`Gate::release`].
    pub(super) id: u64,
    /// The waiting thread, which waits for one sync at a time.
    pub(super) thread: u32,
    /// When we were told of it, monotonic.
    pub(super) at: Nanos,
    /// What it syncs, if that could be told.
    pub(super) file: Option<PathBuf>,
}

/// What became of waiting for a sync.
#[derive(Debug)]
pub(super) enum GateEvent {
    /// One waits.
    Sync(HeldSync),
    /// None came in time.
    Nothing,
    /// The process is gone: none will come any more.
    Gone,
}

/// Holds the syncs of one process.
pub(super) trait Gate {
    /// Waits for a sync, until `until` (or for about a tenth of a second), never much longer.
    fn next(&mut self, until: Option<Nanos>) -> io::Result<GateEvent>;

    /// Lets a sync go on. False: nobody waits for it any more.
    fn release(&mut self, id: u64) -> io::Result<bool>;

    /// Now, monotonic.
    fn now(&self) -> Nanos {
        clock::now()
    }
}
