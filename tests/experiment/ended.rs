//! Ctrl-C in the middle: no etcd stays, what was measured is readable, the same command goes on. (SIGKILL: `killed`.)

use crate::common::{events, processes};
use crate::desk::{Desk, file};
use rustix::process::Signal;
use std::path::Path;

/// Long enough to be ended in the second of three arms' trials.
fn text() -> String {
    file("  smoke: {phases: {duration: 5s}}\n")
}

/// The member's data directory of a trial.
fn data_dir(trial: &Path) -> String {
    let header = &events(trial)[0];
    header["stores"][0]["members"][0]["data_dir"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn ctrl_c_ends_the_trial_in_good_order_and_the_same_command_goes_on() {
    let desk = Desk::new(&text());
    let mut playing = desk.begin(&["--smoke"]);
    let trial = playing.until_measuring(2).unwrap();
    let dir = data_dir(&trial);
    assert_eq!(processes::with_argument(&dir).len(), 1);
    playing.signal(Signal::INT);
    let said = playing.finish();
    assert_eq!(said.code, 130, "{said:?}");
    assert!(said.stderr.contains("ending the trial"), "{said:?}");
    assert!(
        said.stdout.starts_with("incomplete, 1 of 2 trials done: "),
        "{said:?}"
    );
    assert!(processes::with_argument(&dir).is_empty());
    assert!(!Path::new(&dir).exists(), "its data went with it");
    let result = desk.result();
    assert_eq!(result["complete"], false);
    assert_eq!(result["trials"][1]["state"], "torn");
    assert_eq!(result["trials"][1]["outcome"], "interrupted");
    let began = |i: usize| {
        events(&desk.out().join("trials").join(&desk.trials()[i]))[0]["t0_unix_ns"].clone()
    };
    let (first, second) = (began(0), began(1));
    let said = desk.play(&["--smoke"]);
    assert!(said.is_well(), "{said:?}");
    assert!(
        said.stderr.contains("1 of 2 trials are already complete"),
        "{said:?}"
    );
    assert_eq!(began(0), first);
    assert_ne!(began(1), second);
    assert_eq!(desk.result()["complete"], true);
}

#[test]
fn two_processes_do_not_play_in_one_directory() {
    let desk = Desk::new(&text());
    let mut playing = desk.begin(&["--smoke"]);
    playing.until_measuring(1).unwrap();
    let said = desk.play(&["--smoke"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stderr.contains("another etcdmark process is using it"),
        "{said:?}"
    );
    playing.signal(Signal::INT);
    assert_eq!(playing.finish().code, 130);
}
