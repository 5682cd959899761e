//! The environment: etcdctl's variables supply TLS and credentials, and endpoints to commands that only read; and a
//! machine without any etcd.

use super::*;

fn with(here: &Path, line: &str, env: &[(&str, &str)]) -> Output {
    output(command_of(line).current_dir(here).envs(env.iter().copied()))
}

#[test]
fn endpoints_of_the_environment_serve_reading_only() {
    let testbed = Testbed::new();
    let url = testbed.endpoints();
    let here = tempfile::tempdir().unwrap();
    let env = [("ETCDCTL_ENDPOINTS", url.as_str())];
    let out = with(here.path(), "inspect", &env);
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert!(out.stdout.contains(&url), "{}", out.stdout);
    let ignored = format!("ETCDCTL_ENDPOINTS={url} is ignored");
    let out = with(here.path(), "cleanup", &env);
    let stderr = out.stderr;
    assert_eq!(out.code, 2, "{stderr}");
    let message = one_message("cleanup", &stderr);
    assert!(message.contains(&ignored), "{message}");
    // A run starts an etcd of its own (here one that is not there), and says why.
    let out = with(here.path(), "run node-heartbeats --etcd /no/such", &env);
    let stderr = out.stderr;
    assert_eq!(out.code, 2, "{stderr}");
    let (first, rest) = stderr.split_once('\n').unwrap();
    assert!(first.starts_with(&format!("note: {ignored}")), "{stderr}");
    assert!(rest.starts_with("error: --etcd /no/such"), "{stderr}");
    assert_eq!(testbed.keys(), Vec::<String>::new());
}

#[test]
fn wrong_variables_are_named() {
    let here = tempfile::tempdir().unwrap();
    for (name, value, says) in [
        ("ETCDCTL_CACERT", "/no/such", "cannot read /no/such"),
        ("ETCDCTL_KEY", "/dev/null", "--cert"),
        (
            "ETCDCTL_INSECURE_SKIP_TLS_VERIFY",
            "maybe",
            "neither true nor false",
        ),
        ("ETCDCTL_USER", "root", "ETCDCTL_PASSWORD"),
        ("ETCDCTL_PASSWORD", "pw", "ETCDCTL_USER"),
        ("ETCDCTL_DIAL_TIMEOUT", "5", "500ms"),
        ("ETCDCTL_COMMAND_TIMEOUT", "soon", "500ms"),
    ] {
        for command in ["run", "inspect", "cleanup"] {
            let line = format!("{command} --endpoints http://127.0.0.1:1");
            let out = with(here.path(), &line, &[(name, value)]);
            let stderr = out.stderr;
            assert_eq!(out.code, 2, "{name}={value}: {stderr}");
            let message = one_message(&line, &stderr);
            assert!(message.contains(says), "{name}={value}: {message}");
            // Which of the flag and the variable was wrong has to be seen.
            let named = message.contains(name) || message.contains(&flag(name));
            assert!(named, "{name}={value}: {message}");
            if name.ends_with("_TIMEOUT") {
                assert!(message.contains(name), "{name}={value}: {message}");
            }
        }
    }
}

#[test]
fn without_any_etcd_a_run_says_what_to_do() {
    let here = tempfile::tempdir().unwrap();
    let nowhere = here.path().display().to_string();
    let env = [("ETCDMARK_CACHE", nowhere.as_str()), ("PATH", &nowhere)];
    let out = with(here.path(), "run", &env);
    let stderr = out.stderr;
    assert_eq!(out.code, 2, "{stderr}");
    let message = one_message("run", &stderr);
    for part in [
        "found no etcd in",
        "scripts/install-etcd.sh newest",
        "https://github.com/etcd-io/etcd/releases",
        "etcd-server",
        "--etcd PATH",
        "--endpoints URL",
    ] {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
    let left = names(here.path());
    assert!(left.is_empty(), "an empty result directory is no result");
}

/// `ETCDCTL_DIAL_TIMEOUT` → `--dial-timeout`.
fn flag(variable: &str) -> String {
    let words = variable.trim_start_matches("ETCDCTL_").to_lowercase();
    format!("--{}", words.replace('_', "-"))
}
