//! Every error that etcd answers with, as facts: `api/v3rpc/rpctypes/error.go` of etcd 3.4 to 3.7 (the newest
//! patch of each), and what leaves `togRPCError` (`server/etcdserver/api/v3rpc/util.go`) without a code.

use super::{MAYBE, NO, classify};
use crate::rpc::{Effect, RpcError};

/// (code, message, first and last minor version, class, effect).
type Fact = (
    u32,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Effect,
);

#[rustfmt::skip]
const RPCTYPES: &[Fact] = &[
    (1, "etcdserver: request canceled", "3.5", "3.7", "cancelled", MAYBE),
    (1, "etcdserver: watch canceled", "3.5", "3.7", "cancelled", MAYBE),
    (3, "etcdserver: authentication failed, invalid user ID or password", "3.4", "3.7", "wrong-password", NO),
    (3, "etcdserver: duplicate key given in txn request", "3.4", "3.7", "duplicate-key", NO),
    (3, "etcdserver: given member URLs are invalid", "3.4", "3.7", "invalid-argument", NO),
    (3, "etcdserver: invalid auth management", "3.4", "3.7", "invalid-argument", NO),
    (3, "etcdserver: invalid client api version", "3.6", "3.7", "invalid-argument", NO),
    (3, "etcdserver: invalid downgrade target version", "3.5", "3.7", "invalid-argument", NO),
    (3, "etcdserver: invalid sort option", "3.6", "3.7", "invalid-argument", NO),
    (3, "etcdserver: key is not provided", "3.4", "3.7", "invalid-argument", NO),
    (3, "etcdserver: key not found", "3.4", "3.7", "invalid-argument", NO),
    (3, "etcdserver: lease is provided", "3.4", "3.7", "invalid-argument", NO),
    (3, "etcdserver: permission not given", "3.5", "3.7", "invalid-argument", NO),
    (3, "etcdserver: request is too large", "3.4", "3.7", "request-too-large", NO),
    (3, "etcdserver: revision of auth store is old", "3.5", "3.7", "auth-revision-old", NO),
    (3, "etcdserver: role name is empty", "3.4", "3.7", "invalid-argument", NO),
    (3, "etcdserver: too many operations in txn request", "3.4", "3.7", "too-many-operations", NO),
    (3, "etcdserver: user name is empty", "3.4", "3.7", "no-user", NO),
    (3, "etcdserver: value is provided", "3.4", "3.7", "invalid-argument", NO),
    (3, "etcdserver: wrong downgrade target version format", "3.5", "3.7", "invalid-argument", NO),
    (4, "etcdserver: context deadline exceeded", "3.5", "3.7", "deadline", MAYBE),
    (5, "etcdserver: member not found", "3.4", "3.7", "not-found", NO),
    (5, "etcdserver: requested lease not found", "3.4", "3.7", "lease-not-found", NO),
    (7, "etcdserver: permission denied", "3.4", "3.7", "permission-denied", NO),
    (8, "etcdserver: mvcc: database space exceeded", "3.4", "3.7", "no-space", MAYBE),
    (8, "etcdserver: too many requests", "3.4", "3.7", "too-many-requests", NO),
    (9, "etcdserver: Peer URLs already exists", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: authentication is not enabled", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: bad leader transferee", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: can only promote a learner member", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: can only promote a learner member which is in sync with leader", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: cluster ID mismatch", "3.5", "3.7", "failed-precondition", NO),
    (9, "etcdserver: cluster has a downgrade job in progress", "3.5", "3.7", "failed-precondition", NO),
    (9, "etcdserver: cluster version not found during downgrade", "3.6", "3.7", "failed-precondition", NO),
    (9, "etcdserver: lease already exists", "3.4", "3.7", "lease-exists", NO),
    (9, "etcdserver: member ID already exist", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: no inflight downgrade job", "3.5", "3.7", "failed-precondition", NO),
    (9, "etcdserver: not capable", "3.6", "3.7", "not-capable", NO),
    (9, "etcdserver: not leader", "3.4", "3.7", "not-leader", NO),
    (9, "etcdserver: permission is not granted to the role", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: re-configuration failed due to not enough started members", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: role is not granted to the user", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: role name already exists", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: role name not found", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: root user does not exist", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: root user does not have root role", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: rpc not supported for learner", "3.6", "3.7", "learner", NO),
    (9, "etcdserver: too many learner members in cluster", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: user name already exists", "3.4", "3.7", "failed-precondition", NO),
    (9, "etcdserver: user name not found", "3.4", "3.7", "failed-precondition", NO),
    (11, "etcdserver: mvcc: required revision has been compacted", "3.4", "3.7", "compacted", NO),
    (11, "etcdserver: mvcc: required revision is a future revision", "3.4", "3.7", "future-revision", NO),
    (11, "etcdserver: too large lease TTL", "3.4", "3.7", "lease-ttl-too-large", NO),
    (14, "etcdserver: cluster version not found during downgrade", "3.5", "3.5", "failed-precondition", NO),
    (14, "etcdserver: leader changed", "3.4", "3.7", "leader-changed", MAYBE),
    (14, "etcdserver: no leader", "3.4", "3.7", "no-leader", NO),
    (14, "etcdserver: not capable", "3.4", "3.5", "not-capable", NO),
    (14, "etcdserver: request timed out", "3.4", "3.7", "etcd-timed-out", MAYBE),
    (14, "etcdserver: request timed out, possibly due to connection lost", "3.4", "3.7", "etcd-timed-out", MAYBE),
    (14, "etcdserver: request timed out, possibly due to previous leader failure", "3.4", "3.7", "etcd-timed-out", MAYBE),
    (14, "etcdserver: request timed out, waiting for the applied index took too long", "3.5", "3.7", "etcd-timed-out", MAYBE),
    (14, "etcdserver: rpc not supported for learner", "3.4", "3.5", "learner", NO),
    (14, "etcdserver: server stopped", "3.4", "3.7", "server-stopped", MAYBE),
    (14, "etcdserver: unhealthy cluster", "3.4", "3.7", "unhealthy", NO),
    (15, "etcdserver: corrupt cluster", "3.4", "3.7", "corrupt", NO),
    (16, "etcdserver: invalid auth token", "3.4", "3.7", "invalid-token", NO),
];

/// What arrives as code Unknown (2). The map in `togRPCError` holds the client's error, which has no gRPC status,
/// for the first two, and nothing for the others.
#[rustfmt::skip]
const WITHOUT_A_CODE: &[Fact] = &[
    (2, "etcdserver: too many requests", "3.4", "3.7", "too-many-requests", NO),
    (2, "etcdserver: re-configuration failed due to not enough started members", "3.4", "3.7", "failed-precondition", NO),
    (2, "raft proposal dropped", "3.4", "3.7", "proposal-dropped", NO),
    (2, "raft: stopped", "3.4", "3.7", "server-stopped", MAYBE),
    (2, "etcdserver: request timed out, leader transfer took too long", "3.4", "3.7", "etcd-timed-out", MAYBE),
    (2, "mvcc: closed", "3.4", "3.7", "other", MAYBE),
];

#[test]
fn every_error_of_etcd_has_a_class_and_an_effect() {
    assert_eq!(RPCTYPES.len(), 66);
    let mut wrong = Vec::new();
    for (code, message, first, last, name, effect) in RPCTYPES.iter().chain(WITHOUT_A_CODE) {
        let found = classify(&RpcError::Status {
            code: *code,
            message: (*message).into(),
        });
        if (found.name, found.effect) != (*name, *effect) {
            wrong.push(format!(
                "etcd {first} to {last}: {code} {message:?} is {} ({:?}), should be {name} ({effect:?})",
                found.name, found.effect
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_what_nothing_is_known_of_is_other() {
    let other = RPCTYPES
        .iter()
        .chain(WITHOUT_A_CODE)
        .filter(|f| f.4 == "other");
    assert_eq!(other.map(|f| f.1).collect::<Vec<_>>(), ["mvcc: closed"]);
}
