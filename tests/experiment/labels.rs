//! A level and an arm are what they are called: no later change may rewrite what they set.

use crate::desk::{Desk, file};

/// The arm of [`file`] that differs.
const FLAGS: &str = "etcd: {flags: [\"--backend-batch-limit=10\"]}";

fn refused(desk: &Desk, args: &[&str], messages: &[&str]) {
    let said = desk.etcdmark(&[&["experiment", "show"], args, &["--plan"]].concat());
    assert_eq!(said.code, 2, "{args:?}: {said:?}");
    for message in messages {
        assert!(
            said.stderr.contains(message),
            "{message}: {args:?}: {}",
            said.stderr
        );
    }
}

#[test]
fn a_flag_that_rewrites_a_level_or_an_arm_is_refused_with_both_places() {
    let desk = Desk::new(&file("  sweep: {rateScale: [1, 4]}\n"));
    for set in [
        "load.rateScale=1",
        "load={rateScale: 1}",
        "spec.load.rateScale=2",
    ] {
        refused(
            &desk,
            &["x.yaml", "--set", set],
            &[
                &format!("error: --set {set}: would rewrite load"),
                "which level rateScale-1 sets (x.yaml:23:23: rateScale 1)",
                "remove one of them",
            ],
        );
    }
    for (args, rewritten, set_by) in [
        (
            &["compaction-interval", "--set", "actors.compactor.period=2s"][..],
            "--set actors.compactor.period=2s: would rewrite actors.compactor.period",
            "arm every-60s sets (workloads/experiments/compaction-interval.yaml:28:13: set actors.compactor.period=60s)",
        ),
        (
            &["defrag", "--set", "cluster.nodes=50"],
            "--set cluster.nodes=50: would rewrite cluster.nodes",
            "level nodes-2500 sets (workloads/experiments/defrag.yaml:38:13: nodes 2500)",
        ),
        (
            &["defrag", "--set", "actors.2.stages.0.multiplier=1"],
            "--set actors.2.stages.0.multiplier=1: would rewrite actors.defragmenter.stages",
            "arm never sets (workloads/experiments/defrag.yaml:35:",
        ),
        (
            &["split-events", "--set", "stores=[]"],
            "--set stores=[]: would rewrite stores",
            "arm split sets (workloads/experiments/split-events.yaml:",
        ),
    ] {
        refused(&desk, args, &[rewritten, set_by, "remove one of them"]);
    }
}

#[test]
fn an_arm_that_rewrites_a_level_is_refused() {
    for (arm, more, messages) in [
        (
            "cluster: {nodes: 77}",
            "  sweep: {nodes: [10, 20]}\n",
            [
                "x.yaml:17:24: nodes: would rewrite cluster.nodes",
                "level nodes-10 sets (x.yaml:23:19: nodes 10)",
            ],
        ),
        (
            "set: [cluster.nodes=77]",
            "  sweep: {levels: [{name: a, set: [cluster.nodes=10]}]}\n",
            [
                "x.yaml:17:13: set cluster.nodes=77: would rewrite cluster.nodes",
                "level a sets (x.yaml:23:36: set cluster.nodes=10)",
            ],
        ),
        (
            FLAGS,
            "  sweep: {levels: [{name: a, etcd: {flags: [\"--backend-batch-limit=1\"]}}]}\n",
            [
                "sweep.levels.0.etcd.flags.0: --backend-batch-limit=1 would rewrite --backend-batch-limit=10",
                "which arm small-batch sets (x.yaml:17:",
            ],
        ),
    ] {
        let desk = Desk::new(&file(more).replace(FLAGS, arm));
        refused(&desk, &["x.yaml"], &messages);
    }
}

#[test]
fn two_levels_or_two_arms_that_are_the_same_are_refused() {
    let levels = "  sweep: {levels: [{name: a, set: [cluster.nodes=20]}, {name: b}]}\n";
    let desk = Desk::new(&file(levels));
    let same = "sweep: levels a and b are the same in arm plain: the same workload and the same etcd flags";
    refused(&desk, &["x.yaml"], &[same]);
    let same = "arms: arms plain and small-batch are the same: workload, etcd binary, flags, members and directories";
    for arm in [
        "optional: false",
        "etcd: {members: 1}",
        "set: [cluster.nodes=20]",
    ] {
        let desk = Desk::new(&file("").replace(FLAGS, arm));
        refused(&desk, &["x.yaml"], &[same]);
    }
}

#[test]
fn the_seed_is_the_experiments() {
    let desk = Desk::new(&file(""));
    refused(
        &desk,
        &["x.yaml", "--set", "seed=7"],
        &["--set seed=7: the seed of a trial is the experiment's: use --seed, or seed in its file"],
    );
    let named = "name: node-heartbeats";
    let inline = "spec: {seed: 7, actors: [{name: node-leases, kind: nodeLease}]}";
    let text = file("").replace(named, inline);
    assert!(text.contains(inline));
    refused(
        &Desk::new(&text),
        &["x.yaml"],
        &["workload.spec.seed: the seed of a trial is the experiment's"],
    );
}
