//! The rooms of `src/`, from top to bottom: what each is for, and what it may use. A room uses only rooms below it.

/// One room.
pub(crate) struct Room {
    /// The folder or file under `src/`.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) purpose: &'static str,
    /// The rooms that it may use.
    pub(crate) uses: &'static [&'static str],
}

const fn room(name: &'static str, purpose: &'static str, uses: &'static [&'static str]) -> Room {
    Room {
        name,
        purpose,
        uses,
    }
}

/// The table. ARCHITECTURE.md's code map is generated from it.
#[rustfmt::skip]
pub(crate) const ROOMS: &[Room] = &[
    room("cli", "a file per command: flags → a typed request; the only place that prints",
        &["analyses", "capacity", "experiment", "disk", "quota_plan", "compat", "engine", "local", "store", "kind", "etcd", "report", "workload", "kube", "measure", "target", "document", "human", "clock", "exit", "control"]),
    room("analyses", "what experiments ask, one file or folder per question, and the list of them",
        &["experiment", "engine", "local", "etcd", "report", "workload", "kube", "measure", "target", "human", "clock", "control"]),
    room("capacity", "how large a cluster an etcd carries: a search over runs; pure, but for its files",
        &["report", "measure", "human", "exit"]),
    room("experiment", "many runs, one answer: `file` (YAML → plan), `play` (trials), `result` (trials → answer)",
        &["disk", "engine", "local", "store", "kind", "etcd", "report", "workload", "kube", "measure", "target", "document", "human", "clock", "rng", "exit", "control"]),
    room("disk", "how fast a directory's disk is for etcd: scratch files, appends, turns; verdicts",
        &["local", "server", "report", "measure", "document", "human", "clock", "rng", "exit"]),
    room("quota_plan", "when an etcd is full, and which quota it needs; from a survey of a store",
        &["store", "etcd", "report", "measure", "human"]),
    room("compat", "the loads and the arithmetic of other tools: etcd's Go `benchmark`, `etcdctl check perf`",
        &["store", "etcd", "report", "target", "rpc", "human", "clock", "rng", "exit", "control"]),
    room("engine", "the run: phases, workers, pacing, sessions, object state, guards, shutdown",
        &["server", "store", "etcd", "report", "workload", "kube", "schedule", "measure", "rpc", "human", "clock", "rng", "exit", "control"]),
    room("local", "etcds that we start: binaries, flags, members, data directories; `medium/` emulates storage media",
        &["measure", "target", "document", "human", "clock", "rng"]),
    room("server", "what etcd and the host say of themselves, as events on the run's timeline",
        &["etcd", "report", "measure", "target", "clock"]),
    room("store", "what a run leaves in a store and must know before: preflight, manifest, lock, cleanup, survey",
        &["etcd", "report", "kube", "measure", "target", "rpc", "human", "clock", "exit"]),
    room("kind", "finding the etcd of a kind cluster",
        &["target", "clock"]),
    room("etcd", "talking to one etcd: `wire/` (hot path: h2, or tonic), `control` (rare calls), TLS, credentials, HTTP",
        &["target", "rpc", "human", "clock", "rng"]),
    room("report", "the event stream and its files, `reduce/` (events → `RunResult`), every rendering; only consumes events",
        &["kube", "measure", "rpc", "human", "exit"]),
    room("workload", "the workload file: schema, loading, overrides, validation → `Plan` (plain data)",
        &["kube", "schedule", "target", "rpc", "document", "human", "clock"]),
    room("target", "how to reach one etcd cluster, as data",
        &["measure", "human"]),
    room("kube", "what Kubernetes writes: keys, objects, requests, op classes; `actors/` one file each (pure)",
        &["schedule", "rpc", "clock", "rng"]),
    room("schedule", "intended instants: arrivals at a rate, periods, profiles, the merged timetable, who owns which cell (pure)",
        &["clock", "rng"]),
    room("measure", "histograms, `.hlog`, percentiles with misses, statistics, validity, the model of the file's growth (pure)",
        &["clock", "rng"]),
    room("rpc", "etcd's gRPC API as data: methods, messages, frames, error classes",
        &[]),
    room("document", "YAML files with places; errors that name the field, the value and what would be right",
        &[]),
    room("human", "numbers and words of commands as people read and write them",
        &[]),
    room("clock", "the only reader of time", &[]),
    room("rng", "seeded random functions", &[]),
    room("exit", "the only list of exit codes", &[]),
    room("control", "drain or stop a run from outside", &[]),
];

/// The table as ARCHITECTURE.md has it.
pub(crate) fn code_map() -> String {
    let mut map = String::from("| room | what it is for | may use |\n|---|---|---|\n");
    for room in ROOMS {
        let uses: Vec<String> = room.uses.iter().map(|u| format!("`{u}`")).collect();
        let uses = match room.uses.len() {
            0 => "nothing".to_owned(),
            _ => uses.join(", "),
        };
        map.push_str(&format!(
            "| `{}` | {} | {uses} |\n",
            room.name, room.purpose
        ));
    }
    map
}
