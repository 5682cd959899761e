//! `latency.hlog`: HdrHistogram interval log 1.3, V2 deflate, nanoseconds.

use super::event::{HistogramLine, HistogramTag};
use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use std::io::{self, Write};

/// Writes the log, a line at a time.
pub struct HlogWriter<W> {
    w: W,
    serializer: V2DeflateSerializer,
    buffer: Vec<u8>,
}

impl<W: Write> HlogWriter<W> {
    /// Begins a log: version line, start and base time, legend.
    pub fn new(mut w: W, start_unix_ns: u64) -> io::Result<Self> {
        let start = format!(
            "{}.{:03}",
            start_unix_ns / 1_000_000_000,
            start_unix_ns / 1_000_000 % 1000
        );
        writeln!(w, "#[Logged with etcdmark {}]", env!("CARGO_PKG_VERSION"))?;
        writeln!(w, "#[Histogram log format version 1.3]")?;
        writeln!(w, "#[StartTime: {start} (seconds since epoch)]")?;
        writeln!(w, "#[BaseTime: {start} (seconds since epoch)]")?;
        writeln!(
            w,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
        )?;
        Ok(HlogWriter {
            w,
            serializer: V2DeflateSerializer::new(),
            buffer: Vec::new(),
        })
    }

    /// Appends an interval.
    pub fn line(&mut self, line: &HistogramLine<'_>) -> io::Result<()> {
        self.buffer.clear();
        self.serializer
            .serialize(line.histogram, &mut self.buffer)
            .map_err(|e| io::Error::other(e.to_string()))?;
        let payload = base64::engine::general_purpose::STANDARD.encode(&self.buffer);
        let tag = line
            .tag
            .as_ref()
            .map(|t| format!("Tag={t},"))
            .unwrap_or_default();
        let max = line.histogram.max() as f64 / 1e6;
        writeln!(
            self.w,
            "{tag}{:.3},{:.3},{max:.3},{payload}",
            line.start, line.length
        )
    }

    /// Hands everything to the operating system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.w.flush()
    }
}

/// One interval of a log.
pub(crate) struct Line {
    pub(crate) tag: Option<HistogramTag>,
    pub(crate) start: f64,
    pub(crate) length: f64,
    pub(crate) histogram: Histogram<u64>,
}

/// Reads one line (without its newline): None for comments and the legend.
pub(crate) fn parse(text: &str) -> Result<Option<Line>, String> {
    if text.is_empty() || text.starts_with(['#', '"']) {
        return Ok(None);
    }
    let (tag, rest) = match text.strip_prefix("Tag=") {
        Some(tagged) => {
            let (tag, rest) = tagged.split_once(',').ok_or("a tag without an interval")?;
            (Some(tag.parse()?), rest)
        }
        None => (None, text),
    };
    let mut parts = rest.splitn(4, ',');
    let mut number = |what: &str| -> Result<f64, String> {
        parts
            .next()
            .and_then(|s| s.parse().ok())
            .ok_or_else(|| format!("no {what}"))
    };
    let (start, length) = (number("start")?, number("length")?);
    number("maximum")?;
    let payload = parts.next().ok_or("no histogram")?;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(payload)
        .map_err(|e| e.to_string())?;
    let histogram = Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|e| e.to_string())?;
    Ok(Some(Line {
        tag,
        start,
        length,
        histogram,
    }))
}
