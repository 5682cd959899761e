//! The workload file's types: what a user may write. Everything that may be left out is an `Option`;
//! [`super::Source::resolve`] fills it in. Each doc comment's "Default:" and "Required." are the reference
//! page's columns.

pub use super::actor_spec::ActorSpec;
use super::plan::AtCap;
use super::threshold_spec::ThresholdSpec;
use crate::document::{ApiVersion, Metadata};
use crate::human::units::{Length, Span};
use crate::kube::KubernetesVersion;
use crate::kube::Resource;
use crate::rpc::WireKind;
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
    /// Name and description. Required.
    pub metadata: Metadata,
    /// The workload itself. Required.
    pub spec: Spec,
}

/// Type of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DocumentKind {
    /// A workload.
    Workload,
}

/// The workload itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Kubernetes version whose requests are sent. Default: `"1.37"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "version_schema")]
    pub kubernetes_version: Option<KubernetesVersion>,
    /// Random seed; the same seed gives the same keys, objects and arrival times. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Size of the hollow cluster. Default: 1,000 nodes.
    #[serde(default)]
    pub cluster: ClusterSpec,
    /// The etcd clusters, and the resources of each; the first one also holds etcdmark's own keys.
    /// Default: one store, `main`, with every resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<StoreSpec>,
    /// The sources of traffic; at most one of each kind. Required.
    pub actors: Vec<ActorSpec>,
    /// Response-time limit per op class; a later answer is a miss. The key `default` applies to all
    /// others. Default: `default: 1s`, and 1h for `defragmenter/defragment`.
    #[serde(default)]
    #[schemars(schema_with = "limits_schema")]
    pub limits: BTreeMap<String, Span>,
    /// Conditions; if one fails, the exit code is 99: `node-lease/update: p99 < 1s`, `all: missed <= 1%`,
    /// `etcd: fsync < 10ms`. Metrics of op classes and of `all`: p50 … p99.99, max, mean (durations), missed, errors,
    /// `errors/CLASS`, achieved (shares), rate (per second); of `etcd`: fsync, commit (mean durations), db-size, rss
    /// (sizes), cpu (cores), leader-changes. `{threshold, abortOnFail: true, graceTime: 10s}` ends the load when it has
    /// failed. Default: none.
    #[serde(default)]
    pub thresholds: Vec<ThresholdSpec>,
    /// Metrics that a comparison tests, at most four, such as `node-lease/update:p99`. Default: none.
    #[serde(default)]
    pub primary: Vec<String>,
    /// Length of each phase. Default: see its fields.
    #[serde(default)]
    pub phases: PhasesSpec,
    /// Load generation. Default: see its fields.
    #[serde(default)]
    pub load: LoadSpec,
    /// Filling of the store before the load. Default: see its fields.
    #[serde(default)]
    pub populate: PopulateSpec,
}

/// The hollow cluster. Unset fields follow from `nodes`, with the proportions of clusterloader2's
/// load test (perf-tests `clusterloader2/testing/load/config.yaml`): 100 nodes per namespace, 30 pods
/// per node, half of the pods behind services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// Hollow nodes, 1 to 10,000,000. Default: 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u64>,
    /// Namespaces for pods, services and events. Default: nodes / 100, at least 1.
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
    /// Images in each Node's status; kubelet reports at most 50 (`nodeStatusMaxImages`). Default: 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_per_node: Option<u64>,
    /// Number of kube-apiservers. Default: 3.
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
    /// Name in results. Required.
    pub name: String,
    /// Resources routed to it, as in kube-apiserver's `--etcd-servers-overrides`. Default: every
    /// resource that no other store names (one store may omit this field).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "resources_schema")]
    pub resources: Option<Vec<String>>,
}

/// Range of the factor of a period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jitter {
    /// Lower factor, above 0. Required.
    pub low: f64,
    /// Upper factor, at most 100. Required.
    pub high: f64,
}

/// A part of the load with its own rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    /// Length. Required.
    pub duration: Span,
    /// Arrivals per second at the end of the stage (not for a periodic actor). Default: from `multiplier`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Multiple of the actor's base rate at the end of the stage. Default: from `rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiplier: Option<f64>,
    /// Change linearly from the previous value, instead of in a step. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<bool>,
}

/// Length of each phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhasesSpec {
    /// Pause after the store is filled. Default: 1s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Span>,
    /// Load before the measure phase. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Span>,
    /// Measure phase, or `forever`. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Length>,
    /// Maximum wait for outstanding answers at the end. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Span>,
}

/// Load generation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = super::kind_texts::describe)]
pub struct LoadSpec {
    /// Multiplies every open-loop rate except those of {unscaled}. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_scale: Option<f64>,
    /// Rates rise linearly from zero over this time; stages begin after it. Default: 0s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_ramp: Option<Span>,
    /// Engine threads. Default: 1 up to 4 cores, then one per 4 cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u64>,
    /// Connections per store, across all workers, rounded up to the same number for each member and worker. Default: maxInFlight / 250, from 8 to 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// Requests in flight, across all workers. Default: 10 × rate × limit, from 64 to 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u64>,
    /// What to do with requests that are due while `maxInFlight` is reached: wait (`queue`), or drop them
    /// once they are late (`skip`). Default: queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_cap: Option<AtCap>,
    /// Client implementation that sends the requests. Default: h2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<WireKind>,
    /// Spin during the last microseconds before each instant instead of sleeping; uses a core per worker. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spin: Option<bool>,
    /// Maximum attempts per request, including lost compare-and-swaps. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u64>,
}

/// Filling of the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PopulateSpec {
    /// Puts per transaction; Kubernetes uses 1, etcd's default maximum (`--max-txn-ops`) is 128. Default: 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ops: Option<u64>,
    /// Bytes per transaction; must stay below etcd's `--max-request-bytes` (1.5 MiB). Default: 1048576.
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
