//! Why a kind cluster's etcd cannot be used. One message each, with the remedy.

use std::time::Duration;

/// `--kind NAME` failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// `KIND_EXPERIMENTAL_PROVIDER` names no engine that kind has.
    #[error(
        "KIND_EXPERIMENTAL_PROVIDER={value:?} is not a container engine that kind supports: set it to docker, \
         podman, nerdctl or finch, or unset it"
    )]
    Provider {
        /// As in the environment.
        value: String,
    },
    /// The engine's client is not installed.
    #[error(
        "--kind needs the container engine's client, but {tried} is not on PATH (KIND_EXPERIMENTAL_PROVIDER \
         selects docker, podman, nerdctl or finch)"
    )]
    NoClient {
        /// The programs that were tried.
        tried: String,
    },
    /// The engine does not answer.
    #[error(
        "the container engine does not answer: {message} (check that it is running, and that DOCKER_HOST or the \
         docker context names the engine that kind used)"
    )]
    EngineDown {
        /// What the client said.
        message: String,
    },
    /// A command of the engine failed.
    #[error("{command} failed: {message}")]
    Command {
        /// The command line.
        command: String,
        /// What it said.
        message: String,
    },
    /// A command of the engine took too long.
    #[error("{command} did not answer within {timeout:?}: check the container engine")]
    Timeout {
        /// The command line.
        command: String,
        /// The limit.
        timeout: Duration,
    },
    /// The engine's answer is not what kind's containers look like.
    #[error("cannot parse the output of {command}: {message}")]
    Answer {
        /// The command line.
        command: String,
        /// What is wrong with it.
        message: String,
    },
    /// No such cluster.
    #[error("there is no kind cluster named {name:?}: {existing}")]
    NoCluster {
        name: String,
        /// Which there are, and the nearest name.
        existing: String,
    },
    /// Only workers are left.
    #[error(
        "kind cluster {name:?} has no control-plane node (nodes: {nodes}) and therefore no etcd: run `kind \
         delete cluster --name {name}` and create the cluster again"
    )]
    NoControlPlane {
        /// Cluster.
        name: String,
        /// The nodes there are.
        nodes: String,
    },
    /// Too few control planes run.
    #[error("{node} is {state}, {etcd}: run `{remedy}` (etcd answers a few seconds later)")]
    NotRunning {
        node: String,
        /// `exited`, `paused` …
        state: String,
        /// What that means for etcd.
        etcd: String,
        /// The command.
        remedy: String,
    },
    /// The control plane runs no etcd of its own.
    #[error(
        "{node} has no {file}: this kind cluster uses an external etcd; pass its --endpoints, --cacert, --cert \
         and --key"
    )]
    NoEtcd { node: String, file: String },
    /// The manifest could not be understood.
    #[error("{node}:{file} is not an etcd pod manifest of kubeadm: {message}")]
    Manifest {
        node: String,
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// No usable certificate.
    #[error(
        "cannot read {what} in node {node}; tried {tried}. Use --endpoints, --cacert, --cert and --key instead \
         of --kind"
    )]
    NoCertificate {
        node: String,
        /// "etcd's CA certificate", "a client certificate with its key".
        what: String,
        /// The files.
        tried: String,
    },
    /// The member cannot be reached from here.
    #[error("{0}")]
    NoWay(String),
}
