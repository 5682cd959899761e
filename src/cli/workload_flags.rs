//! The flags that change a workload, shared by `run`, `show` and `validate`. Each is an edit of one field
//! of the file; `--set` reaches the others and is applied last.

use super::CliError;
use crate::human::threshold::{Threshold, ThresholdError};
use crate::workload::{Overrides, ResolvedWorkload, Source, Split};
use clap::Args;

/// Changes to the workload.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Workload (brackets show the field in the file and its default)")]
pub struct WorkloadFlags {
    /// Number of hollow nodes; unset namespaces, services and rates scale with it [cluster.nodes: 1000]
    ///
    /// For example --nodes 5000.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub nodes: Option<String>,

    /// Set any field of the workload's spec; can be repeated
    ///
    /// For example --set cluster.podsPerNode=50, --set actors.node-leases.period=5s,
    /// --set limits.node-lease/update=500ms, --set 'actors.events.rate=100'.
    /// See docs/reference/workload.md for every field.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,

    /// Condition that must hold, or the exit code is 99; can be repeated [thresholds: []]
    ///
    /// For example --threshold 'node-lease/update p99 < 100ms', --threshold 'all missed <= 1%',
    /// --threshold 'etcd fsync < 10ms'. The conditions of the file hold as well.
    #[arg(long, value_name = "CONDITION")]
    pub threshold: Vec<String>,

    /// Multiply every open-loop rate except those of probe, compactor and defragmenter [load.rateScale: 1]
    ///
    /// For example --rate-scale 2.5.
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    pub rate_scale: Option<String>,

    /// Ramp rates up linearly from zero over this time [load.rateRamp: 0s]
    ///
    /// For example --rate-ramp 30s. Stages begin after the ramp.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub rate_ramp: Option<String>,

    /// Length of the measure phase, or `forever` (until Ctrl-C) [phases.duration: 30s]
    ///
    /// For example --duration 5m.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub duration: Option<String>,

    /// Length of the load before the measure phase [phases.warmup: 5s]
    ///
    /// For example --warmup 10s.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub warmup: Option<String>,

    /// Maximum wait for outstanding answers at the end [phases.drain: 10s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub drain: Option<String>,

    /// Random seed; the same seed gives the same keys, objects and arrival times [seed: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<String>,

    /// Send the requests of this Kubernetes version, 1.30 to 1.37 [kubernetesVersion: 1.37]
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<String>,

    /// Engine threads [load.workers: 1 up to 4 cores, then one per 4]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub workers: Option<String>,

    /// Connections per store, across all workers, the same number for each member and worker [load.connections: one per 250 in flight, 8 to 64]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub connections: Option<String>,

    /// Maximum requests in flight, across all workers [load.maxInFlight: 10 × rate × limit, 64 to 10,000]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_in_flight: Option<String>,

    /// What to do with requests that are due while --max-in-flight is reached [load.atCap: queue]
    ///
    /// queue: the request waits; its response time still counts from its intended instant. skip: the request is
    /// dropped once it is late, and counts as skipped.
    #[arg(long, value_name = "RULE", value_parser = ["queue", "skip"])]
    pub at_cap: Option<String>,

    /// Client implementation that sends the requests [load.wire: h2]
    #[arg(long, value_name = "WIRE", value_parser = ["h2", "tonic"])]
    pub wire: Option<String>,

    /// Puts per transaction when the store is filled: many (batch), or one as in Kubernetes (single)
    /// [populate.maxOps: 128, which is batch]
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
            ("--workers", &self.workers, "load.workers"),
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
        for threshold in &self.threshold {
            let flag = format!("--threshold {threshold:?}");
            if let Err(e @ (ThresholdError::Shape | ThresholdError::Bound(_))) =
                Threshold::parse(threshold)
            {
                return Err(CliError::usage(format!("{flag}: {e}")));
            }
            overrides.push(
                flag,
                "thresholds.+",
                serde_json::json!(threshold).to_string(),
            );
        }
        for assignment in &self.set {
            overrides.push_set(assignment)?;
        }
        Ok(overrides)
    }

    /// Loads a built-in or a file, applies the flags and checks everything.
    pub fn resolve(&self, workload: &str) -> Result<ResolvedWorkload, CliError> {
        self.resolve_split(workload, Vec::new())
    }

    /// As [`WorkloadFlags::resolve`], with resources that get a store of their own.
    pub fn resolve_split(
        &self,
        workload: &str,
        splits: Vec<Split>,
    ) -> Result<ResolvedWorkload, CliError> {
        let mut overrides = self.overrides()?;
        overrides.split(splits);
        Ok(Source::load(workload)?.resolve(&overrides)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: WorkloadFlags,
    }

    fn resolve(args: &[&str]) -> Result<ResolvedWorkload, String> {
        let cli =
            Cli::try_parse_from(std::iter::once(&"t").chain(args)).map_err(|e| e.to_string())?;
        cli.flags.resolve("cluster").map_err(|e| e.message)
    }

    #[test]
    fn flags_are_edits_and_set_comes_last() {
        let r = resolve(&[
            "--set",
            "cluster.nodes=7",
            "--nodes",
            "5",
            "--duration",
            "forever",
            "--populate",
            "single",
        ])
        .unwrap();
        assert_eq!(
            (r.cluster.nodes, r.phases.duration, r.populate.max_ops),
            (7, None, 1)
        );
        let r = resolve(&[
            "--rate-scale",
            "2",
            "--rate-ramp",
            "3s",
            "--at-cap",
            "skip",
            "--seed",
            "9",
            "--kubernetes-version",
            "1.30",
        ])
        .unwrap();
        assert_eq!((r.seed, r.load.at_cap), (9, crate::workload::AtCap::Skip));
        assert_eq!(r.cluster.kubernetes_version.name(), "1.30");
        assert_eq!(r.file.spec.load.rate_scale, Some(2.0));
    }

    #[test]
    fn a_rate_that_is_set_replaces_the_files() {
        for set in ["actors.events.rate=500", "actors.events.ratePerNode=0.1"] {
            let r = resolve(&["--set", set]).unwrap();
            assert!(
                r.file.spec.actors.iter().any(|a| a.name == "events"),
                "{set}"
            );
        }
        // Two forms that were both given contradict each other.
        let twice = [
            "--set",
            "actors.events.rate=5",
            "--set",
            "actors.events.concurrency=4",
        ];
        assert!(resolve(&twice).is_err());
    }

    #[test]
    fn help_names_the_fields_and_their_defaults() {
        let file = "apiVersion: etcdmark/v1alpha2\nkind: Workload\nmetadata: {name: a}\n\
                    spec: {actors: [{name: l, kind: nodeLease}]}";
        let source = Source::parse("a.yaml".to_owned(), file.to_owned()).unwrap();
        let spec = source.resolve(&Overrides::new()).unwrap().json()["spec"].clone();
        let mut told = 0;
        for arg in <Cli as clap::CommandFactory>::command().get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let bracket = help.rsplit_once('[').and_then(|(_, b)| b.strip_suffix(']'));
            let Some((path, default)) = bracket.and_then(|b| b.split_once(": ")) else {
                continue;
            };
            let value = match &spec[path.split('.').next().unwrap()] {
                serde_json::Value::Object(section) => &section[path.split_once('.').unwrap().1],
                value => value,
            };
            let value = value.to_string();
            let value = value.trim_matches('"').trim_end_matches(".0");
            // What is sized by the load is told in words.
            let sized = ["load.workers", "load.connections", "load.maxInFlight"].contains(&path);
            assert!(sized || default.starts_with(value), "{help}: {value}");
            told += 1;
        }
        assert_eq!(told, 14);
    }

    #[test]
    fn an_empty_value_is_no_default() {
        for args in [
            &["--nodes", ""][..],
            &["--set", "cluster.nodes="],
            &["--duration", " "],
        ] {
            let message = resolve(args).unwrap_err();
            assert!(
                message.ends_with("has no value; write null for the default"),
                "{message}"
            );
        }
        assert_eq!(
            resolve(&["--set", "cluster.nodes=null"])
                .unwrap()
                .cluster
                .nodes,
            1000
        );
        let by_number =
            resolve(&["--set", "primary=[]", "--set", "actors.0.concurrency=5"]).unwrap();
        assert_eq!(
            by_number.actors[0].schedule,
            crate::schedule::Schedule::Closed { concurrency: 5 }
        );
    }

    #[test]
    fn a_wrong_value_names_its_flag() {
        for (args, message) in [
            (
                ["--nodes", "0"],
                "--nodes 0: cluster.nodes: 0 is out of range; use 1 to 10,000,000",
            ),
            (
                ["--nodes", "-5"],
                "--nodes -5: nodes: -5 is not a whole number, 0 or more, of at most 19 digits",
            ),
            (
                ["--duration", "30"],
                "--duration 30: duration: \"30\" is not a duration: write a number with a unit (ns, us, ms, s, m, h), such as 10s, 5m or 100ms, or forever",
            ),
            (
                ["--rate-scale", "-1"],
                "--rate-scale -1: load.rateScale: -1 is out of range; use a number above 0 and at most 1,000,000",
            ),
            (
                ["--workers", "1000"],
                "--workers 1000: load.workers: 1,000 is out of range; use 1 to 256",
            ),
            (
                ["--kubernetes-version", "1.12"],
                "--kubernetes-version 1.12: kubernetesVersion: unknown Kubernetes version \"1.12\" (known: 1.30 \
                 to 1.37)",
            ),
        ] {
            assert_eq!(resolve(&args).unwrap_err(), message);
        }
    }
}
