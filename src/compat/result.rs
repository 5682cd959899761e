//! What a load gave, as JSON and as text.

use super::load::{Measured, Samples};
use super::operations::Group;
use super::place::{Needs, Place};
use super::play::Request;
use super::settings::Settings;
use super::statistics::{self, Statistics};
use crate::exit::Exit;
use std::collections::BTreeMap;

/// Version of the JSON.
pub const VERSION: u32 = 1;

/// The result of a load.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompatResult {
    /// [`VERSION`].
    pub version: u32,
    /// etcd version of the first member that answered.
    pub etcd: String,
    /// Endpoints that got the load.
    pub endpoints: Vec<String>,
    pub settings: Settings,
    /// Bytes before each key, which the Go tool has not; 0 = raw keys at the root.
    pub prefix_bytes: usize,
    /// From the start of the clients to the last answer.
    pub total_seconds: f64,
    /// Requests that were sent.
    pub sent: u64,
    /// Of these without an answer at the end.
    pub unanswered: u64,
    /// One, or reads and writes.
    pub groups: Vec<GroupResult>,
    /// None where the load writes none.
    pub keys: Option<Keys>,
    /// What went wrong, the first thing first.
    pub failures: Vec<String>,
    pub interrupted: bool,
    pub exit_code: u8,
}

/// Keys of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Keys {
    /// In the store at the end of the load.
    pub stored: u64,
    /// Deleted after it; none where they were left, or went with a temporary etcd.
    pub deleted: Option<u64>,
}

/// Requests that the Go tool reports together.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupResult {
    /// requests, reads or writes.
    pub name: &'static str,
    pub succeeded: u64,
    /// Left out of all figures below, as in the Go tool, which exits with 0 all the same.
    pub failed: u64,
    /// Failed ones by message.
    pub errors: BTreeMap<String, u64>,
    /// Succeeded / total time.
    pub requests_per_second: f64,
    /// None where none succeeded.
    pub latency: Option<Statistics>,
}

impl GroupResult {
    fn new(group: Group, samples: &Samples, seconds: f64) -> GroupResult {
        let succeeded = samples.latencies.len() as u64;
        GroupResult {
            name: match group {
                Group::All => "requests",
                Group::Read => "reads",
                Group::Write => "writes",
            },
            succeeded,
            failed: samples.failed(),
            errors: samples.errors.clone(),
            requests_per_second: match seconds > 0.0 {
                true => succeeded as f64 / seconds,
                false => 0.0,
            },
            latency: statistics::of(&samples.latencies),
        }
    }
}

impl CompatResult {
    pub(super) fn new(
        request: &Request,
        place: &Place,
        measured: &Measured,
        interrupted: bool,
    ) -> CompatResult {
        let seconds = measured.total as f64 / 1e9;
        let groups = measured.groups.iter();
        let groups: Vec<GroupResult> = groups
            .map(|(group, samples)| GroupResult::new(*group, samples, seconds))
            .collect();
        let mut result = CompatResult {
            version: VERSION,
            etcd: place
                .facts
                .members
                .first()
                .map_or_else(String::new, |m| m.version.clone()),
            endpoints: place.facts.chosen.clone(),
            settings: request.settings.clone(),
            prefix_bytes: match request.needs {
                Needs::Prefix => super::place::prefix(request.needs, &request.run_id).len(),
                _ => 0,
            },
            total_seconds: seconds,
            sent: measured.sent,
            unanswered: measured.unanswered,
            keys: None,
            failures: Vec::new(),
            interrupted,
            exit_code: match interrupted {
                true => Exit::Interrupted.code(),
                false => Exit::Ok.code(),
            },
            groups,
        };
        if let Some(reason) = &measured.stopped {
            result.fail(reason.clone());
        }
        result.count_failures();
        result
    }

    /// Failed and unanswered requests are a failure of the load.
    fn count_failures(&mut self) {
        let failed: u64 = self.groups.iter().map(|g| g.failed).sum();
        if failed > 0 {
            let first = self.groups.iter().flat_map(|g| &g.errors);
            let most = first.max_by_key(|(_, n)| **n);
            let most = most.map_or("", |(message, _)| message.as_str());
            self.fail(format!(
                "{failed} of {} requests failed ({most}); the Go tool exits with 0 here",
                self.sent
            ));
        }
        if self.unanswered > 0 {
            self.fail(format!("{} requests got no answer", self.unanswered));
        }
    }

    /// Adds what went wrong.
    pub(super) fn fail(&mut self, message: String) {
        self.failures.push(message);
        if !self.interrupted {
            self.exit_code = Exit::Failure.code();
        }
    }

    /// How the command ends: 130 after an interruption, 1 when anything failed.
    pub fn exit(&self) -> Exit {
        match (self.interrupted, self.failures.is_empty()) {
            (true, _) => Exit::Interrupted,
            (false, false) => Exit::Failure,
            (false, true) => Exit::Ok,
        }
    }
}
