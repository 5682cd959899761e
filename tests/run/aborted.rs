//! Thresholds with `abortOnFail`: they end the load when they have failed, and not before their grace time.

use crate::common::Testbed;
use crate::play::{QUICK, Run};

/// A run of at most five minutes with this threshold.
fn play(threshold: &str) -> (crate::play::Ended, Testbed) {
    let testbed = Testbed::new();
    let set = format!("thresholds=[{threshold}]");
    let more = ["--duration", "300s", "--set", &set];
    let ended = Run::start(&[&QUICK, &more, &["--endpoints", &testbed.endpoints()]]).finish();
    (ended, testbed)
}

#[test]
fn a_threshold_that_has_failed_ends_the_load_after_its_grace_time() {
    let rule = "{threshold: \"node-lease/update p50 < 1us\", abortOnFail: true, graceTime: 4s}";
    let (ended, testbed) = play(rule);
    assert_eq!(ended.said.code, 99, "{:?}", ended.said);
    assert_eq!(ended.result["outcome"]["outcome"], "guard");
    let guard = &ended.result["guards"][0];
    assert_eq!(guard["guard"], "threshold", "{guard}");
    let cause = guard["cause"].as_str().unwrap();
    assert!(
        cause.starts_with("node-lease/update p50 < 1us: "),
        "{cause}"
    );
    let first = ended.said.stdout.lines().next().unwrap();
    assert!(
        first.starts_with("stopped by the threshold guard: "),
        "{first}"
    );
    let phases = ended.result["phases"].as_array().unwrap();
    let measure = phases.iter().find(|p| p["phase"] == "measure").unwrap();
    let seconds = measure["end"].as_f64().unwrap() - measure["start"].as_f64().unwrap();
    assert!((4.0..200.0).contains(&seconds), "{measure}");
    assert_eq!(ended.result["thresholds"][0]["verdict"], "missed");
    ended.assert_verified();
    testbed.assert_empty();
}
