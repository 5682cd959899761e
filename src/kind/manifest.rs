//! etcd's flags from `/etc/kubernetes/manifests/etcd.yaml`, as kubeadm writes it: by name, since patched
//! flags are appended and versions differ (kubeadm `cmd/kubeadm/app/phases/etcd/local.go`).

use serde::Deserialize;
use std::collections::BTreeMap;

/// Where kubeadm puts it.
pub const FILE: &str = "/etc/kubernetes/manifests/etcd.yaml";
/// kubeadm's default folder of certificates.
const PKI: &str = "/etc/kubernetes/pki";

/// etcd's flags, name (without dashes) → value. A flag given twice: the last one holds, as in etcd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(BTreeMap<String, String>);

#[derive(Deserialize)]
struct Pod {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    name: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
}

/// The manifest's text → etcd's flags; the error says what is missing.
pub fn parse(yaml: &str) -> Result<Flags, String> {
    let pod: Pod = serde_saphyr::from_str(yaml).map_err(|e| e.to_string())?;
    let is_etcd = |c: &&Container| {
        c.name == "etcd"
            || c.command
                .first()
                .is_some_and(|program| program.rsplit('/').next() == Some("etcd"))
    };
    let container = pod
        .spec
        .containers
        .iter()
        .find(is_etcd)
        .ok_or("no container named etcd")?;
    let mut words = container.command.iter().chain(&container.args).peekable();
    let mut flags = BTreeMap::new();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            continue;
        };
        match flag.split_once('=') {
            Some((name, value)) => flags.insert(name.to_owned(), value.to_owned()),
            // `--name value`, or a bare boolean.
            None => match words.next_if(|next| !next.starts_with('-')) {
                Some(value) => flags.insert(flag.to_owned(), value.clone()),
                None => flags.insert(flag.to_owned(), "true".to_owned()),
            },
        };
    }
    Ok(Flags(flags))
}

impl Flags {
    /// A flag's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The member's name.
    pub fn member(&self) -> Option<&str> {
        self.get("name")
    }

    /// Whether clients talk TLS, and the port they use (2379 unless patched).
    pub fn client_url(&self) -> (bool, u16) {
        let urls = self
            .get("advertise-client-urls")
            .or_else(|| self.get("listen-client-urls"));
        let url = urls
            .and_then(|urls| urls.split(',').next())
            .unwrap_or("https://127.0.0.1:2379");
        let port = url
            .rsplit_once(':')
            .and_then(|(_, port)| port.trim_end_matches('/').parse().ok());
        (!url.starts_with("http://"), port.unwrap_or(2379))
    }

    /// The CA that signed the members' certificates.
    pub fn ca_file(&self) -> String {
        self.get("trusted-ca-file")
            .map_or_else(|| format!("{PKI}/etcd/ca.crt"), str::to_owned)
    }

    /// Client certificates and keys to try, the fitting one first: healthcheck-client exists for tools,
    /// then the apiserver's, then the member's own (which is for clients too).
    pub fn client_pairs(&self) -> Vec<(String, String)> {
        let ca = self.ca_file();
        let folder = ca.rsplit_once('/').map_or("", |(folder, _)| folder);
        let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        let pair = |stem: String| (format!("{stem}.crt"), format!("{stem}.key"));
        let own = match (self.get("cert-file"), self.get("key-file")) {
            (Some(cert), Some(key)) => (cert.to_owned(), key.to_owned()),
            _ => pair(format!("{PKI}/etcd/server")),
        };
        let mut pairs = vec![
            pair(format!("{folder}/healthcheck-client")),
            pair(format!("{parent}/apiserver-etcd-client")),
            pair(format!("{PKI}/etcd/healthcheck-client")),
            pair(format!("{PKI}/apiserver-etcd-client")),
            own,
        ];
        let mut seen = std::collections::BTreeSet::new();
        pairs.retain(|p| seen.insert(p.clone()));
        pairs
    }
}

/// The first file of a tar stream, which is what `docker cp NODE:FILE -` gives (POSIX ustar: 512-byte
/// header, size in octal at 124).
pub fn first_of_tar(tar: &[u8]) -> Option<&[u8]> {
    let size = std::str::from_utf8(tar.get(124..136)?).ok()?;
    let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).ok()?;
    tar.get(512..512usize.checked_add(size)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBEADM: &str = include_str!("testdata/etcd.yaml");

    #[test]
    fn kubeadms_flags() {
        let flags = parse(KUBEADM).expect("parses");
        assert_eq!(flags.0.len(), 19, "{flags:?}");
        assert_eq!(flags.member(), Some("demo-control-plane"));
        assert_eq!(flags.client_url(), (true, 2379));
        assert_eq!(
            flags.get("listen-metrics-urls"),
            Some("http://127.0.0.1:2381")
        );
        assert_eq!(flags.ca_file(), "/etc/kubernetes/pki/etcd/ca.crt");
        let certs: Vec<String> = flags
            .client_pairs()
            .into_iter()
            .map(|(cert, _)| cert)
            .collect();
        let want = [
            "etcd/healthcheck-client.crt",
            "apiserver-etcd-client.crt",
            "etcd/server.crt",
        ];
        assert_eq!(certs, want.map(|f| format!("/etc/kubernetes/pki/{f}")));
    }

    #[test]
    fn patched_and_other_spellings() {
        let yaml = "spec:\n  containers:\n  - name: x\n    command: [/usr/local/bin/etcd, -name, m1, \
                    --flag]\n    args:\n    - --quota-backend-bytes=1\n    - --quota-backend-bytes=2\n    - \
                    --advertise-client-urls=http://[fd00::2]:12379,http://b:1\n    - \
                    --trusted-ca-file=/certs/my-ca.crt\n";
        let flags = parse(yaml).expect("parses");
        assert_eq!(
            (
                flags.member(),
                flags.get("flag"),
                flags.get("quota-backend-bytes")
            ),
            (Some("m1"), Some("true"), Some("2"))
        );
        assert_eq!(flags.client_url(), (false, 12379));
        assert_eq!(flags.client_pairs()[0].1, "/certs/healthcheck-client.key");
        assert_eq!(
            parse("spec: {containers: [{name: kube-apiserver}]}").expect_err("no etcd"),
            "no container named etcd"
        );
        assert!(parse("not: a pod").is_err());
        assert_eq!(Flags::default().client_url(), (true, 2379));
    }

    #[test]
    fn tar() {
        let mut tar = vec![0u8; 1536];
        tar[124..135].copy_from_slice(b"00000000005");
        tar[512..517].copy_from_slice(b"spec:");
        assert_eq!(first_of_tar(&tar), Some(&b"spec:"[..]));
        assert_eq!(first_of_tar(b"short"), None);
        tar[124..135].copy_from_slice(b"77777777777");
        assert_eq!(first_of_tar(&tar), None, "a size beyond the end");
    }
}
