//! gRPC frames of an answer: a prefix of 5 bytes (0 = not compressed, then the length, big endian), the message.

use super::RpcError;
use bytes::{Bytes, BytesMut};

/// Bytes of the whole frame, as its prefix says: the peer chose it, so it is checked before it is believed.
pub(crate) fn expected_len(frame: &[u8]) -> usize {
    match frame {
        [_, a, b, c, d, ..] => 5 + u32::from_be_bytes([*a, *b, *c, *d]) as usize,
        _ => 0,
    }
}

/// Takes the 5-byte prefixes off and joins what is left.
pub(crate) fn unframe(mut frames: Bytes) -> Result<Bytes, RpcError> {
    let mut joined = BytesMut::new();
    loop {
        let len = match *frames {
            [0, a, b, c, d, ..] => u32::from_be_bytes([a, b, c, d]) as usize,
            [1, ..] => {
                return Err(RpcError::Malformed(
                    "compressed, but etcdmark accepts no compression".into(),
                ));
            }
            _ => usize::MAX,
        };
        let rest = frames.len().saturating_sub(5);
        if len > rest {
            return Err(RpcError::Malformed(format!(
                "a frame of {} bytes with a wrong prefix",
                frames.len()
            )));
        }
        let mut message = frames.split_off(5);
        if len == rest && joined.is_empty() {
            // The only one: nothing is copied.
            return Ok(message);
        }
        joined.reserve(rest);
        frames = message.split_off(len);
        joined.extend_from_slice(&message);
        if frames.is_empty() {
            return Ok(joined.freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_must_be_whole_and_uncompressed() {
        assert_eq!(
            unframe(Bytes::from_static(&[0, 0, 0, 0, 2, 7, 8])),
            Ok(Bytes::from_static(&[7, 8]))
        );
        assert_eq!(
            unframe(Bytes::from_static(&[0, 0, 0, 0, 0])),
            Ok(Bytes::new())
        );
        let stream = [0, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9];
        assert_eq!(
            unframe(Bytes::copy_from_slice(&stream)),
            Ok(Bytes::from_static(&[7, 8, 9]))
        );
        for cut in [1, 4, 6, 11, 17] {
            assert!(
                unframe(Bytes::copy_from_slice(&stream[..cut])).is_err(),
                "{cut}"
            );
        }
        for bad in [
            &[][..],
            &[0, 0, 0],
            &[0, 0, 0, 0, 3, 7],
            &[1, 0, 0, 0, 1, 7],
        ] {
            assert!(matches!(
                unframe(Bytes::copy_from_slice(bad)),
                Err(RpcError::Malformed(_))
            ));
        }
    }
}
