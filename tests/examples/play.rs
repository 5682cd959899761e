//! A new user's machine: a directory in which the commands of one page run one after another. A command runs as it is
//! shown, with these changes: hosts and disks of the examples are etcds and directories of the test; a load and a
//! measurement last a second; an experiment is planned, not played (tests/experiment plays them).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::bare_etcd::BareEtcd;
use crate::common::command::{self, Output};
use crate::common::etcd;
use crate::common::tls::{self, Tls};

/// An etcd of each kind that the page asks for, its certificates, and what earlier commands left.
pub(crate) struct World {
    dir: tempfile::TempDir,
    plain: Option<BareEtcd>,
    secure: BTreeMap<usize, BareEtcd>,
    tls: Option<Tls>,
}

impl World {
    pub(crate) fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let etcdmark = dir.path().join("bin/etcdmark");
        fs::create_dir_all(etcdmark.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(command::BINARY, &etcdmark).unwrap();
        for disk in ["nvme", "gp3", "other"] {
            fs::create_dir_all(dir.path().join("mnt").join(disk)).unwrap();
        }
        World {
            dir,
            plain: None,
            secure: BTreeMap::new(),
            tls: None,
        }
    }

    /// Runs one command; the fault when it fails or prints nothing.
    pub(crate) fn play(&mut self, line: &str) -> Result<(), String> {
        let mut script = self.placed(&shortened(line));
        // Where jq is not installed, what is piped into it is played without it.
        if script.contains("jq ") && self.bash("jq --version").code != 0 {
            match script.split_once("| jq ") {
                Some((before, _)) => script = before.to_owned(),
                None => return Ok(()),
            }
        }
        let out = self.bash(&script);
        let silent = [" > ", " cleanup ", "select(", "timeToFull"]
            .iter()
            .any(|word| line.contains(word));
        let printed = out.stdout.trim();
        // 98 and 99 judge what was measured.
        if !matches!(out.code, 0 | 98 | 99) {
            return Err(format!(
                "ran {script}\nexit {}\n{}{}",
                out.code, out.stdout, out.stderr
            ));
        }
        if !silent && (printed.is_empty() || printed == "null") {
            return Err(format!("ran {script}\nprinted {printed:?}\n{}", out.stderr));
        }
        Ok(())
    }

    /// Validates a file that a page shows.
    pub(crate) fn validate(&mut self, yaml: &str) -> Result<(), String> {
        let yaml = &self.with_disks(yaml);
        fs::write(self.path("shown.yaml"), yaml).unwrap();
        let script = if yaml.contains("kind: Experiment") {
            "etcdmark experiment show ./shown.yaml --plan"
        } else if yaml.contains("kind: Medium") {
            "etcdmark run node-heartbeats --nodes 5 --duration 1s --warmup 0s --medium ./shown.yaml"
        } else {
            "etcdmark validate shown.yaml"
        };
        let out = self.bash(script);
        if out.code == 0 {
            return Ok(());
        }
        Err(format!("exit {}\n{}{}", out.code, out.stdout, out.stderr))
    }

    fn bash(&self, script: &str) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let etcd = etcd::etcd_path();
        let etcd = etcd.parent().unwrap_or(Path::new("/")).display();
        let bin = self.dir.path().join("bin");
        let mut bash = command::shell("bash", &format!("set -o pipefail; {script}"));
        bash.current_dir(self.dir.path())
            .env("PATH", format!("{}:{etcd}:{path}", bin.display()));
        command::output(&mut bash)
    }

    /// The command with what the examples name put into place.
    fn placed(&mut self, line: &str) -> String {
        let mut line = self.with_disks(line);
        if line.contains("/var/lib/etcd") {
            let data = self.path("var-lib-etcd");
            fs::create_dir_all(&data).unwrap();
            line = line.replace("/var/lib/etcd", &data.display().to_string());
        }
        // One etcd stands for all members of a store.
        for (store, members) in [
            "https://10.0.0.1:2379,https://10.0.0.2:2379",
            "https://10.0.0.4:2379;https://10.0.0.5:2379",
            "https://10.0.0.7:2379",
            "https://10.0.0.1:2379",
        ]
        .iter()
        .enumerate()
        {
            if line.contains(members) {
                line = line.replace(members, &self.secure(store));
            }
        }
        for host in [
            "http://10.0.0.1:2379",
            "http://10.0.0.1:2381",
            "http://127.0.0.1:23790",
            "http://127.0.0.1:2379",
        ] {
            if line.contains(host) {
                line = line.replace(host, &self.plain());
            }
        }
        line = line.replace("taskset -c 1-3", "taskset -c 0-3");
        for file in [
            "mine.yaml",
            "my.yaml",
            "my-workload.yaml",
            "my-experiment.yaml",
            "prod.yaml",
        ] {
            let written = line.contains("> ") || line.contains("--save-medium");
            if line.contains(file) && !written && !self.path(file).exists() {
                self.make(file);
            }
        }
        if [
            "DIR",
            "RUN-ID",
            "20261122-101500-4711",
            "report results/a ",
            " latency.hlog",
            " events.jsonl",
        ]
        .iter()
        .any(|word| line.contains(word))
        {
            let id = self.finished_run(&line);
            let dir = format!("etcdmark-results/{id}");
            line = line
                .replace("DIR", &dir)
                .replace("RUN-ID", &id)
                .replace("20261122-101500-4711", &id)
                .replace("report results/a ", &format!("report {dir} "))
                .replace(" events.jsonl", &format!(" {dir}/events.jsonl"));
        }
        line
    }

    fn with_disks(&self, text: &str) -> String {
        text.replace("/mnt/", &format!("{}/", self.path("mnt").display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn plain(&mut self) -> String {
        let plain = self
            .plain
            .get_or_insert_with(|| BareEtcd::start("http", &[]));
        plain.url.clone()
    }

    /// An etcd that wants the client certificate which lies in the directory.
    fn secure(&mut self, store: usize) -> String {
        let dir = self.dir.path();
        let tls = self.tls.get_or_insert_with(|| {
            let tls = tls::tls();
            for file in ["ca.crt", "client.crt", "client.key"] {
                fs::copy(tls.path(file), dir.join(file)).unwrap();
            }
            tls
        });
        let etcd = self.secure.entry(store).or_insert_with(|| {
            let ca = format!("--trusted-ca-file={}", tls.path("ca.crt").display());
            let mut flags = tls.server_flags("server").to_vec();
            flags.extend([ca, "--client-cert-auth".to_owned()]);
            BareEtcd::start("https", &flags)
        });
        etcd.url.clone()
    }

    /// A file of the user's own.
    fn make(&self, file: &str) {
        let source = match file {
            "my-experiment.yaml" => "etcdmark experiment show versions",
            "prod.yaml" => concat!(
                "cat ",
                env!("CARGO_MANIFEST_DIR"),
                "/workloads/media/hdd.yaml"
            ),
            _ => "etcdmark show events --source",
        };
        let out = self.bash(&format!("{source} > {file}"));
        assert_eq!(out.code, 0, "{file}: {out:?}");
    }

    /// The id of a run that has ended; its keys stay where a command is about to delete them.
    fn finished_run(&mut self, line: &str) -> String {
        let id = "20261122-101500-4711".to_owned();
        if !self.path("etcdmark-results").join(&id).exists() {
            let etcd = self.plain();
            let keep = if line.contains(" cleanup ") {
                "--keep-data"
            } else {
                ""
            };
            let out = self.bash(&format!(
                "etcdmark run node-heartbeats --nodes 50 --warmup 0s --duration 1s -q --endpoints {etcd} --run-id {id} {keep}"
            ));
            assert!(out.is_well(), "{out:?}");
        }
        id
    }
}

/// The command with a second's load, and a plan in place of an experiment's trials.
fn shortened(line: &str) -> String {
    if let Some((before, rest)) = line.split_once("etcdmark experiment ") {
        let first = rest.split_whitespace().next().unwrap_or_default();
        if matches!(first, "list" | "show" | "validate") {
            return line.to_owned();
        }
        let words: Vec<&str> = rest.split_whitespace().collect();
        let out = words.iter().position(|w| *w == "--out");
        let kept = words
            .iter()
            .enumerate()
            .filter(|(i, _)| out.is_none_or(|out| *i != out && *i != out + 1));
        let kept: Vec<&str> = kept.map(|(_, w)| *w).collect();
        return format!("{before}etcdmark experiment show {} --plan", kept.join(" "));
    }
    if line.contains("etcdmark capacity") {
        // One size that every machine carries; a second has too few operations to confirm it.
        let kept = match line.split_once(" --at-least ") {
            Some((before, after)) => {
                let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
                format!("{before} {rest}")
            }
            None => line.to_owned(),
        };
        return format!("{kept} --from 10 --max 10 --confirmations 1 --duration 1s --warmup 0s");
    }
    if let Some((command, _)) = line.split_once(" --out ") {
        if line.contains("etcdmark compare ") {
            return format!("{command} --smoke");
        }
    } else if line.contains("etcdmark compare ") && !line.contains("--smoke") {
        return format!("{line} --smoke");
    }
    let (flag, limit) = if line.contains("etcdmark run") {
        ("--duration", "1s --warmup 0s")
    } else if line.contains("etcdmark disk") && !line.contains("--passes") {
        ("--duration", "1s")
    } else if line.contains("etcdmark quota-plan") {
        ("--window", "2s")
    } else {
        return line.to_owned();
    };
    if let Some((before, after)) = line.split_once(&format!("{flag} ")) {
        let (_, rest) = after.split_once(' ').unwrap_or((after, ""));
        return format!("{before}{flag} {limit} {rest}");
    }
    // Before a pipe or a file.
    let end = line.find(['|', '>']).unwrap_or(line.len());
    format!("{} {flag} {limit} {}", line[..end].trim_end(), &line[end..])
}
