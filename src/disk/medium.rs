//! The medium file: a measured disk as `--medium FILE` plays it back.

use super::result::{DirectoryResult, DiskResult};
use crate::document::{ApiVersion, Metadata};
use crate::human::Span;
use crate::human::numbers::count;
use crate::local::Files;
use crate::local::medium::{
    LONGEST_SEQUENCE, MediumFile, MediumKind, MediumSpec, QuantileSpec, SequenceSpec, SyncSpec,
};
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
    let (sync, kept) = sync(directory)?;
    let medium = MediumFile {
        api_version: ApiVersion::V1Alpha2,
        kind: MediumKind::Medium,
        metadata: Metadata {
            name: name_of(name),
            description: None,
        },
        spec: MediumSpec {
            files: Files::All,
            sync,
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
        "{} of {}: {on}; {} fdatasyncs, {kept}, pattern {}, {}, etcdmark {}",
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

/// All that was measured in its order, where a medium may be that long, else its distribution; and that in words.
fn sync(directory: &DirectoryResult) -> Result<(SyncSpec, String), MediumTextError> {
    let none = SyncSpec {
        constant: None,
        quantiles: None,
        sequence: None,
    };
    let (n, first) = (directory.syncs, &directory.first);
    if first.len() as u64 == n {
        let times = first.iter().map(|ns| time(*ns)).collect();
        let sync = SyncSpec {
            sequence: Some(SequenceSpec(times)),
            ..none
        };
        return Ok((sync, "in their order".to_owned()));
    }
    let h = decode(&directory.histogram)?;
    let sync = SyncSpec {
        quantiles: Some(quantiles(&h)),
        ..none
    };
    let most = count(LONGEST_SEQUENCE as u64);
    let kept =
        format!("their distribution (the order of up to {most} is kept: use a shorter --duration)");
    Ok((sync, kept))
}

/// As a medium may have it.
fn time(ns: u64) -> Span {
    Span(Duration::from_nanos(three_digits(ns).max(1)).min(LONGEST))
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
            QuantileSpec { p, value: time(ns) }
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
    use crate::disk::text::tests;
    use crate::local::Medium;
    use crate::measure::Hist;
    use crate::measure::encoded::encode;

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
        fn what_is_written_is_what_is_read(
            syncs in proptest::collection::vec(1..100_000_000_000_u64, 1..400),
            name in ".{0,80}",
            directory in ".{0,20}",
            longer in proptest::bool::ANY,
        ) {
            let mut h = Hist::new();
            syncs.iter().for_each(|ns| h.record(*ns));
            let mut result = tests::result(serde_json::json!([tests::directory(&directory, 1, serde_json::Value::Null)]));
            let measured = &mut result.directories[0];
            measured.histogram = encode(h.histogram().unwrap()).unwrap();
            measured.syncs = syncs.len() as u64 + u64::from(longer);
            measured.first = syncs.clone();
            let text = render(&result, &result.directories[0], &name).unwrap();
            let medium = Medium::parse("m.yaml", &text).unwrap();
            proptest::prop_assert_eq!(medium.spec.sync.quantiles.is_some(), longer);
            if let Some(list) = &medium.spec.sync.sequence {
                let times: Vec<Span> = syncs.iter().map(|ns| time(*ns)).collect();
                proptest::prop_assert_eq!(&list.0, &times);
            }
            let mean = syncs.iter().map(|ns| time(*ns).nanos() as f64).sum::<f64>() / syncs.len() as f64;
            // Between two quantiles of few syncs anything may lie.
            proptest::prop_assert!(longer || (medium.sync.mean() / mean - 1.0).abs() < 1e-9);
            let again = serde_saphyr::to_string(&MediumFile {
                api_version: ApiVersion::V1Alpha2,
                kind: MediumKind::Medium,
                metadata: Metadata { name: medium.name.clone(), description: None },
                spec: medium.spec.clone(),
            }).unwrap();
            proptest::prop_assert_eq!(Medium::parse("m.yaml", &again).unwrap(), medium);
        }

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
