//! Every kind of file, checked and described by the same commands.

use super::{case, names, refused_in, run_in};

const MEDIUM: &str = "apiVersion: etcdmark/v1alpha2\nkind: Medium\nmetadata: {name: san}\nspec:\n  sync: {constant: 2ms}\n";
const EXPERIMENT: &str = "apiVersion: etcdmark/v1alpha2
kind: Experiment
metadata: {name: flags}
spec:
  question: Does it matter?
  workload: {name: node-heartbeats}
  arms:
    - {name: plain}
    - {name: small, etcd: {flags: [--max-txn-ops=64]}}
  primary: [node-lease/update:p50]
  phases: {settle: 0s, warmup: 0s, duration: 55s}
";

#[test]
fn validate_takes_every_kind_of_file() {
    let here = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(here.path().join(name), text).unwrap();
    write("san.yaml", MEDIUM);
    write("flags.yaml", EXPERIMENT);
    write(
        "tab.yaml",
        "apiVersion: etcdmark/v1alpha2\nkind: Workload\nmetadata:\n\tname: x\n",
    );
    write("wrong.yaml", &EXPERIMENT.replace("small,", "plain,"));
    write("slow.yaml", &MEDIUM.replace("2ms", "2h"));
    let said = run_in(here.path(), "validate san.yaml flags.yaml cluster");
    assert_eq!(said.code, 0, "{said:?}");
    for line in [
        "san.yaml: valid. A sync takes 2 ms in the mean, 2 ms in the median, on the files: all.\n",
        // 12 x (55 s + 5 s).
        "flags.yaml: valid. 2 arms, 1 level, 6 blocks: 12 trials, about 12 min.\n",
        "cluster: valid. 1,000 nodes, ",
    ] {
        assert!(said.stdout.contains(line), "{line}: {said:?}");
    }
    let json = run_in(here.path(), "validate -o json san.yaml flags.yaml").stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json[0]["meanSync"], &json[1]["trials"]),
        (&0.002.into(), &12.into())
    );
    for refused in [
        case(
            "validate /dev/zero",
            2,
            &["/dev/zero", "longer than 16 MiB"],
        ),
        case(
            "validate tab.yaml",
            2,
            &["tab.yaml:4:2: a tab indents this line", "spaces"],
        ),
        case(
            "validate wrong.yaml",
            2,
            &["wrong.yaml:9:", "\"plain\"", "twice"],
        ),
        case(
            "validate slow.yaml",
            2,
            &["slow.yaml:5:20: sync.constant: 2h is out of range"],
        ),
        case(
            "validate san.yaml --nodes 5",
            2,
            &["--nodes 5 changes a workload, but san.yaml is of kind Medium"],
        ),
        case(
            "run --duration 10parsecs",
            2,
            &["10parsecs", "(ns, us, ms, s, m, h)"],
        ),
    ] {
        refused_in(here.path(), &refused);
    }
    assert_eq!(names(here.path()).len(), 5);
    let piped = "\"$ETCDMARK\" show cluster | \"$ETCDMARK\" validate /dev/stdin";
    let piped = super::output(&mut crate::common::command::shell("sh", piped));
    assert_eq!(piped.code, 0, "{piped:?}");
}

#[test]
fn every_kind_of_file_has_its_schema() {
    let here = tempfile::tempdir().unwrap();
    for (line, committed) in [
        ("show --schema", "workload.schema.json"),
        ("show --schema workload", "workload.schema.json"),
        (
            "show --schema experiment",
            "experiments/experiment.schema.json",
        ),
        ("show --schema medium", "media/medium.schema.json"),
    ] {
        let path = format!("{}/workloads/{committed}", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(path).unwrap();
        // Too long to be printed.
        assert!(run_in(here.path(), line).stdout == committed, "{line}");
    }
    let said = run_in(here.path(), "run --version").stdout;
    assert_eq!(said, run_in(here.path(), "--version").stdout);
}
