//! The apiservers' own TTL leases, stored as Endpoints: masterleases and peerserverleases
//! (kubernetes `pkg/controlplane/reconcilers`).

use super::meta::Meta;
use super::proto::envelope;

/// `masterleases/IP`: this apiserver is an endpoint of the `kubernetes` service.
#[derive(Clone, Copy, Debug)]
pub struct MasterLease<'a> {
    /// Its address.
    pub ip: &'a str,
    /// Counts the writes, from 1, so that each differs.
    pub generation: u64,
}

impl MasterLease<'_> {
    /// Appends the stored value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let meta = Meta {
            generation: self.generation,
            ..Meta::default()
        };
        envelope("v1", "Endpoints", out, |o| {
            meta.encode(o, &[]);
            o.message(2, |s| {
                s.message(1, |a| {
                    a.string(1, self.ip);
                    a.string(3, "");
                });
            });
        });
    }
}

/// `peerserverleases/ID`: where the other apiservers reach this one.
#[derive(Clone, Copy, Debug)]
pub struct PeerLease<'a> {
    /// `apiserver-ID`.
    pub identity: &'a str,
    /// Its address.
    pub ip: &'a str,
    /// Its port.
    pub port: u64,
    /// Counts the writes, from 1.
    pub generation: u64,
}

impl PeerLease<'_> {
    /// Appends the stored value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let meta = Meta {
            generation: self.generation,
            labels: &[("apiserverIdentity", self.identity)],
            ..Meta::default()
        };
        envelope("v1", "Endpoints", out, |o| {
            meta.encode(o, &[]);
            o.message(2, |s| {
                s.message(1, |a| {
                    a.string(1, self.ip);
                    a.string(3, "");
                });
                s.message(3, |p| {
                    p.string(1, "https");
                    p.int(2, self.port);
                    p.string(3, "TCP");
                });
            });
        });
    }
}
