//! The medium file: a measured disk as `--medium FILE` plays it back.

use super::result::{DirectoryResult, DiskResult};
use crate::document::{ApiVersion, Metadata};
use crate::human::Span;
use crate::human::numbers::count;
use crate::local::Files;
use crate::local::medium::{MediumFile, MediumKind, MediumSpec, QuantileSpec, SyncSpec};
use crate::measure::encoded::{EncodedError, decode};
use crate::measure::percentile::value_at_rank;
use hdrhistogram::Histogram;
use std::time::Duration;

/// The quantiles that are written, as far as there are syncs for them.
const QUANTILES: [f64; 17] = [
    0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995,
    0.9999, 0.99999,
];
/// The longest name.
const NAME: usize = 63;
/// The longest sync that a medium may have.
const LONGEST: Duration = Duration::from_secs(60);

/// A directory's measurement that cannot be written as a medium.
#[derive(Debug, thiserror::Error)]
pub enum MediumTextError {
    #[error("nothing was measured")]
    Empty,
    #[error(transparent)]
    Histogram(#[from] EncodedError),
    #[error("cannot write it as YAML: {0}")]
    Yaml(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The file's text for one directory of a result.
///
/// # Errors
/// When nothing was measured in it, or it cannot be written as YAML.
pub fn render(
    result: &DiskResult,
    directory: &DirectoryResult,
    name: &str,
) -> Result<String, MediumTextError> {
    if directory.syncs == 0 {
        return Err(MediumTextError::Empty);
    }
    let h = decode(&directory.histogram)?;
    let medium = MediumFile {
        api_version: ApiVersion::V1Alpha2,
        kind: MediumKind::Medium,
        metadata: Metadata {
            name: name_of(name),
            description: None,
        },
        spec: MediumSpec {
            files: Files::All,
            sync: SyncSpec {
                constant: None,
                quantiles: Some(quantiles(&h)),
            },
            stalls: None,
        },
    };
    let yaml = serde_saphyr::to_string(&medium).map_err(|e| MediumTextError::Yaml(e.into()))?;
    let fs = &directory.file_system;
    let mut on = fs.kind.clone();
    if let Some(device) = &directory.device {
        on += &format!(" on {device}");
    }
    // Names of files and devices may hold anything; a comment ends with its line.
    let line = format!(
        "{} of {}: {on}; {} fdatasyncs, pattern {}, {}, etcdmark {}",
        directory.directory,
        result.machine.hostname,
        count(directory.syncs),
        result.pattern.name,
        result.started,
        result.version
    );
    Ok(format!(
        "# Measured: {}\n{yaml}",
        line.replace(|c: char| c.is_control(), " ")
    ))
}

/// What is in a histogram of ns; the last quantile is 1.
fn quantiles(h: &Histogram<u64>) -> Vec<QuantileSpec> {
    let n = h.len();
    // One sync at least lies beyond each.
    let known = QUANTILES.iter().filter(|p| n as f64 * (1.0 - **p) >= 1.0);
    known
        .chain([1.0].iter())
        .map(|&p| {
            let rank = ((p * n as f64).ceil() as u64).clamp(1, n.max(1));
            let ns = value_at_rank(h, rank).unwrap_or(1).min(h.max());
            let time = Duration::from_nanos(three_digits(ns).max(1)).min(LONGEST);
            QuantileSpec {
                p,
                value: Span(time),
            }
        })
        .collect()
}

/// The histogram has three significant digits: more would be noise.
fn three_digits(ns: u64) -> u64 {
    let unit = 10_u64.pow(ns.checked_ilog10().unwrap_or(0).saturating_sub(2));
    ns.saturating_add(unit / 2) / unit * unit
}

/// A name as files have them: lower-case letters, digits and dashes.
fn name_of(text: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = text.chars().map(plain).collect();
    let parts: Vec<&str> = name.split('-').filter(|p| !p.is_empty()).collect();
    let name = parts.join("-");
    // A name begins with a letter, and a date does not.
    let name = match name.starts_with(|c: char| c.is_ascii_lowercase()) {
        true => name,
        false => format!("measured-{name}"),
    };
    let name: String = name.chars().take(NAME).collect();
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Hist;

    fn of(values: impl IntoIterator<Item = u64>) -> Vec<(f64, String)> {
        let mut h = Hist::new();
        values.into_iter().for_each(|v| h.record(v));
        let list = quantiles(h.histogram().unwrap());
        list.into_iter()
            .map(|q| (q.p, q.value.to_string()))
            .collect()
    }

    #[test]
    fn quantiles_rise_end_with_the_longest_and_are_only_those_seen() {
        let all = of((1..=1000).map(|i| i * 1_000));
        assert_eq!(all.first().map(|q| q.0), Some(0.0));
        assert_eq!(all.last().cloned(), Some((1.0, "1ms".to_owned())));
        assert!(all.contains(&(0.5, "500us".to_owned())), "{all:?}");
        assert!(all.contains(&(0.99, "990us".to_owned())), "{all:?}");
        // One in a thousand is beyond 0.999, and none is beyond 0.9999.
        assert_eq!(all[all.len() - 2].0, 0.999);
        assert_eq!(of([7]), [(0.0, "7ns".to_owned()), (1.0, "7ns".to_owned())]);
        assert_eq!(of([90_000_000_000])[1].1, "1m");
    }

    #[test]
    fn three_digits_stay() {
        for (ns, want) in [
            (0, 0),
            (999, 999),
            (123_456, 123_000),
            (123_500, 124_000),
            (99_960, 100_000),
        ] {
            assert_eq!(three_digits(ns), want);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_name_is_one_that_media_may_have(text in ".{0,80}") {
            let name = name_of(&text);
            proptest::prop_assert!(crate::document::check_name("metadata.name", &name).is_ok(), "{}", name);
        }
    }

    #[test]
    fn names_are_what_files_allow() {
        assert_eq!(name_of("Prod gp3 (us-east)"), "prod-gp3-us-east");
        assert_eq!(name_of("..."), "measured");
        assert_eq!(name_of("2026-11-26"), "measured-2026-11-26");
    }
}
