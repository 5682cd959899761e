//! When the sessions of an actor are intended: the specification that the rest of this room computes instants from.

use super::RateProfile;
use crate::clock::Nanos;
use serde::{Deserialize, Serialize};

/// When the sessions of an actor are intended.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// Open loop, one stream of arrivals for the whole actor.
    Arrivals {
        /// Spacing.
        process: Process,
        /// Arrivals per second over time.
        rate: RateProfile,
    },
    /// Open loop, each member of the actor's population (node, lock, apiserver …) on its own chain:
    /// the next instant is the previous one + period × U(low, high).
    Periodic {
        /// Mean-free base period, ns.
        period: Nanos,
        /// Lower factor, e.g. 1.0.
        low: f64,
        /// Upper factor, e.g. 1.04.
        high: f64,
        /// Scales the rate over time: 1.0 everywhere unless ramped or staged.
        intensity: RateProfile,
        /// Members whose factors differ.
        tail: Option<Tail>,
        /// The first instants are spread over one period; else they come after one.
        spread: bool,
    },
    /// Closed loop: so many clients, each sends its next operation when the last was answered. Has
    /// service time only.
    Closed {
        /// Clients.
        concurrency: u64,
    },
}

/// The last members of a population, with factors of their own: the standbys behind the holders of locks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// The first of them.
    pub from: u64,
    /// Lower factor.
    pub low: f64,
    /// Upper factor.
    pub high: f64,
}

/// How arrivals are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Process {
    /// Evenly.
    Constant,
    /// Exponentially (memoryless).
    Poisson,
}
