//! A throwaway etcd cluster of one or three members on loopback.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::binary::EtcdBinary;
use super::data_dir::{copy_tree, io_error};
use super::dirs::Dirs;
use super::error::LocalError;
use super::fs::FileSystem;
use super::medium::MemberMedium;
use super::member::Member;
use super::options::{LocalOptions, LocalTls};
use super::readiness::wait_ready;
use crate::target::Target;
use crate::target::{LocalMember, Pem, TlsMaterial};

/// A port that was free may be taken before etcd binds it: so often is a start repeated with other ports.
const PORT_ATTEMPTS: usize = 5;

/// How long an etcd may take to end after SIGTERM, before SIGKILL: the leader of three seeks a successor for 7 s, among
/// members that are ending too. Whose data go with it is not waited for that long.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT_SCRATCH: Duration = Duration::from_secs(2);

/// Running etcds that etcdmark started. [`stop`](Self::stop) ends them in an orderly way; dropping kills them; and
/// if this process is killed, the kernel kills them.
#[derive(Debug)]
pub struct LocalCluster {
    // Dropped in this order: processes first, then their directory.
    members: Vec<Member>,
    dirs: Dirs,
    binary: EtcdBinary,
    tls: Option<TlsMaterial>,
    file_system: FileSystem,
    in_memory: Option<String>,
}

impl LocalCluster {
    /// Finds the binary, starts the members and waits until each answers a linearizable read (at most 30 s).
    ///
    /// etcd's defaults are left alone but for names, URLs, data directory, cluster token and the log (level warn,
    /// to a file). Any tokio runtime with IO and time enabled will do.
    pub async fn start(options: LocalOptions) -> Result<Self, LocalError> {
        options.validate()?;
        let binary = options.binary.find()?;
        let tls = options.tls.as_ref().map(read_tls).transpose()?;
        let dirs = Dirs::new(&options)?;
        let file_system = FileSystem::of(dirs.data.path())?;
        let media = {
            let _held = options.hold()?;
            dirs.media(&options)?
        };
        let mut cluster = LocalCluster {
            members: Vec::new(),
            dirs,
            binary,
            tls,
            file_system,
            in_memory: options.in_memory(),
        };
        for attempt in 1.. {
            cluster.members = members(&options, &cluster.binary, &cluster.dirs, &media)?;
            if let Some(snapshot) = &options.snapshot {
                cluster.begin_from(snapshot)?;
            }
            match cluster.start_members().await {
                Err(LocalError::Exited { tail, .. })
                    if attempt < PORT_ATTEMPTS && port_taken(&tail) =>
                {
                    cluster.members.clear();
                    cluster.dirs.clear()?;
                }
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        Ok(cluster)
    }

    /// Gives the only member a copy of a stopped one's data, its log where this one keeps it.
    fn begin_from(&self, snapshot: &Path) -> Result<(), LocalError> {
        let member = self.member(0)?;
        copy_tree(&snapshot.join(member.name()), member.data_dir())?;
        if self.dirs.wal.is_some() {
            let inside = member.data_dir().join("member/wal");
            copy_tree(&inside, &self.dirs.wal_of(0))?;
            std::fs::remove_dir_all(&inside).map_err(io_error("cannot remove", &inside))?;
        }
        Ok(())
    }

    async fn start_members(&self) -> Result<(), LocalError> {
        self.members.iter().try_for_each(Member::spawn)?;
        for member in &self.members {
            // One that ended keeps the others from a quorum: say so rather than that they do not answer.
            tokio::select! {
                ready = wait_ready(member, self.tls.as_ref()) => ready?,
                error = self.any_exit() => return Err(error),
            }
        }
        Ok(())
    }

    async fn any_exit(&self) -> LocalError {
        loop {
            if let Err(error) = self.check() {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How to reach it: `owned`, with every member's endpoint, process and data directory.
    pub fn target(&self) -> Target {
        let mut target = Target::plain(self.endpoints());
        target.tls = self.tls.clone();
        target.owned = true;
        target.local_members = self
            .members
            .iter()
            .filter_map(|m| {
                Some(LocalMember {
                    name: m.name().to_owned(),
                    pid: m.pid()?,
                    endpoint: m.endpoint().to_owned(),
                    data_dir: m.data_dir().to_owned(),
                    file_system: self.file_system.to_string(),
                    in_memory: self.in_memory.clone(),
                    medium: m.medium(),
                    binary: self.binary.info(),
                    end: m.end(),
                })
            })
            .collect();
        target
    }

    /// Client URLs, in the order of [`members`](Self::members).
    pub fn endpoints(&self) -> Vec<String> {
        self.members
            .iter()
            .map(|m| m.endpoint().to_owned())
            .collect()
    }

    /// The members, `etcd-0` first.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The binary and its version.
    pub fn binary(&self) -> &EtcdBinary {
        &self.binary
    }

    /// Parent of the members' data directories and logs.
    pub fn data_dir(&self) -> &Path {
        self.dirs.data.path()
    }

    /// Why the data are not in memory, where a medium wants them.
    pub fn note(&self) -> Option<&str> {
        self.dirs.note.as_deref()
    }

    /// What to say where data lie in memory and no medium is emulated.
    pub fn in_memory(&self) -> Option<&str> {
        self.in_memory.as_deref()
    }

    /// What the data lie on.
    pub fn file_system(&self) -> &FileSystem {
        &self.file_system
    }

    /// An error, with its last log lines, if any member's process has ended.
    pub fn check(&self) -> Result<(), LocalError> {
        self.members
            .iter()
            .find_map(Member::exited)
            .map_or(Ok(()), Err)
    }

    /// SIGKILLs member `index` and waits for its end.
    pub fn kill_member(&self, index: usize) -> Result<(), LocalError> {
        self.member(index)?.kill();
        Ok(())
    }

    /// SIGSTOPs member `index`: it keeps its sockets and answers nothing.
    pub fn pause_member(&self, index: usize) -> Result<(), LocalError> {
        self.member(index)?.signal(Signal::STOP)
    }

    /// SIGCONTs member `index`.
    pub fn continue_member(&self, index: usize) -> Result<(), LocalError> {
        self.member(index)?.signal(Signal::CONT)
    }

    /// Starts member `index` again on its data and ports (ending it in an orderly way first if it runs), and waits
    /// until it answers.
    pub async fn restart_member(&self, index: usize) -> Result<(), LocalError> {
        let member = self.member(index)?;
        member.stop(STOP_TIMEOUT).await;
        for attempt in 1.. {
            member.spawn()?;
            match wait_ready(member, self.tls.as_ref()).await {
                // An outgoing connection may have the port for a moment.
                Err(LocalError::Exited { tail, .. })
                    if attempt < PORT_ATTEMPTS && port_taken(&tail) => {}
                done => return done,
            }
        }
        Ok(())
    }

    /// Ends all members (SIGTERM, then SIGKILL after 10 s, or after 2 s where the data are going to be removed) and removes
    /// the data directory unless the user named it.
    pub async fn stop(self) {
        let patience = if self.dirs.data.goes() {
            STOP_TIMEOUT_SCRATCH
        } else {
            STOP_TIMEOUT
        };
        let stops = self.members.iter().map(|m| m.stop(patience));
        futures_util::future::join_all(stops).await;
    }

    fn member(&self, index: usize) -> Result<&Member, LocalError> {
        self.members.get(index).ok_or(LocalError::NoSuchMember {
            index,
            members: self.members.len(),
        })
    }
}

/// The members with their command lines, on ports that are free now.
fn members(
    options: &LocalOptions,
    binary: &EtcdBinary,
    dirs: &Dirs,
    media: &[Option<MemberMedium>],
) -> Result<Vec<Member>, LocalError> {
    let ports = free_ports(2 * options.members).map_err(|source| LocalError::System {
        what: "cannot find free ports on 127.0.0.1",
        source,
    })?;
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let peer = |i: usize| format!("http://127.0.0.1:{}", ports[2 * i + 1]);
    let all: Vec<_> = (0..options.members)
        .map(|i| format!("etcd-{i}={}", peer(i)))
        .collect();
    let root = dirs.data.path();
    let token = root
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let member = |i: usize| {
        let name = format!("etcd-{i}");
        let client = format!("{scheme}://127.0.0.1:{}", ports[2 * i]);
        let mut args = vec![
            format!("--name={name}"),
            format!("--data-dir={}", dirs.data_of(i).display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={}", peer(i)),
            format!("--initial-advertise-peer-urls={}", peer(i)),
            format!("--initial-cluster={}", all.join(",")),
            format!("--initial-cluster-token={token}"),
        ];
        args.extend(
            dirs.wal
                .iter()
                .map(|_| format!("--wal-dir={}", dirs.wal_of(i).display())),
        );
        args.extend(options.default_flags(&binary.version));
        args.extend(options.tls.iter().flat_map(tls_flags));
        args.extend(options.flags.iter().cloned());
        let medium = media.get(i).cloned().flatten();
        let (binary, cores) = (binary.path.clone(), options.cores.clone());
        Member::new(name, client, root, binary, args, medium, cores)
    };
    Ok((0..options.members).map(member).collect())
}

fn tls_flags(tls: &LocalTls) -> Vec<String> {
    vec![
        format!("--trusted-ca-file={}", tls.ca.display()),
        format!("--cert-file={}", tls.server_cert.display()),
        format!("--key-file={}", tls.server_key.display()),
        format!("--client-cert-auth={}", tls.client_cert_auth),
    ]
}

fn read_tls(tls: &LocalTls) -> Result<TlsMaterial, LocalError> {
    let read = |named_by: &str, path: &Path| {
        let bytes = std::fs::read(path).map_err(io_error("cannot read", path))?;
        let (named_by, path) = (named_by.to_owned(), path.display().to_string());
        Ok::<_, LocalError>(Pem {
            bytes,
            named_by,
            path,
        })
    };
    let (cert, key) = tls.client.as_ref().map(|(c, k)| (c, k)).unzip();
    Ok(TlsMaterial {
        ca: Some(read("CA", &tls.ca)?),
        cert: cert.map(|path| read("certificate", path)).transpose()?,
        key: key.map(|path| read("key", path)).transpose()?,
        ..TlsMaterial::default()
    })
}

/// `n` different ports, held together so that the kernel cannot hand one out twice.
fn free_ports(n: usize) -> io::Result<Vec<u16>> {
    let held = (0..n)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<Vec<_>>>()?;
    held.iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

fn port_taken(log_tail: &str) -> bool {
    log_tail.contains("address already in use")
}
