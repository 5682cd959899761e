//! An external etcd, as a user names it: by etcdctl's flags or by the same fields of a file, with etcdctl's
//! environment behind them. Errors name the flag or field, its value and what would be right.

use super::endpoints::urls;
use crate::target::{Credentials, Pem, Target, TlsMaterial};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a user says of it. Everything but the endpoints may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdAccess {
    /// `http://host:port`, `https://host:port` or `host:port`; at least one.
    pub endpoints: Vec<String>,
    /// Where `/metrics` is, if apart from the endpoints.
    pub metrics_endpoints: Vec<String>,
    /// CA that signed etcd's certificates, PEM.
    pub cacert: Option<PathBuf>,
    /// Client certificate, PEM.
    pub cert: Option<PathBuf>,
    /// Client key, PEM.
    pub key: Option<PathBuf>,
    /// Accept any server certificate.
    pub insecure_skip_tls_verify: bool,
    /// etcd user, or `user:password`.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// Time to set a connection up.
    pub dial_timeout: Option<String>,
    /// Deadline of a control call.
    pub command_timeout: Option<String>,
}

/// How messages call its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `--insecure-skip-tls-verify`.
    Flags,
    /// `insecureSkipTlsVerify`. A file has no password.
    Fields,
}

impl Naming {
    fn word(self, flag: &str) -> String {
        match self {
            Naming::Flags => format!("--{flag}"),
            Naming::Fields => {
                let mut words = flag.split('-');
                let first = words.next().unwrap_or_default().to_owned();
                words.fold(first, |all, w| {
                    let (head, tail) = w.split_at(w.len().min(1));
                    all + &head.to_uppercase() + tail
                })
            }
        }
    }
}

/// Why an etcd cannot be reached as it was named.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A certificate or key cannot be read.
    #[error("{what}: cannot read {}: {source}", path.display())]
    Read {
        /// The flag, field or variable.
        what: String,
        path: PathBuf,
        source: std::io::Error,
    },
    /// A value, or values beside one another, make no sense: what, and what would be right.
    #[error("{0}")]
    Refused(String),
}

fn refuse<T>(message: impl Into<String>) -> Result<T, AccessError> {
    Err(AccessError::Refused(message.into()))
}

impl EtcdAccess {
    /// What it needs for TLS; None when nothing was given for it.
    ///
    /// # Errors
    /// A file that cannot be read, a certificate without its key.
    pub fn tls(
        &self,
        named: Naming,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<Option<TlsMaterial>, AccessError> {
        let file = |flag: &Option<PathBuf>, name: &str, var: &str| match (flag, env(var)) {
            (Some(path), _) => read(path, named.word(name)).map(Some),
            (None, Some(path)) => read(Path::new(&path), var.to_owned()).map(Some),
            (None, None) => Ok(None),
        };
        let tls = TlsMaterial {
            ca: file(&self.cacert, "cacert", "ETCDCTL_CACERT")?,
            cert: file(&self.cert, "cert", "ETCDCTL_CERT")?,
            key: file(&self.key, "key", "ETCDCTL_KEY")?,
            insecure_skip_verify: self.insecure_skip_tls_verify
                || truth(
                    "ETCDCTL_INSECURE_SKIP_TLS_VERIFY",
                    env("ETCDCTL_INSECURE_SKIP_TLS_VERIFY"),
                )?,
            server_name: None,
        };
        let (cert, key) = (named.word("cert"), named.word("key"));
        match (&tls.cert, &tls.key) {
            (Some(_), None) => {
                return refuse(format!("{cert} also needs {key} (or ETCDCTL_KEY)"));
            }
            (None, Some(_)) => {
                return refuse(format!("{key} also needs {cert} (or ETCDCTL_CERT)"));
            }
            _ => {}
        }
        let any = tls.ca.is_some() || tls.cert.is_some() || tls.insecure_skip_verify;
        Ok(any.then_some(tls))
    }

    /// How to reach it; `servers` are others' that are reached with the same `tls`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn target(
        &self,
        named: Naming,
        tls: Option<TlsMaterial>,
        servers: &[&str],
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<Target, AccessError> {
        let endpoints = urls(&self.endpoints, tls.is_some(), &named.word("endpoints"))?;
        let mut all = endpoints
            .iter()
            .map(String::as_str)
            .chain(servers.iter().copied());
        let secure = all.any(|e| e.starts_with("https://"));
        if !secure && (self.cacert.is_some() || self.cert.is_some()) {
            return refuse(format!(
                "{} and {} work only with https endpoints, but {} gives {}",
                named.word("cacert"),
                named.word("cert"),
                named.word("endpoints"),
                endpoints.join(",")
            ));
        }
        let text = |flag: &Option<String>, var: &str| flag.clone().or_else(|| env(var));
        let dial = text(&self.dial_timeout, "ETCDCTL_DIAL_TIMEOUT");
        let command = text(&self.command_timeout, "ETCDCTL_COMMAND_TIMEOUT");
        // Blames what was given.
        let given = |flag: &Option<String>, word: &str, var: &str| match flag {
            Some(_) => named.word(word),
            None => var.to_owned(),
        };
        let dial_flag = given(&self.dial_timeout, "dial-timeout", "ETCDCTL_DIAL_TIMEOUT");
        let command_flag = given(
            &self.command_timeout,
            "command-timeout",
            "ETCDCTL_COMMAND_TIMEOUT",
        );
        let metrics = named.word("metrics-endpoints");
        let pages: Vec<String> = self.metrics_endpoints.iter().map(|u| base_of(u)).collect();
        Ok(Target {
            metrics_endpoints: urls(&pages, false, &metrics)?,
            tls,
            credentials: credentials(
                named,
                text(&self.user, "ETCDCTL_USER"),
                text(&self.password, "ETCDCTL_PASSWORD"),
            )?,
            dial_timeout: duration(&dial_flag, dial, Duration::from_secs(2))?,
            command_timeout: duration(&command_flag, command, Duration::from_secs(5))?,
            ..Target::plain(endpoints)
        })
    }
}

/// The URL of a metrics page, as Prometheus has it, without its `/metrics`.
fn base_of(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    url.strip_suffix("/metrics").unwrap_or(url).to_owned()
}

fn read(path: &Path, named_by: String) -> Result<Pem, AccessError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Pem {
            bytes,
            named_by,
            path: path.display().to_string(),
        }),
        Err(source) => Err(AccessError::Read {
            what: named_by,
            path: path.to_owned(),
            source,
        }),
    }
}

/// etcdctl's rule: `--user name:password`, unless `--password` is given too. In a file there is no password, and the
/// environment's is nobody's where no user is named.
///
/// # Errors
/// A user without a password, or the other way round.
pub fn credentials(
    named: Naming,
    user: Option<String>,
    password: Option<String>,
) -> Result<Option<Credentials>, AccessError> {
    match (user, password) {
        (None, None) => Ok(None),
        (None, Some(_)) if named == Naming::Fields => Ok(None),
        (None, Some(_)) => {
            refuse("--password (or ETCDCTL_PASSWORD) needs --user (or ETCDCTL_USER)")
        }
        (Some(user), Some(password)) => Ok(Some(Credentials { user, password })),
        (Some(both), None) => match both.split_once(':') {
            Some((user, password)) if !user.is_empty() => Ok(Some(Credentials {
                user: user.to_owned(),
                password: password.to_owned(),
            })),
            _ => refuse(match named {
                Naming::Flags => format!(
                    "--user {both:?} has no password: pass --user NAME:PASSWORD or --password, or set \
                     ETCDCTL_PASSWORD"
                ),
                Naming::Fields => {
                    format!(
                        "user {both:?} has no password: set ETCDCTL_PASSWORD in the environment"
                    )
                }
            }),
        },
    }
}

fn truth(name: &str, value: Option<String>) -> Result<bool, AccessError> {
    match value.as_deref() {
        None | Some("0" | "false" | "FALSE" | "False" | "f" | "F") => Ok(false),
        Some("1" | "true" | "TRUE" | "True" | "t" | "T") => Ok(true),
        Some(other) => refuse(format!("{name}={other} is neither true nor false")),
    }
}

/// A Go duration of one unit: `500ms`, `5s`, `1.5m`; more than 0 and at most an hour.
///
/// # Errors
/// It is none.
pub fn duration(
    flag: &str,
    value: Option<String>,
    default: Duration,
) -> Result<Duration, AccessError> {
    let Some(text) = value else {
        return Ok(default);
    };
    let unit = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().unwrap_or(f64::NAN) * scale;
    if seconds > 0.0 && seconds <= 3600.0 {
        return Ok(Duration::from_secs_f64(seconds));
    }
    refuse(format!(
        "{flag} {text:?} is not a duration like 500ms, 5s or 1m (at most 60m)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_called_as_a_file_has_them() {
        let access = EtcdAccess {
            endpoints: vec!["https://a:1".to_owned()],
            ..EtcdAccess::default()
        };
        let target = |access: &EtcdAccess, env: &[(&str, &str)]| {
            let env = |n: &str| {
                let found = env.iter().find(|(k, _)| *k == n);
                found.map(|(_, v)| (*v).to_owned())
            };
            let tls = access.tls(Naming::Fields, &env)?;
            access.target(Naming::Fields, tls, &[], &env)
        };
        let both = EtcdAccess {
            endpoints: vec!["http://a:1".to_owned()],
            cacert: Some("/dev/null".into()),
            ..EtcdAccess::default()
        };
        assert_eq!(
            target(&both, &[]).unwrap_err().to_string(),
            "cacert and cert work only with https endpoints, but endpoints gives http://a:1"
        );
        // The environment stands behind the file as behind the flags; a password alone is another arm's.
        let env = [
            ("ETCDCTL_INSECURE_SKIP_TLS_VERIFY", "1"),
            ("ETCDCTL_PASSWORD", "p"),
        ];
        assert!(target(&access, &env).unwrap().credentials.is_none());
        let user = EtcdAccess {
            user: Some("bench".to_owned()),
            ..access
        };
        let found = target(&user, &env).unwrap().credentials.unwrap();
        assert_eq!((found.user, found.password), ("bench".into(), "p".into()));
        assert_eq!(
            target(&user, &env[..1]).unwrap_err().to_string(),
            "user \"bench\" has no password: set ETCDCTL_PASSWORD in the environment"
        );
    }
}
