//! The flags that change a workload, shared by `run`, `show` and `validate`. Each is an edit of one field
//! of the file; `--set` reaches the others and is applied last.

use super::CliError;
use crate::workload::{Overrides, Resolved, Source};
use clap::Args;

/// Changes to the workload.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Workload")]
pub struct WorkloadFlags {
    /// Hollow nodes; namespaces, services and rates that the file leaves out follow
    ///
    /// For example --nodes 5000. The same as --set cluster.nodes=5000.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub nodes: Option<String>,

    /// Give any field of the workload's spec a value; may be repeated
    ///
    /// For example --set cluster.podsPerNode=50, --set actors.node-leases.period=5s,
    /// --set limits.node-lease/update=500ms, --set 'thresholds=["all: missed <= 1%"]'.
    /// See docs/reference/workload.md for every field.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,

    /// Multiply every open-loop rate, the probe's and the compactor's excepted
    ///
    /// For example --rate-scale 2.5.
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub rate_scale: Option<String>,

    /// Let the rates rise linearly from zero over this time
    ///
    /// For example --rate-ramp 30s. Stages begin after it.
    #[arg(long, value_name = "DURATION")]
    pub rate_ramp: Option<String>,

    /// How long the load is measured, or `forever` (until Ctrl-C)
    ///
    /// For example --duration 5m.
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<String>,

    /// How long the load runs before it is measured
    ///
    /// For example --warmup 10s.
    #[arg(long, value_name = "DURATION")]
    pub warmup: Option<String>,

    /// How long unanswered requests are waited for at the end
    #[arg(long, value_name = "DURATION")]
    pub drain: Option<String>,

    /// Seed of every generator: the same seed gives the same keys, objects and instants
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<String>,

    /// Kubernetes version whose request shapes are used, such as 1.34
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<String>,

    /// Engine threads
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub shards: Option<String>,

    /// Connections per store, over all shards
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub connections: Option<String>,

    /// Requests in flight, over all shards
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_in_flight: Option<String>,

    /// What happens to a request that is due while --max-in-flight is reached
    ///
    /// queue: it keeps its intended instant and waits. skip: it is dropped once it is late, and counted.
    #[arg(long, value_name = "RULE", value_parser = ["queue", "skip"])]
    pub at_cap: Option<String>,

    /// Which client carries the requests
    #[arg(long, value_name = "WIRE", value_parser = ["h2", "tonic"])]
    pub wire: Option<String>,

    /// Fill the store with transactions of many puts (batch), or as Kubernetes writes (single)
    #[arg(long, value_name = "HOW", value_parser = ["batch", "single"])]
    pub populate: Option<String>,
}

impl WorkloadFlags {
    /// The flags as edits, in the order in which they are applied.
    pub fn overrides(&self) -> Result<Overrides, CliError> {
        let mut overrides = Overrides::new();
        let flags = [
            ("--nodes", &self.nodes, "cluster.nodes"),
            ("--rate-scale", &self.rate_scale, "load.rateScale"),
            ("--rate-ramp", &self.rate_ramp, "load.rateRamp"),
            ("--duration", &self.duration, "phases.duration"),
            ("--warmup", &self.warmup, "phases.warmup"),
            ("--drain", &self.drain, "phases.drain"),
            ("--seed", &self.seed, "seed"),
            (
                "--kubernetes-version",
                &self.kubernetes_version,
                "kubernetesVersion",
            ),
            ("--shards", &self.shards, "load.shards"),
            ("--connections", &self.connections, "load.connections"),
            ("--max-in-flight", &self.max_in_flight, "load.maxInFlight"),
            ("--at-cap", &self.at_cap, "load.atCap"),
            ("--wire", &self.wire, "load.wire"),
        ];
        for (flag, value, path) in flags {
            if let Some(value) = value {
                overrides.push(format!("{flag} {value}"), path, value);
            }
        }
        if self.populate.as_deref() == Some("single") {
            overrides.push("--populate single", "populate.maxOps", "1");
        }
        for assignment in &self.set {
            overrides.push_set(assignment)?;
        }
        Ok(overrides)
    }

    /// Loads a built-in or a file, applies the flags and checks everything.
    pub fn resolve(&self, workload: &str) -> Result<Resolved, CliError> {
        let overrides = self.overrides()?;
        Ok(Source::load(workload)?.resolve(&overrides)?)
    }
}
