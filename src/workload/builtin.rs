//! The built-in workloads: one YAML file each in `workloads/`, embedded.

/// A built-in workload.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// What it is called.
    pub name: &'static str,
    /// The file, comments included.
    pub text: &'static str,
}

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        &[$(Builtin { name: $name, text: include_str!(concat!("../../workloads/", $name, ".yaml")) }),*]
    };
}

/// All of them, the most useful first.
pub const BUILTINS: &[Builtin] = builtins![
    "cluster",
    "node-heartbeats",
    "events",
    "endpoints",
    "endpointslices",
    "leader-leases",
    "probe",
];

/// The built-in of that name.
pub fn builtin(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|b| b.name == name)
}
