//! etcd processes that etcdmark starts itself: which binary, which flags, where their data lies, and
//! that none of them outlives us.
//!
//! [`LocalCluster::start`] is the way in; [`LocalCluster::target`] hands the cluster to everything else.

mod binary;
mod cluster;
mod data_dir;
mod death_signal;
mod dirs;
mod error;
mod fs;
pub mod medium;
mod member;
mod options;
mod pinning;
mod readiness;
mod supervisor;
mod version;

pub use binary::{BinaryChoice, EtcdBinary};
pub use cluster::LocalCluster;
pub(crate) use dirs::Scratch;
pub use error::LocalError;
pub use fs::FileSystem;
pub use medium::{Files, Medium, SyncCosts};
pub use member::Member;
pub(crate) use options::quota_flag;
pub use options::{LocalOptions, LocalTls};
pub use pinning::{Held, Pinning};
pub use version::EtcdVersion;
