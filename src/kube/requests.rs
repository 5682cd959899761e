//! kube-apiserver's request shapes, encoded straight into gRPC frames.
//!
//! Source: k8s.io/apiserver `pkg/storage/etcd3/store.go`, etcd `client/v3/kubernetes/client.go`;
//! recorded bytes of kube-apiserver 1.30 to 1.37.
