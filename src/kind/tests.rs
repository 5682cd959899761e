//! Against recorded answers of `docker`; the real thing is in `scripts/full/kind.sh`.

use super::*;
use crate::target::Pem;
use std::cell::RefCell;

const MANIFEST: &str = include_str!("testdata/etcd.yaml");
const DEMO: &str = include_str!("testdata/demo.json");
const KIND: &str = include_str!("testdata/kind.json");
const HA: &str = include_str!("testdata/ha.json");
const STOPPED: &str = include_str!("testdata/stopped.json");

/// Answers as docker did.
struct Recorded {
    inspect: String,
    /// Files in every node, by path.
    files: Vec<(String, String)>,
    log: RefCell<Vec<String>>,
}

impl Recorded {
    fn new(inspects: &[&str]) -> Self {
        let containers: Vec<serde_json::Value> = inspects
            .iter()
            .flat_map(|json| {
                serde_json::from_str::<Vec<serde_json::Value>>(json).expect("recorded JSON")
            })
            .collect();
        let pki = "/etc/kubernetes/pki";
        let pem = |path: &str| {
            (
                format!("{pki}/{path}"),
                format!("-----BEGIN X-----\n{path}\n-----END X-----\n"),
            )
        };
        let mut files: Vec<(String, String)> = [
            "etcd/ca.crt",
            "etcd/healthcheck-client.crt",
            "etcd/healthcheck-client.key",
            "apiserver-etcd-client.crt",
            "apiserver-etcd-client.key",
        ]
        .map(pem)
        .into();
        files.push((manifest::FILE.to_owned(), MANIFEST.to_owned()));
        let inspect = serde_json::to_string(&containers).expect("JSON");
        Recorded {
            inspect,
            files,
            log: RefCell::default(),
        }
    }

    fn state(mut self, node: &str, state: &str) -> Self {
        let mut containers: Vec<serde_json::Value> =
            serde_json::from_str(&self.inspect).expect("JSON");
        for container in &mut containers {
            if container["Name"] == format!("/{node}") {
                container["State"]["Status"] = state.into();
            }
        }
        self.inspect = serde_json::to_string(&containers).expect("JSON");
        self
    }

    fn without(mut self, part: &str) -> Self {
        self.files.retain(|(path, _)| !path.contains(part));
        self
    }
}

impl Runner for Recorded {
    fn program(&self) -> &str {
        "docker"
    }

    fn run(&self, args: &[&str]) -> Result<Output, KindError> {
        self.log.borrow_mut().push(args.join(" "));
        let ok = |stdout: &[u8]| {
            Ok(Output {
                success: true,
                stdout: stdout.to_vec(),
                stderr: String::new(),
            })
        };
        let fail = |stderr: String| {
            Ok(Output {
                success: false,
                stdout: Vec::new(),
                stderr,
            })
        };
        match args {
            [
                "ps",
                "-a",
                "-q",
                "--no-trunc",
                "--filter",
                "label=io.x-k8s.kind.cluster",
            ] => {
                let containers: Vec<serde_json::Value> =
                    serde_json::from_str(&self.inspect).expect("JSON");
                let ids = containers
                    .iter()
                    .filter_map(|c| c["Id"].as_str())
                    .collect::<Vec<_>>()
                    .join("\n");
                ok(ids.as_bytes())
            }
            ["container", "inspect", ..] => ok(self.inspect.as_bytes()),
            ["exec", _, "cat", file] => match self.files.iter().find(|(path, _)| path == file) {
                Some((_, text)) => ok(text.as_bytes()),
                None => fail(format!("cat: {file}: No such file or directory")),
            },
            ["cp", from, "-"] => match self
                .files
                .iter()
                .find(|(path, _)| from.ends_with(path.as_str()))
            {
                Some((_, text)) => {
                    let mut tar = vec![0u8; 512];
                    tar[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
                    tar.extend(text.as_bytes());
                    ok(&tar)
                }
                None => fail("Error response from daemon: Could not find the file".to_owned()),
            },
            _ => panic!("docker {args:?} was not recorded"),
        }
    }
}

fn discover(docker: &Recorded, name: &str) -> Result<KindCluster, KindError> {
    discover_with(docker, &|_| true, name)
}

fn error(docker: &Recorded, name: &str) -> String {
    discover(docker, name).expect_err("refused").to_string()
}

#[test]
fn a_published_port() {
    let found = discover(&Recorded::new(&[DEMO, KIND]), "demo").expect("found");
    assert_eq!(found.target.endpoints, ["https://127.0.0.1:32379"]);
    assert!(!found.target.owned && found.target.metrics_endpoints.is_empty());
    let tls = found.target.tls.expect("TLS");
    let text = |pem: Option<Pem>| String::from_utf8(pem.expect("PEM").bytes).expect("text");
    assert!(text(tls.ca).contains("etcd/ca.crt"));
    assert!(text(tls.cert).contains("etcd/healthcheck-client.crt"));
    assert!(text(tls.key).contains("etcd/healthcheck-client.key"));
    assert_eq!(tls.server_name, None, "127.0.0.1 is in the certificate");
    assert_eq!(
        found.notes,
        ["kind cluster demo: demo-control-plane by published port https://127.0.0.1:32379"]
    );
}

#[test]
fn the_node_address_when_nothing_is_published_or_the_port_does_not_answer() {
    let docker = Recorded::new(&[DEMO, KIND]);
    let found = discover(&docker, "kind").expect("found");
    assert_eq!(found.target.endpoints, ["https://172.18.0.3:2379"]);
    assert_eq!(
        found.target.tls.expect("TLS").server_name.as_deref(),
        Some("localhost")
    );
    let dead_port =
        discover_with(&docker, &|c| c.path == AccessPath::NodeAddress, "demo").expect("found");
    assert_eq!(dead_port.target.endpoints, ["https://172.18.0.2:2379"]);
}

#[test]
fn three_control_planes() {
    let found = discover(&Recorded::new(&[HA]), "ha").expect("found");
    let nodes: Vec<&str> = found.members.iter().map(|m| m.node.as_str()).collect();
    assert_eq!(
        nodes,
        ["ha-control-plane", "ha-control-plane2", "ha-control-plane3"]
    );
    let want = [
        "https://127.0.0.1:33379",
        "https://127.0.0.1:33380",
        "https://127.0.0.1:33381",
    ];
    assert_eq!(found.target.endpoints, want);
}

#[test]
fn one_of_three_is_down() {
    let two = discover(
        &Recorded::new(&[HA]).state("ha-control-plane2", "exited"),
        "ha",
    )
    .expect("quorum");
    assert_eq!(
        two.target.endpoints,
        ["https://127.0.0.1:33379", "https://127.0.0.1:33381"]
    );
    assert_eq!(
        two.notes[1],
        "ha-control-plane2 is exited: its member gets no load (to start it: `docker start ha-control-plane2`)"
    );
    let docker = Recorded::new(&[HA])
        .state("ha-control-plane2", "exited")
        .state("ha-control-plane3", "exited");
    let e = error(&docker, "ha");
    assert!(e.contains("2 of 3 etcd members are down and there is no quorum: run `docker start ha-control-plane2 ha-control-plane3`"), "{e}");
}

#[test]
fn stopped_and_paused() {
    assert_eq!(
        error(&Recorded::new(&[STOPPED]), "demo"),
        "demo-control-plane is exited, so its etcd (member demo-control-plane) is not running: run `docker start demo-control-plane` (etcd answers a few seconds later)"
    );
    let paused = error(
        &Recorded::new(&[DEMO]).state("demo-control-plane", "paused"),
        "demo",
    );
    assert!(
        paused.contains("is paused") && paused.contains("`docker unpause demo-control-plane`"),
        "{paused}"
    );
    let docker = Recorded::new(&[STOPPED]);
    discover(&docker, "demo").expect_err("refused");
    assert!(
        !docker.log.borrow().iter().any(|c| c.starts_with("exec")),
        "nothing is run in a stopped node"
    );
}

#[test]
fn wrong_names() {
    let e = error(&Recorded::new(&[DEMO, KIND, HA]), "dmeo");
    assert_eq!(
        e,
        "there is no kind cluster named \"dmeo\": existing clusters: demo, ha, kind; did you mean --kind demo?"
    );
    let e = error(&Recorded::new(&[DEMO]), "zzz");
    assert_eq!(
        e,
        "there is no kind cluster named \"zzz\": existing clusters: demo"
    );
    let e = error(&Recorded::new(&[]), "kind");
    assert!(e.contains("has no kind cluster"), "{e}");
    // A label's whole value is meant, and a node's name proves nothing.
    assert!(
        error(&Recorded::new(&[DEMO]), "demo-control-plane")
            .starts_with("there is no kind cluster")
    );
}

#[test]
fn a_worker_alone_and_an_external_etcd() {
    let docker = Recorded::new(&[KIND]);
    let mut containers: Vec<serde_json::Value> =
        serde_json::from_str(&docker.inspect).expect("JSON");
    containers.retain(|c| c["Name"] == "/kind-worker");
    let docker = Recorded {
        inspect: serde_json::to_string(&containers).expect("JSON"),
        ..docker
    };
    let e = error(&docker, "kind");
    assert!(
        e.contains("no control-plane node (nodes: kind-worker (worker))"),
        "{e}"
    );
    let e = error(
        &Recorded::new(&[DEMO]).without("manifests/etcd.yaml"),
        "demo",
    );
    assert!(
        e.contains("has no /etc/kubernetes/manifests/etcd.yaml") && e.contains("--endpoints"),
        "{e}"
    );
}

#[test]
fn certificates_fall_back_and_say_what_was_tried() {
    let found = discover(
        &Recorded::new(&[DEMO]).without("healthcheck-client.key"),
        "demo",
    )
    .expect("found");
    let cert = found.target.tls.and_then(|t| t.cert).expect("certificate");
    assert!(String::from_utf8_lossy(&cert.bytes).contains("apiserver-etcd-client.crt"));
    let e = error(&Recorded::new(&[DEMO]).without("client"), "demo");
    assert!(
        e.contains("a client certificate with its key") && e.contains("etcd/server.crt"),
        "{e}"
    );
    let e = error(&Recorded::new(&[DEMO]).without("ca.crt"), "demo");
    assert!(
        e.contains("etcd's CA certificate in node demo-control-plane"),
        "{e}"
    );
}

#[test]
fn no_way_and_no_engine() {
    let e = discover_with(&Recorded::new(&[KIND]), &|_| false, "kind")
        .expect_err("no way")
        .to_string();
    assert!(
        e.contains("extraPortMappings") && e.contains("nsenter -t 5151 -n"),
        "{e}"
    );

    struct Down;
    impl Runner for Down {
        fn program(&self) -> &str {
            "docker"
        }
        fn run(&self, _: &[&str]) -> Result<Output, KindError> {
            let stderr = "Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?".into();
            Ok(Output {
                success: false,
                stdout: Vec::new(),
                stderr,
            })
        }
    }
    let e = discover_with(&Down, &|_| true, "kind")
        .expect_err("down")
        .to_string();
    assert!(
        e.starts_with("the container engine does not answer: Cannot connect to the Docker daemon"),
        "{e}"
    );
}

#[test]
fn keys_are_not_in_debug_output() {
    let found = discover(&Recorded::new(&[DEMO]), "demo").expect("found");
    assert!(
        !format!("{found:?}").contains("BEGIN"),
        "a key would end up in a log"
    );
}
