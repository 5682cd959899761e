//! What the statistics promise, by simulation: seeded, so that a failure is a change and not bad luck. The short form runs
//! always; `ETCDMARK_METHOD=full` (`scripts/full/method.sh`) plays what docs/method/ quotes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and shows what it measured"
)]

#[path = "method/change.rs"]
mod change;
#[path = "method/gate.rs"]
mod gate;
#[path = "method/intervals.rs"]
mod intervals;
#[path = "method/noise.rs"]
mod noise;
#[path = "method/recorded.rs"]
mod recorded;

/// How many simulations: few in the short form.
fn simulations(short: u64, full: u64) -> u64 {
    match std::env::var("ETCDMARK_METHOD").as_deref() {
        Ok("full") => full,
        _ => short,
    }
}
