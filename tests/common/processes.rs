//! Processes of this machine, by `/proc`.

use std::time::Duration;

use rustix::process::Pid;

use super::patience::within;

/// Processes with this text in an argument (a zombie has none).
pub fn with_argument(text: &str) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let fits = |pid: &i32| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|c| String::from_utf8_lossy(&c).contains(text))
    };
    pids.filter(fits).filter_map(Pid::from_raw).collect()
}

/// Waits until there is none, which is soon after the end of the process that started them.
#[track_caller]
pub fn until_none_with_argument(text: &str) {
    let what = format!("the end of every process with {text}");
    within(Duration::from_secs(30), &what, || {
        with_argument(text).is_empty()
    });
}

/// Whether a process runs. A zombie has ended; whoever adopted it has only not looked yet.
pub fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .and_then(|rest| rest.trim().chars().next())
        .is_some_and(|state| state != 'Z')
}

/// The peak resident memory of a process, MiB; 0 when it has ended.
pub fn peak_rss(pid: Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
    let status = status.unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
