//! No credential in anything that is written or printed.

use crate::common::command::command;
use crate::common::{self, Testbed};
use crate::play::QUICK;
use std::path::Path;

/// In every password, right or wrong.
const MARK: &str = "Xy7-geheim";

/// Everything that commands print or write below one directory.
struct Watched {
    home: tempfile::TempDir,
    printed: String,
}

impl Watched {
    fn new() -> Watched {
        Watched {
            home: tempfile::tempdir().unwrap(),
            printed: String::new(),
        }
    }

    /// Plays a command; its exit code.
    fn play(&mut self, args: &[&str], env: &[(&str, &str)]) -> i32 {
        let mut command = command(args);
        command
            .current_dir(self.home.path())
            .envs(env.iter().copied());
        let said = command.output().unwrap();
        for stream in [&said.stdout, &said.stderr] {
            self.printed += &String::from_utf8_lossy(stream);
        }
        said.status.code().unwrap_or(-1)
    }

    #[track_caller]
    fn assert_free_of(&self, secret: &str) {
        assert!(!self.printed.contains(secret), "{}", self.printed);
        let files = walk(self.home.path());
        assert!(files >= 9, "{files} files");
        fn walk(dir: &Path) -> usize {
            let entries = std::fs::read_dir(dir).unwrap().flatten();
            entries
                .map(|entry| match entry.path().is_dir() {
                    true => walk(&entry.path()),
                    false => 1,
                })
                .sum()
        }
        let found = std::process::Command::new("grep")
            .args(["-rlaF", "--", secret])
            .arg(self.home.path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "");
        assert_eq!(found.status.code(), Some(1), "{found:?}");
    }
}

/// Two arms on a given etcd, one of them asked otherwise.
fn experiment(user: &str, endpoint: &str, more: &str) -> String {
    let arm = format!("endpoints: [{endpoint:?}], user: {user:?}{more}");
    format!(
        "apiVersion: etcdmark/v1alpha2
kind: Experiment
metadata: {{name: theirs}}
spec:
  question: Is it told?
  workload: {{name: node-heartbeats, set: [cluster.nodes=10, actors.node-leases.period=1s]}}
  arms:
    - {{name: a, etcd: {{{arm}}}}}
    - {{name: b, set: [cluster.nodes=20], etcd: {{{arm}}}}}
  primary: [node-lease/update:p50]
  phases: {{settle: 0s, warmup: 0s, duration: 1s}}
"
    )
}

#[test]
fn no_password_is_in_any_output() {
    let testbed = Testbed::new();
    let mut admin = testbed.client();
    testbed.runtime.block_on(async {
        admin.user_add("root", MARK, None).await.unwrap();
        admin.user_grant_role("root", "root").await.unwrap();
        admin.auth_enable().await.unwrap();
    });
    let url = testbed.endpoints();
    let host = url.trim_start_matches("http://");
    let (user, wrong) = (format!("root:{MARK}"), format!("root:{MARK}-wrong"));
    let with_user = format!("http://root:{MARK}@{host}");
    let overrides = format!("/events#{with_user}");
    let quick = |more: &[&str]| {
        let all = [&["run"], &QUICK[..], &["--duration", "1s"], more];
        let all = all.concat();
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut seen = Watched::new();
    let played = |seen: &mut Watched, args: &[String], env: &[(&str, &str)]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        seen.play(&args, env)
    };
    let well = |code: i32| assert!(matches!(code, 0 | 98), "{code}");
    let here = ["--endpoints", &url];
    let flags = [&here[..], &["--user", &user]].concat();
    well(played(
        &mut seen,
        &quick(
            &[
                &flags[..],
                &["--keep-data", "--run-id", "kept", "--out", "a"],
            ]
            .concat(),
        ),
        &[],
    ));
    let env = [("ETCDCTL_USER", "root"), ("ETCDCTL_PASSWORD", MARK)];
    well(played(
        &mut seen,
        &quick(&[&here[..], &["-o", "json", "--out", "b"]].concat()),
        &env,
    ));
    let apart = [
        &here[..],
        &["--user", "root", "--password", MARK, "--out", "c"],
    ]
    .concat();
    well(played(&mut seen, &quick(&apart), &[]));
    assert_eq!(seen.play(&[&["inspect"], &flags[..]].concat(), &[]), 0);
    assert_eq!(
        seen.play(
            &["inspect", "-o", "json", "--endpoints", &url],
            &[("ETCDCTL_USER", &user)]
        ),
        0
    );
    assert_eq!(
        seen.play(
            &[&["quota-plan", "--window", "1s"], &flags[..]].concat(),
            &[]
        ),
        0
    );
    well(seen.play(&["report", "a"], &[]));
    assert_eq!(
        seen.play(
            &[&["cleanup", "--run-id", "kept"], &flags[..]].concat(),
            &[]
        ),
        0
    );
    // What is refused, too.
    for args in [
        vec!["inspect", "--endpoints", &url, "--user", &wrong],
        vec!["inspect", "--endpoints", &with_user],
        vec![
            "quota-plan",
            "--endpoints",
            &url,
            "--metrics-endpoints",
            &with_user,
        ],
        vec!["run", "--endpoints", &url, "--overrides", &overrides],
        vec!["cleanup", "--endpoints", &url, "--password", MARK],
        vec!["run", "--user", &user],
    ] {
        assert_eq!(seen.play(&args, &[]), 2, "{args:?}");
    }
    assert_eq!(
        seen.play(&["inspect"], &[("ETCDCTL_ENDPOINTS", &with_user)]),
        2
    );
    let files = [
        ("good.yaml", experiment("root", &url, ""), 0),
        ("user.yaml", experiment(&user, &url, ""), 2),
        ("url.yaml", experiment("root", &with_user, ""), 2),
        (
            "key.yaml",
            experiment("root", &url, &format!(", password: {MARK}")),
            2,
        ),
    ];
    for (name, text, code) in files {
        let file = seen.home.path().join(name);
        std::fs::write(&file, text).unwrap();
        let play = [
            "experiment",
            name,
            "--smoke",
            "--out",
            "theirs",
            "--yes-this-etcd-is-mine",
        ];
        let ended = seen.play(&play, &[("ETCDCTL_PASSWORD", MARK)]);
        assert_eq!(ended, code, "{name}: {}", seen.printed);
        std::fs::remove_file(&file).unwrap();
    }
    seen.assert_free_of(MARK);
}

#[test]
fn no_private_key_is_in_any_output() {
    let tls = common::tls();
    let testbed = Testbed::of(common::etcd::with_tls(&tls));
    let path = |file| tls.path(file).to_str().unwrap().to_owned();
    let (ca, cert, key) = (path("ca.crt"), path("client.crt"), path("client.key"));
    let endpoints = testbed.endpoints();
    #[rustfmt::skip]
    let access = ["--endpoints", &endpoints, "--cacert", &ca, "--cert", &cert, "--key", &key];
    let swapped = [
        "--endpoints",
        &endpoints,
        "--cacert",
        &key,
        "--cert",
        &key,
        "--key",
        &cert,
    ];
    let mut seen = Watched::new();
    for (out, format) in [("a", "text"), ("b", "json"), ("c", "text")] {
        let run = [
            &["run"],
            &QUICK[..],
            &["--duration", "1s", "-o", format, "--out", out],
        ];
        let code = seen.play(&[&run.concat(), &access[..]].concat(), &[]);
        assert!(matches!(code, 0 | 98), "{}", seen.printed);
    }
    assert_eq!(seen.play(&[&["inspect"], &swapped[..]].concat(), &[]), 2);
    let text = std::fs::read_to_string(&key).unwrap();
    let body = text.lines().find(|l| !l.starts_with("-----")).unwrap();
    seen.assert_free_of(body);
}
