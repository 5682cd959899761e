//! Ranges of keys.

/// The end of the range of all keys that start with `prefix` (clientv3 `GetPrefixRangeEnd`): the
/// last byte below 0xff plus one. `[0]` (= no end) for an empty prefix or one of 0xff only.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}
