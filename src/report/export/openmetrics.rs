//! OpenMetrics text: gauges and summaries in base units, a snapshot of the whole measure phase. Prometheus' older text format
//! reads it too, so it suits Pushgateway and node_exporter's textfile collector; these refuse timestamps, and it has none.

use super::{Named, operations, response, service, versions};
use crate::measure::validity::Verdict;
use crate::report::result::{ClassResult, RunResult, ThresholdVerdict};
use std::fmt::Write;

/// A sample: suffix of its name, labels, value.
type Sample = (&'static str, Vec<(&'static str, String)>, f64);

/// All metric families, and `# EOF`.
pub fn render(r: &RunResult) -> String {
    let mut out = Families(String::new());
    run(r, &mut out);
    classes(r, &mut out);
    etcd(r, &mut out);
    out.0.push_str("# EOF\n");
    out.0
}

struct Families(String);

impl Families {
    /// One without samples is left out.
    fn add(&mut self, name: &str, kind: &str, help: &str, samples: Vec<Sample>) {
        if samples.is_empty() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        let units = ["seconds", "bytes", "ratio"];
        if let Some(unit) = units.iter().find(|u| name.ends_with(&format!("_{u}"))) {
            let _ = writeln!(self.0, "# UNIT {name} {unit}");
        }
        for (suffix, labels, value) in samples {
            let labels: Vec<String> = labels
                .iter()
                .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
                .collect();
            let labels = match labels.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", labels.join(",")),
            };
            let value = match value {
                f64::INFINITY => "+Inf".to_owned(),
                v => v.to_string(),
            };
            let _ = writeln!(self.0, "{name}{suffix}{labels} {value}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, samples: Vec<Sample>) {
        self.add(name, "gauge", help, samples);
    }
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn one(value: f64) -> Vec<Sample> {
    vec![("", Vec::new(), value)]
}

fn run(r: &RunResult, out: &mut Families) {
    let h = &r.header;
    let info = [
        ("version", h.etcdmark.clone()),
        ("run_id", h.run_id.clone()),
        ("workload", h.workload.clone()),
        ("plan_hash", h.plan_hash.clone()),
        ("etcd_version", versions(r)),
        ("host", h.environment.hostname.clone()),
    ];
    out.gauge(
        "etcdmark_run_info",
        "What was run.",
        vec![("", info.to_vec(), 1.0)],
    );
    out.gauge(
        "etcdmark_run_start_timestamp_seconds",
        "When the load began, Unix time.",
        one(h.t0_unix_ns as f64 / 1e9),
    );
    out.gauge(
        "etcdmark_run_measured_seconds",
        "Length of the measure phase.",
        one(r.measured_seconds),
    );
    out.gauge(
        "etcdmark_run_exit_code",
        "The exit code that the result calls for.",
        one(f64::from(r.exit().code())),
    );
    let is = |state: bool| if state { 1.0 } else { 0.0 };
    let verdicts = [
        ("valid", Verdict::Valid),
        ("doubtful", Verdict::Doubtful),
        ("invalid", Verdict::Invalid),
    ];
    let validity = verdicts.map(|(name, v)| {
        let label = vec![("verdict", name.to_owned())];
        ("", label, is(r.validity.verdict == v))
    });
    out.gauge(
        "etcdmark_run_validity",
        "Whether the generator kept up: 1 for the verdict that holds.",
        validity.to_vec(),
    );
    let verdicts = [
        ("passed", ThresholdVerdict::Passed),
        ("missed", ThresholdVerdict::Missed),
        ("undecided", ThresholdVerdict::Undecided),
    ];
    let mut seen: Vec<&str> = Vec::new();
    let mut thresholds = Vec::new();
    for t in &r.thresholds {
        // A series must not come twice.
        if seen.contains(&t.expression.as_str()) {
            continue;
        }
        seen.push(&t.expression);
        for (name, v) in verdicts {
            let labels = vec![
                ("threshold", t.expression.clone()),
                ("verdict", name.to_owned()),
            ];
            thresholds.push(("", labels, is(t.verdict == v)));
        }
    }
    out.gauge(
        "etcdmark_threshold",
        "1 for the verdict that holds.",
        thresholds,
    );
    // Without a sweep nothing is known of what no answer showed.
    if r.verify.is_some() {
        out.gauge(
            "etcdmark_lost_writes",
            "Acknowledged writes that are missing.",
            one(r.lost_writes() as f64),
        );
    }
}

fn classes(r: &RunResult, out: &mut Families) {
    let of = |c: &ClassResult| vec![("class", c.class.name.clone())];
    let with = |c: &ClassResult, label: &'static str, value: &str| {
        [of(c), vec![(label, value.to_owned())]].concat()
    };
    let any = |c: &&ClassResult| operations(&c.figures) > 0;
    let all = || r.classes.iter().filter(any);
    let outcomes = all().flat_map(|c| {
        let (f, k) = (&c.figures, &c.figures.counts);
        [
            ("in_time", k.ok.saturating_sub(k.late)),
            ("late", k.late),
            ("failed", k.failed),
            ("skipped", k.skipped),
            ("censored", k.censored),
            ("unanswered", f.unanswered),
        ]
        .map(|(outcome, n)| ("", with(c, "outcome", outcome), n as f64))
    });
    out.gauge(
        "etcdmark_operations",
        "Operations of the measure phase by what became of them; all but in_time are misses.",
        outcomes.collect(),
    );
    let missed = all().map(|c| ("", of(c), c.figures.miss_share));
    out.gauge(
        "etcdmark_missed_ratio",
        "Misses as a share of the offered operations.",
        missed.collect(),
    );
    let achieved = all().map(|c| ("", of(c), c.figures.achieved_rate));
    out.gauge(
        "etcdmark_achieved_operations_per_second",
        "Operations that succeeded within the measure phase, per second.",
        achieved.collect(),
    );
    let quantiles = |c: &ClassResult, named: Vec<Named>| -> Vec<Sample> {
        let known = named
            .into_iter()
            .filter_map(|(_, q, value)| Some((q, value.number()?)));
        known
            .map(|(q, value)| ("", with(c, "quantile", &q.to_string()), value))
            .collect()
    };
    let open = all().filter(|c| c.figures.headline.is_some());
    let responses = open.flat_map(|c| {
        let count = ("_count", of(c), c.figures.counts.offered as f64);
        [quantiles(c, response(&c.figures)), vec![count]].concat()
    });
    out.add(
        "etcdmark_response_time_seconds",
        "summary",
        "Response time of all offered operations; a miss is +Inf.",
        responses.collect(),
    );
    let services = all().flat_map(|c| {
        let Some(s) = c.figures.service else {
            return Vec::new();
        };
        let n = s.count as f64;
        let ends = vec![("_sum", of(c), s.mean_ns * n / 1e9), ("_count", of(c), n)];
        [quantiles(c, service(&c.figures)), ends].concat()
    });
    out.add(
        "etcdmark_service_time_seconds",
        "summary",
        "Service time of the attempts that succeeded.",
        services.collect(),
    );
}

fn etcd(r: &RunResult, out: &mut Families) {
    type Figure = fn(&crate::report::MemberFigures) -> Option<f64>;
    let all: [(&str, &str, Figure); 5] = [
        (
            "etcdmark_etcd_wal_fsync_mean_seconds",
            "Mean length of a WAL sync.",
            |m| m.fsync_mean,
        ),
        (
            "etcdmark_etcd_backend_commit_mean_seconds",
            "Mean length of a backend commit.",
            |m| m.commit_mean,
        ),
        (
            "etcdmark_etcd_db_size_max_bytes",
            "Largest size of the db file.",
            |m| m.db_size_max,
        ),
        (
            "etcdmark_etcd_resident_memory_max_bytes",
            "Largest resident set.",
            |m| m.rss_max,
        ),
        ("etcdmark_etcd_cpu_cores", "Cores used on average.", |m| {
            m.cpu_cores
        }),
    ];
    for (name, help, figure) in all {
        let members = r.stores.iter().flat_map(|s| {
            s.members.iter().filter_map(move |m| {
                let labels = vec![("store", s.name.clone()), ("member", m.member.clone())];
                Some(("", labels, figure(m)?))
            })
        });
        out.gauge(name, help, members.collect());
    }
    let changes = r.stores.iter().filter_map(|s| {
        let label = vec![("store", s.name.clone())];
        Some(("", label, s.leader_changes?))
    });
    out.gauge(
        "etcdmark_etcd_leader_changes",
        "Leader changes that a member saw in the measure phase.",
        changes.collect(),
    );
}
