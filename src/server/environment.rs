//! The machine that generates the load, for the result's header.

use super::cgroup;
use super::listeners::etcds;
use super::locality::{Place, place, port};
use super::procfs;
use crate::measure::Cores;
use crate::report::Environment;
use crate::target::Target;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity};
use std::fs;

/// Captures the machine. `workers` and `wire` are the run's; `targets` decide whether etcd runs on the
/// same cores: by where their endpoints are, and on this machine by the affinity and the CPU quota of their processes.
pub fn capture<'a>(
    workers: u32,
    wire: &str,
    targets: impl IntoIterator<Item = &'a Target>,
) -> Environment {
    let uname = rustix::system::uname();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let clock =
        fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let targets: Vec<&Target> = targets.into_iter().collect();
    let mine = cores_of(None);
    let cpu_quota = cgroup::cpu_quota();
    let places: Vec<Place> = (targets.iter())
        .map(|target| place_of(mine.as_ref(), cpu_quota, target))
        .collect();
    Environment {
        hostname: uname.nodename().to_string_lossy().into_owned(),
        kernel: format!(
            "{} {}",
            uname.sysname().to_string_lossy(),
            uname.release().to_string_lossy()
        ),
        cpu_model: cpu_model(&cpuinfo)
            .unwrap_or_else(|| uname.machine().to_string_lossy().into_owned()),
        cpus: (mine.as_ref()).map_or(0, |cores| u32::try_from(cores.count()).unwrap_or(u32::MAX)),
        etcd_cores: etcd_cores(&targets),
        client_cores: mine,
        memory: procfs::kilobytes(&meminfo, "MemTotal").map_or(0, |bytes| bytes as u64),
        clock_source: clock.map_or_else(|_| String::new(), |s| s.trim().to_owned()),
        workers,
        wire: wire.to_owned(),
        cpu_quota,
        shares_cores_with_etcd: places.contains(&Place::Here),
        etcd_place_unknown: places.contains(&Place::Unknown),
    }
}

/// Whether an etcd uses the cores that this process may use.
fn place_of(mine: Option<&Cores>, cpu_quota: Option<f64>, target: &Target) -> Place {
    let shares = |pids: &[Pid]| pids.iter().any(|pid| shares(mine, cpu_quota, *pid));
    if target.local_members.is_empty() {
        let places: Vec<Place> = (target.endpoints.iter())
            .map(|endpoint| {
                // A kind cluster's are containers of this machine, whatever their addresses are.
                let place = match target.named_by {
                    Some(_) => Place::Here,
                    None => place(endpoint),
                };
                let pids = etcds(port(endpoint));
                // Processes that cannot be seen: the careful answer.
                match place == Place::Here && !pids.is_empty() && !shares(&pids) {
                    true => Place::Elsewhere,
                    false => place,
                }
            })
            .collect();
        let first = [Place::Here, Place::Unknown];
        let found = first.into_iter().find(|p| places.contains(p));
        return found.unwrap_or(Place::Elsewhere);
    }
    match shares(&local_pids(target).collect::<Vec<_>>()) {
        true => Place::Here,
        false => Place::Elsewhere,
    }
}

/// The processes that etcdmark started for it.
fn local_pids(target: &Target) -> impl Iterator<Item = Pid> {
    let members = target.local_members.iter();
    members.filter_map(|m| Pid::from_raw(i32::try_from(m.pid).ok()?))
}

/// The cores of all etcds that etcdmark started; none without one, or where they are not known.
fn etcd_cores(targets: &[&Target]) -> Option<Cores> {
    let pids = targets.iter().flat_map(|target| local_pids(target));
    let of_each: Option<Vec<Cores>> = pids.map(|pid| cores_of(Some(pid))).collect();
    let all = of_each.filter(|all| !all.is_empty())?;
    Some(all.iter().flat_map(Cores::iter).collect())
}

/// The cores of a process' first thread, or of this thread; none where the kernel does not say.
fn cores_of(pid: Option<Pid>) -> Option<Cores> {
    let set = sched_getaffinity(pid).ok()?;
    let cores = 0..CpuSet::MAX_CPU;
    Some(cores.filter(|core| set.is_set(*core)).collect())
}

/// Whether the process may run on one of these cores, or is held to the same CPU quota as this one.
fn shares(mine: Option<&Cores>, cpu_quota: Option<f64>, pid: Pid) -> bool {
    let cores = match (mine, cores_of(Some(pid))) {
        (Some(mine), Some(theirs)) => mine.shares(&theirs),
        // Not known: the careful answer.
        _ => true,
    };
    cores || (cpu_quota.is_some() && cgroup::is_mine(pid))
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|l| l.starts_with("model name"))?;
    line.split_once(':')
        .map(|(_, model)| model.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::LocalMember;
    use std::net::UdpSocket;

    #[test]
    fn the_machine_has_a_name_cores_and_memory() {
        let env = capture(1, "h2", []);
        assert!(
            !env.hostname.is_empty() && !env.kernel.is_empty() && !env.cpu_model.is_empty(),
            "{env:?}"
        );
        assert!(
            env.cpus >= 1 && env.memory > 1 << 20 && !env.shares_cores_with_etcd,
            "{env:?}"
        );
    }

    #[test]
    fn etcd_on_the_same_cores_is_seen() {
        let mut local = Target::plain(vec!["http://192.0.2.1:2379".into()]);
        assert!(!capture(1, "h2", [&local]).shares_cores_with_etcd);
        local.local_members = vec![LocalMember {
            name: "me".into(),
            pid: std::process::id(),
            data_dir: "/".into(),
            file_system: String::new(),
            in_memory: None,
            medium: None,
            binary: crate::measure::BinaryInfo::default(),
            endpoint: String::new(),
            end: crate::target::ProcessEnd::default(),
        }];
        assert!(capture(1, "h2", [&local]).shares_cores_with_etcd);
    }

    #[test]
    fn addresses_and_containers_of_this_machine_are_seen() {
        // Connecting a UDP socket sends nothing, but tells the address that would be used.
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        if socket.connect(("192.0.2.1", 9)).is_ok() {
            let own = socket.local_addr().unwrap().ip();
            let endpoint = format!("http://{own}:2379");
            assert!(capture(1, "h2", [&Target::plain(vec![endpoint])]).shares_cores_with_etcd);
        }
        let mut kind = Target::plain(vec!["https://192.0.2.1:2379".into()]);
        assert!(!capture(1, "h2", [&kind]).shares_cores_with_etcd);
        kind.named_by = Some("--kind dev".to_owned());
        assert!(capture(1, "h2", [&kind]).shares_cores_with_etcd);
    }
}
