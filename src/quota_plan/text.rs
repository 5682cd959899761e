//! A quota plan for people: the answer, the growth by resource, and how each figure comes about.

use super::advice::is_full;
use crate::human::numbers::{bytes, count, percent, rate, seconds};
use crate::quota_plan::{QuotaPlan, StorePlan, YEAR};
use crate::report::text::{align, wrap};

/// All stores; each begins with its sentence.
pub fn render(plan: &QuotaPlan) -> String {
    let several = plan.stores.len() > 1;
    let mut out = String::new();
    for (i, store) in plan.stores.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if several {
            out.push_str(&format!("store {}: ", store.store));
        }
        one(store, &mut out);
    }
    out
}

fn one(p: &StorePlan, out: &mut String) {
    out.push_str(&p.summary);
    out.push('\n');
    let quota = match (p.quota_bytes, p.quota_assumed) {
        (None, _) => "no quota".to_owned(),
        (Some(q), true) => format!(
            "quota {} (assumed, because etcd does not report it)",
            bytes(q as f64)
        ),
        (Some(q), false) => format!("quota {}", bytes(q as f64)),
    };
    let each = bytes(p.bytes_per_write);
    wrap(
        &format!(
            "etcd {}, cluster {}: file {}, {} in use, {quota}; watched for {}: {}",
            p.etcd,
            p.cluster_id,
            bytes(p.db_size as f64),
            bytes(p.db_size_in_use as f64),
            seconds(p.window_seconds),
            match (p.writes, p.unseen_revisions) {
                (0, 0) => "nothing was written".to_owned(),
                (0, n) => format!(
                    "no write that this user may see ({} are not visible)",
                    count(n)
                ),
                (writes, 0) => format!("{} writes of {each} each in the file", count(writes)),
                (writes, n) => format!(
                    "{} writes that this user may see ({} are not visible), of {each} each in the file",
                    count(writes),
                    count(n)
                ),
            },
        ),
        out,
    );
    out.push('\n');
    for row in growth(p) {
        out.push_str(&row);
        out.push('\n');
    }
    out.push('\n');
    for line in lines(p) {
        wrap(&line, out);
    }
}

fn growth(p: &StorePlan) -> Vec<String> {
    let heading = [
        "",
        "keys",
        "creates/s",
        "updates/s",
        "deletes/s",
        "growth/h",
        "share",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    // One that was not counted leaves the sum unknown, and so do revisions that are not visible.
    let mut totals = (Some(0), 0.0, 0.0, 0.0);
    for r in &p.resources {
        rows.push(vec![
            r.resource.clone(),
            r.keys.map_or("-".to_owned(), |n| count(n.unsigned_abs())),
            rate(r.creates_per_second),
            rate(r.updates_per_second),
            rate(r.deletes_per_second),
            bytes(r.growth_per_hour),
            percent(r.share),
        ]);
        totals.0 = totals
            .0
            .zip(r.keys)
            .map(|(sum, keys)| sum + keys.unsigned_abs());
        totals.1 += r.creates_per_second;
        totals.2 += r.updates_per_second;
        totals.3 += r.deletes_per_second;
    }
    rows.push(vec![
        "all".to_owned(),
        totals
            .0
            .filter(|_| p.unseen_revisions == 0 && !p.uncounted)
            .map_or("-".to_owned(), count),
        rate(totals.1),
        rate(totals.2),
        rate(totals.3),
        bytes(p.growth_per_hour),
        percent(f64::from(u8::from(p.writes > 0))),
    ]);
    align(&rows)
}

fn lines(p: &StorePlan) -> Vec<String> {
    let when = |t: Option<f64>| match t {
        None => "never full at this rate".to_owned(),
        Some(t) if t > YEAR => "not full within a year".to_owned(),
        Some(t) => format!("full in {}", seconds(t)),
    };
    let (r, b) = (rate(p.writes_per_second), bytes(p.bytes_per_write));
    let interval = seconds(p.compaction_interval_seconds);
    let (live, peak) = (bytes(p.live_bytes), bytes(p.peak_bytes));
    let to_come = bytes(p.events_to_come_bytes);
    let mut lines = Vec::new();
    let forecast = !is_full(p) && p.advised_quota_bytes.is_some();
    if let Some(q) = p.quota_bytes.filter(|_| forecast).map(|q| bytes(q as f64)) {
        let used = bytes(p.db_size_in_use as f64);
        let uncompacted = when(p.time_to_full_seconds);
        lines.push(format!(
            "no compaction  {uncompacted} = ({q} - {used} in use) / ({r}/s x {b})"
        ));
        lines.push(format!(
            "compactor      {}; peak {peak} in use = {live} live + {to_come} of Events that will be live + 2 x \
             {interval} x {r}/s x {b}",
            when(p.time_to_full_compacted_seconds)
        ));
        if let Some(critical) = p.critical_writes_per_second {
            lines.push(format!(
                "critical rate  {}/s = ({q} - {live} - {to_come}) / (2 x {interval} x bytes per write at that \
                 rate); it is {r}/s now",
                rate(critical)
            ));
        }
    }
    let alive = p.live_growth_per_hour;
    let grows = if alive < 0.0 { "shrinks" } else { "grows" };
    let lost = p
        .incomplete
        .as_deref()
        .is_some_and(|why| why != "interrupted");
    let counted = !lost && !p.uncounted && p.resources.iter().all(|r| r.keys.is_some());
    lines.push(match counted {
        true if p.writes == 0 => format!("live data      about {live} (keys x bytes of a sample)"),
        true => format!(
            "live data      about {live} (keys x bytes of a sample); without Events it {grows} by {}/h (creates minus deletes)",
            bytes(alive.abs())
        ),
        false => "live data      not known: not all keys were counted".to_owned(),
    });
    let model = format!("the model predicts {}", bytes(p.modelled_growth));
    match p.measured_growth.filter(|_| !lost) {
        _ if p.writes == 0 => {}
        Some(grown) => {
            let partly = match p.unseen_revisions {
                0 => "",
                _ => " for the writes that this user may see",
            };
            lines.push(format!(
                "check          in use grew by {} in the window; {model}{partly}",
                bytes(grown as f64)
            ));
        }
        None => lines.push(format!(
            "check          not possible: compaction freed pages in the window, or etcd did not tell its size at both ends; \
             {model} of writes"
        )),
    }
    match &p.alarms {
        None => lines.push("alarm          not known".to_owned()),
        Some(alarms) => lines.extend(alarms.iter().map(|a| format!("alarm          {a}"))),
    }
    lines.extend(p.advice.iter().map(|a| format!("advice         {a}")));
    lines.extend(p.notes.iter().map(|n| format!("note           {n}")));
    lines
}
