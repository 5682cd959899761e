//! The media that come with etcdmark: one YAML file each in `workloads/media/`, embedded.

/// A medium that comes with etcdmark.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What it is called.
    pub name: &'static str,
    /// The file, comments included.
    pub text: &'static str,
}

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        &[$(Preset { name: $name, text: include_str!(concat!("../../../workloads/media/", $name, ".yaml")) }),*]
    };
}

/// All of them, the fastest first.
pub const PRESETS: &[Preset] = presets![
    "local-nvme",
    "local-ssd",
    "gp3",
    "network-ssd",
    "openai-2018",
    "hdd",
    "gp2-exhausted",
    "stalls",
];

/// The text of the preset of that name.
pub(super) fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|p| p.name == name).map(|p| p.text)
}
