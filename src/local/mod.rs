//! etcd processes that etcdmark starts itself.
