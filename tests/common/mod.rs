//! The harness of the integration tests, one file per thing: real etcds, the built binary and what it prints, ports,
//! patience, certificates. A test that needs one of these takes it from here.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test binary uses its own part of this module"
)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and speak"
)]

pub mod bare_etcd;
pub mod command;
pub mod etcd;
pub mod files;
pub mod patience;
pub mod ports;
pub mod processes;
pub mod proxy;
pub mod results;
pub mod running;
pub mod schema;
pub mod scripted;
pub mod small_disk;
pub mod store;
pub mod testbed;
pub mod tls;

pub use command::{Output, command, etcdmark, output};
pub use etcd::{etcd, etcd_binary, options, start, three_members, tls_etcd};
pub use files::{names, script};
pub use patience::{PATIENCE, Stopwatch, eventually, until};
pub use results::{events, json};
pub use running::Running;
pub use small_disk::with_small_disk;
pub use testbed::{Testbed, runtime};
pub use tls::{Tls, tls};
