//! Ties a child's life to ours: the one place that runs code between fork and exec.
#![expect(
    unsafe_code,
    reason = "`CommandExt::pre_exec` is the only way to set a parent-death signal in a child"
)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Lets the kernel SIGKILL the child as soon as the *thread* that spawns it ends, however it ends.
///
/// SIGKILL and not SIGTERM: a stopped (SIGSTOP) member would keep the latter pending for ever.
pub(super) fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    let in_child = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // We may have died before the line above: then no signal comes any more.
        if getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(3))
        }
    };
    // SAFETY: after fork only async-signal-safe calls are allowed: the closure makes two plain system calls
    // (prctl, getppid), allocates nothing, takes no lock and cannot panic.
    unsafe { command.pre_exec(in_child) };
}
