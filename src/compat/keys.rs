//! The keys that the Go tool writes, bytes for bytes: `binary.PutVarint(k, n)` into one buffer of `--key-size` zeros that
//! is shared by all requests and never cleared. Only the first 1 to 10 bytes are overwritten, so a short number keeps the
//! tail of a longer one before it: a key space of 1,000 numbers has more than 1,000 keys.

/// `encoding/binary`'s `PutVarint`: zigzag, then seven bits a byte, the low ones first.
pub fn varint(n: i64) -> ([u8; 10], usize) {
    let mut rest = (n.cast_unsigned() << 1) ^ (n >> 63).cast_unsigned();
    let mut bytes = [0; 10];
    let mut len = 0;
    while rest >= 0x80 {
        bytes[len] = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
        len += 1;
    }
    bytes[len] = (rest & 0x7f) as u8;
    (bytes, len + 1)
}

/// Bytes that the longest key of a key space needs. In a smaller buffer the Go tool panics.
pub(super) fn longest(key_space: u64) -> usize {
    let last = key_space.saturating_sub(1);
    varint(i64::try_from(last).unwrap_or(i64::MAX)).1
}

/// The shared buffer.
#[derive(Clone, Debug)]
pub struct KeyBuffer {
    /// Prefix, then the buffer.
    bytes: Vec<u8>,
    prefix: usize,
}

impl KeyBuffer {
    /// `size` zeros behind a prefix.
    pub fn new(prefix: &[u8], size: usize) -> KeyBuffer {
        let mut bytes = prefix.to_vec();
        bytes.resize(prefix.len() + size, 0);
        KeyBuffer {
            bytes,
            prefix: prefix.len(),
        }
    }

    /// The key of a number: what is left behind its varint is what earlier numbers left there.
    pub fn key(&mut self, n: u64) -> &[u8] {
        let (varint, len) = varint(i64::try_from(n).unwrap_or(i64::MAX));
        // Settings are refused where it does not fit.
        for (to, from) in self.bytes[self.prefix..].iter_mut().zip(&varint[..len]) {
            *to = *from;
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn varints_are_those_of_go() {
        // From encoding/binary of Go 1.26.
        for (n, bytes) in [
            (0, &[0x00][..]),
            (1, &[0x02]),
            (-1, &[0x01]),
            (63, &[0x7e]),
            (64, &[0x80, 0x01]),
            (999, &[0xce, 0x0f]),
            (8191, &[0xfe, 0x7f]),
            (8192, &[0x80, 0x80, 0x01]),
            (
                i64::MAX,
                &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            ),
        ] {
            let (all, len) = varint(n);
            assert_eq!(&all[..len], bytes, "{n}");
        }
        assert_eq!((longest(1), longest(64), longest(65)), (1, 1, 2));
        assert_eq!(longest(u64::MAX), 10);
    }

    #[test]
    fn a_short_number_keeps_the_tail_of_a_long_one() {
        let mut buffer = KeyBuffer::new(b"p/", 4);
        assert_eq!(buffer.key(1), b"p/\x02\0\0\0");
        assert_eq!(buffer.key(64), b"p/\x80\x01\0\0");
        assert_eq!(buffer.key(1), b"p/\x02\x01\0\0");
    }

    fn distinct(numbers: impl Iterator<Item = u64>) -> usize {
        let mut buffer = KeyBuffer::new(b"", 8);
        let keys: BTreeSet<Vec<u8>> = numbers.map(|n| buffer.key(n).to_vec()).collect();
        keys.len()
    }

    #[test]
    fn only_a_single_pass_and_small_key_spaces_have_the_keys_they_promise() {
        assert_eq!(distinct(0..100_000), 100_000);
        assert_eq!(distinct((0..10_000).map(|i| i % 64)), 64);
        // Measured with the Go tool as well: 100 numbers, 164 keys.
        assert_eq!(distinct((0..10_000).map(|i| i % 100)), 164);
    }
}
