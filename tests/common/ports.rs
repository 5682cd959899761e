//! Ports of loopback.

use std::net::TcpListener;

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
        }
    });
    url
}
