//! Rare calls, through etcd-client: members, status, alarms, reads, transactions, leases, deletes.
//!
//! One client per endpoint, so that a dead member never poisons the others, and the endpoints are the
//! ones that were given: the member list is read, never followed. Every call has the command timeout.

use super::channel::channel;
pub use super::control_types::{Alarm, ControlError, MemberEntry, MemberStatus, Page, RangeSpec};
use crate::etcd::diagnosis::second_look;
use crate::etcd::pages;
use crate::etcd::tls::DialError;
use crate::target::{Target, TlsMaterial};
use etcd_client::{
    AlarmAction, AlarmType, Client, ConnectOptions, DeleteOptions, Error as EtcdError, KeyValue,
    LeaseTimeToLiveOptions, Txn, TxnResponse, WatchOptions, WatchStream,
};
use std::time::Duration;

/// Largest answer that a control call accepts, bytes: a page of 1,000 large objects.
const MAX_ANSWER: usize = 256 << 20;

/// The client of one endpoint. Cheap to clone.
#[derive(Clone)]
pub struct Member {
    endpoint: String,
    pub(super) timeout: Duration,
    pub(super) owned: bool,
    pub(super) client: Client,
    /// Where its metrics may be: every page of the etcd, with the number of its own by the order of the flags.
    pub(super) metrics: (Vec<String>, Option<usize>),
    pub(super) tls: Option<TlsMaterial>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Member {
    /// Connects to one endpoint and, with credentials, logs in. An etcd without authentication takes
    /// credentials silently, as for etcdctl.
    pub async fn connect(target: &Target, endpoint: &str) -> Result<Member, ControlError> {
        let channel = match channel(target, endpoint).await {
            Ok(channel) => etcd_client::Channel::Tonic(channel),
            Err(e) => return Err(second_look(target, endpoint, e).await.into()),
        };
        let timeout = target.command_timeout;
        let options = target.credentials.as_ref().map(|c| {
            ConnectOptions::new()
                .with_user(c.user.as_str(), c.password.as_str())
                .with_auto_token_refresh(true)
        });
        let had_user = options.is_some();
        let connect = |o| {
            let channel = channel.clone();
            bounded(endpoint, "Authenticate", timeout, async move {
                Client::from_channel(channel, o).await
            })
        };
        let client = match connect(options).await {
            Err(e) if had_user && e.message().contains("authentication is not enabled") => {
                connect(None).await?
            }
            other => other?,
        };
        let pages = pages::urls(target);
        let own = match pages.len() == target.endpoints.len() {
            true => target.endpoints.iter().position(|e| e == endpoint),
            false => None,
        };
        Ok(Member {
            endpoint: endpoint.to_owned(),
            timeout,
            owned: target.owned,
            client,
            metrics: (pages, own),
            tls: target.tls.clone(),
        })
    }

    /// The endpoint as given.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) async fn call<T>(
        &self,
        call: &'static str,
        f: impl Future<Output = Result<T, EtcdError>>,
    ) -> Result<T, ControlError> {
        bounded(&self.endpoint, call, self.timeout, f).await
    }

    pub(super) fn kv(&self) -> etcd_client::KvClient {
        self.client
            .kv_client()
            .max_decoding_message_size(MAX_ANSWER)
    }

    /// `Watch` over `[from, to)` from a revision on (0 = now), until it is dropped.
    pub async fn watch(
        &self,
        from: &[u8],
        to: &[u8],
        revision: i64,
    ) -> Result<WatchStream, ControlError> {
        let watch = self.client.watch_client();
        let mut watch = watch.max_decoding_message_size(MAX_ANSWER);
        let options = WatchOptions::new()
            .with_range(to)
            .with_start_revision(revision);
        self.call("Watch", watch.watch(from, Some(options))).await
    }

    /// `Cluster/MemberList`.
    pub async fn members(&self) -> Result<Vec<MemberEntry>, ControlError> {
        let mut c = self.client.cluster_client();
        let list = self.call("MemberList", c.member_list()).await?;
        Ok(list
            .members()
            .iter()
            .map(|m| MemberEntry {
                id: m.id(),
                name: m.name().to_owned(),
                client_urls: m.client_urls().to_vec(),
                peer_urls: m.peer_urls().to_vec(),
                is_learner: m.is_learner(),
            })
            .collect())
    }

    /// Alarms that are raised in the cluster.
    pub async fn alarms(&self) -> Result<Vec<Alarm>, ControlError> {
        let mut m = self.client.maintenance_client();
        let all = m.alarm(AlarmAction::Get, AlarmType::None, None);
        let all = self.call("Alarm", all).await?;
        Ok(all
            .alarms()
            .iter()
            .filter_map(|a| {
                let kind = match a.alarm() {
                    AlarmType::None => return None,
                    AlarmType::Nospace => "NOSPACE",
                    AlarmType::Corrupt => "CORRUPT",
                };
                Some(Alarm {
                    member_id: a.member_id(),
                    kind,
                })
            })
            .collect())
    }

    /// `KV/Range`, linearizable unless asked otherwise.
    pub async fn range(&self, spec: RangeSpec<'_>) -> Result<Page, ControlError> {
        let mut kv = self.kv();
        let mut r = self
            .call("Range", kv.get(spec.from, Some(spec.options())))
            .await?;
        // etcd answers with the store's revision even to a pinned read.
        let now = r.header().map_or(0, |h| h.revision());
        let revision = if spec.revision > 0 {
            spec.revision
        } else {
            now
        };
        Ok(Page {
            more: r.more(),
            count: r.count(),
            revision,
            kvs: r.take_kvs(),
        })
    }

    /// `KV/Txn`.
    pub async fn txn(&self, txn: Txn) -> Result<TxnResponse, ControlError> {
        let mut kv = self.kv();
        self.call("Txn", kv.txn(txn)).await
    }

    /// `KV/DeleteRange` of `[from, to)`, or of `from` alone when `to` is empty; gives the number of keys.
    pub async fn delete(&self, from: &[u8], to: &[u8]) -> Result<i64, ControlError> {
        let mut kv = self.kv();
        let options = (!to.is_empty()).then(|| DeleteOptions::new().with_range(to));
        Ok(self
            .call("DeleteRange", kv.delete(from, options))
            .await?
            .deleted())
    }

    /// `Lease/LeaseGrant` for `ttl` seconds; gives the lease's id.
    pub async fn lease_grant(&self, ttl: i64) -> Result<i64, ControlError> {
        let mut l = self.client.lease_client();
        Ok(self.call("LeaseGrant", l.grant(ttl, None)).await?.id())
    }

    /// One keepalive; gives the seconds left, 0 = the lease is gone.
    pub async fn lease_keep_alive(&self, id: i64) -> Result<i64, ControlError> {
        let mut l = self.client.lease_client();
        self.call("LeaseKeepAlive", async move {
            match l.keep_alive(id).await {
                Ok((mut keeper, mut stream)) => {
                    keeper.keep_alive().await?;
                    Ok(stream.message().await?.map_or(0, |m| m.ttl()))
                }
                // etcd-client's own word for an answer with TTL 0.
                Err(EtcdError::LeaseKeepAliveError(_)) => Ok(0),
                Err(e) => Err(e),
            }
        })
        .await
    }

    /// `Lease/LeaseRevoke`; false when the lease was gone already.
    pub async fn lease_revoke(&self, id: i64) -> Result<bool, ControlError> {
        let mut l = self.client.lease_client();
        match self.call("LeaseRevoke", l.revoke(id)).await {
            Ok(_) => Ok(true),
            Err(e) if e.message().contains("requested lease not found") => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Every lease of the cluster, other programs' included.
    pub async fn leases(&self) -> Result<Vec<i64>, ControlError> {
        let mut l = self.client.lease_client();
        let all = self.call("LeaseLeases", l.leases()).await?;
        Ok(all.leases().iter().map(|l| l.id()).collect())
    }

    /// Keys attached to a lease; None when the lease is gone.
    pub async fn lease_keys(&self, id: i64) -> Result<Option<Vec<Vec<u8>>>, ControlError> {
        let mut l = self.client.lease_client();
        let options = LeaseTimeToLiveOptions::new().with_keys();
        let r = self
            .call("LeaseTimeToLive", l.time_to_live(id, Some(options)))
            .await?;
        Ok((r.ttl() >= 0).then(|| r.keys().to_vec()))
    }
}

/// The clients of all endpoints of one cluster.
#[derive(Clone, Debug)]
pub struct ControlClient {
    members: Vec<Member>,
    down: Vec<(String, ControlError)>,
}

macro_rules! on_any {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $out:ty, $idempotent:literal;)*) => {$(
        $(#[$doc])*
        pub async fn $name(&self, $($arg: $type),*) -> Result<$out, ControlError> {
            let mut last = None;
            for member in &self.members {
                match member.$name($($arg.clone()),*).await {
                    Err(e) if e.elsewhere($idempotent) => last = Some(e),
                    other => return other,
                }
            }
            Err(match last {
                Some(e) if self.members.len() == 1 => e,
                Some(e) => ControlError::NoneReachable { last: e.to_string() },
                None => ControlError::NoneReachable { last: "no endpoint is given".to_owned() },
            })
        }
    )*};
}

impl ControlClient {
    /// Connects one client per endpoint of the target, all at the same time; endpoints that do not answer
    /// are in [`ControlClient::down`]. Fails, with the first endpoint's reason, only when none does.
    pub async fn connect(target: &Target) -> Result<ControlClient, ControlError> {
        let all = target.endpoints.iter().map(|e| Member::connect(target, e));
        let all = futures_util::future::join_all(all).await;
        let (mut members, mut down) = (Vec::new(), Vec::new());
        for (endpoint, outcome) in target.endpoints.iter().zip(all) {
            match outcome {
                Ok(m) => members.push(m),
                Err(e) => down.push((endpoint.clone(), e)),
            }
        }
        if members.is_empty() {
            return Err(match down.into_iter().next() {
                Some((_, e)) => e,
                None => ControlError::NoneReachable {
                    last: "no endpoint is given".to_owned(),
                },
            });
        }
        Ok(ControlClient { members, down })
    }

    /// Of members that are connected already.
    pub fn of(members: Vec<Member>) -> ControlClient {
        ControlClient {
            members,
            down: Vec::new(),
        }
    }

    /// Endpoints that could not be connected to, with the reason.
    pub fn down(&self) -> &[(String, ControlError)] {
        &self.down
    }

    /// One per endpoint that answered.
    pub fn each(&self) -> &[Member] {
        &self.members
    }

    on_any! {
        /// Member list, from the first member that answers.
        members() -> Vec<MemberEntry>, true;
        /// Alarms raised in the cluster, from the first member that answers.
        alarms() -> Vec<Alarm>, true;
        /// `KV/Range`, linearizable, from the first member that answers.
        range(spec: RangeSpec<'_>) -> Page, true;
        /// `KV/Txn`; another member is tried only when nothing was sent.
        txn(txn: Txn) -> TxnResponse, false;
        /// `KV/DeleteRange`, as [`Member::delete`]; deleting twice does no harm.
        delete(from: &[u8], to: &[u8]) -> i64, true;
        /// `Lease/LeaseGrant`; another member is tried only when nothing was sent.
        lease_grant(ttl: i64) -> i64, false;
        /// One keepalive, as [`Member::lease_keep_alive`].
        lease_keep_alive(id: i64) -> i64, true;
        /// `Lease/LeaseRevoke`, as [`Member::lease_revoke`].
        lease_revoke(id: i64) -> bool, true;
        /// Every lease of the cluster, other programs' included.
        leases() -> Vec<i64>, true;
        /// Keys attached to a lease, as [`Member::lease_keys`].
        lease_keys(id: i64) -> Option<Vec<Vec<u8>>>, true;
        /// Compacts, as [`Member::compact`].
        compact(revision: i64) -> (), true;
    }

    /// One key, linearizable; None when it does not exist.
    pub async fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, ControlError> {
        Ok(self
            .range(RangeSpec::new(key, b""))
            .await?
            .kvs
            .into_iter()
            .next())
    }

    /// The first key of a range, without its value: a read of one key, whatever the store holds.
    pub async fn first_key(
        &self,
        from: &[u8],
        end: &[u8],
    ) -> Result<Option<Vec<u8>>, ControlError> {
        let spec = RangeSpec {
            limit: 1,
            keys_only: true,
            ..RangeSpec::new(from, end)
        };
        let first = self.range(spec).await?.kvs.into_iter().next();
        Ok(first.map(|kv| kv.key().to_vec()))
    }

    /// How many keys `[from, to)` has, without reading them.
    pub async fn count(&self, from: &[u8], to: &[u8]) -> Result<i64, ControlError> {
        Ok(self
            .range(RangeSpec {
                count_only: true,
                ..RangeSpec::new(from, to)
            })
            .await?
            .count)
    }
}

pub(super) async fn bounded<T>(
    endpoint: &str,
    call: &'static str,
    timeout: Duration,
    f: impl Future<Output = Result<T, EtcdError>>,
) -> Result<T, ControlError> {
    match tokio::time::timeout(timeout, f).await {
        Err(_) => Err(ControlError::Timeout {
            endpoint: endpoint.to_owned(),
            call,
            after: timeout,
        }),
        Ok(Ok(v)) => Ok(v),
        Ok(Err(e)) => Err(translate(endpoint, call, &e)),
    }
}

fn translate(endpoint: &str, call: &'static str, e: &EtcdError) -> ControlError {
    let endpoint = endpoint.to_owned();
    match e {
        EtcdError::GRpcStatus(s) => {
            // A status made by the client carries its cause; one that etcd sent does not.
            match std::error::Error::source(s) {
                Some(cause) if undialled(cause) || chain(cause).contains("connect") => {
                    ControlError::NotConnected {
                        endpoint,
                        reason: chain(cause),
                    }
                }
                Some(cause) => ControlError::Status {
                    endpoint,
                    call,
                    code: s.code() as i32,
                    message: chain(cause),
                },
                None => ControlError::Status {
                    endpoint,
                    call,
                    code: s.code() as i32,
                    message: s.message().to_owned(),
                },
            }
        }
        other => ControlError::NotConnected {
            endpoint,
            reason: chain(other),
        },
    }
}

/// Whether no connection could be had: nothing was sent, and another member may be asked.
fn undialled(e: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(e);
    while let Some(e) = next {
        if e.is::<DialError>() {
            return true;
        }
        next = e.source();
    }
    false
}

/// An error with its causes, without repeating one that says the same.
fn chain(e: &(dyn std::error::Error + 'static)) -> String {
    let mut text = e.to_string();
    let mut next = e.source();
    while let Some(e) = next {
        let t = e.to_string();
        if !text.contains(&t) {
            text.push_str(": ");
            text.push_str(&t);
        }
        next = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::rpc::prefix_end;

    #[test]
    fn prefix_end_is_the_next_key_that_does_not_begin_so() {
        assert_eq!(prefix_end(b"/registry/"), b"/registry0");
        assert_eq!(prefix_end(b"a\xff"), b"b");
        assert_eq!(prefix_end(b"\xff\xff"), b"\0");
    }
}
