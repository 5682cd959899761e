use super::*;
use expect_test::expect;

const MIB: f64 = (1u64 << 20) as f64;
/// An element of 1 KiB values: three fill a page.
const SIZE: u64 = 1112;

fn known(quota: Quota) -> EtcdFacts {
    EtcdFacts {
        store: "main".to_owned(),
        cluster_id: "1".to_owned(),
        etcd: "3.7.3".to_owned(),
        quota,
        alarms: Some(Vec::new()),
        notes: Vec::new(),
    }
}

/// A minute in which `updates` Leases were renewed and `creates` Pods came, with 100 MiB in use.
fn survey(updates: u64, creates: u64) -> Survey {
    let resource = |creates, updates| ResourceKeys {
        keys: Some(1000),
        creates,
        updates,
        elements: BTreeMap::from([(SIZE, creates + updates)]),
        sample: BTreeMap::from([(SIZE, 20)]),
        ..ResourceKeys::default()
    };
    let grown = ((updates + creates) as f64
        * bytes_per_revision(
            &[Share {
                weight: 1.0,
                size: SIZE,
            }],
            (updates + creates) as f64 / 60.0,
        )) as i64;
    let used = 100 << 20;
    Survey {
        seconds: 60.0,
        resources: BTreeMap::from([
            ("pods".to_owned(), resource(creates, 0)),
            ("leases".to_owned(), resource(0, updates)),
        ]),
        sizes: vec![(0.0, 200 << 20, used - grown), (60.0, 200 << 20, used)],
        revisions: (100, 100 + (updates + creates) as i64),
        seen: updates + creates,
        compactor: Some((5, 50)),
        compacted: Some((50, 50)),
        window: 60.0,
        ..Survey::default()
    }
}

#[test]
fn a_quiet_cluster_keeps_its_quota() {
    let p = plan(known(Quota::Known(2 << 30)), &survey(6000, 0), 300.0);
    assert_eq!(p.writes_per_second, 100.0);
    let share = Share {
        weight: 1.0,
        size: SIZE,
    };
    assert_eq!(p.bytes_per_write, bytes_per_revision(&[share], 100.0));
    let growth = 100.0 * p.bytes_per_write;
    assert_eq!(p.growth_per_hour, growth * 3600.0);
    let full = ((2i64 << 30) as f64 - 100.0 * MIB) / growth;
    assert_eq!(p.time_to_full_seconds, Some(full));
    assert_eq!(p.time_to_full_compacted_seconds, None);
    assert_eq!(p.live_bytes, 2000.0 * p.bytes_per_write);
    assert_eq!(p.peak_bytes, p.live_bytes + 600.0 * growth);
    assert_eq!(p.advised_quota_bytes, Some(2 << 30));
    expect!["100 MiB of 2 GiB in use; never full at this rate with kube-apiserver's compactor, which has made 5 rounds (peak 4.2 %), full in 3 h 55 min if nothing compacts; keep the quota of 2 GiB"].assert_eq(&p.summary);
    let off = p.measured_growth.unwrap() as f64 / p.modelled_growth - 1.0;
    assert!(off.abs() < 0.01, "{off}");
    assert_eq!(p.resources[0].resource, "leases");
    assert_eq!((p.resources[0].share, p.resources[1].share), (1.0, 0.0));
    assert_eq!(p.notes, Vec::<String>::new());
}

#[test]
fn a_quota_that_history_fills_is_too_small() {
    let p = plan(known(Quota::Known(512 << 20)), &survey(45_000, 0), 300.0);
    assert_eq!(p.time_to_full_compacted_seconds, p.time_to_full_seconds);
    assert!(p.critical_writes_per_second.unwrap() < p.writes_per_second);
    assert_eq!(
        p.advised_quota_bytes,
        Some(2 << 30),
        "twice {} MiB",
        p.peak_bytes / MIB
    );
    expect!["the quota of 512 MiB is too small for this traffic: full in 6 min 58 s, before a compactor every 5 min frees enough; set the quota to 2 GiB"].assert_eq(&p.summary);
}

#[test]
fn what_stays_alive_fills_it_in_the_end() {
    let p = plan(known(Quota::Known(2 << 30)), &survey(0, 600), 300.0);
    let room = (2i64 << 30) as f64 - p.peak_bytes;
    let expected = room / (p.live_growth_per_hour / 3600.0);
    let full = p.time_to_full_compacted_seconds.unwrap();
    assert!((full / expected - 1.0).abs() < 1e-9, "{full} {expected}");
    expect!["100 MiB of 2 GiB in use; full in 28 h 38 min if live data keeps growing at this rate, full in 27 h 27 min if nothing compacts; keep the quota of 2 GiB"].assert_eq(&p.summary);
}

#[test]
fn events_grow_for_as_long_as_they_live_and_no_longer() {
    let mut s = survey(0, 6000);
    let pods = s.resources.remove("pods").unwrap();
    s.resources.insert("events".to_owned(), pods);
    let p = plan(known(Quota::Known(2 << 30)), &s, 300.0);
    let alive = 1000.0 * p.bytes_per_write;
    assert_eq!(p.live_bytes, 2.0 * alive);
    assert_eq!(
        p.events_to_come_bytes,
        100.0 * 3660.0 * p.bytes_per_write - alive
    );
    let history = 600.0 * 100.0 * p.bytes_per_write;
    assert_eq!(
        p.peak_bytes,
        p.live_bytes + p.events_to_come_bytes + history
    );
    assert_eq!(
        (p.live_growth_per_hour, p.time_to_full_compacted_seconds),
        (0.0, None)
    );
}

#[test]
fn beyond_8_gib_the_advice_is_to_split() {
    let p = plan(known(Quota::Assumed), &survey(6_000, 600_000), 300.0);
    assert_eq!(
        (p.advised_quota_bytes, p.quota_assumed),
        (Some(8 << 30), true)
    );
    expect![[r#"
        twice the peak of 7.79 GiB exceeds 8 GiB, etcd's suggested maximum: compact more often (kube-apiserver --etcd-compaction-interval) or move resources to a separate etcd
        pods cause 99 % of the growth: kube-apiserver --etcd-servers-overrides moves them to a separate etcd
        etcd's quota is not known, and its default is assumed: with a smaller one, all times are too long; --metrics-endpoints names where etcd's metrics are, which tell it"#]].assert_eq(&p.advice.join("\n"));
}

#[test]
fn what_is_special_is_said() {
    let mut full = known(Quota::Known(2 << 30));
    full.alarms = Some(vec!["NOSPACE on member 1".to_owned()]);
    let p = plan(full, &survey(0, 0), 300.0);
    expect!["this etcd is full: the alarm NOSPACE is raised and writes fail, so this window says nothing of its usual traffic; free space (etcdctl compact, defrag, alarm disarm), then plan again"].assert_eq(&p.summary);
    let p = plan(known(Quota::Off), &survey(60, 0), 300.0);
    assert_eq!((p.quota_bytes, p.time_to_full_seconds), (None, None));
    expect!["no quota is set, 100 MiB in use: nothing stops the file from filling the disk; set the quota to 2 GiB"].assert_eq(&p.summary);
    let p = plan(known(Quota::Known(2 << 30)), &Survey::default(), 300.0);
    expect!["0 B of 2 GiB in use; nothing was written in 0 s: no forecast, use a --window in which the cluster works"]
        .assert_eq(&p.summary);
    assert_eq!(
        (p.bytes_per_write, p.critical_writes_per_second),
        (0.0, None)
    );
    // No figure of a forecast that there is not, and no advice from it.
    assert_eq!(p.advised_quota_bytes, None);
    let text = render(&QuotaPlan {
        version: 2,
        stores: vec![p],
    });
    for word in [
        "keep the quota",
        "compactor  ",
        "no compaction",
        "check",
        "0/s",
        "of 0 B",
    ] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let p = plan(known(Quota::Off), &survey(0, 0), 300.0);
    expect!["no quota is set, 100 MiB in use: nothing stops the file from filling the disk; nothing was written in 60 s: no forecast, use a --window in which the cluster works"].assert_eq(&p.summary);
    let mut partly = survey(60, 0);
    partly.revisions.1 += 40;
    partly.compactor = None;
    partly.compactor_rounds = 1;
    let p = plan(known(Quota::Known(2 << 30)), &partly, 300.0);
    assert_eq!(
        p.notes,
        ["40 of 100 revisions in the window were not visible to this user and are not counted"]
    );
    assert_eq!(p.measured_growth, None, "compaction hides it");
    expect![[r#"
        keep the quota of 2 GiB (--quota-backend-bytes=2147483648 on every member): with kube-apiserver's compactor every 5 min, up to 5.12 MiB are in use; the same again is reserve for a doubled rate or a missed compaction
        no kube-apiserver has compacted this etcd (it has no key compact_rev_key), but something has: etcd's --auto-compaction-retention, or etcdctl; the last compaction lies 150 writes back, 2 min 30 s at this rate"#]].assert_eq(&p.advice.join("\n"));
}

#[test]
fn what_a_user_may_not_see_is_unknown_and_not_nothing() {
    let mut blind = survey(0, 0);
    blind.revisions.1 += 31;
    blind.compactor = None;
    blind.compactor_unread = Some("permission denied".to_owned());
    let p = plan(known(Quota::Known(2 << 30)), &blind, 300.0);
    expect!["100 MiB of 2 GiB in use; 31 revisions in 60 s, none of which this user may see: no forecast, use a user who may read all keys"].assert_eq(&p.summary);
    assert!(
        !p.advice.join(" ").contains("it has no key compact_rev_key"),
        "{:?}",
        p.advice
    );
    assert!(
        p.advice
            .join(" ")
            .contains("compact_rev_key could not be read: permission denied"),
        "{:?}",
        p.advice
    );
    let text = super::text::render(&super::QuotaPlan {
        version: 2,
        stores: vec![p],
    });
    assert!(text.contains("(31 are not visible)"), "{text}");
    assert!(!text.contains("keep the quota"), "{text}");
    let all = text.lines().find(|line| line.starts_with("all ")).unwrap();
    assert_eq!(all.split_whitespace().nth(1), Some("-"), "{text}");
    let mut partly = survey(60, 0);
    partly.revisions.1 += 40;
    let p = plan(known(Quota::Known(2 << 30)), &partly, 300.0);
    assert!(
        p.summary.ends_with(
            "40 revisions that this user may not see are not counted, so it fills sooner"
        ),
        "{}",
        p.summary
    );
}

#[test]
fn an_assumed_quota_is_no_fact() {
    let p = plan(known(Quota::Assumed), &survey(60, 0), 300.0);
    assert!(
        p.summary.contains("of an assumed quota of 2 GiB in use"),
        "{}",
        p.summary
    );
    assert!(
        p.summary
            .contains("a quota of 2 GiB is enough, if that is what etcd has"),
        "{}",
        p.summary
    );
    assert!(!p.summary.contains("keep the quota"), "{}", p.summary);
}

#[test]
fn an_etcd_that_was_lost_has_unknown_keys_and_not_none() {
    let mut lost = survey(60, 0);
    lost.ended_early = Some(EndedEarly::Lost("no answer".to_owned()));
    lost.resources.values_mut().for_each(|r| r.keys = None);
    let p = plan(known(Quota::Known(2 << 30)), &lost, 300.0);
    let text = super::text::render(&super::QuotaPlan {
        version: 2,
        stores: vec![p],
    });
    let all = text.lines().find(|line| line.starts_with("all ")).unwrap();
    assert_eq!(all.split_whitespace().nth(1), Some("-"), "{text}");
    assert!(text.contains("live data      not known"), "{text}");
    assert!(!text.contains("in use grew by"), "{text}");
}

/// Nothing that could not be seen is an all-clear.
#[test]
fn the_first_sentence_says_what_is_known_and_no_more() {
    let summary = |change: &dyn Fn(&mut Survey), window: f64| {
        let mut s = survey(6000, 0);
        (s.seconds, s.window) = (window, 60.0);
        change(&mut s);
        plan(known(Quota::Known(2 << 30)), &s, 300.0).summary
    };
    let none = |s: &mut Survey| s.compactor = None;
    let said = summary(
        &|s| {
            none(s);
            s.compacted = Some((0, 0))
        },
        60.0,
    );
    expect!["100 MiB of 2 GiB in use, and nothing has ever compacted this etcd: full in 3 h 55 min at this rate; let something compact it, then keep the quota of 2 GiB"].assert_eq(&said);
    let said = summary(&none, 60.0);
    expect!["100 MiB of 2 GiB in use; full in 3 h 55 min if nothing compacts; something other than kube-apiserver has, and the last compaction lies 6,050 writes back, 60.5 s at this rate; keep the quota of 2 GiB"].assert_eq(&said);
    let said = summary(
        &|s| {
            none(s);
            s.compacted = None
        },
        60.0,
    );
    expect!["100 MiB of 2 GiB in use; full in 3 h 55 min if nothing compacts, and whether anything does is not known; keep the quota of 2 GiB"].assert_eq(&said);
    let said = summary(&|_| {}, 600.0);
    expect!["100 MiB of 2 GiB in use, and kube-apiserver's compactor made no round in 10 min: full in 27 h 27 min if nothing compacts; keep the quota of 2 GiB"].assert_eq(&said);
    let said = summary(&|s| s.ended_early = Some(EndedEarly::Interrupted), 12.0);
    expect!["interrupted after 12 s of 60 s: 100 MiB of 2 GiB in use; never full at this rate with kube-apiserver's compactor, which has made 5 rounds (peak 20 %), full in 48 min 27 s if nothing compacts; keep the quota of 2 GiB"].assert_eq(&said);
    let said = summary(
        &|s| s.ended_early = Some(EndedEarly::Lost("no member answers".to_owned())),
        12.0,
    );
    expect!["incomplete: etcd was lost after 12 s of 60 s (no member answers): no forecast, because it is not known what was written then; when it last answered, the file had 200 MiB, 100 MiB in use"].assert_eq(&said);
    let alarms_unknown = EtcdFacts {
        alarms: None,
        ..known(Quota::Known(2 << 30))
    };
    expect!["100 MiB of 2 GiB in use; never full at this rate with kube-apiserver's compactor, which has made 5 rounds (peak 4.2 %), full in 3 h 55 min if nothing compacts; keep the quota of 2 GiB; whether an alarm is raised is not known"].assert_eq(&plan(alarms_unknown, &survey(6000, 0), 300.0).summary);
}

/// Keys that could not be counted may all be alive.
#[test]
fn what_could_not_be_counted_counts_as_live() {
    let mut s = survey(6000, 0);
    s.uncounted = Some("permission denied".to_owned());
    let p = plan(known(Quota::Known(2 << 30)), &s, 300.0);
    assert_eq!(p.live_bytes, p.db_size_in_use as f64);
    assert!(p.notes[0].contains("counts as live"), "{:?}", p.notes);
}
