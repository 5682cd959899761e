//! Ports of loopback.

use std::net::{Shutdown, TcpListener};
use std::time::Duration;

/// A port on which nobody listens.
pub fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A URL at which nobody listens.
pub fn nobody() -> String {
    format!("http://127.0.0.1:{}", free())
}

/// A server that answers each of its first twenty connections with the same bytes, whatever it is told.
pub fn babbler(answer: &'static [u8]) -> String {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut socket in listener.incoming().take(20).flatten() {
            let _ = socket.read(&mut [0; 64]);
            let _ = socket.write_all(answer);
            // A socket that is closed with bytes unread resets the connection, and the answer is lost.
            let _ = socket.shutdown(Shutdown::Write);
            let _ = socket.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        }
    });
    url
}
