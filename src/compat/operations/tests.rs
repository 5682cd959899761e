use super::*;
use std::collections::BTreeSet;

fn all(settings: &Settings, prefix: &[u8]) -> Vec<Operation> {
    let mut operations = Operations::new(settings, prefix);
    std::iter::from_fn(|| operations.take()).collect()
}

fn decode<M: Message + Default>(operation: &Operation) -> M {
    let message = operation.frame.slice(5..);
    let len = u32::from_be_bytes(operation.frame[1..5].try_into().unwrap());
    assert_eq!((operation.frame[0], len as usize), (0, message.len()));
    M::decode(message).unwrap()
}

#[test]
fn one_value_serves_the_whole_load_and_keys_are_those_of_the_buffer() {
    let settings = Settings {
        total: 1000,
        key_space_size: 1000,
        val_size: 13,
        ..Settings::new(Command::Put)
    };
    let puts: Vec<PutRequest> = all(&settings, b"").iter().map(decode).collect();
    let values: BTreeSet<&Bytes> = puts.iter().map(|p| &p.value).collect();
    assert_eq!(
        (puts.len(), values.len(), puts[0].value.len()),
        (1000, 1, 13)
    );
    assert!(puts.iter().all(|p| p.key.len() == 8));
    let keys: BTreeSet<Vec<u8>> = puts.iter().map(|p| p.key.to_vec()).collect();
    assert_eq!(keys, Operations::new(&settings, b"").keys(1000));
    let other = Settings {
        seed: 2,
        ..settings.clone()
    };
    assert_ne!(all(&other, b"")[0].frame, all(&settings, b"")[0].frame);
}

#[test]
fn a_transaction_puts_consecutive_numbers() {
    let settings = Settings {
        total: 3,
        txn_ops: 2,
        key_space_size: 4,
        key_size: 2,
        ..Settings::new(Command::TxnPut)
    };
    let keys = |o: &Operation| -> Vec<u8> {
        let txn: TxnRequest = decode(o);
        assert!(txn.compare.is_empty() && txn.failure.is_empty());
        let puts = txn.success.iter().map(|op| match &op.request {
            Some(Op::Put(put)) => put.key[0],
            other => panic!("{other:?}"),
        });
        puts.collect()
    };
    let all: Vec<Vec<u8>> = all(&settings, b"").iter().map(keys).collect();
    assert_eq!(all, [[0, 2], [4, 6], [0, 2]]);
}

#[test]
fn a_mixed_load_reads_everything_or_everything_behind_the_prefix() {
    let settings = Settings {
        rw_ratio: 3.0,
        serializable: true,
        ..Settings::new(Command::TxnMixed)
    };
    for (prefix, from, to) in [(&b""[..], &[0][..], &[0][..]), (b"p/", b"p/", b"p0")] {
        let all = all(&settings, prefix);
        let reads: Vec<&Operation> = all.iter().filter(|o| o.group == Group::Read).collect();
        assert!((7300..7700).contains(&reads.len()), "{}", reads.len());
        let txn: TxnRequest = decode(reads[0]);
        let Some(Op::Range(range)) = &txn.success[0].request else {
            panic!("{txn:?}");
        };
        assert_eq!((&range.key[..], &range.range_end[..]), (from, to));
        assert_eq!((range.limit, range.serializable), (1000, true));
    }
}
