//! A system that forbids what an emulated medium needs, as containers do.
#![expect(
    unsafe_code,
    reason = "a filter of system calls is set between fork and exec"
)]

use crate::common::output;
use crate::desk::{Desk, file};
use std::io;
use std::os::unix::process::CommandExt;

/// From now on this process and its children may not call `seccomp`.
fn forbid_seccomp() -> io::Result<()> {
    let op = |code: u32, jump: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt: jump,
        jf: 0,
        k,
    };
    let mut filter = [
        // The number of the call is the first word of what a filter sees.
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        op(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            1,
            libc::SYS_seccomp as u32,
        ),
        op(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        op(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: prctl reads the program, which lives until it returns.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    };
    if set {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[test]
fn a_system_that_forbids_seccomp_is_said_before_any_etcd_starts() {
    let arm = "etcd: {flags: [\"--backend-batch-limit=10\"]}";
    let desk = Desk::new(&file("").replace(arm, "etcd: {medium: hdd}"));
    let mut command = desk.command(&["experiment", "x.yaml", "--out", "out", "--smoke"]);
    // SAFETY: between fork and exec it makes two system calls, and allocates nothing.
    unsafe { command.pre_exec(forbid_seccomp) };
    let out = output(&mut command);
    let stderr = out.stderr;
    assert_eq!(out.code, 2, "{stderr}");
    for part in [
        "arm small-batch: medium hdd: ",
        "this container or sandbox forbids it; its seccomp profile must allow the system calls seccomp",
        "real directories work everywhere: --data-dir and --wal-dir",
    ] {
        assert!(stderr.contains(part), "no {part:?} in {stderr}");
    }
    assert!(!stderr.contains("trial 1 of"), "{stderr}");
    assert!(!desk.out().exists());
}
