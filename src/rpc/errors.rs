//! The error taxonomy: a class by gRPC code *and* message, since etcd's codes collide
//! (`server/etcdserver/api/v3rpc/rpctypes/error.go` in etcd), with what it did to the store and
//! what a caller may do about it.

use crate::rpc::Effect;
use crate::rpc::RpcError;

/// What a caller may sensibly do after an error of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The same request may be sent again, as a new attempt.
    Retry,
    /// As `Retry`, after a pause: the server asked for less.
    BackOff,
    /// Read the object again first: whether the write was applied is unknown.
    Resolve,
    /// The revision is gone (or not there yet): list afresh.
    Relist,
    /// The etcd lease is gone: grant a new one.
    Regrant,
    /// The pool renews its token by itself; the next attempt carries it.
    RenewToken,
    /// Retrying changes nothing: a matter of configuration or permission.
    GiveUp,
    /// The store cannot be trusted any more: stop the run.
    Stop,
}

/// A kind of failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorClass {
    /// Its name in results, e.g. `no-space`.
    pub name: &'static str,
    /// What the failed attempt did to the store. For reads the effect is of no account.
    pub effect: Effect,
    /// What to do next.
    pub advice: Advice,
}

/// gRPC status codes (`google.rpc.Code`).
mod code {
    pub(super) const CANCELLED: u32 = 1;
    pub(super) const UNKNOWN: u32 = 2;
    pub(super) const INVALID_ARGUMENT: u32 = 3;
    pub(super) const DEADLINE: u32 = 4;
    pub(super) const NOT_FOUND: u32 = 5;
    pub(super) const PERMISSION_DENIED: u32 = 7;
    pub(super) const RESOURCE_EXHAUSTED: u32 = 8;
    pub(super) const FAILED_PRECONDITION: u32 = 9;
    pub(super) const OUT_OF_RANGE: u32 = 11;
    pub(super) const UNIMPLEMENTED: u32 = 12;
    pub(super) const INTERNAL: u32 = 13;
    pub(super) const UNAVAILABLE: u32 = 14;
    pub(super) const DATA_LOSS: u32 = 15;
    pub(super) const UNAUTHENTICATED: u32 = 16;
}

use Advice as A;
use Effect::{Indeterminate as MAYBE, NotApplied as NO};

#[cfg(test)]
mod facts;

/// (code, part of the message, class): the first match holds.
#[rustfmt::skip]
const TABLE: &[(u32, &str, ErrorClass)] = &[
    // NOSPACE is raised again at apply, and that apply executes: indeterminate.
    (code::RESOURCE_EXHAUSTED, "database space exceeded", class("no-space", MAYBE, A::GiveUp)),
    (code::RESOURCE_EXHAUSTED, "too many requests", class("too-many-requests", NO, A::BackOff)),
    // etcd's map of errors names the client's form of these two, which carries no code: they arrive as Unknown.
    (code::UNKNOWN, "too many requests", class("too-many-requests", NO, A::BackOff)),
    (code::UNKNOWN, "not enough started members", class("failed-precondition", NO, A::GiveUp)),
    // raft drops what it does not append, e.g. while there is no leader.
    (code::UNKNOWN, "raft proposal dropped", class("proposal-dropped", NO, A::BackOff)),
    (code::UNKNOWN, "raft: stopped", class("server-stopped", MAYBE, A::Resolve)),
    (code::UNKNOWN, "request timed out", class("etcd-timed-out", MAYBE, A::Resolve)),
    (code::RESOURCE_EXHAUSTED, "larger than max", class("message-too-large", NO, A::GiveUp)),
    (code::RESOURCE_EXHAUSTED, "trying to send message", class("message-too-large", MAYBE, A::GiveUp)),
    (code::UNAVAILABLE, "no leader", class("no-leader", NO, A::BackOff)),
    (code::UNAVAILABLE, "leader changed", class("leader-changed", MAYBE, A::Resolve)),
    (code::UNAVAILABLE, "request timed out", class("etcd-timed-out", MAYBE, A::Resolve)),
    (code::UNAVAILABLE, "corrupt cluster", class("corrupt", NO, A::Stop)),
    (code::UNAVAILABLE, "server stopped", class("server-stopped", MAYBE, A::Resolve)),
    (code::UNAVAILABLE, "unhealthy cluster", class("unhealthy", NO, A::BackOff)),
    (code::UNAVAILABLE, "not capable", class("not-capable", NO, A::GiveUp)),
    (code::UNAVAILABLE, "not supported for learner", class("learner", NO, A::Retry)),
    (code::UNAVAILABLE, "cluster version not found", class("failed-precondition", NO, A::GiveUp)),
    (code::UNAVAILABLE, "", class("unavailable", MAYBE, A::Resolve)),
    (code::DATA_LOSS, "", class("corrupt", NO, A::Stop)),
    (code::FAILED_PRECONDITION, "not leader", class("not-leader", NO, A::Retry)),
    (code::FAILED_PRECONDITION, "lease already exists", class("lease-exists", NO, A::GiveUp)),
    (code::FAILED_PRECONDITION, "not capable", class("not-capable", NO, A::GiveUp)),
    (code::FAILED_PRECONDITION, "not supported for learner", class("learner", NO, A::Retry)),
    (code::FAILED_PRECONDITION, "", class("failed-precondition", NO, A::GiveUp)),
    (code::OUT_OF_RANGE, "compacted", class("compacted", NO, A::Relist)),
    (code::OUT_OF_RANGE, "future revision", class("future-revision", NO, A::Relist)),
    (code::OUT_OF_RANGE, "too large lease TTL", class("lease-ttl-too-large", NO, A::GiveUp)),
    (code::NOT_FOUND, "requested lease not found", class("lease-not-found", NO, A::Regrant)),
    (code::NOT_FOUND, "member not found", class("not-found", NO, A::GiveUp)),
    (code::INVALID_ARGUMENT, "request is too large", class("request-too-large", NO, A::GiveUp)),
    (code::INVALID_ARGUMENT, "too many operations", class("too-many-operations", NO, A::GiveUp)),
    (code::INVALID_ARGUMENT, "duplicate key", class("duplicate-key", NO, A::GiveUp)),
    (code::INVALID_ARGUMENT, "revision of auth store is old", class("auth-revision-old", NO, A::RenewToken)),
    (code::INVALID_ARGUMENT, "user name is empty", class("no-user", NO, A::GiveUp)),
    (code::INVALID_ARGUMENT, "authentication failed", class("wrong-password", NO, A::GiveUp)),
    (code::INVALID_ARGUMENT, "", class("invalid-argument", NO, A::GiveUp)),
    (code::UNAUTHENTICATED, "invalid auth token", class("invalid-token", NO, A::RenewToken)),
    (code::UNAUTHENTICATED, "", class("unauthenticated", NO, A::GiveUp)),
    (code::PERMISSION_DENIED, "", class("permission-denied", NO, A::GiveUp)),
    (code::UNIMPLEMENTED, "", class("unimplemented", NO, A::GiveUp)),
    (code::DEADLINE, "", class("deadline", MAYBE, A::Resolve)),
    (code::CANCELLED, "", class("cancelled", MAYBE, A::Resolve)),
    (code::INTERNAL, "", class("internal", MAYBE, A::Resolve)),
];

const fn class(name: &'static str, effect: Effect, advice: Advice) -> ErrorClass {
    ErrorClass {
        name,
        effect,
        advice,
    }
}

/// A create found that its object is in the store (the apiserver's 409 AlreadyExists).
pub const EXISTS: ErrorClass = class("already-exists", NO, A::GiveUp);
/// An update lost to other writers as often as the apiserver tries.
pub const CONFLICT: ErrorClass = class("conflict", NO, A::GiveUp);

/// The names of all error classes, each once.
pub fn names() -> Vec<&'static str> {
    let of_table = TABLE.iter().map(|(_, _, class)| class.name);
    let mut names: Vec<&str> = of_table.chain([EXISTS.name, CONFLICT.name]).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether an error class is about what the store holds: etcd answered as it should.
pub fn is_of_the_data(name: &str) -> bool {
    [EXISTS, CONFLICT].iter().any(|c| c.name == name)
}

/// Whether an error class may come of nothing but more load than etcd carries.
pub fn is_of_load(name: &str) -> bool {
    ["deadline", "etcd-timed-out", "too-many-requests"].contains(&name)
}

/// Whether an attempt that failed so was not answered by etcd.
pub fn is_unanswered(name: &str) -> bool {
    [
        "not-connected",
        "connection-broken",
        "deadline",
        "cancelled",
    ]
    .contains(&name)
}

/// Whether an error class only asks for a new token: an attempt is lost by it, no operation.
pub fn asks_for_token(name: &str) -> bool {
    ["auth-revision-old", "invalid-token"].contains(&name)
}

/// The class of a failed attempt.
pub fn classify(error: &RpcError) -> ErrorClass {
    match error {
        RpcError::NotConnected(_) => class("not-connected", NO, A::Retry),
        RpcError::Broken(_) => class("connection-broken", MAYBE, A::Resolve),
        RpcError::Deadline(_) => class("deadline", MAYBE, A::Resolve),
        RpcError::Malformed(_) => class("malformed", MAYBE, A::Resolve),
        RpcError::Status { code, message } => TABLE
            .iter()
            .find(|(c, part, _)| c == code && message.contains(part))
            .map_or(class("other", MAYBE, A::Resolve), |(_, _, class)| *class),
    }
}

/// Whether this error asks for a new auth token.
pub fn wants_new_token(error: &RpcError) -> bool {
    matches!(error, RpcError::Status { .. }) && classify(error).advice == Advice::RenewToken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u32, message: &str) -> ErrorClass {
        classify(&RpcError::Status {
            code,
            message: message.into(),
        })
    }

    #[test]
    fn codes_collide_and_messages_tell_them_apart() {
        #[rustfmt::skip]
        let cases = [
            (8, "etcdserver: mvcc: database space exceeded", "no-space", MAYBE),
            (8, "etcdserver: too many requests", "too-many-requests", NO),
            (8, "grpc: received message larger than max (5 vs. 4)", "message-too-large", NO),
            (14, "etcdserver: no leader", "no-leader", NO),
            (14, "etcdserver: leader changed", "leader-changed", MAYBE),
            (14, "etcdserver: request timed out, possibly due to previous leader failure", "etcd-timed-out", MAYBE),
            (14, "etcdserver: request timed out, possibly due to connection lost", "etcd-timed-out", MAYBE),
            (14, "etcdserver: request timed out", "etcd-timed-out", MAYBE),
            (14, "something else", "unavailable", MAYBE),
            (11, "etcdserver: mvcc: required revision has been compacted", "compacted", NO),
            (11, "etcdserver: mvcc: required revision is a future revision", "future-revision", NO),
            (5, "etcdserver: requested lease not found", "lease-not-found", NO),
            (3, "etcdserver: request is too large", "request-too-large", NO),
            (3, "etcdserver: user name is empty", "no-user", NO),
            (3, "etcdserver: authentication failed, invalid user ID or password", "wrong-password", NO),
            (7, "etcdserver: permission denied", "permission-denied", NO),
            (16, "etcdserver: invalid auth token", "invalid-token", NO),
            (15, "etcdserver: corrupt cluster", "corrupt", NO),
            (99, "?", "other", MAYBE),
        ];
        for (code, message, name, effect) in cases {
            let class = status(code, message);
            assert_eq!(
                (class.name, class.effect),
                (name, effect),
                "{code} {message}"
            );
        }
    }

    #[test]
    fn a_request_that_never_left_was_not_applied() {
        assert_eq!(
            classify(&RpcError::NotConnected("x".into())).effect,
            Effect::NotApplied
        );
        assert_eq!(
            classify(&RpcError::Broken("x".into())).effect,
            Effect::Indeterminate
        );
        let deadline = RpcError::Deadline(std::time::Duration::from_secs(1));
        assert_eq!(classify(&deadline).effect, Effect::Indeterminate);
    }

    #[test]
    fn only_token_errors_ask_for_a_token() {
        let token = |code, m: &str| {
            wants_new_token(&RpcError::Status {
                code,
                message: m.into(),
            })
        };
        assert!(token(16, "etcdserver: invalid auth token"));
        assert!(token(3, "etcdserver: revision of auth store is old"));
        assert!(!token(7, "etcdserver: permission denied"));
        assert!(!token(3, "etcdserver: request is too large"));
    }
}
