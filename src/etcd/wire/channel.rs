//! One channel: keeps one connection to one member up, and backs off while it cannot.

use super::backoff::Backoff;
use super::dial::Dialer;
use super::pool::Members;
use super::settings::Settings;
use super::tonic::TonicConnection;
use super::{Link, Transport};
use crate::clock::{self, SECOND};
use crate::etcd::auth::Auth;
use crate::etcd::tls::DialError;
use crate::rpc::WireKind;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A connection that lived shorter than this counts as a failed attempt.
const LIVED: u64 = SECOND;

/// One (member, slot).
pub(crate) struct Channel {
    pub(crate) dialer: Dialer,
    settings: Rc<Settings>,
    auth: Option<Auth>,
    link: RefCell<Option<Link>>,
    /// Generation of the token that the link carries.
    token: Cell<u64>,
    member: usize,
}

impl Channel {
    pub(crate) fn new(
        dialer: Dialer,
        settings: Rc<Settings>,
        auth: Option<Auth>,
        member: usize,
    ) -> Self {
        let token = Cell::new(0);
        Channel {
            dialer,
            settings,
            auth,
            link: RefCell::new(None),
            token,
            member,
        }
    }

    /// The link, if it takes requests now.
    pub(crate) fn link(&self) -> Option<Link> {
        let link = self.link.borrow();
        let link = link.as_ref().filter(|l| l.is_up())?;
        if let Some(auth) = &self.auth
            && self.token.replace(auth.generation()) != auth.generation()
        {
            match link {
                Link::H2(c) => c.set_token(auth.token()),
                Link::Tonic(c) => c.set_token(auth.token()),
            }
        }
        Some(link.clone())
    }

    /// Whether the first attempt succeeded, even if the connection has gone since.
    pub(crate) fn has_link(&self) -> bool {
        self.link.borrow().is_some()
    }

    pub(crate) fn take_link(&self) -> Option<Link> {
        self.link.borrow_mut().take()
    }

    /// Connects once.
    pub(crate) async fn connect(&self, members: &Members) -> Result<(), DialError> {
        let generation = self.auth.as_ref().map_or(0, Auth::generation);
        let token = self.auth.as_ref().and_then(Auth::token);
        let link = match self.settings.wire {
            WireKind::H2 => Link::H2(self.dialer.connect(&self.settings, token).await?),
            WireKind::Tonic => Link::Tonic(Rc::new(
                TonicConnection::connect(&self.dialer, &self.settings, token).await?,
            )),
        };
        self.token.set(generation);
        *self.link.borrow_mut() = Some(link);
        members.up(self.member);
        Ok(())
    }

    /// Keeps the connection up for ever. `connected`: the first attempt, already made, succeeded.
    pub(crate) async fn supervise(&self, mut connected: bool, members: &Members, seed: u64) {
        let mut backoff = Backoff::new(seed);
        loop {
            if connected {
                let since = clock::now();
                let link = self.link.borrow().clone();
                let Some(link) = link else { return };
                let reason = link.retired().await;
                // Requests in flight hold the link themselves: a GOAWAY drains.
                self.link.borrow_mut().take();
                members.down(self.member, &reason, link.unheard());
                if clock::now().saturating_sub(since) >= LIVED {
                    backoff.reset();
                }
            }
            tokio::time::sleep(backoff.pause()).await;
            connected = match self.connect(members).await {
                Ok(()) => true,
                Err(e) => {
                    members.still_down(self.member, &e.to_string());
                    false
                }
            };
        }
    }
}
