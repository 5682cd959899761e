//! Wrong words, numbers and workload files: refused before anything is begun.

use super::*;

#[test]
fn workloads_and_numbers() {
    refused(&[
        case(
            "run nod-heartbeats",
            2,
            &[
                "\"nod-heartbeats\"",
                "did you mean \"node-heartbeats\"?",
                "built-in: cluster",
            ],
        ),
        case("show evens", 2, &["\"evens\"", "\"events\""]),
        case(
            "validate no/such.yaml",
            2,
            &["no/such.yaml", "no such file"],
        ),
        case(
            "run --set cluster.nods=5",
            2,
            &["--set cluster.nods=5", "did you mean \"cluster.nodes\"?"],
        ),
        case(
            "run --set actors.evens.rate=5",
            2,
            &["actors has no \"evens\"", "events"],
        ),
        case(
            "run --set cluster.nodes",
            2,
            &["--set cluster.nodes", "PATH=VALUE"],
        ),
        case("run --nodes -5", 2, &["--nodes -5", "whole number"]),
        case("run --nodes 0", 2, &["--nodes 0", "use 1 to 10,000,000"]),
        case("run --nodes 2.5", 2, &["--nodes 2.5", "whole number"]),
        case(
            "run --nodes 10000001",
            2,
            &["10,000,001", "use 1 to 10,000,000"],
        ),
        case(
            "run --nodes 99999999999999999999999999",
            2,
            &["99999999999999999999999999", "whole number"],
        ),
        case(
            "run --set cluster.podsPerNode=-3",
            2,
            &["cluster.podsPerNode=-3", "whole number"],
        ),
        case(
            "run --set cluster.podsPerNode=18446744073709551615",
            2,
            &["cluster.podsPerNode", "out of range"],
        ),
        case(
            "run --set cluster.imagesPerNode=100000000",
            2,
            &["cluster.imagesPerNode", "out of range"],
        ),
        case("run --duration 30", 2, &["--duration 30", "10s"]),
        case("run --duration -30s", 2, &["--duration", "-30s"]),
        case(
            "run --duration 99999999999h",
            2,
            &["--duration 99999999999h", "longer"],
        ),
        case(
            "run --warmup 9999h",
            2,
            &["--warmup 9999h", "out of range", "720h"],
        ),
        case("run --rate-scale -1", 2, &["--rate-scale -1", "above 0"]),
        case("run --rate-scale 0", 2, &["--rate-scale 0", "above 0"]),
        case("run --rate-scale nan", 2, &["--rate-scale nan", "a number"]),
        case(
            "run --rate-scale .inf",
            2,
            &["--rate-scale .inf", "a number"],
        ),
        case(
            "run --rate-scale 1e300",
            2,
            &["--rate-scale 1e300", "at most 1,000,000"],
        ),
        case(
            "run events --set actors.events.rate=1e99",
            2,
            &["actors.events.rate=1e99", "10,000,000"],
        ),
        case(
            "run events --rate-scale 1000000 --nodes 10000000",
            2,
            &["events", "10,000,000/s"],
        ),
        case(
            "run --connections 0",
            2,
            &["--connections 0", "use 1 to 10,000"],
        ),
        case(
            "run --connections -1",
            2,
            &["--connections -1", "whole number"],
        ),
        case(
            "run --max-in-flight 0",
            2,
            &["--max-in-flight 0", "use 1 to"],
        ),
        case(
            "run --max-in-flight 18446744073709551616",
            2,
            &["18446744073709551616", "whole number"],
        ),
        case("run --workers 1000", 2, &["--workers 1000", "use 1 to 256"]),
        case("run --seed -1", 2, &["--seed -1", "whole number"]),
        case(
            "run --kubernetes-version 1.12",
            2,
            &["\"1.12\"", "known: 1.30 to 1.37"],
        ),
        case(
            "run --keep-data",
            2,
            &["--keep-data", "gone after the run", "--data-dir DIR"],
        ),
        case("run --members 2", 2, &["--members 2", "1 or 3"]),
        case("run --members -1", 2, &["--members -1", "1 or 3"]),
        case("run --members three", 2, &["--members three", "1 or 3"]),
        case(
            "run --set cluster.nodes=",
            2,
            &["--set cluster.nodes=", "no value"],
        ),
        case(
            "run --data-dir /proc/etcdmark",
            2,
            &["--data-dir /proc/etcdmark", "cannot create"],
        ),
        case(
            "run --data-dir /proc",
            2,
            &["--data-dir /proc", "not empty"],
        ),
        case(
            "run --prefix /registry-etcdmark/x",
            2,
            &["/registry-etcdmark/x", "the default of this run"],
        ),
        // The flag is to blame, not a line of the file.
        case(
            "run --threshold nope:p99<5ms",
            2,
            &["--threshold \"nope:p99<5ms\": ", "is not an op class"],
        ),
        case(
            "run --set actors.events.rate=1e308",
            2,
            &["rate: 1e308 is out of range"],
        ),
        case(
            "run --data-dir d --wal-dir d/wal/..",
            2,
            &["lie in each other"],
        ),
        case(
            "run --guards all,none",
            2,
            &["--guards all,none", "or some of quota"],
        ),
        case(
            "report no/such",
            2,
            &["no/such", "no such directory", "etcdmark run --out"],
        ),
        case(
            "report /proc/self/status",
            2,
            &["/proc/self/status", "not a directory"],
        ),
        case(
            "report /proc/self/task",
            2,
            &["/proc/self/task", "events.jsonl is missing"],
        ),
        case(
            "run --etcd /no/such/etcd",
            2,
            &["--etcd /no/such/etcd", "etcd Version"],
        ),
        case(
            "run --etcd-version 9.9.9",
            2,
            &["9.9.9", "scripts/install-etcd.sh 9.9.9"],
        ),
        case("run --etcd-flag=--data-dir=/tmp/x", 2, &["--data-dir"]),
        case(
            "run --medium hdd --endpoints http://127.0.0.1:1",
            2,
            &["--medium applies only to a local etcd", "--endpoints"],
        ),
        case("run --run-id A/B", 2, &["--run-id \"A/B\"", "lowercase"]),
        case(
            "run --guards quota,alrm",
            2,
            &["--guards quota,alrm", "\"alrm\"", "alarm"],
        ),
        case(
            "run --prefix /registry-mine",
            2,
            &["--prefix \"/registry-mine\"", "/registry-etcdmark/"],
        ),
        case(
            "run --endpoints ftp://127.0.0.1:1",
            2,
            &["--endpoints", "ftp://", "http://"],
        ),
        case(
            "run --endpoints http://127.0.0.1",
            2,
            &["http://HOST:PORT", "2379"],
        ),
        case(
            "run --endpoints http://127.0.0.1:1,http://127.0.0.1:1",
            2,
            &["--endpoints", "twice"],
        ),
        case(
            "run --endpoints http://127.0.0.1:1 --dial-timeout 5",
            2,
            &["--dial-timeout \"5\"", "500ms"],
        ),
        case(
            "run --endpoints http://127.0.0.1:1 --command-timeout -5s",
            2,
            &["--command-timeout \"-5s\"", "500ms"],
        ),
        case(
            "run --endpoints http://127.0.0.1:1 --members 3",
            2,
            &["--members", "--endpoints"],
        ),
        case("run --user root:pw", 2, &["--user", "external etcd"]),
        case(
            "inspect --endpoints http://root:hunter2@127.0.0.1:1",
            2,
            &[
                "--endpoints has a user in a URL",
                "--user NAME",
                "--password",
            ],
        ),
        case(
            "run --endpoints http://127.0.0.1:1 --cacert /no/such",
            2,
            &["--cacert", "/no/such"],
        ),
        case("inspect", 2, &["--endpoints"]),
        case("cleanup", 2, &["--endpoints"]),
    ]);
}

#[test]
fn workload_files() {
    let here = tempfile::tempdir().unwrap();
    let head = "apiVersion: etcdmark/v1alpha2\nkind: Workload\nmetadata: {name: a}\nspec:\n";
    for (file, body, says) in [
        (
            "key.yaml",
            "  cluster:\n    nods: 5\n",
            &["key.yaml:6:5", "\"nods\"", "\"nodes\""][..],
        ),
        (
            "twice.yaml",
            "  cluster:\n    nodes: 5\n    nodes: 6\n",
            &["twice.yaml:7:5", "\"nodes\"", "twice"],
        ),
        (
            "less.yaml",
            "  cluster:\n    nodes: -5\n",
            &["less.yaml:6:12", "-5", "whole number"],
        ),
        (
            "zero.yaml",
            "  cluster:\n    nodes: 0\n  actors:\n    - {name: l, kind: nodeLease}\n",
            &["zero.yaml:6:12", "cluster.nodes", "0 is out of range"],
        ),
        (
            "kind.yaml",
            "  actors:\n    - name: a\n      kind: nodeLeas\n",
            &["kind.yaml:7:13", "nodeLease"],
        ),
        ("yaml.yaml", "  actors: [\n", &["yaml.yaml:"]),
        (
            "forms.yaml",
            "  actors:\n    - {name: e, kind: event, rate: 5, concurrency: 3}\n",
            &["forms.yaml:6:", "concurrency", "rate"],
        ),
        (
            "goal.yaml",
            "  actors:\n    - {name: l, kind: nodeLease}\n  thresholds: [\"node-lease/updat: p99 < 1s\"]\n",
            &["goal.yaml:", "node-lease/update"],
        ),
    ] {
        std::fs::write(here.path().join(file), format!("{head}{body}")).unwrap();
        for command in ["run", "validate", "show"] {
            refused_in(here.path(), &case(&format!("{command} {file}"), 2, says));
        }
    }
    std::fs::write(here.path().join("empty.yaml"), "").unwrap();
    refused_in(here.path(), &case("run empty.yaml", 2, &["empty.yaml"]));
    std::fs::write(here.path().join("bytes.yaml"), [0xff, 0xfe, 0, 1]).unwrap();
    refused_in(
        here.path(),
        &case("run bytes.yaml", 2, &["bytes.yaml", "UTF-8"]),
    );
    refused_in(here.path(), &case("run .", 2, &["workload"]));
    assert!(!here.path().join("etcdmark-results").exists());
}
