//! The channels of one store for one worker: picks one per call, ejects dead members.

use super::channel::Channel;
use super::dial::Dialer;
use super::headers;
use super::settings::Settings;
use super::{Call, Link, Reply, Transport};
use crate::clock;
use crate::etcd::auth::{self, Auth, AuthError};
use crate::etcd::tls::DialError;
use crate::rng::mix;
use crate::rpc::RpcError;
use crate::rpc::errors::wants_new_token;
use crate::target::Target;
use futures_util::future::join_all;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// How many channels a call tries at random before it looks for any.
const TRIES: usize = 8;
/// Member events kept until they are taken.
const EVENTS_KEPT: usize = 10_000;

/// A member went up or down, as this pool sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachabilityChange {
    /// When (`clock::now()`).
    pub at: clock::Nanos,
    /// The endpoint, as given.
    pub endpoint: String,
    /// Whether any connection to it is up now.
    pub up: bool,
    /// Why it went down; empty when up.
    pub reason: String,
    /// How long nothing had been heard of it then, where it hangs, ns.
    pub unheard: clock::Nanos,
}

/// Why there is no pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// No endpoint could be reached; the first one's reason.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The login failed.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Nothing to connect to.
    #[error("no endpoint given: use --endpoints")]
    NoEndpoints,
}

/// Which members are up.
pub(crate) struct Members {
    endpoints: Vec<String>,
    up: Vec<Cell<usize>>,
    /// Whether anything has been told of it.
    told: Vec<Cell<bool>>,
    events: RefCell<VecDeque<ReachabilityChange>>,
    changed: Notify,
}

impl Members {
    pub(crate) fn up(&self, member: usize) {
        let n = self.up[member].get() + 1;
        self.up[member].set(n);
        if n == 1 {
            self.push(member, true, "", 0);
        }
        self.changed.notify_waiters();
    }

    pub(crate) fn down(&self, member: usize, reason: &str, unheard: clock::Nanos) {
        let n = self.up[member].get().saturating_sub(1);
        self.up[member].set(n);
        if n == 0 {
            self.push(member, false, reason, unheard);
        }
    }

    /// A further attempt failed: told only if nothing is known of the member yet.
    pub(crate) fn still_down(&self, member: usize, reason: &str) {
        if !self.told[member].get() && self.up[member].get() == 0 {
            self.push(member, false, reason, 0);
        }
    }

    fn push(&self, member: usize, up: bool, reason: &str, unheard: clock::Nanos) {
        self.told[member].set(true);
        let mut events = self.events.borrow_mut();
        if events.len() == EVENTS_KEPT {
            events.pop_front();
        }
        events.push_back(ReachabilityChange {
            at: clock::now(),
            endpoint: self.endpoints[member].clone(),
            up,
            reason: reason.to_owned(),
            unheard,
        });
    }
}

/// The channels of one store for one worker. Lives on one thread.
pub struct Pool {
    channels: Vec<Rc<Channel>>,
    members: Rc<Members>,
    auth: Option<Auth>,
    renewing: Rc<Cell<bool>>,
    renewed: Rc<Notify>,
    closed: Cell<bool>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Pool {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Pool {
    /// Connects `connections` channels (at least one per endpoint), spread evenly over the endpoints in
    /// the order given. Succeeds when any one is up; the others keep trying.
    ///
    /// # Errors
    /// When an endpoint or the TLS material makes no sense, none can be reached, or the login fails.
    pub async fn connect(
        target: &Target,
        endpoints: &[String],
        connections: usize,
        settings: Settings,
    ) -> Result<Pool, PoolError> {
        if endpoints.is_empty() {
            return Err(PoolError::NoEndpoints);
        }
        let dialers: Vec<Dialer> = endpoints
            .iter()
            .map(|e| Dialer::new(target, e))
            .collect::<Result<_, _>>()?;
        let auth = settings
            .auth
            .clone()
            .or_else(|| target.credentials.clone().map(Auth::new));
        if let Some(auth) = &auth
            && auth.generation() == 0
        {
            login(auth, 0, &dialers).await?;
        }
        let settings = Rc::new(settings);
        let members = Rc::new(Members {
            endpoints: endpoints.to_vec(),
            up: endpoints.iter().map(|_| Cell::new(0)).collect(),
            told: endpoints.iter().map(|_| Cell::new(false)).collect(),
            events: RefCell::default(),
            changed: Notify::new(),
        });
        let n = connections.max(endpoints.len());
        let channels: Vec<Rc<Channel>> = (0..n)
            .map(|slot| {
                let member = slot % endpoints.len();
                let dialer = dialers[member].clone();
                Rc::new(Channel::new(dialer, settings.clone(), auth.clone(), member))
            })
            .collect();
        let first = join_all(channels.iter().map(|c| c.connect(&members))).await;
        if first.iter().all(Result::is_err)
            && let Some(Err(e)) = first.into_iter().next()
        {
            return Err(e.into());
        }
        Ok(Pool::supervised(channels, members, auth))
    }

    fn supervised(channels: Vec<Rc<Channel>>, members: Rc<Members>, auth: Option<Auth>) -> Pool {
        let tasks = channels
            .iter()
            .enumerate()
            .map(|(i, channel)| {
                let (channel, members) = (channel.clone(), members.clone());
                let seed = clock::now() ^ (i as u64) << 56;
                let task = async move {
                    let connected = channel.has_link();
                    channel.supervise(connected, &members, seed).await;
                };
                tokio::task::spawn_local(task).abort_handle()
            })
            .collect();
        Pool {
            channels,
            members,
            auth,
            renewing: Rc::default(),
            renewed: Rc::default(),
            closed: Cell::new(false),
            tasks,
        }
    }

    /// How many channels there are; `hint % channels()` is a call's first choice.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    /// Whether calls carry a user's token.
    pub fn has_users(&self) -> bool {
        self.auth.is_some()
    }

    /// How many are up now.
    pub fn healthy(&self) -> usize {
        self.channels.iter().filter(|c| c.link().is_some()).count()
    }

    /// Members that went up or down since the last time.
    pub fn take_events(&self) -> Vec<ReachabilityChange> {
        self.members.events.borrow_mut().drain(..).collect()
    }

    /// Sends one request on channel `hint % channels()`, or on another healthy one. With none healthy it
    /// waits, at most the call's timeout. Never sends twice: a failed attempt is the caller's to repeat.
    /// Dropping the future cancels the request.
    pub async fn call(&self, hint: u64, call: Call) -> Reply {
        let entered = clock::now();
        loop {
            if self.renewing.get() {
                if let Err(reply) = self.wait(entered, &call, &self.renewed).await {
                    return reply;
                }
                continue;
            }
            let Some(link) = self.pick(hint) else {
                if let Err(reply) = self.wait(entered, &call, &self.members.changed).await {
                    return reply;
                }
                continue;
            };
            let reply = link.call(call.clone()).await;
            if let Err(RpcError::NotConnected(_)) = &reply.result
                && reply.sent.is_none()
                && !link.is_up()
                && !self.closed.get()
                && !expired(entered, &call)
            {
                // The connection went away before anything left: this is still the first attempt.
                continue;
            }
            if let Err(e) = &reply.result
                && wants_new_token(e)
            {
                self.renew_token();
            }
            return reply;
        }
    }

    /// Lets requests in flight finish (2 s at most) and closes every connection.
    pub async fn close(&self) {
        self.closed.set(true);
        for task in &self.tasks {
            task.abort();
        }
        let links: Vec<Link> = self.channels.iter().filter_map(|c| c.take_link()).collect();
        join_all(links.iter().map(Transport::close)).await;
        self.members.changed.notify_waiters();
    }

    fn pick(&self, hint: u64) -> Option<Link> {
        let n = self.channels.len();
        let at = |hint: u64| usize::try_from(hint % n as u64).unwrap_or(0);
        // Where that one is down each request goes elsewhere, so that no neighbour gets all of them.
        let tries = std::iter::successors(Some(hint), |h| Some(mix(*h, 1, 0))).take(TRIES);
        let chosen = tries.map(at).find_map(|i| self.channels[i].link());
        chosen.or_else(|| self.channels.iter().find_map(|c| c.link()))
    }

    /// Waits for a change; the reply of a call that has waited too long.
    async fn wait(&self, entered: u64, call: &Call, on: &Notify) -> Result<(), Reply> {
        let late = |why: &str| {
            let result = Err(RpcError::NotConnected(why.to_owned()));
            Err(Reply {
                sent: None,
                done: clock::now(),
                result,
            })
        };
        if self.closed.get() {
            return late("the pool is closed");
        }
        let Some(timeout) = call.timeout else {
            on.notified().await;
            return Ok(());
        };
        let waited = std::time::Duration::from_nanos(clock::now().saturating_sub(entered));
        let left = timeout.saturating_sub(waited);
        match tokio::time::timeout(left, on.notified()).await {
            Ok(()) => Ok(()),
            Err(_) => late(&self.why_down()),
        }
    }

    fn why_down(&self) -> String {
        let events = self.members.events.borrow();
        match events.iter().rev().find(|e| !e.up) {
            Some(e) => format!("no member is up; {}: {}", e.endpoint, e.reason),
            None => "no member is up".to_owned(),
        }
    }

    /// Logs in again, once, while further calls wait for it.
    fn renew_token(&self) {
        let Some(auth) = self.auth.clone() else {
            return;
        };
        if self.renewing.replace(true) {
            return;
        }
        let (renewing, renewed) = (self.renewing.clone(), self.renewed.clone());
        let dialers: Vec<Dialer> = self.channels.iter().map(|c| c.dialer.clone()).collect();
        let seen = auth.generation();
        tokio::task::spawn_local(async move {
            // A failed login shows as the next call's error.
            let _ = login(&auth, seen, &dialers).await;
            renewing.set(false);
            renewed.notify_waiters();
        });
    }
}

fn expired(entered: u64, call: &Call) -> bool {
    let waited = clock::now().saturating_sub(entered);
    call.timeout
        .is_some_and(|t| u128::from(waited) >= t.as_nanos())
}

/// Logs in on a connection of its own, at the first member that can be reached.
async fn login(auth: &Auth, seen: u64, dialers: &[Dialer]) -> Result<(), PoolError> {
    let mut failure = PoolError::NoEndpoints;
    for (i, dialer) in dialers.iter().enumerate() {
        if dialers[..i].iter().any(|d| d.endpoint == dialer.endpoint) {
            continue;
        }
        let connection = match dialer.connect(&Settings::default(), None).await {
            Ok(connection) => connection,
            Err(e) => {
                if i == 0 {
                    failure = e.into();
                }
                continue;
            }
        };
        let send = async |frame| match headers::uri(&dialer.endpoint, auth::PATH) {
            Ok(uri) => {
                connection
                    .unary(uri, frame, Some(dialer.timeout * 3))
                    .await
                    .result
            }
            Err(e) => Err(RpcError::Malformed(e.to_string())),
        };
        let outcome = auth.renew(seen, send).await;
        connection.close().await;
        match outcome {
            Ok(()) => return Ok(()),
            Err(e @ AuthError::Refused { .. }) => return Err(e.into()),
            Err(e) => failure = e.into(),
        }
    }
    Err(failure)
}
