//! The etcd processes of this machine behind an endpoint: which of them listens there, or all that there are.

use rustix::process::Pid;
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// The process names of etcd, of its gRPC proxy too. A process of another name that listens at the port (docker-proxy,
/// ssh, a load balancer) hands the connection on, and says nothing of etcd.
const NAME: &str = "etcd";

/// The etcd that listens at this port on this machine; where none is seen to (it is in a container's network, or other
/// users' processes are hidden), every etcd of this machine. Empty where no etcd is seen at all.
pub(super) fn etcds(port: u16) -> Vec<Pid> {
    let all = processes(Path::new("/proc"));
    let sockets = listening(port);
    let there: Vec<Pid> = (all.iter().copied())
        .filter(|pid| holds(*pid, &sockets))
        .collect();
    if there.is_empty() { all } else { there }
}

fn processes(proc: &Path) -> Vec<Pid> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let etcd = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        (name.trim() == NAME).then(|| Pid::from_raw(pid)).flatten()
    };
    entries.filter_map(etcd).collect()
}

/// `socket:[INODE]` of everything that listens at the port.
fn listening(port: u16) -> HashSet<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let tables = tables.iter().flatten();
    tables.flat_map(|table| inodes(table, port)).collect()
}

/// `/proc/net/tcp` (Documentation/networking/proc_net_tcp.rst): local address, state 0A is LISTEN, the tenth field is
/// the inode.
fn inodes(table: &str, port: u16) -> impl Iterator<Item = String> {
    table.lines().skip(1).filter_map(move |line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let listens = *fields.get(3)? == "0A" && u16::from_str_radix(local, 16) == Ok(port);
        listens.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
    })
}

fn holds(pid: Pid, sockets: &HashSet<String>) -> bool {
    let descriptors = format!("/proc/{}/fd", pid.as_raw_nonzero());
    let entries = fs::read_dir(descriptors).into_iter().flatten().flatten();
    let mut links = entries.filter_map(|e| fs::read_link(e.path()).ok());
    links.any(|link| sockets.contains(&*link.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_is_found_by_its_port() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = listening(port);
        assert_eq!(found.len(), 1, "{found:?}");
        let me = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(holds(me, &found));
        drop(socket);
        assert!(listening(port).is_empty());
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:094B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n   \
                     1: 0100007F:094B 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n";
        assert_eq!(inodes(table, 2379).collect::<Vec<_>>(), ["socket:[4711]"]);
    }

    #[test]
    fn only_processes_called_etcd_are_etcds() {
        let dir = tempfile::tempdir().unwrap();
        for (pid, name) in [
            ("17", "etcd\n"),
            ("18", "docker-proxy\n"),
            ("self", "etcd\n"),
        ] {
            fs::create_dir(dir.path().join(pid)).unwrap();
            fs::write(dir.path().join(pid).join("comm"), name).unwrap();
        }
        assert_eq!(processes(dir.path()), [Pid::from_raw(17).unwrap()]);
    }
}
