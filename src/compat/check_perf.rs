//! The loads and criteria of `etcdctl check perf` (`etcdctl/ctlv3/command/check.go`, the same in etcd 3.6.5 and in its main
//! branch of August 2026), beside what etcdmark asks of a run.

use std::fmt::Write;

/// One of its loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// `--load`.
    pub name: &'static str,
    pub long_name: &'static str,
    /// Clients, each with a connection of its own and one request outstanding.
    pub clients: usize,
    /// The limiter's rate, which is also what the throughput is judged by.
    pub writes_per_second: u32,
    pub seconds: u32,
}

const fn profile(
    name: &'static str,
    long_name: &'static str,
    clients: usize,
    rate: u32,
) -> Profile {
    Profile {
        name,
        long_name,
        clients,
        writes_per_second: rate,
        seconds: 60,
    }
}

/// All of them.
pub const PROFILES: [Profile; 4] = [
    profile("s", "small", 50, 150),
    profile("m", "medium", 200, 1000),
    profile("l", "large", 500, 8000),
    profile("xl", "xLarge", 1000, 15_000),
];

/// Bytes of a key behind its prefix: a random varint of up to 10 bytes in zeros.
pub const KEY_BYTES: usize = 256;
/// Bytes of a value: zeros.
pub const VALUE_BYTES: usize = 1024;
/// It fails at this share of the rate and below.
pub const LEAST_SHARE: f64 = 0.9;
/// It fails above this, seconds.
pub const SLOWEST: f64 = 0.5;
/// It fails above this standard deviation, seconds.
pub const STDDEV: f64 = 0.1;

/// A criterion of theirs, and what there is of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Criterion {
    pub about: &'static str,
    pub check_perf: &'static str,
    pub etcdmark: &'static str,
}

/// What is asked for, by whom.
pub const CRITERIA: [Criterion; 6] = [
    Criterion {
        about: "throughput",
        check_perf: "FAIL at 90 % of the rate or less",
        etcdmark: "offered and achieved rate are both shown; exit 98 when the generator fell behind, and a threshold on `achieved`",
    },
    Criterion {
        about: "slowest request",
        check_perf: "FAIL above 0.5 s",
        etcdmark: "a limit per op class (1 s for most): each later answer is a miss, and one in a million does not fail a run",
    },
    Criterion {
        about: "spread",
        check_perf: "FAIL when the standard deviation is above 0.1 s",
        etcdmark: "percentiles, p50 and p99 with 95 % intervals; thresholds such as \"node-lease/update: p99 < 100ms\", exit 99",
    },
    Criterion {
        about: "errors",
        check_perf: "FAIL at the first one",
        etcdmark: "a miss, counted as +\u{221e} in the percentiles; thresholds on `missed` and `errors`",
    },
    Criterion {
        about: "clock",
        check_perf: "from the sending of a request: a stall delays the next ones unseen",
        etcdmark: "from the instant at which the request was intended",
    },
    Criterion {
        about: "load",
        check_perf: "puts of 1 KiB of zeros to new keys of 256 B",
        etcdmark: "what kube-apiserver sends for a cluster: compare-and-swap, lists, Leases, Events",
    },
];

/// The command that sends a profile's load.
pub fn command(profile: &Profile) -> String {
    format!(
        "etcdmark compat go-benchmark put --clients {c} --conns {c} --rate {} --total {} --key-size {KEY_BYTES} \
         --val-size {VALUE_BYTES} --key-space-size {}",
        profile.writes_per_second,
        u64::from(profile.writes_per_second) * u64::from(profile.seconds),
        i64::MAX,
        c = profile.clients,
    )
}

/// As text.
pub fn render() -> String {
    let mut text = String::from(
        "etcdctl check perf: closed loop behind a limiter, one connection per client, puts of 1 KiB to keys of 256 B\n\n\
         load           clients  writes/s  seconds  passes above\n",
    );
    for p in &PROFILES {
        let _ = writeln!(
            text,
            "{:<14} {:>7} {:>9} {:>8}  {:>6} writes/s",
            format!("{} ({})", p.name, p.long_name),
            p.clients,
            p.writes_per_second,
            p.seconds,
            f64::from(p.writes_per_second) * LEAST_SHARE,
        );
    }
    text += "\nThe criteria are the same for every load:\n";
    for c in &CRITERIA {
        let _ = writeln!(
            text,
            "  {}\n    check perf  {}\n    etcdmark    {}",
            c.about, c.check_perf, c.etcdmark
        );
    }
    text += "\nTo send the load of a profile:\n";
    for p in &PROFILES {
        let _ = writeln!(text, "  {:<3} {}", p.name, command(p));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_are_those_of_check_go() {
        let all = PROFILES.map(|p| (p.name, p.clients, p.writes_per_second, p.seconds));
        assert_eq!(
            all,
            [
                ("s", 50, 150, 60),
                ("m", 200, 1000, 60),
                ("l", 500, 8000, 60),
                ("xl", 1000, 15_000, 60),
            ]
        );
        assert!(render().contains("xl (xLarge)       1000     15000       60   13500 writes/s"));
    }
}
