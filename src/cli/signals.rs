//! Signals that would end the process: the first one drains, a second Ctrl-C or TERM stops.

use super::CliError;
use super::output::complain;
use crate::control::Control;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Who sends these wants the process to end, and sends them again when it takes too long: Ctrl-C, `kill`, Ctrl-\.
fn asked() -> [SignalKind; 3] {
    [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::quit(),
    ]
}

/// These end a process that does not handle them, and may come again without anybody's haste: a closed terminal sends HUP
/// more than once, and XCPU (`ulimit -St`) comes each further second. (man 7 signal)
fn fatal() -> [SignalKind; 5] {
    [
        SignalKind::hangup(),
        SignalKind::alarm(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::from_raw(rustix::process::Signal::XCPU.as_raw()),
    ]
}

/// A control that all of them drain or stop; `first` is said to the first one.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn watched(first: &'static str) -> Result<Control, CliError> {
    let control = Control::default();
    watch(control.clone(), first)
        .map_err(|e| CliError::failure(format!("cannot watch for signals: {e}")))?;
    Ok(control)
}

/// Watches for all of them on a runtime of its own until the process ends; `first` is said to the first one. HUP and its like
/// stay ignored where they were when the process began (`nohup`); INT does not: a shell without job control ignores it for
/// what it starts in the background. A file that may not grow further (XFSZ) is an error of its write.
///
/// # Errors
/// When the handlers cannot be installed.
fn watch(control: Control, first: &'static str) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut signals = Vec::new();
    let too_large = {
        let _guard = runtime.enter();
        for kind in asked() {
            signals.push((signal(kind)?, true));
        }
        for kind in fatal() {
            if !ignored(kind) {
                signals.push((signal(kind)?, false));
            }
        }
        // Caught and not ignored: a local etcd would inherit that.
        signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?
    };
    let watcher = move || {
        runtime.block_on(async {
            let _too_large = too_large;
            let (sender, mut came) = mpsc::unbounded_channel();
            for (signal, stops) in signals {
                tokio::spawn(forward(signal, stops, sender.clone()));
            }
            while let Some(stops) = came.recv().await {
                match (control.interrupted(), stops) {
                    (true, false) => continue,
                    (true, true) => complain("stopping now"),
                    (false, _) if control.draining() => complain("stopping now"),
                    (false, _) => complain(first),
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

async fn forward(mut signal: Signal, stops: bool, to: mpsc::UnboundedSender<bool>) {
    while signal.recv().await.is_some() {
        if to.send(stops).is_err() {
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
