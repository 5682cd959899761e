//! The model against figures computed by hand.

use super::*;
use crate::target::Target;
use crate::workload::{Overrides, RunSettings, Source};

/// The workload `events` with changes.
fn plan(changes: &[(&str, &str)]) -> Plan {
    let mut overrides = Overrides::default();
    for (path, value) in changes {
        overrides.push(format!("--set {path}={value}"), *path, *value);
    }
    let resolved = Source::load("events").unwrap().resolve(&overrides);
    let settings = RunSettings {
        run_id: "x".to_owned(),
        prefix: "/registry-etcdmark/x".to_owned(),
        epoch: 1_700_000_000_000_000_000,
        keep_data: false,
        verify: false,
        guards: Vec::new(),
        allow_live_cluster: false,
    };
    let target = Target::plain(vec!["http://127.0.0.1:1".to_owned()]);
    resolved.unwrap().into_plan(vec![target], settings).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() < 0.01
}

#[test]
fn time_is_what_is_left_divided_by_rate_and_bytes() {
    let forecast = Forecast::of(&plan(&[("actors.events.rate", "1000")]), 0).unwrap();
    let load = forecast.load(10.0);
    assert!(close(load.revisions, 10_000.0), "{load:?}");
    // An Event of some 900 B and its key (docs/guide/quota.md has the measured bytes).
    assert!((900.0..1300.0).contains(&load.each), "{load:?}");
    let t = forecast.time_to(64e6).unwrap();
    assert!(close(t, 64e6 / (1000.0 * load.each)), "{t}");
    // Nothing is populated, and everything lives for an hour.
    assert_eq!(forecast.populated, 0.0);
    assert!(forecast.time_to(f64::INFINITY).is_none());
}

#[test]
fn events_that_expire_leave_tombstones() {
    let of = |ttl| {
        let changes = [("actors.events.rate", "1000"), ("actors.events.ttl", ttl)];
        Forecast::of(&plan(&changes), 0).unwrap()
    };
    let (long, short) = (of("1h").load(100.0), of("10s").load(100.0));
    // 90 of the 100 seconds' creates are gone; a tenth of the arrivals are updates and leave none of their own.
    let tombstones = short.revisions - long.revisions;
    assert!((75_000.0..=90_000.0).contains(&tombstones), "{tombstones}");
    let each = (short.bytes() - long.bytes()) / tombstones;
    assert!((100.0..250.0).contains(&each), "{each}");
}

#[test]
fn a_stage_without_load_is_waited_through() {
    let changes = [
        ("actors.events.rate", "1000"),
        ("actors.events.stages", "[{duration: 20s, multiplier: 0}]"),
    ];
    let later = Forecast::of(&plan(&changes), 0).unwrap();
    let now = Forecast::of(&plan(&changes[..1]), 0).unwrap();
    let (later, now) = (later.time_to(32e6), now.time_to(32e6));
    // After its stages a profile goes on as the last one: never, then.
    assert!(now.is_some() && later.is_none(), "{later:?}");
}

#[test]
fn the_critical_rate_counts_what_is_alive_and_what_two_intervals_wrote() {
    let of = |ttl| {
        let changes = [("actors.events.rate", "1000"), ("actors.events.ttl", ttl)];
        Forecast::of(&plan(&changes), 0).unwrap()
    };
    // Events that live for an hour and a minute: ten minutes of history beside 61 of living ones. A tenth of the
    // arrivals are updates, which add to history only.
    let forecast = of("1h");
    let rate = forecast.critical_rate(2e9, 300.0).unwrap();
    let each = forecast.load(600.0).each;
    let by_hand = 2e9 / (each * (600.0 + 0.9 * 3660.0));
    assert!((rate / by_hand - 1.0).abs() < 0.05, "{rate}, {by_hand}");
    // Short-lived ones leave room, but for their tombstones.
    let short = of("10s").critical_rate(2e9, 300.0).unwrap();
    assert!(
        short > 4.0 * rate && short < 2e9 / (600.0 * each),
        "{short}"
    );
    assert_eq!(forecast.critical_rate(0.0, 300.0), Some(0.0));
}

#[test]
fn a_closed_loop_has_no_forecast() {
    let changes = [("actors.events.concurrency", "4"), ("primary", "[]")];
    let refused = Forecast::of(&plan(&changes), 0).unwrap_err();
    assert_eq!(refused, ForecastError::ClosedLoop);
}
