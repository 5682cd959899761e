//! `etcdmark validate`: checks files of every kind and says what they would do.

use super::CliError;
use super::output::{Format, print, print_json};
use super::watching::length;
use super::workload_flags::WorkloadFlags;
use crate::analyses;
use crate::document::{kind_of, read_document};
use crate::exit::Exit;
use crate::experiment::{Changes, ExperimentSource};
use crate::human::numbers::{ns, seconds, things};
use crate::human::{Length, grouped};
use crate::local::Medium;
use crate::workload::{Overrides, ResolvedWorkload, Source};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Flags of `etcdmark validate`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Exit code 0 if all files are valid, else 2.

Examples:
  etcdmark validate my.yaml my-experiment.yaml prod.yaml
  etcdmark validate cluster --nodes 5000          print rates and sizes without sending anything")]
pub struct Args {
    /// Files of workloads, experiments and media, by their `kind`; or names of built-in workloads
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,

    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,

    /// Changes to the workload
    #[command(flatten)]
    pub flags: WorkloadFlags,
}

/// What one file would do, or what is wrong with it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    error: Option<String>,
    name: Option<String>,
    hash: Option<String>,
    populated_keys: Option<u64>,
    /// By op class, at the profile's peak; null in a closed loop.
    requests_per_second: BTreeMap<&'static str, Option<f64>>,
    /// Of an experiment.
    #[serde(skip_serializing_if = "Option::is_none")]
    trials: Option<usize>,
    /// Of a medium, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_sync: Option<f64>,
    /// What is to be known of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// A valid file: what is printed, and what programs get.
type Valid = (String, Report);

/// Checks every file, prints a report on each, and fails if any is wrong.
pub fn run(args: Args) -> Result<Exit, CliError> {
    let overrides = args.flags.overrides()?;
    let (mut reports, mut errors) = (Vec::new(), Vec::new());
    for file in &args.files {
        match check(file, &overrides) {
            Ok((text, _)) if args.output == Format::Text => print(&text)?,
            Ok((_, report)) => reports.push(report),
            Err(e) => {
                errors.push(e.message.clone());
                reports.push(Report {
                    file: file.clone(),
                    error: Some(e.message),
                    ..Report::default()
                });
            }
        }
    }
    if args.output == Format::Json {
        print_json(&reports)?;
    }
    if errors.is_empty() {
        Ok(Exit::Ok)
    } else {
        Err(CliError::usage(errors.join("\nerror: ")))
    }
}

fn check(file: &str, overrides: &Overrides) -> Result<Valid, CliError> {
    // A pipe can be read once only: it is a workload's.
    let regular = std::fs::metadata(file).is_ok_and(|m| m.is_file());
    let document = regular
        .then(|| read_document(Path::new(file)).ok())
        .flatten();
    let kind = document
        .and_then(|d: String| kind_of(&d))
        .unwrap_or_default();
    if let ("Experiment" | "Medium", Some(edit)) = (kind.as_str(), overrides.edits().first()) {
        return Err(CliError::usage(format!(
            "{} changes a workload, but {file} is of kind {kind}",
            edit.flag
        )));
    }
    match kind.as_str() {
        "Experiment" => experiment(file),
        "Medium" => medium(file),
        // An unknown kind, which may be any of them.
        other if regular && !matches!(other, "Workload" | "") => Err(CliError::usage(format!(
            "{file}: kind: {other:?} is not known; known: Workload, Experiment, Medium"
        ))),
        _ => {
            let resolved = Source::load(file)?.resolve(overrides)?;
            Ok((text(file, &resolved), report(file, &resolved)))
        }
    }
}

fn experiment(file: &str) -> Result<Valid, CliError> {
    let source = ExperimentSource::load(file)?;
    let changes = Changes {
        elsewhere: true,
        ..Changes::default()
    };
    let experiment = source.resolve(&changes, &analyses::ALL)?;
    for workload in experiment.workloads() {
        workload?;
    }
    let plan = &experiment.plan;
    let mut text = format!(
        "{file}: valid. {}, {}, {}: {}, {}.\n",
        things(plan.arms.len() as u64, "arm"),
        things(plan.levels.len() as u64, "level"),
        things(plan.blocks.into(), "block"),
        things(plan.trials.len() as u64, "trial"),
        length(&experiment)
    );
    for arm in &plan.skipped_arms {
        text += &format!("  without arm {}: {}\n", arm.arm, arm.reason);
    }
    for note in &plan.notes {
        text += &format!("  note: {note}\n");
    }
    let report = Report {
        file: file.to_owned(),
        name: Some(plan.name.clone()),
        hash: Some(plan.hash.clone()),
        trials: Some(plan.trials.len()),
        notes: plan.notes.clone(),
        ..Report::default()
    };
    Ok((text, report))
}

fn medium(file: &str) -> Result<Valid, CliError> {
    let medium = Medium::load(file).map_err(|e| CliError::usage(e.to_string()))?;
    let text = format!(
        "{file}: valid. A sync takes {} in the mean, {} in the median, on the files: {}.\n",
        seconds(medium.sync.mean() / 1e9),
        ns(medium.sync.median()),
        medium.files.name()
    );
    let report = Report {
        file: file.to_owned(),
        name: Some(medium.name.clone()),
        mean_sync: Some(medium.sync.mean() / 1e9),
        ..Report::default()
    };
    Ok((text, report))
}

fn report(file: &str, r: &ResolvedWorkload) -> Report {
    Report {
        file: file.to_owned(),
        name: Some(r.file.metadata.name.clone()),
        hash: Some(r.hash.clone()),
        populated_keys: Some(r.populated_keys()),
        notes: r.hardly_played(),
        requests_per_second: r
            .rates()
            .iter()
            .map(|c| (c.class.name(), c.per_second))
            .collect(),
        ..Report::default()
    }
}

fn text(file: &str, r: &ResolvedWorkload) -> String {
    let rates = r.rates();
    let total: f64 = rates.iter().filter_map(|c| c.per_second).sum();
    let duration = r
        .file
        .spec
        .phases
        .duration
        .map_or(String::new(), |d| match d {
            Length::For(span) => format!(" for {span}"),
            Length::Forever => " until Ctrl-C".to_owned(),
        });
    // Rates are those of the profile's peak.
    let staged = r.file.spec.actors.iter().any(|a| !a.stages.is_empty());
    let up_to = if staged { "up to " } else { "" };
    let mut out = format!(
        "{file}: valid. {}, {} keys written first, then {up_to}{} requests/s{duration}, at most {} in flight.\n",
        things(r.cluster.nodes, "node"),
        grouped(r.populated_keys()),
        figure(total),
        grouped(r.load.max_in_flight as u64),
    );
    let width = rates
        .iter()
        .map(|c| c.class.name().len())
        .max()
        .unwrap_or(0);
    for c in &rates {
        let rate = c.per_second.map_or("closed loop".to_owned(), |p| {
            format!("{up_to}{}/s", figure(p))
        });
        let limit = r.limits.of(c.class) as f64 / 1e9;
        out += &format!("  {:width$}  {rate:>12}  limit {limit} s\n", c.class.name());
    }
    for note in r.hardly_played() {
        out += &format!("  note: {note}\n");
    }
    out
}

/// Three digits are enough.
fn figure(x: f64) -> String {
    match x {
        x if x >= 100.0 => grouped(x.round() as u64),
        x if x >= 1.0 => format!("{x:.1}"),
        x => format!("{x:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Overrides;
    use expect_test::expect;

    #[test]
    fn says_what_a_workload_would_do() {
        let resolved = Source::load("node-heartbeats")
            .unwrap()
            .resolve(&Overrides::new())
            .unwrap();
        expect![[r#"
            node-heartbeats: valid. 1,000 nodes, 3,000 keys written first, then 101 requests/s for 30s, at most 1,014 in flight.
              node-lease/update         98.0/s  limit 1 s
              node-status/update         3.3/s  limit 1 s
        "#]].assert_eq(&text("node-heartbeats", &resolved));
    }

    #[test]
    fn a_file_with_an_error_is_read_as_its_kind() {
        let dir = tempfile::tempdir().unwrap();
        let said = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            check(path.to_str().unwrap(), &Overrides::new())
                .unwrap_err()
                .message
        };
        let head = "apiVersion: etcdmark/v1alpha2\nkind: Experiment\n";
        let twice = said(
            "twice.yaml",
            &format!("{head}spec:\n  question: a\n  question: b\n"),
        );
        assert!(
            twice.contains("twice.yaml:5:3") && twice.contains("question"),
            "{twice}"
        );
        assert!(!twice.contains("known"), "{twice}");
        let unknown = said(
            "unknown.yaml",
            "apiVersion: etcdmark/v1alpha2\nkind: Experimant\n",
        );
        assert!(
            unknown.ends_with("known: Workload, Experiment, Medium"),
            "{unknown}"
        );
    }

    #[test]
    fn what_is_staged_is_a_peak() {
        let mut overrides = Overrides::new();
        overrides
            .push_set("actors.node-leases.stages=[{duration: 1s, multiplier: 8}, {duration: 1s, multiplier: 1}]")
            .unwrap();
        let resolved = Source::load("node-heartbeats")
            .unwrap()
            .resolve(&overrides)
            .unwrap();
        assert!(
            text("x", &resolved).contains("then up to "),
            "{}",
            text("x", &resolved)
        );
    }

    #[test]
    fn a_wrong_file_is_a_usage_error_with_every_message() {
        let args = Args {
            files: vec!["node-heartbeat".to_owned(), "event".to_owned()],
            output: Format::Json,
            flags: WorkloadFlags::default(),
        };
        let error = run(args).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        expect![[r#"
            workload "node-heartbeat": no such built-in and no such file; did you mean "node-heartbeats"?; built-in: cluster, node-heartbeats, events, endpoints, endpointslices, leader-leases, probe
            error: workload "event": no such built-in and no such file; did you mean "events"?; built-in: cluster, node-heartbeats, events, endpoints, endpointslices, leader-leases, probe"#]].assert_eq(&error.message);
    }
}
