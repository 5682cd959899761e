//! The percentile spectrum that HdrHistogram's plotters read, as Java's
//! `outputPercentileDistribution` prints it (5 ticks per half distance, values in ms).

use hdrhistogram::Histogram;
use std::fmt::Write;

/// Nanoseconds per printed unit.
const SCALE: f64 = 1e6;

/// The spectrum of a histogram of ns.
pub fn render(h: &Histogram<u64>) -> String {
    let mut out = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    for step in h.iter_quantiles(5) {
        let value = step.value_iterated_to() as f64 / SCALE;
        let q = step.quantile_iterated_to();
        total += step.count_since_last_iteration();
        // Writing to a String cannot fail.
        let _ = if q < 1.0 {
            writeln!(
                out,
                "{value:12.3} {q:14.12} {total:10} {:14.2}",
                1.0 / (1.0 - q)
            )
        } else {
            writeln!(out, "{value:12.3} {q:14.12} {total:10}")
        };
    }
    let (mean, deviation) = if h.is_empty() {
        (0.0, 0.0)
    } else {
        (h.mean() / SCALE, h.stdev() / SCALE)
    };
    let _ = writeln!(
        out,
        "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]"
    );
    let _ = writeln!(
        out,
        "#[Max     = {:12.3}, Total count    = {:12}]",
        h.max() as f64 / SCALE,
        h.len()
    );
    let _ = writeln!(
        out,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        h.buckets(),
        2048
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spectrum_reads_as_java_prints_it() {
        let mut h = crate::measure::hist::layout().unwrap();
        for ms in 1..=4u64 {
            h.saturating_record(ms * 1_000_000);
        }
        let text = render(&h);
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some("       Value     Percentile TotalCount 1/(1-Percentile)")
        );
        assert_eq!(lines.next(), Some(""));
        assert_eq!(
            lines.next(),
            Some("       1.000 0.000000000000          1           1.00")
        );
        assert!(
            text.contains("\n       2.001 0.500000000000          2           2.00\n"),
            "{text}"
        );
        assert!(text.contains("\n       4.002 1.000000000000          4\n#[Mean    =        2.500, StdDeviation   =        1.118]\n"), "{text}");
        assert!(
            text.contains("#[Max     =        4.002, Total count    =            4]\n"),
            "{text}"
        );
    }

    #[test]
    fn an_empty_histogram_is_no_error() {
        assert!(
            render(&crate::measure::hist::layout().unwrap())
                .contains("Total count    =            0]")
        );
    }
}
