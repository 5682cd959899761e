//! Numbers as people read them.

/// Three significant digits, no trailing zeros: 4, 4.12, 41.2, 412.
pub(crate) fn three(x: f64) -> String {
    let digits = match x.abs() {
        a if a >= 99.95 => 0,
        a if a >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{x:.digits$}");
    if digits == 0 {
        text
    } else {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// Seconds, in the unit that suits: `620 µs`, `4.12 ms`, `1 s`, `2 min 5 s`.
pub(crate) fn seconds(s: f64) -> String {
    match s {
        s if s <= 0.0 => "0 s".to_owned(),
        s if s < 0.999_5e-6 => format!("{} ns", three(s * 1e9)),
        s if s < 0.999_5e-3 => format!("{} µs", three(s * 1e6)),
        s if s < 0.999_5 => format!("{} ms", three(s * 1e3)),
        s if s < 119.5 => format!("{} s", three(s)),
        s => {
            let whole = s.round() as u64;
            let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
            if h >= 48 {
                format!("{} days", three(whole as f64 / 86_400.0))
            } else if h > 0 {
                format!("{h} h {m} min")
            } else if s > 0 {
                format!("{m} min {s} s")
            } else {
                format!("{m} min")
            }
        }
    }
}

/// Nanoseconds, likewise.
pub(crate) fn ns(ns: u64) -> String {
    seconds(ns as f64 / 1e9)
}

/// `12,300`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 key`, `12,300 keys`.
pub(crate) fn things(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Per second: `0.2`, `98`, `9,800`.
pub(crate) fn rate(r: f64) -> String {
    if r >= 99.95 {
        count(r.round() as u64)
    } else {
        three(r)
    }
}

/// A share: `3.2 %`, `0.004 %`.
pub(crate) fn percent(share: f64) -> String {
    let p = share * 100.0;
    match p {
        p if p <= 0.0 => "0 %".to_owned(),
        p if p < 0.001 => "< 0.001 %".to_owned(),
        p if p < 0.1 => format!("{p:.3} %"),
        p if p < 9.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// `12.3 MiB`.
pub(crate) fn bytes(b: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (b, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three(value), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_in_the_unit_that_suits() {
        let cases = [
            (0.0, "0 s"),
            (850e-9, "850 ns"),
            (0.000_62, "620 µs"),
            (0.000_999_9, "1 ms"),
            (0.004_123, "4.12 ms"),
            (0.041_23, "41.2 ms"),
            (1.0, "1 s"),
            (40.0, "40 s"),
            (125.2, "2 min 5 s"),
            (300.0, "5 min"),
            (7_260.0, "2 h 1 min"),
            (200_000.0, "2.31 days"),
        ];
        for (s, text) in cases {
            assert_eq!(seconds(s), text);
        }
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(things(1, "key"), "1 key");
        assert_eq!(things(0, "key"), "0 keys");
        assert_eq!(rate(9_800.4), "9,800");
        assert_eq!(rate(0.2), "0.2");
        assert_eq!(percent(0.032), "3.2 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(bytes(2_147_483_648.0), "2 GiB");
    }
}
