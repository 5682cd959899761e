//! A protobuf writer in one forward pass: a message's length is filled in after its content, and
//! the content is moved by a byte or two when the length needs them. Writes empty fields when told
//! to, as Go's generated code does.

/// Appends protobuf fields to a buffer.
pub(super) struct Proto<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Proto<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Proto { out }
    }

    /// A string, even an empty one.
    pub(super) fn string(&mut self, tag: u32, s: &str) {
        self.key(tag, 2);
        varint(s.len() as u64, self.out);
        self.out.extend_from_slice(s.as_bytes());
    }

    /// A string of several parts.
    pub(super) fn parts(&mut self, tag: u32, parts: &[&str]) {
        self.key(tag, 2);
        varint(parts.iter().map(|p| p.len() as u64).sum(), self.out);
        for part in parts {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    /// An integer or bool, even 0.
    pub(super) fn int(&mut self, tag: u32, n: u64) {
        self.key(tag, 0);
        varint(n, self.out);
    }

    /// A message.
    pub(super) fn message(&mut self, tag: u32, content: impl FnOnce(&mut Proto<'_>)) {
        self.key(tag, 2);
        // Most messages are below 128 bytes (one byte of length) or below 16 KiB (two).
        let at = self.out.len();
        self.out.push(0);
        content(&mut Proto { out: self.out });
        let len = self.out.len() - at - 1;
        if len < 0x80 {
            self.out[at] = len as u8;
            return;
        }
        let mut buffer = [0; 10];
        let prefix = {
            let mut n = 0;
            let mut rest = len;
            while rest >= 0x80 {
                buffer[n] = rest as u8 | 0x80;
                rest >>= 7;
                n += 1;
            }
            buffer[n] = rest as u8;
            &buffer[..=n]
        };
        self.out.resize(at + prefix.len() + len, 0);
        self.out
            .copy_within(at + 1..at + 1 + len, at + prefix.len());
        self.out[at..at + prefix.len()].copy_from_slice(prefix);
    }

    /// An entry of a `map<string, string>`.
    pub(super) fn entry(&mut self, tag: u32, key: &str, value: &str) {
        self.message(tag, |e| {
            e.string(1, key);
            e.string(2, value);
        });
    }

    /// metav1.Time: seconds, and nanos that are always 0; `None` is Go's zero time, an empty message.
    pub(super) fn time(&mut self, tag: u32, seconds: Option<u64>) {
        self.message(tag, |t| {
            if let Some(seconds) = seconds {
                t.int(1, seconds);
                t.int(2, 0);
            }
        });
    }

    /// metav1.MicroTime: seconds and nanos, cut to whole µs; `None` is Go's zero time.
    pub(super) fn micro_time(&mut self, tag: u32, unix_ns: Option<u64>) {
        self.message(tag, |t| {
            if let Some(ns) = unix_ns {
                t.int(1, ns / 1_000_000_000);
                t.int(2, ns % 1_000_000_000 / 1000 * 1000);
            }
        });
    }

    /// Fields that are encoded already.
    pub(super) fn raw(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    fn key(&mut self, tag: u32, wire_type: u32) {
        varint(u64::from(tag << 3 | wire_type), self.out);
    }
}

fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// kube-apiserver's storage envelope: `k8s\0`, then runtime.Unknown with the object's type, the
/// object, and the two fields that are always empty
/// (k8s.io/apimachinery `pkg/runtime/serializer/protobuf/protobuf.go`).
pub(super) fn envelope(
    api_version: &str,
    kind: &str,
    out: &mut Vec<u8>,
    object: impl FnOnce(&mut Proto<'_>),
) {
    out.extend_from_slice(b"k8s\0");
    let mut unknown = Proto::new(out);
    unknown.message(1, |t| {
        t.string(1, api_version);
        t.string(2, kind);
    });
    unknown.message(2, object);
    unknown.string(3, "");
    unknown.string(4, "");
}
