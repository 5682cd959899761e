//! The built-in experiments: one YAML file each in `workloads/experiments/`, embedded.

/// A built-in experiment.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// What it is called.
    pub name: &'static str,
    /// The file, comments included.
    pub text: &'static str,
}

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        &[$(Builtin {
            name: $name,
            text: include_str!(concat!("../../../workloads/experiments/", $name, ".yaml")),
        }),*]
    };
}

/// All of them.
pub const BUILTINS: &[Builtin] = builtins![
    "versions",
    "quota",
    "split-events",
    "media",
    "slow-member",
    "endpoints-vs-slices",
    "compaction-interval",
    "defrag",
    "gate",
];

/// The built-in of that name.
pub fn builtin(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|b| b.name == name)
}
