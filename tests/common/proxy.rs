//! A TCP relay in front of an etcd that can be made slow or mute, as a network can.

use etcdmark::clock;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Switches {
    /// Bytes are taken and go nowhere, as behind a firewall that drops them; connections stay open.
    mute: AtomicBool,
    /// Each piece is passed on so much later, ms.
    delay: AtomicU64,
    /// Bytes that callers sent.
    sent: AtomicU64,
    /// What callers send is passed on at so many bytes per second, all connections together; 0 = at once.
    bytes_per_second: AtomicU64,
    /// When what was passed on so far is through at that rate, on this process's clock.
    free: Mutex<u64>,
    over: AtomicBool,
}

/// Passes bytes on until dropped.
pub struct Proxy {
    pub endpoint: String,
    switches: Arc<Switches>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.switches.over.store(true, Ordering::Relaxed);
    }
}

impl Proxy {
    /// In front of `http://host:port`.
    pub fn before(endpoint: &str) -> Proxy {
        let behind = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        let switches = Arc::<Switches>::default();
        let shared = Arc::clone(&switches);
        std::thread::spawn(move || {
            while !shared.over.load(Ordering::Relaxed) {
                let Ok((caller, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                let Ok(member) = TcpStream::connect(&behind) else {
                    continue;
                };
                for (from, to, of_caller) in [(&caller, &member, true), (&member, &caller, false)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || pass(from, to, of_caller, &shared));
                }
            }
        });
        Proxy { endpoint, switches }
    }

    pub fn mute(&self, mute: bool) {
        self.switches.mute.store(mute, Ordering::Relaxed);
    }

    pub fn delay(&self, ms: u64) {
        self.switches.delay.store(ms, Ordering::Relaxed);
    }

    /// Bytes that callers sent so far.
    pub fn sent(&self) -> u64 {
        self.switches.sent.load(Ordering::Relaxed)
    }

    /// So many bytes per second from callers, all connections together.
    pub fn throttle(&self, bytes_per_second: u64) {
        self.switches
            .bytes_per_second
            .store(bytes_per_second, Ordering::Relaxed);
    }
}

impl Switches {
    /// Waits until `n` bytes are through.
    fn wait(&self, n: usize) {
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        if rate == 0 {
            return;
        }
        let until = {
            let mut free = self.free.lock().unwrap();
            let passing = n as u64 * clock::SECOND / rate;
            *free = clock::now().max(*free) + passing;
            *free
        };
        std::thread::sleep(Duration::from_nanos(until.saturating_sub(clock::now())));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, of_caller: bool, switches: &Switches) {
    let _ = from.set_nonblocking(false);
    let _ = from.set_read_timeout(Some(Duration::from_millis(100)));
    let _ = to.set_nodelay(true);
    let mut buffer = vec![0; 64 << 10];
    while !switches.over.load(Ordering::Relaxed) {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => break,
        };
        std::thread::sleep(Duration::from_millis(
            switches.delay.load(Ordering::Relaxed),
        ));
        if of_caller {
            switches.sent.fetch_add(n as u64, Ordering::Relaxed);
            switches.wait(n);
        }
        if !switches.mute.load(Ordering::Relaxed) && to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
