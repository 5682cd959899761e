//! The workload file's types: what a user may write. Everything that may be left out is an `Option`;
//! [`super::Source::resolve`] fills it in. Each doc comment's "Default:" and "Required." are the reference
//! page's columns.

use super::plan::AtCap;
use crate::document::{ApiVersion, Metadata};
use crate::human::units::{Length, Span};
use crate::kube::KubernetesVersion;
use crate::kube::Resource;
use crate::rpc::WireKind;
use crate::schedule::Process;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A hollow Kubernetes cluster and the traffic that it sends to etcd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "etcdmark workload")]
pub struct WorkloadFile {
    /// Version of this file's format. Required.
    pub api_version: ApiVersion,
    /// Always `Workload`. Required.
    pub kind: DocumentKind,
    /// What it is called. Required.
    pub metadata: Metadata,
    /// What it does. Required.
    pub spec: Spec,
}

/// What the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DocumentKind {
    /// A workload.
    Workload,
}

/// What the workload does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Kubernetes version whose request shapes are used. Default: `"1.37"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "version_schema")]
    pub kubernetes_version: Option<KubernetesVersion>,
    /// Seed of every generator: the same seed gives the same keys, objects and instants. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The hollow cluster's size. Default: 1,000 nodes.
    #[serde(default)]
    pub cluster: ClusterSpec,
    /// The etcd clusters that resources are routed to, the first one also gets etcdmark's own keys.
    /// Default: one store, `main`, with every resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<StoreSpec>,
    /// The sources of traffic; one of each kind at most. Required.
    pub actors: Vec<ActorSpec>,
    /// Response-time limit per op class, past which an answer is late; the key `default` is for all
    /// others. Default: `default: 1s`, and 1h for `defragmenter/defragment`.
    #[serde(default)]
    #[schemars(schema_with = "limits_schema")]
    pub limits: BTreeMap<String, Span>,
    /// What must hold, or the exit code is 99: `node-lease/update: p99 < 1s`, `all: missed <= 1%`.
    /// Metrics: p50 … p99.99, max, mean (durations), missed, errors, achieved (shares), rate (per second).
    /// Default: none.
    #[serde(default)]
    pub thresholds: Vec<String>,
    /// At most four metrics that comparisons judge, such as `node-lease/update:p99`. Default: none.
    #[serde(default)]
    pub primary: Vec<String>,
    /// How long each phase lasts. Default: see its fields.
    #[serde(default)]
    pub phases: PhasesSpec,
    /// How the load is generated. Default: see its fields.
    #[serde(default)]
    pub load: LoadSpec,
    /// How the store is filled before the load. Default: see its fields.
    #[serde(default)]
    pub populate: PopulateSpec,
}

/// The hollow cluster. What is left out is derived from `nodes` by the proportions of clusterloader2's
/// load test (perf-tests `clusterloader2/testing/load/config.yaml`): 100 nodes per namespace, 30 pods
/// per node, half of the pods behind services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// Hollow nodes, 1 to 10,000,000. Default: 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u64>,
    /// Namespaces that pods, services and events are spread over. Default: nodes / 100, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<u64>,
    /// Pods per node. Default: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods_per_node: Option<u64>,
    /// Services, each with Endpoints and EndpointSlices. Default: nodes / 10, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<u64>,
    /// Endpoints per service. Default: nodes × podsPerNode / 2 / services, from 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints_per_service: Option<u64>,
    /// Images in each Node's status; kubelet reports 50 at most (`nodeStatusMaxImages`). Default: 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_per_node: Option<u64>,
    /// kube-apiservers. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apiservers: Option<u64>,
    /// Leader-election locks: kube-controller-manager's, kube-scheduler's, then add-ons'. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_locks: Option<u64>,
}

/// One etcd cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreSpec {
    /// Its name in results. Required.
    pub name: String,
    /// Resources routed to it, as in kube-apiserver's `--etcd-servers-overrides`. Default: every
    /// resource that no other store names (one store may leave this out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "resources_schema")]
    pub resources: Option<Vec<String>>,
}

/// One source of traffic. Its arrivals are given in exactly one form: `period`; or `rate`, `ratePerNode`
/// or `ratePerService`; or `concurrency`. With none, its kind's default holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActorSpec {
    /// Its name in `--set actors.NAME.…`: lowercase letters, digits and dashes. Required.
    pub name: String,
    /// What it models. Required.
    pub kind: Kind,
    /// Each member (node, lock, apiserver) repeats after this time × jitter. Default: nodeLease 10s,
    /// nodeStatus 5m, leaderLease 2s, apiserverLease 10s, compactor 5m; the defragmenter's has to be given. First instants are
    /// spread over one period; the defragmenter's comes after one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Span>,
    /// Factors that `period` is multiplied with, uniformly. Default: nodeLease and apiserverLease 1 to
    /// 1.04, nodeStatus 0.5 to 1.5, leaderLease 1 to 1.2, compactor and
    /// defragmenter 1 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// Arrivals per second. Default: list 1, probe 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Arrivals per second and node. Default: event 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_node: Option<f64>,
    /// Arrivals per second and service. Default: endpoints and endpointSlice 0.08.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_service: Option<f64>,
    /// How arrivals at a rate are spaced: evenly (`constant`) or exponentially (`poisson`). Default:
    /// probe constant, others poisson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Process>,
    /// Closed loop with so many clients: each sends when its last request was answered. Such a result
    /// has service time only. Default: open loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
    /// How the rate changes over time, from the start of the load (warm-up included); the last value
    /// stays. Default: none, the rate is constant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// event: share of arrivals that update an earlier Event, 0 to below 1. Default: 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_share: Option<f64>,
    /// event: the apiserver's `--event-ttl`. Default: 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// leaderLease: candidates per lock that poll it. Default: apiservers - 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standbys: Option<u64>,
    /// list: the resource whose objects are listed, all at once: nodes, leases, events, endpoints or endpointslices.
    /// Default: nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// probe: also compare-and-swap one key. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<bool>,
}

/// What an actor models.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Each kubelet renews its Lease.
    NodeLease,
    /// Each kubelet writes its Node's status.
    NodeStatus,
    /// Events are created and updated.
    Event,
    /// Leaders renew their locks, standbys poll them.
    LeaderLease,
    /// Each apiserver renews its identity Lease, masterlease and peer lease.
    ApiserverLease,
    /// Whole Endpoints objects are rewritten as pods come and go.
    Endpoints,
    /// EndpointSlices are rewritten as pods come and go.
    EndpointSlice,
    /// kube-apiserver compacts etcd.
    Compactor,
    /// An operator's cron job defragments every member of every store, one after the other, the leader last. Only in
    /// an etcd that etcdmark started or that is yours (`--yes-this-etcd-is-mine`).
    Defragmenter,
    /// A client without a watch cache lists every object of a resource.
    List,
    /// A quiet client reads one key.
    Probe,
}

/// Factors of a period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jitter {
    /// Lower factor, above 0. Required.
    pub low: f64,
    /// Upper factor, at most 100. Required.
    pub high: f64,
}

/// A stretch of time with its own rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    /// How long it lasts. Required.
    pub duration: Span,
    /// Arrivals per second at its end (not for a periodic actor). Default: by `multiplier`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Multiple of the actor's own rate at its end. Default: by `rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiplier: Option<f64>,
    /// Rise or fall linearly from the value before to this one, instead of a step. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<bool>,
}

/// How long each phase lasts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhasesSpec {
    /// Quiet time after the store is filled. Default: 1s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Span>,
    /// The same load, not measured. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Span>,
    /// The measured time, or `forever`. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Length>,
    /// How long unanswered requests are waited for at the end. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Span>,
}

/// How the load is generated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadSpec {
    /// Multiplies every open-loop rate, the probe's, the compactor's and the defragmenter's excepted. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_scale: Option<f64>,
    /// Rates rise linearly from zero over this time; stages begin after it. Default: 0s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_ramp: Option<Span>,
    /// Engine threads. Default: 1 up to 4 cores, then one per 4 cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u64>,
    /// Connections per store, over all workers. Default: maxInFlight / 250, from 8 to 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// Requests in flight, over all workers. Default: 10 × rate × limit, from 64 to 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u64>,
    /// What happens to a request that is due while the cap is reached: it waits (`queue`), or is dropped
    /// once it is late (`skip`). Default: queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_cap: Option<AtCap>,
    /// Which client carries the requests. Default: h2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<WireKind>,
    /// Spin the last microseconds before an instant instead of sleeping; costs a core per worker. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spin: Option<bool>,
    /// Attempts of one request, lost compare-and-swaps included. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u64>,
}

/// How the store is filled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PopulateSpec {
    /// Puts per transaction; 1 is the shape that Kubernetes uses, 128 etcd's `--max-txn-ops`. Default: 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ops: Option<u64>,
    /// Bytes per transaction, below etcd's `--max-request-bytes` (1.5 MiB). Default: 1048576.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Transactions in flight. Default: 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
}

fn version_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = KubernetesVersion::ALL
        .iter()
        .map(|(_, name)| *name)
        .collect();
    json_schema!({ "type": "string", "enum": names })
}

fn resources_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Resource::ALL
        .into_iter()
        .filter(|r| *r != Resource::Internal)
        .map(Resource::plural)
        .collect();
    json_schema!({ "type": "array", "items": { "type": "string", "enum": names } })
}

fn limits_schema(generator: &mut SchemaGenerator) -> Schema {
    let span = generator.subschema_for::<Span>();
    let mut names = vec!["default"];
    names.extend(crate::kube::OpClass::ALL.iter().map(|c| c.name()));
    json_schema!({ "type": "object", "propertyNames": { "enum": names }, "additionalProperties": span })
}
