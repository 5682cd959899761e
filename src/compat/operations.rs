//! The requests of a load, in the order in which the Go tool's one producer makes them.

use super::keys::KeyBuffer;
use super::settings::{Command, Settings};
use crate::rng::{mix, stream, unit};
use crate::rpc::Rpc;
use crate::rpc::messages::{
    LeaseKeepAliveRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
    request_op::Request as Op,
};
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

/// What a request counts as: txn-mixed reports reads and writes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Everything else.
    All,
    Read,
    Write,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Operation {
    pub group: Group,
    pub rpc: Rpc,
    /// The gRPC frame. Empty for a lease renewal: it is the client's own lease.
    pub frame: Bytes,
}

/// Makes them; a function of settings, prefix and count.
#[derive(Debug)]
pub struct Operations {
    settings: Settings,
    made: u64,
    keys: KeyBuffer,
    value: Bytes,
    /// The read that all reads are.
    read: RangeRequest,
    numbers: u64,
    kinds: u64,
}

impl Operations {
    /// `prefix` stands before each key; a txn-mixed read is of all keys behind it.
    pub fn new(settings: &Settings, prefix: &[u8]) -> Operations {
        let (key, range_end) = match (&settings.range, prefix.is_empty()) {
            (Some((key, end)), _) => (key.clone().into_bytes(), end.clone().into_bytes()),
            // clientv3's WithPrefix on an empty key: from the first key to the last one.
            (None, true) => (vec![0], vec![0]),
            (None, false) => (prefix.to_vec(), crate::rpc::prefix_end(prefix)),
        };
        Operations {
            made: 0,
            keys: KeyBuffer::new(prefix, settings.key_size),
            value: value(settings.seed, settings.val_size),
            read: RangeRequest {
                key: key.into(),
                range_end: range_end.into(),
                limit: settings.limit,
                serializable: settings.serializable,
                count_only: settings.count_only,
                ..RangeRequest::default()
            },
            numbers: stream(settings.seed, "key"),
            kinds: stream(settings.seed, "kind"),
            settings: settings.clone(),
        }
    }

    /// How many were made.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// The next one; none when --total were made.
    pub fn take(&mut self) -> Option<Operation> {
        if self.made >= self.settings.total {
            return None;
        }
        let i = self.made;
        self.made += 1;
        let all = |rpc, frame| Operation {
            group: Group::All,
            rpc,
            frame,
        };
        Some(match self.settings.command {
            Command::Put => all(Rpc::Put, frame(&self.put(self.number(i)))),
            Command::Range => all(Rpc::Range, frame(&self.read)),
            Command::LeaseKeepalive => all(Rpc::LeaseKeepAlive, Bytes::new()),
            Command::TxnPut => {
                let ops = self.settings.txn_ops;
                let numbers = (0..ops).map(|j| i.wrapping_mul(ops).wrapping_add(j));
                let puts = numbers.map(|n| Op::Put(self.put(n % self.settings.key_space_size)));
                all(Rpc::Txn, frame(&txn(puts.collect())))
            }
            Command::TxnMixed if self.reads(i) => Operation {
                group: Group::Read,
                rpc: Rpc::Txn,
                frame: frame(&txn(vec![Op::Range(self.read.clone())])),
            },
            Command::TxnMixed => {
                let put = self.put(i % self.settings.key_space_size);
                Operation {
                    group: Group::Write,
                    rpc: Rpc::Txn,
                    frame: frame(&txn(vec![Op::Put(put)])),
                }
            }
        })
    }

    /// The keys that the next `count` requests put.
    pub fn keys(&mut self, count: u64) -> std::collections::BTreeSet<Vec<u8>> {
        let mut keys = std::collections::BTreeSet::new();
        for i in self.made..self.made.saturating_add(count).min(self.settings.total) {
            let space = self.settings.key_space_size;
            match self.settings.command {
                Command::Put => {
                    let n = self.number(i);
                    keys.insert(self.keys.key(n).to_vec());
                }
                Command::TxnPut => {
                    let ops = self.settings.txn_ops;
                    for j in 0..ops {
                        let n = i.wrapping_mul(ops).wrapping_add(j) % space;
                        keys.insert(self.keys.key(n).to_vec());
                    }
                }
                Command::TxnMixed if !self.reads(i) => {
                    keys.insert(self.keys.key(i % space).to_vec());
                }
                _ => {}
            }
        }
        self.made = self.made.saturating_add(count);
        keys
    }

    /// The value of every put.
    pub fn value(&self) -> &Bytes {
        &self.value
    }

    fn number(&self, i: u64) -> u64 {
        let space = self.settings.key_space_size;
        if self.settings.sequential_keys {
            return i % space;
        }
        let scaled = (u128::from(mix(self.numbers, i, 0)) * u128::from(space)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }

    fn reads(&self, i: u64) -> bool {
        let ratio = self.settings.rw_ratio;
        unit(mix(self.kinds, i, 0)) < ratio / (1.0 + ratio)
    }

    fn put(&mut self, n: u64) -> PutRequest {
        PutRequest {
            key: Bytes::copy_from_slice(self.keys.key(n)),
            value: self.value.clone(),
            lease: 0,
        }
    }
}

/// Random bytes, which nothing compresses.
pub(super) fn value(seed: u64, size: usize) -> Bytes {
    let seed = stream(seed, "value");
    let words = (0..size.div_ceil(8) as u64).flat_map(|i| mix(seed, i, 0).to_le_bytes());
    words.take(size).collect()
}

/// Without a condition.
fn txn(ops: Vec<Op>) -> TxnRequest {
    let op = |op| RequestOp { request: Some(op) };
    TxnRequest {
        success: ops.into_iter().map(op).collect(),
        ..TxnRequest::default()
    }
}

/// The frame of a renewal.
pub(super) fn renewal(lease: i64) -> Bytes {
    frame(&LeaseKeepAliveRequest { id: lease })
}

pub(super) fn frame(message: &impl Message) -> Bytes {
    let len = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(5 + len);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
    bytes.extend_from_slice(&message.encode_to_vec());
    bytes.freeze()
}

#[cfg(test)]
mod tests;
