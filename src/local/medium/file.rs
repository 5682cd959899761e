//! The medium file: its types, loading and checks → [`Medium`].

use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::presets::{PRESETS, preset};
use super::sequence::{LONGEST_SEQUENCE, SequenceSpec};
use super::timing::{Quantiles, Sequence, Stalls, SyncTime};
use crate::document::{ApiVersion, Metadata};
use crate::document::{DocumentError, FieldError, check_name, locate, nearest};
use crate::document::{parse_yaml, read_document};
use crate::human::units::Span;

/// The longest that one sync may take: past it etcd has lost its leadership many times over.
const LONGEST: Span = Span::seconds(60);

/// A storage medium to emulate for a local etcd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "etcdmark medium")]
pub struct MediumFile {
    /// Version of this file's format. Required.
    pub api_version: ApiVersion,
    /// Always `Medium`. Required.
    pub kind: MediumKind,
    /// Name. Required.
    pub metadata: Metadata,
    /// The medium itself. Required.
    pub spec: MediumSpec,
}

/// Type of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MediumKind {
    /// A storage medium.
    Medium,
}

/// Sync times of a medium.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MediumSpec {
    /// Files on this medium: the write-ahead log (`wal`), the database and its snapshots (`db`), or both (`all`).
    /// etcdmark does not delay syncs of other files. Default: `all`.
    #[serde(default)]
    pub files: Files,
    /// Total time of one `fdatasync`. Required.
    pub sync: SyncSpec,
    /// Regular stalls. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalls: Option<StallSpec>,
}

impl MediumSpec {
    /// For a run's header: a sequence by its length and digest.
    pub(super) fn summary(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(list) = &self.sync.sequence {
            let text = value["sync"]["sequence"].to_string();
            let digest: String = Sha256::digest(text)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            value["sync"]["sequence"] = serde_json::json!({
                "syncs": list.0.len(),
                "sha256": digest,
            });
        }
        value
    }
}

/// Files of etcd.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Files {
    /// The write-ahead log.
    Wal,
    /// The database and its snapshots.
    Db,
    /// Both.
    #[default]
    All,
}

impl Files {
    /// As in files.
    pub fn name(self) -> &'static str {
        match self {
            Files::Wal => "wal",
            Files::Db => "db",
            Files::All => "all",
        }
    }
}

/// Time of one sync. Set exactly one of the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncSpec {
    /// A constant time. `0s` adds nothing, to measure the overhead of emulation. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<Span>,
    /// A distribution, by its quantiles: `p` increases to 1. Between two quantiles, etcdmark interpolates the logarithm
    /// of the value; below the first one, the value is constant. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<Vec<QuantileSpec>>,
    /// Times of consecutive syncs, as `etcdmark disk --save-medium` measured them: played in this order, so that bursts
    /// stay bursts, from a position that depends on the seed, and again from the beginning. At most 200,000. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<SequenceSpec>,
}

/// One quantile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuantileSpec {
    /// Share of syncs that take at most `value`, from 0 to 1. Required.
    pub p: f64,
    /// Sync time. Required.
    pub value: Span,
}

/// Regular stalls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StallSpec {
    /// Interval between the ends of two stalls; the first stall ends this long after etcd's start. Required.
    pub every: Span,
    /// Length of a stall; syncs that are active or begin during a stall complete after it. Required.
    #[serde(rename = "for")]
    pub length: Span,
}

/// A medium that can be emulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Medium {
    /// What it is called.
    pub name: String,
    /// Which files lie on it.
    pub files: Files,
    /// Time of one sync.
    pub sync: SyncTime,
    /// Times in which nothing comes back.
    pub stalls: Option<Stalls>,
    /// As it was written, for the result.
    pub spec: MediumSpec,
}

/// A medium that cannot be read, or makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum MediumError {
    /// Neither a preset nor a file.
    #[error("medium {name:?}: no such preset and no such file{hint}; presets: {presets}")]
    NotFound {
        name: String,
        /// "; did you mean …?" or nothing.
        hint: String,
        /// All presets.
        presets: String,
    },
    /// The file is there and cannot be read.
    #[error("medium {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// What the file says is wrong.
    #[error(transparent)]
    Wrong(#[from] DocumentError),
}

impl Medium {
    /// A preset's name, else the path of a file.
    pub fn load(name: &str) -> Result<Self, MediumError> {
        if let Some(text) = preset(name) {
            return Ok(Self::parse(&format!("workloads/media/{name}.yaml"), text)?);
        }
        match read_document(Path::new(name)) {
            Ok(text) => Ok(Self::parse(name, &text)?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(not_found(name)),
            Err(source) => Err(MediumError::Read {
                path: name.into(),
                source,
            }),
        }
    }

    /// A medium's text; `origin` is what messages call it.
    pub fn parse(origin: &str, text: &str) -> Result<Self, DocumentError> {
        let file: MediumFile = parse_yaml(text, origin)?;
        resolve(file).map_err(|error| DocumentError::Field {
            place: match locate(text, &error.path) {
                Some((line, column)) => format!("{origin}:{line}:{column}"),
                None => origin.to_owned(),
            },
            error,
        })
    }
}

/// The JSON Schema of a medium file as it is committed.
pub fn medium_schema_text() -> String {
    format!("{:#}\n", schemars::schema_for!(MediumFile).to_value())
}

fn not_found(name: &str) -> MediumError {
    let names = || PRESETS.iter().map(|p| p.name);
    let stem = Path::new(name).file_stem().and_then(|s| s.to_str());
    MediumError::NotFound {
        name: name.to_owned(),
        hint: nearest(stem.unwrap_or(name), names())
            .map_or(String::new(), |n| format!("; did you mean {n:?}?")),
        presets: names().collect::<Vec<_>>().join(", "),
    }
}

fn resolve(file: MediumFile) -> Result<Medium, FieldError> {
    check_name("metadata.name", &file.metadata.name)?;
    let sync = match &file.spec.sync {
        SyncSpec {
            constant: Some(constant),
            quantiles: None,
            sequence: None,
        } => SyncTime::Constant(within("sync.constant", *constant, Span::seconds(0))?),
        SyncSpec {
            constant: None,
            quantiles: Some(list),
            sequence: None,
        } => SyncTime::Quantiles(quantiles(list)?),
        SyncSpec {
            constant: None,
            quantiles: None,
            sequence: Some(list),
        } => SyncTime::Sequence(sequence(list)?),
        _ => {
            let message = "give exactly one of `constant: 2ms`, `quantiles: [{p: 0.5, value: 200us}, …]` and `sequence: 200us \
                           210us …`";
            return Err(FieldError::at("sync", message));
        }
    };
    Ok(Medium {
        name: file.metadata.name,
        files: file.spec.files,
        sync,
        stalls: file.spec.stalls.map(stalls).transpose()?,
        spec: file.spec,
    })
}

fn within(path: &str, value: Span, low: Span) -> Result<u64, FieldError> {
    if (low..=LONGEST).contains(&value) {
        return Ok(value.nanos());
    }
    let message = format!("{value} is out of range; use {low} to {LONGEST}");
    Err(FieldError::at(path, message))
}

fn quantiles(list: &[QuantileSpec]) -> Result<Quantiles, FieldError> {
    let nanosecond = Span(std::time::Duration::from_nanos(1));
    let mut points: Vec<(f64, u64)> = Vec::new();
    for (i, q) in list.iter().enumerate() {
        let path = |field: &str| format!("sync.quantiles.{i}.{field}");
        let value = within(&path("value"), q.value, nanosecond)?;
        let (p, low) = points.last().copied().unwrap_or((-1.0, 0));
        if !(0.0..=1.0).contains(&q.p) {
            let message = format!("{} is out of range; use 0 to 1", q.p);
            return Err(FieldError::at(path("p"), message));
        }
        if q.p <= p {
            let message = format!("{} does not increase: the previous one is {p}", q.p);
            return Err(FieldError::at(path("p"), message));
        }
        if value < low {
            let before = list[i - 1].value;
            let message = format!("{} decreases: the previous one is {before}", q.value);
            return Err(FieldError::at(path("value"), message));
        }
        points.push((q.p, value));
    }
    match points.last() {
        Some((p, _)) if *p >= 1.0 => Ok(Quantiles::new(points)),
        _ => {
            let message = "the last one must be the largest time, `{p: 1, value: …}`";
            Err(FieldError::at("sync.quantiles", message))
        }
    }
}

fn sequence(list: &SequenceSpec) -> Result<Sequence, FieldError> {
    let wrong = |message: String| FieldError::at("sync.sequence", message);
    if list.0.len() > LONGEST_SEQUENCE {
        let n = list.0.len();
        return Err(wrong(format!(
            "has {n} times; use at most {LONGEST_SEQUENCE}"
        )));
    }
    let nanosecond = Span(std::time::Duration::from_nanos(1));
    let times = list.0.iter().enumerate().map(|(i, time)| {
        let within = within("", *time, nanosecond);
        within.map_err(|e| wrong(format!("time {}: {}", i + 1, e.message)))
    });
    let times = times.collect::<Result<Vec<_>, _>>()?;
    Sequence::new(times)
        .ok_or_else(|| wrong("is empty; write one time at least, `sequence: 200us`".to_owned()))
}

fn stalls(spec: StallSpec) -> Result<Stalls, FieldError> {
    let nanosecond = Span(std::time::Duration::from_nanos(1));
    let length = within("stalls.for", spec.length, nanosecond)?;
    if spec.every <= spec.length {
        let message = format!(
            "{} is not longer than a stall ({})",
            spec.every, spec.length
        );
        return Err(FieldError::at("stalls.every", message));
    }
    Ok(Stalls {
        every: spec.every.nanos(),
        length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: etcdmark/v1alpha2\nkind: Medium\nmetadata: {name: t}\nspec:\n";

    fn error(spec: &str) -> String {
        Medium::parse("t.yaml", &format!("{HEAD}{spec}"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn every_preset_is_right_and_says_where_it_is_from() {
        for p in PRESETS {
            let medium = Medium::load(p.name).unwrap();
            assert_eq!(medium.name, p.name);
            assert!(
                p.text
                    .starts_with("# yaml-language-server: $schema=medium.schema.json\n"),
                "{}",
                p.name
            );
            assert!(p.text.contains("# Source:"), "{}", p.name);
        }
    }

    /// What the sources say: mean and quantiles, ms.
    type Published = (&'static str, f64, &'static [(f64, f64)]);

    #[test]
    fn presets_have_the_mean_and_the_quantiles_of_their_sources() {
        let sources: &[Published] = &[
            ("local-ssd", 0.2, &[]),
            ("gp3", 0.70, &[]),
            ("network-ssd", 1.27, &[(0.99, 2.4), (0.999, 15.8)]),
            ("openai-2018", 2.0, &[]),
            ("hdd", 10.0, &[]),
            ("gp2-exhausted", 0.94, &[(0.926, 1.0), (0.99963, 256.0)]),
            ("stalls", 2.0, &[]),
        ];
        for (name, mean, quantiles) in sources {
            let medium = Medium::load(name).unwrap();
            let found = medium.sync.mean() / 1e6;
            assert!((found / mean - 1.0).abs() < 0.01, "{name}: mean {found} ms");
            for (p, value) in *quantiles {
                let found = medium.sync.at(*p) as f64 / 1e6;
                assert!((found / value - 1.0).abs() < 0.01, "{name}: {p} {found} ms");
            }
        }
    }

    #[test]
    fn wrong_files_are_told_by_place_value_and_remedy() {
        for (spec, want) in [
            (
                "  sync: {constant: 2}\n",
                "t.yaml:5:20: constant: \"2\" is not a duration: write a number with a unit (ns, us, ms, s, m, h), such as 10s, 5m or \
                 100ms",
            ),
            (
                "  file: wal\n  sync: {constant: 2ms}\n",
                "t.yaml:5:3: unknown key \"file\"; did you mean \"files\"?",
            ),
            (
                "  files: wall\n  sync: {constant: 2ms}\n",
                "t.yaml:5:10: files: \"wall\" is not known; did you mean \"wal\"?",
            ),
            (
                "  sync: {}\n",
                "t.yaml:5:9: sync: give exactly one of `constant: 2ms`, `quantiles: [{p: 0.5, value: 200us}, …]` and \
                 `sequence: 200us 210us …`",
            ),
            (
                "  sync: {constant: 2ms, sequence: 2ms}\n",
                "t.yaml:5:9: sync: give exactly one of `constant: 2ms`, `quantiles: [{p: 0.5, value: 200us}, …]` and \
                 `sequence: 200us 210us …`",
            ),
            (
                "  sync: {sequence: 2ms 3}\n",
                "t.yaml:5:20: sequence: \"3\" is not a duration: write a number with a unit (ns, us, ms, s, m, h), such as 10s, 5m or 100ms",
            ),
            (
                "  sync: {sequence: \"\"}\n",
                "t.yaml:5:20: sync.sequence: is empty; write one time at least, `sequence: 200us`",
            ),
            (
                "  sync: {sequence: 2ms 2h}\n",
                "t.yaml:5:20: sync.sequence: time 2: 2h is out of range; use 1ns to 1m",
            ),
            (
                "  sync:\n    quantiles:\n      - {p: 0.5, value: 2ms}\n      - {p: 0.5, value: 3ms}\n",
                "t.yaml:8:13: sync.quantiles.1.p: 0.5 does not increase: the previous one is 0.5",
            ),
            (
                "  sync:\n    quantiles:\n      - {p: 0.5, value: 2ms}\n      - {p: 1, value: 1ms}\n",
                "t.yaml:8:23: sync.quantiles.1.value: 1ms decreases: the previous one is 2ms",
            ),
            (
                "  sync:\n    quantiles:\n      - {p: 0.5, value: 2ms}\n",
                "t.yaml:7:7: sync.quantiles: the last one must be the largest time, `{p: 1, value: …}`",
            ),
            (
                "  sync: {constant: 2h}\n",
                "t.yaml:5:20: sync.constant: 2h is out of range; use 0s to 1m",
            ),
            (
                "  sync: {constant: 2ms}\n  stalls: {every: 4s, for: 4s}\n",
                "t.yaml:6:19: stalls.every: 4s is not longer than a stall (4s)",
            ),
        ] {
            assert_eq!(error(spec), want);
        }
    }

    #[test]
    fn the_longest_sequence_is_read_and_its_summary_is_short() {
        let times = vec!["412us"; LONGEST_SEQUENCE].join("\n      ");
        let text = format!("{HEAD}  sync:\n    sequence: >\n      {times}\n");
        let medium = Medium::parse("t.yaml", &text).unwrap();
        assert_eq!(medium.sync.median(), 412_000);
        let summary = medium.spec.summary().to_string();
        assert!(summary.contains("\"syncs\":200000"), "{summary}");
        assert!(summary.len() < 200, "{summary}");
        let more = format!("{text}      1ms\n");
        let said = Medium::parse("t.yaml", &more).unwrap_err().to_string();
        assert!(
            said.ends_with("sync.sequence: has 200001 times; use at most 200000"),
            "{said}"
        );
    }

    #[test]
    fn a_wrong_kind_and_a_wrong_name_are_told() {
        let text = format!("{HEAD}  sync: {{constant: 2ms}}\n").replace("Medium", "Workload");
        let said = Medium::parse("t.yaml", &text).unwrap_err().to_string();
        assert_eq!(
            said,
            "t.yaml:2:7: kind: \"Workload\" is not known; known: Medium; a workload's file is for: etcdmark run FILE"
        );
        let said = Medium::load("local-nvm").unwrap_err().to_string();
        assert!(
            said.starts_with(
                "medium \"local-nvm\": no such preset and no such file; did you mean \
                              \"local-nvme\"?; presets: local-nvme, local-ssd,"
            ),
            "{said}"
        );
    }
}
