//! User and password → etcd's token, renewed when etcd no longer knows it, shared by every worker.

use crate::rpc::RpcError;
use crate::rpc::errors::{Advice, classify};
use crate::target::Credentials;
use http::header::HeaderValue;
use prost::Message;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The path of the Authenticate RPC.
pub(crate) const PATH: &str = "/etcdserverpb.Auth/Authenticate";

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// etcd does not accept user and password.
    #[error("etcd refused user {user:?}: {message}; check --user and --password")]
    Refused {
        /// The user.
        user: String,
        /// etcd's words.
        message: String,
    },
    /// The login did not come through.
    #[error("cannot log in as {user:?}: {source}")]
    Failed {
        /// The user.
        user: String,
        source: RpcError,
    },
    /// etcd answered something that cannot be a token.
    #[error("etcd's answer to the login of {user:?} contains no valid token")]
    NoToken {
        /// The user.
        user: String,
    },
}

/// A token that any number of pools and threads share. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    credentials: Credentials,
    token: Mutex<Option<HeaderValue>>,
    /// Counts logins; 0 = none yet.
    generation: AtomicU64,
    /// One login at a time.
    login: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("user", &self.0.credentials.user)
            .finish_non_exhaustive()
    }
}

impl Auth {
    /// Nothing is sent yet: the first pool logs in.
    pub fn new(credentials: Credentials) -> Self {
        Auth(Arc::new(Inner {
            credentials,
            token: Mutex::new(None),
            generation: AtomicU64::new(0),
            login: tokio::sync::Mutex::new(()),
        }))
    }

    /// How many logins there have been; changes whenever the token does.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// The value of the `token` metadata; none before the first login, or if etcd has auth off.
    pub fn token(&self) -> Option<HeaderValue> {
        self.0
            .token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Logs in unless somebody else has since `seen`. `send` performs one Authenticate RPC: gRPC frame in,
    /// message out.
    pub(crate) async fn renew<F>(&self, seen: u64, send: F) -> Result<(), AuthError>
    where
        F: AsyncFnOnce(bytes::Bytes) -> Result<bytes::Bytes, RpcError>,
    {
        let _turn = self.0.login.lock().await;
        if self.generation() != seen {
            return Ok(());
        }
        let user = || self.0.credentials.user.clone();
        let request = AuthenticateRequest {
            name: user(),
            password: self.0.credentials.password.clone(),
        };
        let token = match send(frame(&request)).await {
            Ok(answer) => {
                let answer = AuthenticateResponse::decode(answer)
                    .map_err(|_| AuthError::NoToken { user: user() })?;
                let mut token = HeaderValue::from_str(&answer.token)
                    .ok()
                    .filter(|t| !t.is_empty())
                    .ok_or_else(|| AuthError::NoToken { user: user() })?;
                // Kept out of HPACK's shared table and of debug output.
                token.set_sensitive(true);
                Some(token)
            }
            // As etcd's own client does: credentials for a cluster without auth are not an error.
            Err(RpcError::Status { message, .. })
                if message.contains("authentication is not enabled") =>
            {
                None
            }
            Err(e @ RpcError::Status { .. }) if classify(&e).advice == Advice::GiveUp => {
                return Err(AuthError::Refused {
                    user: user(),
                    message: e.to_string(),
                });
            }
            Err(source) => {
                return Err(AuthError::Failed {
                    user: user(),
                    source,
                });
            }
        };
        *self.0.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        self.0.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

fn frame(message: &impl Message) -> bytes::Bytes {
    let body = message.encode_to_vec();
    let mut out = bytes::BytesMut::with_capacity(5 + body.len());
    bytes::BufMut::put_u8(&mut out, 0);
    bytes::BufMut::put_u32(&mut out, u32::try_from(body.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(&body);
    out.freeze()
}

/// `etcdserverpb.AuthenticateRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct AuthenticateRequest {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    password: String,
}

/// `etcdserverpb.AuthenticateResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct AuthenticateResponse {
    #[prost(string, tag = "2")]
    token: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth() -> Auth {
        Auth::new(Credentials {
            user: "u".into(),
            password: "secret".into(),
        })
    }

    fn run<T>(f: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("runtime")
            .block_on(f)
    }

    #[test]
    fn a_login_gives_a_token_once() {
        let auth = auth();
        run(async {
            let answer = AuthenticateResponse {
                token: "abc.1".into(),
            }
            .encode_to_vec();
            auth.renew(0, async |_| Ok(answer.into()))
                .await
                .expect("login");
            assert_eq!(auth.token().expect("token"), "abc.1");
            assert_eq!(auth.generation(), 1);
            // Somebody has already logged in since generation 0: nothing is sent.
            auth.renew(0, async |_| panic!("second login"))
                .await
                .expect("shared");
        });
        assert!(!format!("{auth:?}").contains("secret"));
    }

    #[test]
    fn a_wrong_password_names_the_flags_and_auth_off_is_no_error() {
        let auth = auth();
        run(async {
            let refuse = |code, message: &str| {
                Err(RpcError::Status {
                    code,
                    message: message.into(),
                })
            };
            let e = auth
                .renew(0, async |_| {
                    refuse(
                        3,
                        "etcdserver: authentication failed, invalid user ID or password",
                    )
                })
                .await
                .expect_err("refused");
            assert!(e.to_string().contains("--password"), "{e}");
            auth.renew(0, async |_| {
                refuse(9, "etcdserver: authentication is not enabled")
            })
            .await
            .expect("auth off");
            assert_eq!(auth.token(), None);
        });
    }
}
