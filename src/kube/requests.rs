//! kube-apiserver's request shapes, encoded straight into gRPC frames: 5 bytes of prefix (0 = not
//! compressed, then the u32 big-endian length), then the message. Every length is known before the
//! first byte is written, so a frame is one pass over its bytes, without intermediate copies.
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/store.go`, etcd `client/v3/kubernetes/client.go`;
//! recorded bytes of kube-apiserver 1.30 to 1.37.

use bytes::BufMut;
use prost::encoding::{encode_varint, encoded_len_varint};

/// Create: `if MOD(key) == 0 then put`, no else. `lease` 0 = none. (POST.)
pub fn create(key: &[u8], value: &[u8], lease: i64, out: &mut impl BufMut) {
    txn(Guard::Mod(0), key, Put { key, value, lease }, false, out);
}

/// Create through GuaranteedUpdate (server-side apply, first masterlease): as [`create`], with
/// `else range(key)`.
pub fn create_or_get(key: &[u8], value: &[u8], lease: i64, out: &mut impl BufMut) {
    txn(Guard::Mod(0), key, Put { key, value, lease }, true, out);
}

/// GuaranteedUpdate: `if MOD(key) == mod_revision then put else range(key)`; the range has no limit.
pub fn update(key: &[u8], mod_revision: i64, value: &[u8], lease: i64, out: &mut impl BufMut) {
    txn(
        Guard::Mod(mod_revision),
        key,
        Put { key, value, lease },
        true,
        out,
    );
}

/// Delete: `if MOD(key) == mod_revision then delete(key) else range(key)`.
pub fn delete(key: &[u8], mod_revision: i64, out: &mut impl BufMut) {
    txn(Guard::Mod(mod_revision), key, Delete { key }, true, out);
}

/// Get: a linearizable Range of one key; `limited` adds limit 1 (since 1.32).
pub fn get(key: &[u8], limited: bool, out: &mut impl BufMut) {
    range(key, &[], i64::from(limited), 0, out);
}

/// A page of a list. `from` is the prefix (first page) or the last key + `\0`; `range_end` stays
/// [`prefix_end`] of the prefix; `revision` 0 on the first page, then the first answer's revision.
pub fn list_page(from: &[u8], range_end: &[u8], limit: i64, revision: i64, out: &mut impl BufMut) {
    range(from, range_end, limit, revision, out);
}

/// LeaseGrant of `ttl` seconds; etcd chooses the id.
pub fn lease_grant(ttl: i64, out: &mut impl BufMut) {
    head(int_len(1, ttl), out);
    int(1, ttl, out);
}

/// The compactor's election: `if VERSION(key) == version then put(key, value) else range(key)`
/// (k8s.io/apiserver `pkg/storage/etcd3/compact.go`).
pub fn compactor_txn(version: i64, value: &[u8], key: &[u8], out: &mut impl BufMut) {
    txn(
        Guard::Version(version),
        key,
        Put {
            key,
            value,
            lease: 0,
        },
        true,
        out,
    );
}

/// Compact up to `revision`, without waiting for the backend.
pub fn compact(revision: i64, out: &mut impl BufMut) {
    head(int_len(1, revision), out);
    int(1, revision, out);
}

/// A plain put without a lease: not a shape of Kubernetes; for the benches and the manifest.
pub fn put(key: &[u8], value: &[u8], out: &mut impl BufMut) {
    let put = Put {
        key,
        value,
        lease: 0,
    };
    head(put.len(), out);
    put.encode(out);
}

/// What a Txn compares.
#[derive(Clone, Copy)]
enum Guard {
    Mod(i64),
    Version(i64),
}

impl Guard {
    // The compared number is a oneof: 0 is on the wire too.
    fn len(self, key: &[u8]) -> usize {
        bytes_len(3, key)
            + match self {
                Guard::Mod(revision) => 2 + 1 + encoded_len_varint(revision as u64),
                Guard::Version(version) => 1 + encoded_len_varint(version as u64),
            }
    }

    fn encode(self, key: &[u8], out: &mut impl BufMut) {
        if let Guard::Mod(_) = self {
            out.put_slice(&[0x10, 0x02]);
        }
        bytes(3, key, out);
        let (tag, number) = match self {
            Guard::Mod(revision) => (6u8, revision),
            Guard::Version(version) => (4u8, version),
        };
        out.put_u8(tag << 3);
        encode_varint(number as u64, out);
    }
}

/// A RequestOp's payload: its tag, its length, its bytes.
trait Op: Copy {
    const TAG: u8;
    fn len(&self) -> usize;
    fn encode(&self, out: &mut impl BufMut);
}

#[derive(Clone, Copy)]
struct Put<'a> {
    key: &'a [u8],
    value: &'a [u8],
    lease: i64,
}

impl Op for Put<'_> {
    const TAG: u8 = 2;

    fn len(&self) -> usize {
        bytes_len(1, self.key) + bytes_len(2, self.value) + int_len(3, self.lease)
    }

    fn encode(&self, out: &mut impl BufMut) {
        bytes(1, self.key, out);
        bytes(2, self.value, out);
        int(3, self.lease, out);
    }
}

#[derive(Clone, Copy)]
struct Delete<'a> {
    key: &'a [u8],
}

impl Op for Delete<'_> {
    const TAG: u8 = 3;

    fn len(&self) -> usize {
        bytes_len(1, self.key)
    }

    fn encode(&self, out: &mut impl BufMut) {
        bytes(1, self.key, out);
    }
}

#[derive(Clone, Copy)]
struct Get<'a> {
    key: &'a [u8],
}

impl Op for Get<'_> {
    const TAG: u8 = 1;

    fn len(&self) -> usize {
        bytes_len(1, self.key)
    }

    fn encode(&self, out: &mut impl BufMut) {
        bytes(1, self.key, out);
    }
}

fn txn<O: Op>(guard: Guard, key: &[u8], success: O, get_else: bool, out: &mut impl BufMut) {
    let compare = guard.len(key);
    let otherwise = Get { key };
    let mut len = message_len(compare) + message_len(message_len(success.len()));
    if get_else {
        len += message_len(message_len(otherwise.len()));
    }
    head(len, out);
    message(1, compare, out);
    guard.encode(key, out);
    request_op(2, success, out);
    if get_else {
        request_op(3, otherwise, out);
    }
}

fn request_op<O: Op>(tag: u8, op: O, out: &mut impl BufMut) {
    let len = op.len();
    message(tag, message_len(len), out);
    message(O::TAG, len, out);
    op.encode(out);
}

fn range(key: &[u8], range_end: &[u8], limit: i64, revision: i64, out: &mut impl BufMut) {
    let len =
        bytes_len(1, key) + bytes_len(2, range_end) + int_len(3, limit) + int_len(4, revision);
    head(len, out);
    bytes(1, key, out);
    bytes(2, range_end, out);
    int(3, limit, out);
    int(4, revision, out);
}

/// The gRPC prefix. A message beyond 4 GiB cannot be: etcd refuses requests over 1.5 MiB.
fn head(len: usize, out: &mut impl BufMut) {
    out.put_u8(0);
    out.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
}

// All tags here are below 16: a field's key is one byte. Empty fields are omitted (proto3).

fn message_len(len: usize) -> usize {
    1 + encoded_len_varint(len as u64) + len
}

fn message(tag: u8, len: usize, out: &mut impl BufMut) {
    out.put_u8(tag << 3 | 2);
    encode_varint(len as u64, out);
}

fn bytes_len(_tag: u8, value: &[u8]) -> usize {
    if value.is_empty() {
        0
    } else {
        message_len(value.len())
    }
}

fn bytes(tag: u8, value: &[u8], out: &mut impl BufMut) {
    if !value.is_empty() {
        message(tag, value.len(), out);
        out.put_slice(value);
    }
}

fn int_len(_tag: u8, value: i64) -> usize {
    if value == 0 {
        0
    } else {
        1 + encoded_len_varint(value as u64)
    }
}

fn int(tag: u8, value: i64, out: &mut impl BufMut) {
    if value != 0 {
        out.put_u8(tag << 3);
        encode_varint(value as u64, out);
    }
}

#[cfg(test)]
mod tests;
