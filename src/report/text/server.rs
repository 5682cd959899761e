//! etcd's, the host's and the generator's own figures.

use crate::human::numbers::{bytes, count, ns, percent, rate, seconds, things};
use crate::measure::{Cores, validity};
use crate::report::Environment;
use crate::report::result::{Accounts, MemberFigures, RunResult};

/// A line per member.
pub(super) fn servers(r: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    for store in &r.stores {
        for m in &store.members {
            lines.push(member(&store.name, r.stores.len() > 1, m));
            lines.extend(medium(r, &store.name, m));
        }
        if let Some(changes) = store.leader_changes.filter(|n| *n > 0.0) {
            let s = if changes > 1.0 { "s" } else { "" };
            lines.push(format!(
                "warning {}: {changes:.0} leader change{s} while measuring",
                store.name
            ));
        }
    }
    lines
}

fn member(store: &str, several: bool, m: &MemberFigures) -> String {
    let mut line = "etcd    ".to_owned();
    if several {
        line.push_str(&format!("{store}/"));
    }
    line.push_str(&m.member);
    for word in [m.version.as_str(), if m.leader { "leader" } else { "" }] {
        if !word.is_empty() {
            line.push(' ');
            line.push_str(word);
        }
    }
    if m.samples == 0 {
        line.push_str(": metrics not available");
        return line;
    }
    let mut parts = Vec::new();
    if let (Some(mean), Some(n)) = (m.fsync_mean, m.fsyncs) {
        parts.push(format!(
            "fsync mean {} ({}×)",
            seconds(mean),
            count(n as u64)
        ));
    }
    if let (Some(mean), Some(n)) = (m.commit_mean, m.commits) {
        parts.push(format!(
            "commit mean {} ({}×)",
            seconds(mean),
            count(n as u64)
        ));
    }
    if let Some(size) = m.db_size_end {
        let quota = m
            .quota
            .map(|q| format!(" of {}", bytes(q)))
            .unwrap_or_default();
        let used = m
            .db_in_use_end
            .map(|u| format!(" (in use {})", bytes(u)))
            .unwrap_or_default();
        parts.push(format!("db {}{quota}{used}", bytes(size)));
    }
    parts.extend(m.rss_max.map(|b| format!("RSS {}", bytes(b))));
    parts.extend(m.cpu_cores.map(|c| format!("CPU {c:.2} cores")));
    let bad = [
        (m.slow_applies, "slow applies"),
        (m.proposals_failed, "proposals failed"),
    ];
    parts.extend(bad.iter().filter_map(|(n, what)| {
        let n = (*n).filter(|n| *n > 0.0)?;
        Some(format!("{n:.0} {what}"))
    }));
    format!("{line}: {}", parts.join(", "))
}

/// What its emulated medium did: what etcd's own mean is to be compared with.
fn medium(r: &RunResult, store: &str, m: &MemberFigures) -> Option<String> {
    let stores = r.header.stores.iter().filter(|s| s.name == store);
    let info = stores
        .flat_map(|s| &s.members)
        .find(|i| i.name == m.member)?;
    let info = info.medium.as_ref()?;
    let files = m.medium.iter().map(|f| match f.file.as_str() {
        "unknown" => format!("{} syncs of unknown files NOT delayed", count(f.syncs)),
        file => {
            let short = match f.short {
                0 => String::new(),
                n => format!(", {} too short to emulate", count(n)),
            };
            format!(
                "{file} {}× asked mean {}, delays mean {}, p99 {}{short}",
                count(f.syncs),
                seconds(f.asked_mean_ns / 1e9),
                seconds(f.delay_mean_ns / 1e9),
                ns(f.delay_p99_ns)
            )
        }
    });
    let files: Vec<String> = files.collect();
    let files = match files.as_slice() {
        [] => "no syncs".to_owned(),
        files => files.join("; "),
    };
    Some(format!(
        "medium  {} {} on {}: {files}",
        m.member, info.name, info.base_file_system
    ))
}

/// The generator and the machine.
pub(super) fn client(r: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    if r.client.samples > 0 && r.client.wall_seconds > 0.0 {
        let cores = r.client.cpu_seconds / r.client.wall_seconds;
        let machine = &r.header.environment;
        let all = validity::cores(machine.cpus, machine.cpu_quota);
        let mut line = format!("client  CPU {cores:.2} of {all}");
        if machine.etcd_place_unknown && !machine.shares_cores_with_etcd {
            line.push_str(" (whether etcd shares them is unknown)");
        }
        if let Some((etcd, client)) = apart(machine) {
            line.push_str(&format!(" (etcd on {etcd}, etcdmark on {client})"));
        }
        if let Some(each) = r.client.cpu_per_attempt {
            line.push_str(&format!(", {} per attempt", seconds(each)));
        }
        let rss = r.client.rss_max.map(|rss| bytes(rss as f64));
        line.push_str(&format!(", RSS {}", rss.as_deref().unwrap_or("unknown")));
        if let Some(lag) = r.total.schedule_lag {
            line.push_str(&format!(
                ", schedule lag p50 {}, p99 {}",
                ns(lag.p50_ns),
                ns(lag.p99_ns)
            ));
        }
        lines.push(line);
    }
    let pressure = ["io", "cpu", "memory"].into_iter().filter_map(|what| {
        let s = r
            .host
            .get(&format!("psi.{what}.some_us"))
            .filter(|s| s.seconds > 0.0)?;
        Some(format!(
            "{what} pressure {}",
            percent(s.increase / 1e6 / s.seconds)
        ))
    });
    let mut host: Vec<String> = pressure.collect();
    if let Some(steal) = r.validity.inputs.steal_share {
        host.push(format!("steal {}", percent(steal)));
    }
    if !host.is_empty() {
        lines.push(format!("host    {}", host.join(", ")));
    }
    lines
}

/// The cores of local etcds and of etcdmark, where each has its own.
fn apart(machine: &Environment) -> Option<(&Cores, &Cores)> {
    let (etcd, client) = (machine.etcd_cores.as_ref()?, machine.client_cores.as_ref()?);
    (!etcd.shares(client)).then_some((etcd, client))
}

/// How the store was filled, checked and emptied.
pub(super) fn store_work(r: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(p) = r.populate.as_ref().filter(|p| p.done < p.total) {
        // No rate: how long it stood still is not known.
        lines.push(format!(
            "filled  {} of {}; populate did not finish",
            count(p.done),
            things(p.total, p.unit.trim_end_matches('s')),
        ));
    } else if let Some(p) = &r.populate {
        lines.push(format!(
            "filled  {} in {} ({}/s)",
            things(p.done, p.unit.trim_end_matches('s')),
            seconds(p.seconds),
            rate(p.rate)
        ));
    }
    if let Some(v) = &r.verify {
        match (&v.incomplete, &v.withdrawn) {
            (Some(why), _) => lines.push(format!("verify  failed: {why}")),
            (None, Some(why)) => lines.push(format!("verify  no verdict: {why}")),
            (None, None) => {
                let lost = if v.lost == 0 {
                    "none".to_owned()
                } else {
                    count(v.lost).to_uppercase()
                };
                let mut line = format!(
                    "verify  {}, {}, {lost} lost",
                    things(v.keys, "key"),
                    things(v.acknowledged, "acknowledged write")
                );
                if v.lost_before > 0 {
                    let n = count(v.lost_before);
                    line.push_str(&format!("; {n} of them noticed before verify"));
                }
                if v.indeterminate > 0 {
                    line.push_str(&format!(
                        "; {} indeterminate, {} of them applied",
                        count(v.indeterminate),
                        count(v.indeterminate_applied)
                    ));
                }
                if v.expired > 0 {
                    line.push_str(&format!("; {} expired with their lease", count(v.expired)));
                }
                if v.foreign > 0 {
                    line.push_str(&format!(
                        "; {} under the prefix that this run did not write",
                        things(v.foreign, "key")
                    ));
                }
                lines.push(line);
            }
        }
        lines.extend(v.examples.iter().map(|e| format!("        {e}")));
    }
    for store in &r.stores {
        let accounts = store.accounts.as_ref();
        lines.extend(accounts.and_then(|a| doubt(&store.name, a)));
    }
    if r.outcome.outcome == "killed" && r.cleanup.is_none() {
        let mut commands: Vec<&str> = Vec::new();
        for command in r.header.stores.iter().filter_map(|s| s.cleanup.as_deref()) {
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        lines.extend(commands.iter().map(|c| format!("cleanup not done: {c}")));
    }
    // A throwaway store needs none.
    if let Some(c) = r
        .cleanup
        .as_ref()
        .filter(|c| c.keys + c.leases > 0 || c.left.is_some())
    {
        let deleted = format!(
            "{} deleted, {} revoked",
            things(c.keys, "key"),
            things(c.leases, "lease")
        );
        lines.push(match &c.left {
            None => format!("cleanup {deleted}"),
            Some(left) if c.keys + c.leases > 0 => {
                format!("cleanup {deleted}; to delete the rest: {left}")
            }
            Some(left) => format!("cleanup none; to delete the keys: {left}"),
        });
    }
    lines
}

/// What one of two did not count right, or cannot be compared. Said only when it happens.
fn doubt(store: &str, a: &Accounts) -> Option<String> {
    if a.agree != Some(false) {
        let why = a.not_comparable.as_ref()?;
        return Some(format!("counts  {store} not comparable: {why}"));
    }
    let rpcs = a.rpcs.iter().filter(|r| r.handled != r.answered).map(|r| {
        let (handled, answered) = (count(r.handled), count(r.answered));
        format!(
            "etcd handled {handled} {}, but etcdmark received {answered} answers",
            r.method
        )
    });
    let revisions = a.revisions.iter().map(|r| {
        format!(
            "etcd made {} revisions, but etcdmark accounts for {}",
            r.store,
            r.attempts + r.manifest + r.expired_leases + r.lock
        )
    });
    let all: Vec<String> = rpcs.chain(revisions).collect();
    Some(format!("counts  {store} DISAGREES: {}", all.join("; ")))
}
