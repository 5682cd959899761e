//! Flags and environment → targets, without an etcd.

use super::*;

fn flags(args: &[&str]) -> ClusterFlags {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        flags: ClusterFlags,
    }
    let args = std::iter::once("etcdmark").chain(args.iter().copied());
    <Cli as clap::Parser>::try_parse_from(args).unwrap().flags
}

fn resolve(args: &[&str], access: Access, env: &[(&str, &str)]) -> Result<EtcdChoice, CliError> {
    let env = |n: &str| {
        env.iter()
            .find(|(k, _)| *k == n)
            .map(|(_, v)| (*v).to_owned())
    };
    flags(args).resolve(access, env)
}

#[test]
fn environment_endpoints_serve_reading_only() {
    let env = [("ETCDCTL_ENDPOINTS", "a:1,http://b:2")];
    let read = resolve(&[], Access::Read, &env).unwrap();
    assert_eq!(read.target.unwrap().endpoints, ["http://a:1", "http://b:2"]);
    let write = resolve(&[], Access::Write, &env).unwrap();
    assert!(write.target.is_none());
    assert_eq!(write.ignored.len(), 1);
    assert!(write.ignored[0].contains("ETCDCTL_ENDPOINTS=a:1,http://b:2 is ignored"));
    let given = resolve(&["--endpoints", "http://c:3"], Access::Write, &env).unwrap();
    assert_eq!(given.target.unwrap().endpoints, ["http://c:3"]);
}

#[test]
fn user_and_password_as_etcdctl_takes_them() {
    let both = |args: &[&str], env: &[(&str, &str)]| {
        let args: Vec<_> = ["--endpoints", "a:1"].iter().chain(args).copied().collect();
        let c = resolve(&args, Access::Write, env).map(|f| f.target.unwrap().credentials.unwrap());
        c.map(|c| format!("{} {}", c.user, c.password))
            .map_err(|e| e.message)
    };
    assert_eq!(both(&["--user", "root:a:b"], &[]).unwrap(), "root a:b");
    assert_eq!(
        both(&["--user", "ro:ot", "--password", "p"], &[]).unwrap(),
        "ro:ot p"
    );
    let env = [("ETCDCTL_USER", "u"), ("ETCDCTL_PASSWORD", "p")];
    assert_eq!(both(&[], &env).unwrap(), "u p");
    assert!(
        both(&["--user", "root"], &[])
            .unwrap_err()
            .contains("--user \"root\" has no password")
    );
    assert!(
        both(&["--password", "p"], &[])
            .unwrap_err()
            .contains("needs --user")
    );
}

#[test]
fn bad_values_name_flag_value_and_remedy() {
    for (args, want) in [
        (
            &["--endpoints", "ftp://a:1"][..],
            "ftp:// is not http:// or https://",
        ),
        (
            &["--endpoints", "http://a"],
            "\"http://a\" is not http://HOST:PORT",
        ),
        (&["--endpoints", "http://a:0"], "is not http://HOST:PORT"),
        (
            &["--endpoints", "http://a:99999"],
            "is not http://HOST:PORT",
        ),
        (
            &["--endpoints", "http://a:1/x"],
            "has a path: write http://a:1",
        ),
        (&["--endpoints", "a:1,a:1"], "names http://a:1 twice"),
        (
            &["--endpoints", "a:1", "--dial-timeout", "5"],
            "--dial-timeout \"5\" is not a duration like",
        ),
        (
            &["--endpoints", "a:1", "--command-timeout=-1s"],
            "--command-timeout",
        ),
        (
            &["--endpoints", "a:1", "--command-timeout", "0s"],
            "at most 60m",
        ),
        (
            &["--endpoints", "a:1", "--cacert", "/no/such"],
            "--cacert: cannot read /no/such",
        ),
        (
            &["--overrides", "/events#http://a:1"],
            "--overrides needs an external etcd: also pass --endpoints",
        ),
        (
            &["--endpoints", "a:1", "--overrides", "/events#ftp://b:1"],
            "--overrides /events# \"ftp://b:1\": ftp:// is not http:// or https://",
        ),
        (
            &["--endpoints", "a:1,b:1", "--overrides", "/events#b:1;c:1"],
            "http://b:1 also belongs to another etcd of this command (http://a:1, http://b:1)",
        ),
        (&["--user", "a:b"], "--user needs an external etcd"),
    ] {
        let e = resolve(args, Access::Write, &[]).unwrap_err();
        assert!(e.message.contains(want), "{args:?}: {}", e.message);
        assert_eq!(e.exit, crate::exit::Exit::Usage);
    }
}

#[test]
fn overrides_are_reached_as_the_main_etcd_is() {
    let line = "--endpoints https://a:1 --insecure-skip-tls-verify --user u:p --metrics-endpoints http://a:2";
    let value = "/events#https://b:1;https://c:1,/nodes#a:1";
    let args: Vec<&str> = line.split(' ').chain(["--overrides", value]).collect();
    let f = resolve(&args, Access::Write, &[]).unwrap();
    assert_eq!(f.notes.len(), 1, "/nodes stays with a:1: {:?}", f.notes);
    let [events] = f.overrides.as_slice() else {
        panic!("{:?}", f.overrides);
    };
    assert_eq!(events.name(), "events");
    assert_eq!(events.target.endpoints, ["https://b:1", "https://c:1"]);
    assert_eq!(events.target.metrics_endpoints, Vec::<String>::new());
    assert_eq!(events.target.credentials.as_ref().unwrap().user, "u");
    assert!(events.target.tls.as_ref().unwrap().insecure_skip_verify);
    let named = format!("--endpoints https://a:1 --overrides '{value}'");
    assert_eq!(events.target.all_named_by, Some(named.clone()));
    assert_eq!(f.target.unwrap().all_named_by, Some(named));
}

#[test]
fn tls_makes_a_bare_endpoint_https() {
    let f = resolve(
        &["--endpoints", "a:1", "--insecure-skip-tls-verify"],
        Access::Read,
        &[],
    )
    .unwrap();
    assert_eq!(f.target.unwrap().endpoints, ["https://a:1"]);
    let env = [("ETCDCTL_INSECURE_SKIP_TLS_VERIFY", "true")];
    let f = resolve(&["--endpoints", "https://a:1"], Access::Read, &env).unwrap();
    assert!(f.target.unwrap().tls.unwrap().insecure_skip_verify);
}
