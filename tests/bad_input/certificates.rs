//! Every kind of certificate and key that people have, against a real etcd: what works as with etcdctl, and what is said
//! of the rest. `openssl` makes what rcgen cannot.

use super::*;
use crate::common::bare_etcd::BareEtcd;
use crate::common::patience::until;
use crate::common::ports;
use crate::common::running::Running;
use std::net::TcpStream;
use std::path::PathBuf;

/// A directory in which `openssl` has made things.
struct Made(tempfile::TempDir);

impl Made {
    fn new() -> Made {
        Made(tempfile::tempdir().unwrap())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn openssl(&self, line: &str) -> &Made {
        let mut command = Command::new("openssl");
        let out = output(
            command
                .args(line.split_whitespace())
                .current_dir(self.0.path()),
        );
        assert_eq!(out.code, 0, "openssl {line}: {out:?}");
        self
    }

    /// A self-signed certificate for 127.0.0.1: `NAME.crt` and `NAME.key`.
    fn own(&self, name: &str, key: &str, more: &str) -> &Made {
        self.openssl(&format!(
            "req -x509 -newkey {key} -nodes -keyout {name}.key -out {name}.crt -days 2 -subj /CN={name} \
             -addext subjectAltName=IP:127.0.0.1 {more}"
        ))
    }

    /// A certificate that a CA of [`Made::own`] has signed.
    fn signed(&self, name: &str, key: &str, ca: &str, extensions: &str) -> &Made {
        std::fs::write(self.path("ext"), extensions).unwrap();
        self.openssl(&format!("req -new -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"))
            .openssl(&format!(
                "x509 -req -in {name}.csr -CA {ca}.crt -CAkey {ca}.key -CAcreateserial -days 2 -extfile ext -out {name}.crt"
            ))
    }

    fn etcd(&self, name: &str) -> BareEtcd {
        let path = |ending| self.path(&format!("{name}.{ending}")).display().to_string();
        BareEtcd::start(
            "https",
            &[
                format!("--cert-file={}", path("crt")),
                format!("--key-file={}", path("key")),
            ],
        )
    }
}

fn inspect(made: &Made, etcd: &BareEtcd, flags: &str) -> Output {
    run_in(
        made.0.path(),
        &format!("inspect --endpoints {} {flags}", etcd.url),
    )
}

fn works(made: &Made, etcd: &BareEtcd, flags: &str) {
    let out = inspect(made, etcd, flags);
    assert_eq!(out.code, 0, "{flags}: {}", out.stderr);
    assert!(out.stdout.contains("leader"), "{}", out.stdout);
    // Its metrics come over TLS too.
    assert!(
        !out.stdout.contains("cannot read metrics"),
        "{}",
        out.stdout
    );
}

fn fails(made: &Made, etcd: &BareEtcd, flags: &str, says: &[&str]) {
    let out = inspect(made, etcd, flags);
    assert_eq!(out.code, 2, "{flags}: {out:?}");
    let message = one_message(flags, &out.stderr);
    for part in says {
        assert!(message.contains(part), "{flags}: no {part:?} in: {message}");
    }
    for foreign in [
        "[",
        "base64",
        "Error",
        "webpki",
        "rustls",
        "InvalidCertificate",
    ] {
        assert!(
            !message.contains(foreign),
            "{flags}: {foreign:?} in: {message}"
        );
    }
}

const SERVER: &str = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n";
const SKIP: &str = "--insecure-skip-tls-verify";

#[test]
fn a_self_signed_certificate_is_its_own_ca_whatever_its_key() {
    let made = Made::new();
    for (name, key, more) in [
        // What openssl makes by default is a CA; etcd's own --auto-tls has P-521.
        ("rsa", "rsa:2048", ""),
        ("p521", "ec -pkeyopt ec_paramgen_curve:P-521", ""),
        (
            "ed25519",
            "ed25519",
            "-addext basicConstraints=critical,CA:FALSE",
        ),
    ] {
        made.own(name, key, more);
        let etcd = made.etcd(name);
        works(&made, &etcd, &format!("--cacert {name}.crt"));
        works(&made, &etcd, SKIP);
        let file = made.path(&format!("{name}.crt"));
        let mut by_env = command_of(&format!("inspect --endpoints {}", etcd.url));
        let out = output(
            by_env
                .current_dir(made.0.path())
                .env("SSL_CERT_FILE", &file),
        );
        assert_eq!(out.code, 0, "SSL_CERT_FILE: {out:?}");
    }
}

#[test]
fn auto_tls_works() {
    let made = Made::new();
    let etcd = BareEtcd::start("https", &["--auto-tls".to_owned()]);
    works(&made, &etcd, SKIP);
    fails(
        &made,
        &etcd,
        "",
        &["pass it itself with --cacert", "openssl s_client -connect"],
    );
}

#[test]
fn a_web_server_is_no_etcd_that_wants_a_client_certificate() {
    let made = Made::new();
    made.own("web", "rsa:2048", "");
    let port = ports::free();
    let mut server = Command::new("openssl");
    server
        .args([
            "s_server", "-www", "-quiet", "-cert", "web.crt", "-key", "web.key", "-accept",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .current_dir(made.0.path());
    let _server = Running::spawn(&mut server);
    until("the web server listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    for flags in ["--cacert web.crt", SKIP] {
        let out = run_in(
            made.0.path(),
            &format!("inspect --endpoints https://127.0.0.1:{port} {flags}"),
        );
        assert_eq!(out.code, 2, "{out:?}");
        let message = one_message(flags, &out.stderr);
        assert!(message.contains("not an etcd"), "{message}");
        assert!(message.contains("HTTP/2"), "{message}");
    }
}

#[test]
fn a_server_certificate_that_is_not_trusted_says_why() {
    let made = Made::new();
    made.own("ca", "rsa:2048", "")
        .own("short-ca", "rsa:1024", "");
    std::fs::create_dir(made.path("anew")).unwrap();
    made.openssl("req -x509 -newkey rsa:2048 -nodes -keyout anew/ca.key -out anew/ca.crt -days 2 -subj /CN=ca");
    for (name, key, ca, extensions, flags, says) in [
        (
            "good",
            "rsa:2048",
            "ca",
            SERVER,
            "--cacert short-ca.crt",
            "its issuer is CN=ca",
        ),
        (
            "anew-ca",
            "rsa:2048",
            "ca",
            SERVER,
            "--cacert anew/ca.crt",
            "another key",
        ),
        (
            "short",
            "rsa:1024",
            "ca",
            SERVER,
            "--cacert ca.crt",
            "its RSA key has 1024 bits",
        ),
        (
            "by-short",
            "rsa:2048",
            "short-ca",
            SERVER,
            "--cacert short-ca.crt",
            "its CA's RSA key has 1024 bits",
        ),
        (
            "nameless",
            "rsa:2048",
            "ca",
            "extendedKeyUsage=serverAuth\n",
            "--cacert ca.crt",
            "names no host",
        ),
        (
            "elsewhere",
            "rsa:2048",
            "ca",
            "subjectAltName=DNS:etcd.example\n",
            "--cacert ca.crt",
            "it is for etcd.example",
        ),
        (
            "client-only",
            "rsa:2048",
            "ca",
            "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=clientAuth\n",
            "--cacert ca.crt",
            "lacks serverAuth",
        ),
        (
            "a-ca",
            "rsa:2048",
            "ca",
            "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:TRUE\n",
            "--cacert ca.crt",
            "is a CA certificate",
        ),
    ] {
        made.signed(name, key, ca, extensions);
        // etcd calls itself with its certificate and takes none that is no client's; it need not.
        let etcd = made.etcd(name);
        fails(
            &made,
            &etcd,
            flags,
            &[
                "the certificate of https://127.0.0.1",
                says,
                "openssl s_client",
            ],
        );
        works(&made, &etcd, SKIP);
    }
}

#[test]
fn a_file_that_cannot_be_used_says_what_it_holds() {
    let made = Made::new();
    made.own("ca", "rsa:2048", "")
        .own("other", "ed25519", "")
        .own("short", "rsa:1024", "");
    made.openssl("x509 -in ca.crt -outform der -out ca.der")
        .openssl("pkey -in ca.key -aes256 -passout pass:x -out locked.key")
        .openssl("req -new -key ca.key -subj /CN=ca -out ca.csr");
    std::fs::write(made.path("empty"), "").unwrap();
    std::fs::write(made.path("text"), "ca").unwrap();
    let pem = std::fs::read_to_string(made.path("ca.crt")).unwrap();
    std::fs::write(made.path("torn.crt"), pem.replacen("MII", "M*I", 1)).unwrap();
    let etcd = made.etcd("ca");
    for (flags, says) in [
        ("--cacert empty", &["--cacert empty: the file is empty"][..]),
        ("--cacert text", &["holds no certificate"]),
        ("--cacert ca.der", &["binary", "openssl x509 -inform der"]),
        ("--cacert ca.csr", &["certificate request"]),
        ("--cacert ca.key", &["holds a private key"]),
        (
            "--cacert torn.crt",
            &["damaged", "openssl x509 -in torn.crt"],
        ),
        (
            "--cacert ca.crt --cert ca.crt --key ca.crt",
            &["--key ca.crt: it holds a certificate"],
        ),
        (
            "--cacert ca.crt --cert ca.crt --key locked.key",
            &["encrypted with a passphrase", "openssl pkey -in locked.key"],
        ),
        (
            "--cacert ca.crt --cert ca.crt --key other.key",
            &["--key other.key is not the key of --cert ca.crt", "openssl"],
        ),
        (
            "--cacert ca.crt --cert short.crt --key short.key",
            &["1024 bits", "openssl"],
        ),
        (
            "--cacert ca.crt --cert ca.crt --key text",
            &["holds no private key"],
        ),
    ] {
        fails(&made, &etcd, flags, says);
    }
}

#[test]
fn a_client_certificate_that_etcd_refuses_is_looked_at() {
    let made = Made::new();
    made.own("ca", "rsa:2048", "")
        .own("stranger", "rsa:2048", "");
    made.signed("server", "rsa:2048", "ca", "subjectAltName=IP:127.0.0.1\n");
    made.signed(
        "server-only",
        "rsa:2048",
        "ca",
        "extendedKeyUsage=serverAuth\n",
    );
    made.signed(
        "p521",
        "ec -pkeyopt ec_paramgen_curve:P-521",
        "ca",
        "extendedKeyUsage=clientAuth\n",
    );
    let path = |file: &str| made.path(file).display().to_string();
    let etcd = BareEtcd::start(
        "https",
        &[
            format!("--cert-file={}", path("server.crt")),
            format!("--key-file={}", path("server.key")),
            format!("--trusted-ca-file={}", path("ca.crt")),
            "--client-cert-auth".to_owned(),
        ],
    );
    let with = |name: &str| format!("--cacert ca.crt --cert {name}.crt --key {name}.key");
    works(&made, &etcd, &with("p521"));
    let rejected = "rejected the client certificate in --cert";
    fails(
        &made,
        &etcd,
        &with("stranger"),
        &[rejected, "its issuer is CN=stranger", "openssl verify"],
    );
    fails(
        &made,
        &etcd,
        &with("server-only"),
        &[rejected, "lacks clientAuth", "openssl x509"],
    );
    fails(
        &made,
        &etcd,
        "--cacert ca.crt",
        &["requires a client certificate"],
    );
}
