//! Linux' seccomp user notification: a filter stops every `fsync` and `fdatasync` of a process, tells us, and goes on when
//! we say so (seccomp_unotify(2)). The process is not changed, root is not needed, all else runs at full speed.
//!
//! It takes Linux 5.5 and a container that does not forbid it. libc is used where rustix has nothing: seccomp(2)
//! itself, its structs and its ioctls.
#![expect(
    unsafe_code,
    reason = "neither std nor rustix knows seccomp's listener, and `CommandExt::pre_exec` is the way into the child"
)]

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{MaybeUninit, offset_of};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::gate::{Gate, GateEvent, HeldSync};
use crate::clock::{Nanos, SECOND, now};

/// How long [`Gate::next`] waits when nothing is due.
const TICK: Nanos = SECOND / 10;

/// This machine in seccomp's words (linux/audit.h); None where etcd's system calls would not be recognised.
const ARCH: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xc000_003e)
} else if cfg!(target_arch = "aarch64") {
    Some(0xc000_00b7)
} else if cfg!(target_arch = "riscv64") {
    Some(0xc000_00f3)
} else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
    Some(0xc000_0015)
} else if cfg!(target_arch = "s390x") {
    Some(0x8000_0016)
} else {
    None
};

/// SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (linux/seccomp.h), which libc does not have.
const SYNC_WAKE_UP: u64 = 1;

/// Tell us of fsync and fdatasync, allow all else.
fn program(arch: u32) -> [libc::sock_filter; 7] {
    let load = |offset: usize| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset as u32);
    let equal = |value: u32, yes: u8, no: u8| libc::sock_filter {
        jt: yes,
        jf: no,
        ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value)
    };
    let answer = |value: u32| statement(libc::BPF_RET | libc::BPF_K, value);
    [
        load(offset_of!(libc::seccomp_data, arch)),
        equal(arch, 0, 3),
        load(offset_of!(libc::seccomp_data, nr)),
        equal(libc::SYS_fdatasync as u32, 2, 0),
        equal(libc::SYS_fsync as u32, 1, 0),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(libc::SECCOMP_RET_USER_NOTIF),
    ]
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Puts this thread, and what it will spawn, under a filter; the listener tells of its syncs. There is no way back.
///
/// Makes system calls only (no allocation, no lock): it is called between fork and exec too.
fn confine(program: &mut [libc::sock_filter]) -> io::Result<OwnedFd> {
    rustix::thread::set_no_new_privs(true)?;
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    let listen = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // From Linux 5.19 on Go's own signals do not make a sync begin anew once we know of it; before, the emulator sees to it.
    for flags in [
        listen | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
        listen,
    ] {
        // SAFETY: `filter` and the program that it points to outlive the call, which keeps nothing of them.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                u64::from(libc::SECCOMP_SET_MODE_FILTER),
                flags,
                &raw const filter,
            )
        };
        if let Ok(fd) = i32::try_from(fd)
            && fd >= 0
        {
            // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINVAL) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINVAL))
}

fn supported() -> io::Result<[libc::sock_filter; 7]> {
    let unknown = || {
        let arch = std::env::consts::ARCH;
        io::Error::other(format!(
            "etcdmark does not know etcd's system calls on {arch}"
        ))
    };
    ARCH.map(program).ok_or_else(unknown)
}

/// Puts the calling thread under a filter, for calibration; it should do nothing but sync, and end.
pub(super) fn confine_this_thread() -> io::Result<Listener> {
    Ok(Listener::new(confine(&mut supported()?)?))
}

/// A command whose syncs will be told to [`FilteredCommand::listener`] once it was spawned.
#[derive(Debug)]
pub(super) struct FilteredCommand {
    from_child: OwnedFd,
}

/// Makes `command` put itself under a filter before it becomes the program.
pub(super) fn prepare(command: &mut Command) -> io::Result<FilteredCommand> {
    let mut program = supported()?;
    let (from_child, to_us) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let in_child = move || {
        let listener = confine(&mut program)?;
        let fds = [listener.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        message.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(
            &to_us,
            &[IoSlice::new(b"l")],
            &mut message,
            SendFlags::NOSIGNAL,
        )?;
        Ok(())
    };
    // SAFETY: after fork only async-signal-safe calls are allowed: the closure makes plain system calls (prctl, seccomp, sendmsg,
    // close), all its memory is on the stack or was allocated before, it takes no lock and cannot panic.
    unsafe { command.pre_exec(in_child) };
    Ok(FilteredCommand { from_child })
}

impl FilteredCommand {
    /// The listener, after the command was spawned (and dropped, with its end of the socket).
    pub(super) fn listener(self) -> io::Result<Listener> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut messages = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(
            &self.from_child,
            &mut [IoSliceMut::new(&mut byte)],
            &mut messages,
            RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
        )?;
        let fd = messages.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let none = || io::Error::other("the child process sent no seccomp listener");
        fd.map(Listener::new).ok_or_else(none)
    }
}

/// For a thread that holds syncs: the default timer slack of 50 µs would be added to every delay.
pub(super) fn sleep_precisely() {
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// Tells of the syncs of one process or thread.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

impl Listener {
    fn new(fd: OwnedFd) -> Self {
        // Whoever waits is woken on the CPU of who lets it go on and sleeps itself: no other CPU has to be woken up. Linux
        // before 6.6 does not know this, and needs some µs more.
        // SAFETY: the request takes a number.
        let _ = unsafe {
            libc::ioctl(
                fd.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                SYNC_WAKE_UP,
            )
        };
        Listener(fd)
    }
}

/// The kernel's struct may grow: it writes as much as it knows, and wants all of it zeroed before.
#[repr(C)]
struct Notification {
    known: libc::seccomp_notif,
    spare: [u64; 16],
}

impl Gate for Listener {
    fn next(&mut self, until: Option<Nanos>) -> io::Result<GateEvent> {
        let wait = until.map_or(TICK, |u| u.saturating_sub(now()).min(TICK));
        let timeout = Timespec {
            tv_sec: i64::try_from(wait / SECOND).unwrap_or(0),
            tv_nsec: i64::try_from(wait % SECOND).unwrap_or(0),
        };
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(GateEvent::Nothing),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = fds[0].revents();
        if !ready.contains(PollFlags::IN) {
            return Ok(if ready.intersects(PollFlags::HUP | PollFlags::ERR) {
                GateEvent::Gone
            } else {
                GateEvent::Nothing
            });
        }
        // SAFETY: all-zero is a value of this plain struct of integers.
        let mut told: Notification = unsafe { std::mem::zeroed() };
        // SAFETY: the request takes a pointer to a struct that it fills; ours is larger than any kernel's so far.
        let done = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_RECV,
                &raw mut told,
            )
        };
        if done < 0 {
            let error = io::Error::last_os_error();
            // ENOENT: a signal ended the sync before we asked.
            return match error.raw_os_error() {
                Some(libc::ENOENT | libc::EINTR) => Ok(GateEvent::Nothing),
                _ => Err(error),
            };
        }
        let at = now();
        Ok(GateEvent::Sync(HeldSync {
            id: told.known.id,
            thread: told.known.pid,
            at,
            file: file(told.known.pid, told.known.data.args[0]),
        }))
    }

    fn release(&mut self, id: u64) -> io::Result<bool> {
        let mut answer = libc::seccomp_notif_resp {
            id,
            val: 0,
            error: 0,
            flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        };
        // SAFETY: the request takes a pointer to a struct that it reads.
        let done = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SEND,
                &raw mut answer,
            )
        };
        if done == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ENOENT) => Ok(false),
            _ => Err(error),
        }
    }
}

/// What a thread has under a descriptor. Not a file (a socket) or no longer there: its sync fails whatever we do.
fn file(thread: u32, fd: u64) -> Option<PathBuf> {
    let fd = fd as u32;
    std::fs::read_link(format!("/proc/{thread}/fd/{fd}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What containers do that forbid it: seccomp(2) itself fails, for this thread and those that it starts.
    fn forbid_seccomp(errno: i32) {
        let arch = ARCH.unwrap();
        let mut program = program(arch);
        program[3].k = libc::SYS_seccomp as u32;
        program[4].k = libc::SYS_seccomp as u32;
        program[6].k = libc::SECCOMP_RET_ERRNO | errno as u32;
        rustix::thread::set_no_new_privs(true).unwrap();
        let filter = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        // SAFETY: as in `confine`.
        let done = unsafe {
            let mode = u64::from(libc::SECCOMP_SET_MODE_FILTER);
            libc::syscall(libc::SYS_seccomp, mode, 0_u64, &raw const filter)
        };
        assert_eq!(done, 0, "{}", io::Error::last_os_error());
    }

    #[test]
    fn where_it_is_forbidden_a_medium_is_refused_with_the_reason() {
        use crate::local::{LocalCluster, LocalOptions, Medium};
        let refused = |errno: i32| {
            let thread = std::thread::spawn(move || {
                forbid_seccomp(errno);
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let options = LocalOptions {
                    medium: Some(Medium::load("hdd").unwrap()),
                    ..LocalOptions::default()
                };
                runtime.block_on(LocalCluster::start(options)).unwrap_err()
            });
            thread.join().unwrap()
        };
        for (errno, why) in [
            (libc::EPERM, "this container or sandbox forbids it"),
            (libc::ENOSYS, "this kernel does not support it"),
            (libc::EBUSY, "another program already uses it"),
        ] {
            let error = refused(errno);
            assert!(error.is_usage(), "{error}");
            let text = error.to_string();
            for word in ["medium hdd: ", why, "--data-dir"] {
                assert!(text.contains(word), "{text}");
            }
        }
    }

    #[test]
    fn syncs_of_a_child_are_told_with_their_file_and_go_on_when_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap().join("synced");
        let mut command = Command::new("dd");
        let of = format!("of={}", path.display());
        command.args(["if=/dev/zero", &of, "bs=1k", "count=1", "conv=fsync"]);
        command.stderr(std::process::Stdio::null());
        let prepared = prepare(&mut command).unwrap();
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut listener = prepared.listener().unwrap();
        let mut seen = Vec::new();
        for _ in 0..600 {
            match listener.next(None).unwrap() {
                GateEvent::Sync(held) => {
                    assert!(child.try_wait().unwrap().is_none(), "it waits for us");
                    seen.extend(held.file.clone());
                    assert!(listener.release(held.id).unwrap());
                }
                GateEvent::Nothing => {}
                GateEvent::Gone => break,
            }
        }
        assert_eq!(seen, [path]);
        assert!(child.wait().unwrap().success());
    }
}
