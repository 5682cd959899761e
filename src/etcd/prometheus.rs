//! Prometheus' text format, version 0.0.4 (what etcd's `/metrics` speaks), line by line.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::borrow::Cow;

/// One line that is no comment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// `etcd_disk_wal_fsync_duration_seconds_bucket`.
    pub name: &'a str,
    /// Checked when the sample was read; unescaped when asked for.
    pub labels: Labels<'a>,
    /// Any number, infinities and NaN too.
    pub value: f64,
}

/// What stands in a sample's braces: (name, value) pairs, in the page's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Labels<'a>(&'a str);

/// The samples of a page. Comments and lines that are not understood are left out; timestamps are not kept.
pub fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    page.lines().filter_map(sample)
}

/// The value of a metric without labels, if it is a finite number.
pub fn value(page: &str, name: &str) -> Option<f64> {
    samples(page)
        .find(|s| s.name == name && s.labels.is_empty() && s.value.is_finite())
        .map(|s| s.value)
}

impl<'a> Labels<'a> {
    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The value of one label.
    pub fn get(mut self, name: &str) -> Option<Cow<'a, str>> {
        self.find_map(|(key, value)| (key == name).then_some(value))
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value, rest) = label(self.0)?;
        self.0 = rest;
        Some((name, unescaped(value)))
    }
}

/// `name{labels} value [timestamp]`.
fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, rest) = word(line.trim_start(), b":")?;
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(inside) => {
            let inside = inside.trim_start();
            let mut rest = inside;
            while let Some((_, _, after)) = label(rest) {
                rest = after;
            }
            let labels = &inside[..inside.len() - rest.len()];
            (Labels(labels), rest.strip_prefix('}')?)
        }
        // Without labels only a blank separates the name from the value.
        None => (Labels::default(), rest.strip_prefix([' ', '\t'])?),
    };
    let mut words = rest.split_ascii_whitespace();
    let value = words.next()?.parse().ok()?;
    let understood = words.next().is_none_or(|t| t.parse::<i64>().is_ok());
    (understood && words.next().is_none()).then_some(Sample {
        name,
        labels,
        value,
    })
}

/// `name="value"` and the comma after it → name, value with its escapes, what comes then. Without a comma it is the last.
fn label(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = word(text, b"")?;
    let rest = rest.trim_start().strip_prefix('=')?;
    let rest = rest.trim_start().strip_prefix('"')?;
    let mut escaped = false;
    let end = rest.bytes().position(|b| {
        let ends = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    })?;
    let (value, after) = (&rest[..end], rest[end + 1..].trim_start());
    match after.strip_prefix(',') {
        Some(next) => Some((name, value, next.trim_start())),
        None if after.is_empty() || after.starts_with('}') => Some((name, value, after)),
        None => None,
    }
}

/// A name of letters, digits, `_` and `also`, that begins with no digit, and what comes after it.
fn word<'a>(text: &'a str, also: &[u8]) -> Option<(&'a str, &'a str)> {
    let of_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || also.contains(&b);
    let end = text.bytes().position(|b| !of_name(b))?;
    let (name, rest) = text.split_at(end);
    let first = name.bytes().next()?;
    (!first.is_ascii_digit()).then_some((name, rest))
}

/// `\\`, `\"` and `\n` are all escapes that there are; another backslash stands for itself.
fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some(next @ ('\\' | '"' | 'n'))) => {
                text.push(if next == 'n' { '\n' } else { next });
                chars.next();
            }
            _ => text.push(c),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests;
