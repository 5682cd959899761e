//! Keys in a store that are not etcdmark's: whose etcd it is.

use super::manifest::HOME;
use super::prefixes::kubernetes_prefixes;
use crate::etcd::control::{ControlClient, ControlError};
use crate::human::numbers::things;
use crate::rpc::prefix_end;

/// kube-apiserver's compactor writes it (k8s.io/apiserver `pkg/storage/etcd3/compact.go`), outside of its prefix.
pub const COMPACTOR: &[u8] = b"compact_rev_key";

/// Keys outside [`HOME`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OthersKeys {
    /// How many, at least.
    pub count: i64,
    /// Prefixes of Kubernetes clusters among them, without a trailing slash.
    pub kubernetes: Vec<String>,
    /// Of all these, keys that are under none of them, and not [`COMPACTOR`].
    pub outside: i64,
    /// The first one.
    pub example: String,
}

impl std::fmt::Display for OthersKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = things(self.count.unsigned_abs(), "key");
        if !self.kubernetes.is_empty() {
            let under: Vec<String> = self.kubernetes.iter().map(|p| format!("{p}/")).collect();
            write!(
                f,
                "{} of a live Kubernetes cluster under {}",
                things((self.count - self.outside).unsigned_abs(), "key"),
                under.join(" and ")
            )?;
            match self.outside {
                0 => Ok(()),
                n => write!(f, ", and {n} of others"),
            }
        } else if self.example.as_bytes() == COMPACTOR {
            write!(f, "{keys} of a kube-apiserver (compact_rev_key)")
        } else {
            write!(f, "{keys} of others (for example {:?})", self.example)
        }
    }
}

/// Counts the keys outside [`HOME`], of which a local etcd's `compact_rev_key` is our own compactor's; None when this
/// user may not see all of them and sees none.
pub async fn others(
    cluster: &ControlClient,
    local: bool,
) -> Result<Option<OthersKeys>, ControlError> {
    let (home, after) = (format!("{HOME}/"), format!("{HOME}0"));
    let mut all = OthersKeys::default();
    for (from, to) in [(&b"\0"[..], home.as_bytes()), (after.as_bytes(), b"\0")] {
        match cluster.count(from, to).await {
            Ok(n) => all.count += n,
            Err(e) if denied(&e) => return visible(cluster).await,
            Err(e) => return Err(e),
        }
    }
    if local && all.count > 0 {
        all.count -= i64::from(cluster.get(COMPACTOR).await?.is_some());
    }
    if all.count > 0 {
        all.kubernetes = kubernetes_prefixes(cluster).await?;
        let mut inside = i64::from(!local && cluster.get(COMPACTOR).await?.is_some());
        for prefix in &all.kubernetes {
            let from = format!("{prefix}/").into_bytes();
            inside += cluster.count(&from, &prefix_end(&from)).await?;
        }
        // Counted one after the other: keys may come meanwhile.
        all.outside = (all.count - inside).max(0);
        let first = cluster.first_key(b"\0", home.as_bytes()).await?;
        let first = match first {
            None => cluster.first_key(after.as_bytes(), b"\0").await?,
            some => some,
        };
        all.example = String::from_utf8_lossy(&first.unwrap_or_default()).into_owned();
    }
    Ok(Some(all))
}

/// What a user sees who may not read all keys: where Kubernetes usually is.
async fn visible(cluster: &ControlClient) -> Result<Option<OthersKeys>, ControlError> {
    match cluster.count(b"/registry/", b"/registry0").await {
        Ok(0) => Ok(None),
        Ok(count) => Ok(Some(OthersKeys {
            count,
            kubernetes: vec!["/registry".to_owned()],
            outside: 0,
            example: String::new(),
        })),
        Err(e) if denied(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether etcd refused a call for want of a permission.
pub(super) fn denied(e: &ControlError) -> bool {
    e.message().contains("permission denied")
}
