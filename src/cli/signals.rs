//! Ctrl-C and SIGTERM: once drains, twice stops.

use super::output::complain;
use crate::control::Control;
use tokio::signal::unix::{SignalKind, signal};

/// Watches for both signals on a runtime of its own until the process ends; `first` is said to the first one.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn watch(control: Control, first: &'static str) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _guard = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let watcher = move || {
        runtime.block_on(async {
            loop {
                let more = tokio::select! { s = interrupt.recv() => s, s = terminate.recv() => s };
                if more.is_none() {
                    return;
                }
                if control.draining() {
                    complain("stopping now");
                } else {
                    complain(first);
                }
                control.interrupt();
            }
        });
    };
    std::thread::Builder::new()
        .name("etcdmark-signals".to_owned())
        .spawn(watcher)?;
    Ok(())
}
