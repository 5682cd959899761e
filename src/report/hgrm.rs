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
    use expect_test::expect;

    #[test]
    fn the_spectrum_reads_as_java_prints_it() {
        let mut h = crate::measure::hist::layout().unwrap();
        for ms in 1..=4u64 {
            h.saturating_record(ms * 1_000_000);
        }
        expect![[r#"
                   Value     Percentile TotalCount 1/(1-Percentile)

                   1.000 0.000000000000          1           1.00
                   1.000 0.100000000000          1           1.11
                   1.000 0.200000000000          1           1.25
                   2.001 0.300000000000          2           1.43
                   2.001 0.400000000000          2           1.67
                   2.001 0.500000000000          2           2.00
                   3.000 0.550000000000          3           2.22
                   3.000 0.600000000000          3           2.50
                   3.000 0.650000000000          3           2.86
                   3.000 0.700000000000          3           3.33
                   4.002 0.750000000000          4           4.00
                   4.002 1.000000000000          4
            #[Mean    =        2.500, StdDeviation   =        1.118]
            #[Max     =        4.002, Total count    =            4]
            #[Buckets =           32, SubBuckets     =         2048]
        "#]]
        .assert_eq(&render(&h));
    }

    #[test]
    fn an_empty_histogram_is_no_error() {
        let empty = crate::measure::hist::layout().unwrap();
        expect![[r#"
                   Value     Percentile TotalCount 1/(1-Percentile)

            #[Mean    =        0.000, StdDeviation   =        0.000]
            #[Max     =        0.000, Total count    =            0]
            #[Buckets =           32, SubBuckets     =         2048]
        "#]]
        .assert_eq(&render(&empty));
    }
}
