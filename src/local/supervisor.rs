//! The one thread from which etcds are spawned.
//!
//! A parent-death signal fires when the spawning *thread* ends, so a worker of some runtime would take its
//! etcds along. This thread lives as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::death_signal::die_with_parent;
use super::pinning::{Held, allowed};
use crate::measure::Cores;

struct Request {
    command: Command,
    /// Of the thread that asks: a child would have them, had that thread spawned it.
    cores: Option<Cores>,
    reply: Sender<io::Result<Child>>,
}

static SUPERVISOR: OnceLock<Mutex<Option<Sender<Request>>>> = OnceLock::new();

/// Spawns `command` so that it cannot outlive this process, whatever ends us. Blocks for a fork and an exec.
pub(super) fn spawn(mut command: Command) -> io::Result<Child> {
    die_with_parent(&mut command);
    let (reply, answer) = channel();
    supervisor()?
        .send(Request {
            command,
            cores: allowed(),
            reply,
        })
        .map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

fn supervisor() -> io::Result<Sender<Request>> {
    let slot = SUPERVISOR.get_or_init(|| Mutex::new(None));
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*slot {
        return Ok(sender.clone());
    }
    let (sender, requests) = channel();
    std::thread::Builder::new()
        .name("etcd-supervisor".to_owned())
        .spawn(move || serve(&requests))?;
    *slot = Some(sender.clone());
    Ok(sender)
}

fn serve(requests: &Receiver<Request>) {
    // The static keeps a sender, so this ends with the process only.
    for request in requests {
        let Request {
            mut command,
            cores,
            reply,
        } = request;
        // Before the fork, since Go asks for its cores when it begins.
        let held = cores.as_ref().map(Held::to).transpose();
        let spawned = held.and_then(|_held| command.spawn());
        if let Err(unclaimed) = reply.send(spawned)
            && let Ok(mut child) = unclaimed.0
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts etcd processes has ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_outlive_the_thread_that_asked_for_them() {
        let asking = std::thread::spawn(|| {
            let mut sleep = Command::new("sleep");
            sleep.arg("30");
            spawn(sleep).unwrap()
        });
        let mut child = asking.join().unwrap();
        // A second spawn answers only after the first was served, and the asking thread is gone by now.
        assert!(
            spawn(Command::new("true"))
                .unwrap()
                .wait()
                .unwrap()
                .success()
        );
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_child_has_the_cores_of_the_thread_that_asked_for_it() {
        let cores_of = |child: &Child| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
            let mut lines = status.lines();
            let line = lines.find_map(|l| l.strip_prefix("Cpus_allowed_list:"));
            line.unwrap().parse::<Cores>().unwrap()
        };
        let sleep = || {
            let mut sleep = Command::new("sleep");
            sleep.arg("30");
            spawn(sleep).unwrap()
        };
        let all = allowed().unwrap();
        let last: Cores = all.iter().last().into_iter().collect();
        let mut held = {
            let _held = Held::to(&last).unwrap();
            sleep()
        };
        let mut free = sleep();
        assert_eq!((cores_of(&held), cores_of(&free)), (last, all));
        for child in [&mut held, &mut free] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn a_missing_program_is_an_error() {
        assert_eq!(
            spawn(Command::new("/nonexistent")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
