//! How to reach an etcd: etcdctl's flags and environment → [`Target`].

use super::CliError;
use super::overrides::{self, Override, OverrideEtcd};
use crate::etcd::endpoints;
use crate::etcd::external::{self, EtcdAccess, Naming};
use crate::kind;
use crate::target::{MemberChoice, Target};
use std::path::PathBuf;

/// etcd to use.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "etcd")]
pub struct ClusterFlags {
    /// Members of one external etcd, comma-separated: https://10.0.0.1:2379,https://10.0.0.2:2379. Read-only
    /// commands also use ETCDCTL_ENDPOINTS; commands that write need this flag.
    #[arg(long, value_delimiter = ',', value_name = "URL")]
    pub endpoints: Vec<String>,
    /// Resources in separate etcds, in the syntax of kube-apiserver's --etcd-servers-overrides:
    /// '/events#https://10.0.0.4:2379;https://10.0.0.5:2379' (semicolons between members, commas between
    /// overrides). Uses the TLS and user flags of --endpoints.
    #[arg(long, value_name = "GROUP/RESOURCE#URL[;URL…]")]
    pub overrides: Vec<String>,
    /// Use the etcd of this kind cluster; replaces --endpoints, --cacert, --cert, --key and
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
    /// Password of the user; the environment variable keeps it out of ps [env: ETCDCTL_PASSWORD].
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// Timeout for connecting [default: 2s] [env: ETCDCTL_DIAL_TIMEOUT].
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub dial_timeout: Option<String>,
    /// Timeout of status, member and cleanup calls; the load does not use it [default: 5s] [env:
    /// ETCDCTL_COMMAND_TIMEOUT].
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub command_timeout: Option<String>,
    /// URLs of /metrics if they differ from the endpoints (kubeadm: http://127.0.0.1:2381), comma-separated.
    #[arg(long, value_delimiter = ',', value_name = "URL")]
    pub metrics_endpoints: Vec<String>,
}

/// What only commands that send load say of an etcd.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "etcd")]
pub struct LoadTargetFlags {
    /// Endpoints that receive load.
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub target: MemberChoice,
    /// Allow a store that holds keys of others, a live Kubernetes cluster for example.
    #[arg(long)]
    pub allow_live_cluster: bool,
    /// Allow operations on the whole etcd (compaction, defragmentation) and --prefix /registry.
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
pub struct EtcdChoice {
    /// The etcd; None when no endpoints were given.
    pub target: Option<Target>,
    /// The etcds of --overrides.
    pub overrides: Vec<OverrideEtcd>,
    /// Environment variables that were ignored, with the reason, one line each.
    pub ignored: Vec<String>,
    /// How a kind cluster's members are reached and which are down, overrides that are none; one line each.
    pub notes: Vec<String>,
}

impl EtcdChoice {
    /// Every etcd of it.
    fn targets(&mut self) -> impl Iterator<Item = &mut Target> {
        let overrides = self.overrides.iter_mut().map(|o| &mut o.target);
        self.target.iter_mut().chain(overrides)
    }

    /// For operations that need `--yes-this-etcd-is-mine`.
    #[must_use]
    pub fn owned(mut self, yes: bool) -> Self {
        self.targets().for_each(|t| t.owned = yes);
        self
    }

    /// For load.
    ///
    /// # Errors
    /// A flag that says something about an etcd that was not named.
    pub fn loaded(mut self, flags: &LoadTargetFlags) -> Result<Self, CliError> {
        if self.target.is_none() && flags.allow_live_cluster {
            return Err(not_named("--allow-live-cluster"));
        }
        self.targets().for_each(|t| t.members = flags.target);
        Ok(self.owned(flags.yes_this_etcd_is_mine))
    }
}

fn not_named(flag: &str) -> CliError {
    CliError::usage(format!(
        "{flag} needs an external etcd: also pass --endpoints URL[,URL…]"
    ))
}

impl ClusterFlags {
    /// The target that flags and process environment describe.
    ///
    /// # Errors
    /// Usage errors that name the flag or variable, its value and what would be right.
    pub fn targets(&self, access: Access) -> Result<EtcdChoice, CliError> {
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
    ) -> Result<EtcdChoice, CliError> {
        let mut found = EtcdChoice::default();
        let mut endpoints = self.endpoints.clone();
        if let Some(value) = env("ETCDCTL_ENDPOINTS").filter(|_| endpoints.is_empty()) {
            self::endpoints::without_credentials(
                std::iter::once(value.as_str()),
                "ETCDCTL_ENDPOINTS",
            )?;
            match access {
                Access::Read => endpoints = value.split(',').map(str::to_owned).collect(),
                Access::Write => found.ignored.push(format!(
                    "ETCDCTL_ENDPOINTS={value} is ignored: commands that write use only --endpoints"
                )),
            }
        }
        if endpoints.is_empty() {
            self.needs_endpoints()?;
            return Ok(found);
        }
        let access = EtcdAccess {
            endpoints,
            metrics_endpoints: self.metrics_endpoints.clone(),
            cacert: self.cacert.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            user: self.user.clone(),
            password: self.password.clone(),
            dial_timeout: self.dial_timeout.clone(),
            command_timeout: self.command_timeout.clone(),
        };
        let tls = access.tls(Naming::Flags, &env)?;
        let overrides = self.override_servers(tls.is_some())?;
        let servers: Vec<&str> = overrides
            .iter()
            .flat_map(|o| &o.servers)
            .map(String::as_str)
            .collect();
        let target = access.target(Naming::Flags, tls, &servers, &env);
        self.add(found, overrides, target?)
    }

    /// The overrides with their servers checked as --endpoints are.
    fn override_servers(&self, tls: bool) -> Result<Vec<Override>, CliError> {
        endpoints::without_credentials(self.overrides.iter().map(String::as_str), "--overrides")?;
        let mut all = overrides::parse(&self.overrides)?;
        for o in &mut all {
            let first = o
                .resources
                .first()
                .map_or(String::new(), |r| overrides::name(*r));
            o.servers = endpoints::urls(&o.servers, tls, &format!("--overrides {first}#"))?;
        }
        Ok(all)
    }

    /// Adds the main store and those of --overrides.
    fn add(
        &self,
        mut found: EtcdChoice,
        overrides: Vec<Override>,
        mut target: Target,
    ) -> Result<EtcdChoice, CliError> {
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
    fn kind_target(&self, name: &str) -> Result<EtcdChoice, CliError> {
        let found = kind::discover(name).map_err(|e| CliError::usage(e.to_string()))?;
        let given = |flag: &Option<String>, name, default| {
            external::duration(name, flag.clone(), default).map_err(CliError::from)
        };
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
            credentials: external::credentials(
                Naming::Flags,
                self.user.clone(),
                self.password.clone(),
            )?,
            named_by: Some(format!("--kind {name}")),
            ..found.target
        };
        let overrides = self.override_servers(target.tls.is_some())?;
        let found = EtcdChoice {
            notes: found.notes,
            ..EtcdChoice::default()
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
        ];
        match given.iter().find(|(_, set)| *set) {
            Some((flag, _)) => Err(not_named(flag)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
