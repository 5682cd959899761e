//! Signals that would end the process: the first one drains, a second one stops.

use super::output::complain;
use crate::control::Control;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Signals that end a process which does not handle them, and that a terminal, a shell, a scheduler or an init system
/// sends: Ctrl-C and `kill`, a closed terminal, Ctrl-\, `ulimit -t`, timers, users' own. (man 7 signal)
fn fatal() -> [SignalKind; 8] {
    [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::quit(),
        SignalKind::alarm(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::from_raw(rustix::process::Signal::XCPU.as_raw()),
    ]
}

/// Watches for all of them on a runtime of its own until the process ends; `first` is said to the first one. What was
/// ignored when the process began (`nohup`) stays so. A file that may not grow further (XFSZ) is an error of its write.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn watch(control: Control, first: &'static str) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut signals = Vec::new();
    let too_large = {
        let _guard = runtime.enter();
        for kind in fatal() {
            if !ignored(kind) {
                signals.push(signal(kind)?);
            }
        }
        // Caught and not ignored: a local etcd would inherit that.
        signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?
    };
    let watcher = move || {
        runtime.block_on(async {
            let _too_large = too_large;
            let (sender, mut came) = mpsc::unbounded_channel();
            for signal in signals {
                tokio::spawn(forward(signal, sender.clone()));
            }
            while came.recv().await.is_some() {
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

async fn forward(mut signal: Signal, to: mpsc::UnboundedSender<()>) {
    while signal.recv().await.is_some() {
        if to.send(()).is_err() {
            return;
        }
    }
}

/// Whether the process ignored a signal when it began: the mask in `/proc/self/status`, or no where there is none.
fn ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok());
    let bit = kind.as_raw_value().saturating_sub(1);
    mask.is_some_and(|m| m.checked_shr(bit.unsigned_abs()).unwrap_or(0) & 1 == 1)
}
