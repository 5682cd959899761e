//! Experiments, from the file to the answer, on real etcds.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and speak"
)]

mod common;

#[path = "experiment/bad_input.rs"]
mod bad_input;
#[path = "experiment/binaries.rs"]
mod binaries;
#[path = "experiment/builtins.rs"]
mod builtins;
#[path = "experiment/desk.rs"]
mod desk;
#[path = "experiment/ended.rs"]
mod ended;
#[path = "experiment/external.rs"]
mod external;
#[path = "experiment/flags.rs"]
mod flags;
#[path = "experiment/for_each.rs"]
mod for_each;
#[path = "experiment/forbidden.rs"]
mod forbidden;
#[path = "experiment/gate.rs"]
mod gate;
#[path = "experiment/killed.rs"]
mod killed;
#[path = "experiment/labels.rs"]
mod labels;
#[path = "experiment/played.rs"]
mod played;
#[path = "experiment/quota.rs"]
mod quota;
#[path = "experiment/snapshot.rs"]
mod snapshot;
#[path = "experiment/split.rs"]
mod split;
#[path = "experiment/stored.rs"]
mod stored;
