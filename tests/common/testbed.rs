//! An etcd for tests without a runtime of their own.

use etcd_client::Client;
use etcdmark::local::{LocalCluster, LocalOptions};

use super::{etcd, store};

/// A runtime with a thread of its own, which serves while the test waits for something else.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// An etcd and the runtime that tests speak to it with.
pub struct Testbed {
    pub runtime: tokio::runtime::Runtime,
    pub etcd: LocalCluster,
}

impl Testbed {
    pub fn new() -> Testbed {
        Testbed::of(etcd::options())
    }

    pub fn with_flags(flags: &[&str]) -> Testbed {
        Testbed::of(etcd::with_flags(flags))
    }

    pub fn of(options: LocalOptions) -> Testbed {
        let runtime = runtime();
        let etcd = runtime.block_on(etcd::start(options));
        Testbed { runtime, etcd }
    }

    /// For `--endpoints`.
    pub fn endpoints(&self) -> String {
        self.etcd.endpoints().join(",")
    }

    /// A client of the members that live.
    pub fn client(&self) -> Client {
        let members = self.etcd.members().iter();
        let living: Vec<_> = members
            .filter(|m| m.pid().is_some())
            .map(|m| m.endpoint().to_owned())
            .collect();
        self.runtime
            .block_on(Client::connect(living, None))
            .unwrap()
    }

    /// Every key in the store.
    pub fn keys(&self) -> Vec<String> {
        self.keys_as(&self.client())
    }

    /// The same, as a client sees it that need not be anybody's.
    pub fn keys_as(&self, client: &Client) -> Vec<String> {
        self.runtime.block_on(store::keys(client))
    }

    /// Neither keys nor etcd leases are left.
    #[track_caller]
    pub fn assert_empty(&self) {
        let client = self.client();
        assert_eq!(self.keys_as(&client), Vec::<String>::new());
        assert_eq!(self.runtime.block_on(store::leases(&client)), 0);
    }
}
