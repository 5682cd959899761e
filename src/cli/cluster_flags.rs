//! How to reach an etcd: etcdctl's flags and environment → [`Target`].

use super::CliError;
use super::overrides::{self, Overridden, Override};
use crate::etcd::kind;
use crate::etcd::target::{Credentials, MemberChoice, Target, TlsMaterial};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// etcd to use.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "etcd")]
pub struct ClusterFlags {
    /// Members of one etcd, comma-separated: https://10.0.0.1:2379,https://10.0.0.2:2379. Commands that
    /// only read take ETCDCTL_ENDPOINTS too; commands that write need this flag.
    #[arg(long, value_delimiter = ',', value_name = "URL")]
    pub endpoints: Vec<String>,
    /// Resources with an etcd of their own, as kube-apiserver's --etcd-servers-overrides says it:
    /// '/events#https://10.0.0.4:2379;https://10.0.0.5:2379' (semicolons between members, commas between
    /// overrides). TLS and user are those of --endpoints.
    #[arg(long, value_name = "GROUP/RESOURCE#URL[;URL…]")]
    pub overrides: Vec<String>,
    /// The etcd of this kind cluster: takes the place of --endpoints, --cacert, --cert, --key and
    /// --metrics-endpoints.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["endpoints", "cacert", "cert", "key", "metrics_endpoints"])]
    pub kind: Option<String>,
    /// CA that signed etcd's certificates, PEM [env: ETCDCTL_CACERT].
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Client certificate, PEM [env: ETCDCTL_CERT].
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// Client key, PEM [env: ETCDCTL_KEY].
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Accept any server certificate [env: ETCDCTL_INSECURE_SKIP_TLS_VERIFY].
    #[arg(long)]
    pub insecure_skip_tls_verify: bool,
    /// etcd user, or user:password [env: ETCDCTL_USER].
    #[arg(long, value_name = "USER[:PASSWORD]")]
    pub user: Option<String>,
    /// The user's password; the environment hides it from ps [env: ETCDCTL_PASSWORD].
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// Time to set a connection up [default: 2s] [env: ETCDCTL_DIAL_TIMEOUT].
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub dial_timeout: Option<String>,
    /// Deadline of a status, member or cleanup call; not of the load [default: 5s] [env:
    /// ETCDCTL_COMMAND_TIMEOUT].
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub command_timeout: Option<String>,
    /// Where /metrics is, when apart from the endpoints (kubeadm: http://127.0.0.1:2381), comma-separated.
    #[arg(long, value_delimiter = ',', value_name = "URL")]
    pub metrics_endpoints: Vec<String>,
    /// Which of the endpoints get load.
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub target: MemberChoice,
    /// Allow a store that holds a live Kubernetes cluster's keys.
    #[arg(long)]
    pub allow_live_cluster: bool,
    /// Allow acts on the whole etcd (compaction, defragmentation) and --prefix /registry.
    #[arg(long)]
    pub yes_this_etcd_is_mine: bool,
}

/// What a command does to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: endpoints may come from the environment.
    Read,
    /// Writes: endpoints must be on the command line.
    Write,
}

/// A target and what should be said about it.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The etcd; None when no endpoints were given.
    pub target: Option<Target>,
    /// The etcds of --overrides.
    pub overrides: Vec<Overridden>,
    /// Environment variables that were ignored, with the reason, one line each.
    pub ignored: Vec<String>,
    /// How a kind cluster's members are reached and which are down, overrides that are none; one line each.
    pub notes: Vec<String>,
}

impl ClusterFlags {
    /// The target that flags and process environment describe.
    ///
    /// # Errors
    /// Usage errors that name the flag or variable, its value and what would be right.
    pub fn targets(&self, access: Access) -> Result<Found, CliError> {
        if let Some(name) = &self.kind {
            return self.kind_target(name);
        }
        self.resolve(access, |name| {
            std::env::var(name).ok().filter(|v| !v.is_empty())
        })
    }

    /// As [`ClusterFlags::targets`], with the environment handed in.
    ///
    /// # Errors
    /// As there.
    pub fn resolve(
        &self,
        access: Access,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Found, CliError> {
        let mut found = Found::default();
        let mut endpoints = self.endpoints.clone();
        if let Some(value) = env("ETCDCTL_ENDPOINTS").filter(|_| endpoints.is_empty()) {
            match access {
                Access::Read => endpoints = value.split(',').map(str::to_owned).collect(),
                Access::Write => found.ignored.push(format!(
                    "ETCDCTL_ENDPOINTS={value} is ignored: a command that writes takes its etcd from --endpoints only"
                )),
            }
        }
        if endpoints.is_empty() {
            self.needs_endpoints()?;
            return Ok(found);
        }
        let text = |flag: &Option<String>, var: &str| flag.clone().or_else(|| env(var));
        let file = |flag: &Option<PathBuf>, name: &str, var: &str| match (flag, env(var)) {
            (Some(path), _) => read(path, &format!("--{name}")).map(Some),
            (None, Some(path)) => read(Path::new(&path), var).map(Some),
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
        match (&tls.cert, &tls.key) {
            (Some(_), None) => {
                return Err(CliError::usage(
                    "--cert needs --key (or ETCDCTL_KEY) beside it",
                ));
            }
            (None, Some(_)) => {
                return Err(CliError::usage(
                    "--key needs --cert (or ETCDCTL_CERT) beside it",
                ));
            }
            _ => {}
        }
        let any_tls = tls.ca.is_some() || tls.cert.is_some() || tls.insecure_skip_verify;
        let endpoints = urls(&endpoints, any_tls, "--endpoints")?;
        let overrides = self.override_servers(any_tls)?;
        let servers = overrides.iter().flat_map(|o| &o.servers);
        let mut all = endpoints.iter().chain(servers);
        let secure = all.any(|e| e.starts_with("https://"));
        if secure && tls.ca.is_none() && !tls.insecure_skip_verify {
            return Err(CliError::usage(
                "https endpoints need --cacert FILE (or ETCDCTL_CACERT), or --insecure-skip-tls-verify",
            ));
        }
        if !secure && (self.cacert.is_some() || self.cert.is_some()) {
            return Err(CliError::usage(format!(
                "--cacert and --cert are for https endpoints, and --endpoints gives {}",
                endpoints.join(",")
            )));
        }
        let dial = text(&self.dial_timeout, "ETCDCTL_DIAL_TIMEOUT");
        let command = text(&self.command_timeout, "ETCDCTL_COMMAND_TIMEOUT");
        let target = Target {
            metrics_endpoints: urls(&self.metrics_endpoints, false, "--metrics-endpoints")?,
            tls: any_tls.then_some(tls),
            credentials: credentials(
                text(&self.user, "ETCDCTL_USER"),
                text(&self.password, "ETCDCTL_PASSWORD"),
            )?,
            dial_timeout: duration("--dial-timeout", dial, Duration::from_secs(2))?,
            command_timeout: duration("--command-timeout", command, Duration::from_secs(5))?,
            members: self.target,
            owned: self.yes_this_etcd_is_mine,
            ..Target::plain(endpoints)
        };
        self.add(found, overrides, target)
    }

    /// The overrides with their servers checked as --endpoints are.
    fn override_servers(&self, tls: bool) -> Result<Vec<Override>, CliError> {
        let mut all = overrides::parse(&self.overrides)?;
        for o in &mut all {
            let first = o
                .resources
                .first()
                .map_or(String::new(), |r| overrides::name(*r));
            o.servers = urls(&o.servers, tls, &format!("--overrides {first}#"))?;
        }
        Ok(all)
    }

    /// Adds the main store and those of --overrides.
    fn add(
        &self,
        mut found: Found,
        overrides: Vec<Override>,
        mut target: Target,
    ) -> Result<Found, CliError> {
        if !overrides.is_empty() {
            let main = target.named_by.clone();
            let main =
                main.unwrap_or_else(|| format!("--endpoints {}", target.endpoints.join(",")));
            target.all_named_by =
                Some(format!("{main} --overrides '{}'", self.overrides.join(",")));
        }
        let (stores, notes) = overrides::stores(overrides, &target)?;
        found.overrides = stores;
        found.notes.extend(notes);
        found.target = Some(target);
        Ok(found)
    }

    /// The etcd of a kind cluster, as the container engine describes it; blocks.
    fn kind_target(&self, name: &str) -> Result<Found, CliError> {
        let found = kind::discover(name).map_err(|e| CliError::usage(e.to_string()))?;
        let given = |flag: &Option<String>, name, default| duration(name, flag.clone(), default);
        let target = Target {
            dial_timeout: given(
                &self.dial_timeout,
                "--dial-timeout",
                found.target.dial_timeout,
            )?,
            command_timeout: given(
                &self.command_timeout,
                "--command-timeout",
                found.target.command_timeout,
            )?,
            credentials: credentials(self.user.clone(), self.password.clone())?,
            members: self.target,
            owned: self.yes_this_etcd_is_mine,
            named_by: Some(format!("--kind {name}")),
            ..found.target
        };
        let overrides = self.override_servers(target.tls.is_some())?;
        let found = Found {
            notes: found.notes,
            ..Found::default()
        };
        self.add(found, overrides, target)
    }

    /// Flags that say something about an etcd that was not named.
    fn needs_endpoints(&self) -> Result<(), CliError> {
        let given = [
            ("--overrides", !self.overrides.is_empty()),
            ("--cacert", self.cacert.is_some()),
            ("--cert", self.cert.is_some()),
            ("--key", self.key.is_some()),
            ("--insecure-skip-tls-verify", self.insecure_skip_tls_verify),
            ("--user", self.user.is_some()),
            ("--password", self.password.is_some()),
            ("--metrics-endpoints", !self.metrics_endpoints.is_empty()),
            ("--allow-live-cluster", self.allow_live_cluster),
        ];
        match given.iter().find(|(_, set)| *set) {
            Some((flag, _)) => Err(CliError::usage(format!(
                "{flag} says something about an etcd that was not named: give --endpoints URL[,URL…] too"
            ))),
            None => Ok(()),
        }
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, CliError> {
    std::fs::read(path)
        .map_err(|e| CliError::usage(format!("{what}: cannot read {}: {e}", path.display())))
}

/// Adds the scheme that etcdctl would and checks the form; drops doubles of the same text.
fn urls(given: &[String], tls: bool, flag: &str) -> Result<Vec<String>, CliError> {
    let mut urls: Vec<String> = Vec::new();
    for raw in given.iter().map(|g| g.trim()) {
        let url = match raw.split_once("://") {
            Some(("http" | "https", _)) => raw.to_owned(),
            Some((scheme, _)) => {
                return Err(CliError::usage(format!(
                    "{flag} {raw:?}: {scheme}:// is not http:// or https://"
                )));
            }
            None if tls => format!("https://{raw}"),
            None => format!("http://{raw}"),
        };
        let url = url.trim_end_matches('/').to_owned();
        let parsed: Option<http::Uri> = url.parse().ok();
        let port = parsed.as_ref().and_then(|u| u.port_u16());
        let bare = parsed
            .as_ref()
            .is_some_and(|u| matches!(u.path(), "" | "/") && u.query().is_none());
        if !bare || port.is_none_or(|p| p == 0) {
            return Err(CliError::usage(format!(
                "{flag} {raw:?} is not http://HOST:PORT or https://HOST:PORT (etcd's client port is 2379)"
            )));
        }
        if urls.contains(&url) {
            return Err(CliError::usage(format!(
                "{flag} names {url} twice; leave one out"
            )));
        }
        urls.push(url);
    }
    Ok(urls)
}

/// etcdctl's rule: `--user name:password`, unless `--password` is given too.
fn credentials(
    user: Option<String>,
    password: Option<String>,
) -> Result<Option<Credentials>, CliError> {
    match (user, password) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(CliError::usage(
            "--password (or ETCDCTL_PASSWORD) needs --user (or ETCDCTL_USER)",
        )),
        (Some(user), Some(password)) => Ok(Some(Credentials { user, password })),
        (Some(both), None) => match both.split_once(':') {
            Some((user, password)) if !user.is_empty() => Ok(Some(Credentials {
                user: user.to_owned(),
                password: password.to_owned(),
            })),
            _ => Err(CliError::usage(format!(
                "--user {both:?} has no password: give --user NAME:PASSWORD, --password or ETCDCTL_PASSWORD"
            ))),
        },
    }
}

fn truth(name: &str, value: Option<String>) -> Result<bool, CliError> {
    match value.as_deref() {
        None | Some("0" | "false" | "FALSE" | "False" | "f" | "F") => Ok(false),
        Some("1" | "true" | "TRUE" | "True" | "t" | "T") => Ok(true),
        Some(other) => Err(CliError::usage(format!(
            "{name}={other} is neither true nor false"
        ))),
    }
}

/// A Go duration of one unit: `500ms`, `5s`, `1.5m`; more than 0 and at most an hour.
fn duration(flag: &str, value: Option<String>, default: Duration) -> Result<Duration, CliError> {
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
    Err(CliError::usage(format!(
        "{flag} {text:?} is not a duration like 500ms, 5s or 1m (at most 60m)"
    )))
}

#[cfg(test)]
mod tests;
