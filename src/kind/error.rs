//! Why a kind cluster's etcd cannot be used. One message each, with the remedy.

use std::time::Duration;

/// `--kind NAME` failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// `KIND_EXPERIMENTAL_PROVIDER` names no engine that kind has.
    #[error(
        "KIND_EXPERIMENTAL_PROVIDER={value:?} is no container engine that kind knows: set it to docker, podman, \
         nerdctl or finch, or unset it"
    )]
    Provider {
        /// As in the environment.
        value: String,
    },
    /// The engine's client is not installed.
    #[error(
        "--kind needs the container engine's client: {tried} not found on PATH (KIND_EXPERIMENTAL_PROVIDER chooses \
         between docker, podman, nerdctl and finch)"
    )]
    NoClient {
        /// The programs that were tried.
        tried: String,
    },
    /// The engine does not answer.
    #[error(
        "the container engine does not answer: {message} (is it running, and do DOCKER_HOST or the docker context \
         name the one that kind used?)"
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
    #[error("{command} gave no answer within {timeout:?}: does the container engine hang?")]
    Timeout {
        /// The command line.
        command: String,
        /// The limit.
        timeout: Duration,
    },
    /// The engine's answer is not what kind's containers look like.
    #[error("{command} gave an answer that is not understood: {message}")]
    Answer {
        /// The command line.
        command: String,
        /// What is wrong with it.
        message: String,
    },
    /// No such cluster.
    #[error("no kind cluster is called {name:?}: {existing}")]
    NoCluster {
        /// As given.
        name: String,
        /// Which there are, and the nearest name.
        existing: String,
    },
    /// Only workers are left.
    #[error(
        "kind cluster {name:?} has no control-plane node (there are: {nodes}), so no etcd: was it removed? \
         `kind delete cluster --name {name}` and create it anew"
    )]
    NoControlPlane {
        /// Cluster.
        name: String,
        /// The nodes there are.
        nodes: String,
    },
    /// Too few control planes run.
    #[error(
        "{node} is {state}, {etcd}: `{remedy}` brings it back (etcd answers a few seconds later)"
    )]
    NotRunning {
        /// Node.
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
        "{node} has no {file}: this kind cluster keeps its state in an etcd elsewhere; give that one by --endpoints, \
         --cacert, --cert and --key"
    )]
    NoEtcd {
        /// Node.
        node: String,
        /// The manifest.
        file: String,
    },
    /// The manifest could not be understood.
    #[error("{node}:{file} is not an etcd pod as kubeadm writes it: {message}")]
    Manifest {
        /// Node.
        node: String,
        /// The manifest.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// No usable certificate.
    #[error(
        "cannot read {what} in node {node}; tried {tried}. Give them by --endpoints, --cacert, --cert and --key instead \
         of --kind"
    )]
    NoCertificate {
        /// Node.
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
