//! `latency.hlog`: the histogram log format 1.3 of HdrHistogram, which its Java tools read
//! (`HistogramLogWriter.java`, `HistogramLogScanner.java`).
//!
//! Values are nanoseconds, the printed maximum is milliseconds, as `HistogramLogProcessor`'s default unit
//! ratio of 1e6 expects. Line times are seconds since the run's t0, which is the base time. The file is
//! only ever appended to, whole lines at a time.

use crate::clock::UnixNanos;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

/// Version of the format.
pub const HLOG_VERSION: &str = "1.3";
/// The printed maximum is ns divided by this: milliseconds.
const MAX_VALUE_DIVISOR: f64 = 1e6;
const LEGEND: &str =
    "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"";

/// A `.hlog` could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HlogError {
    /// The file, the disk or the pipe.
    #[error("cannot access the histogram log: {0}")]
    Io(#[from] io::Error),
    /// A tag would break the line apart.
    #[error(
        "histogram tag {0:?} holds a comma, a space or a line break, which the .hlog format does not allow"
    )]
    Tag(String),
    /// The histogram could not be encoded.
    #[error("cannot encode a histogram: {0}")]
    Encode(String),
    /// A line is not what it should be.
    #[error("histogram log line {line}: {problem} (a line is [Tag=…,]start,length,max,HISTF…)")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong, with the value.
        problem: String,
    },
}

/// Writes a `.hlog`.
pub struct HlogWriter<W: Write> {
    out: W,
    serializer: V2DeflateSerializer,
    payload: Vec<u8>,
    line: String,
}

impl<W: Write> HlogWriter<W> {
    /// Writes the header of a log whose t = 0 is at `t0` (ns since the Unix epoch); `version` is the
    /// program's own.
    pub fn new(mut out: W, t0: UnixNanos, version: &str) -> Result<Self, HlogError> {
        let seconds = t0 as f64 / 1e9;
        let date = jiff::Timestamp::from_nanosecond(i128::from(t0))
            .map(|t| t.strftime("%a %b %d %H:%M:%S UTC %Y").to_string())
            .unwrap_or_default();
        // Java guesses whether line times are absolute when there is no base time.
        let header = format!(
            "#[Logged with etcdmark {version}]\n\
             #[Histogram log format version {HLOG_VERSION}]\n\
             #[StartTime: {seconds:.3} (seconds since epoch), {date}]\n\
             #[BaseTime: {seconds:.3} (seconds since epoch)]\n\
             {LEGEND}\n"
        );
        out.write_all(header.as_bytes())?;
        Ok(HlogWriter {
            out,
            serializer: V2DeflateSerializer::new(),
            payload: Vec::new(),
            line: String::new(),
        })
    }

    /// Appends one interval, as one write: `length` seconds from `start` (since t = 0); values in nanoseconds.
    pub fn write(
        &mut self,
        start: f64,
        length: f64,
        tag: Option<&str>,
        histogram: &Histogram<u64>,
    ) -> Result<(), HlogError> {
        self.line.clear();
        if let Some(tag) = tag {
            if tag.contains([',', ' ', '\r', '\n']) {
                return Err(HlogError::Tag(tag.to_owned()));
            }
            let _ = write!(self.line, "Tag={tag},");
        }
        self.payload.clear();
        self.serializer
            .serialize(histogram, &mut self.payload)
            .map_err(|e| HlogError::Encode(e.to_string()))?;
        let max = histogram.max() as f64 / MAX_VALUE_DIVISOR;
        let _ = write!(self.line, "{:.3},{:.3},{max:.3},", start, length);
        STANDARD.encode_string(&self.payload, &mut self.line);
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())?;
        Ok(())
    }

    /// Flushes the output: once per interval, so that a reader (or what is left after SIGKILL) has it all.
    pub fn flush(&mut self) -> Result<(), HlogError> {
        Ok(self.out.flush()?)
    }

    /// The output.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// The output, flushed.
    pub fn into_inner(mut self) -> Result<W, HlogError> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// One interval of a `.hlog`.
#[derive(Debug)]
pub struct HlogEntry {
    /// Line number, from 1.
    pub line: u64,
    /// Seconds since the base time.
    pub start: f64,
    /// Seconds.
    pub length: f64,
    /// As written; none on untagged lines.
    pub tag: Option<String>,
    /// Nanoseconds.
    pub histogram: Histogram<u64>,
}

/// A last line that a crash cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncompleteLine {
    /// Line number, from 1.
    pub line: u64,
    /// Bytes of it that are there.
    pub bytes: usize,
}

/// Reads a `.hlog`, one interval at a time (each is 264 KiB in memory: add them up as they come). After
/// the last one, [`HlogReader::torn`] tells whether the file ends within a line.
pub struct HlogReader<R: BufRead> {
    input: R,
    deserializer: Deserializer,
    line: u64,
    buffer: Vec<u8>,
    start_time: Option<f64>,
    base_time: Option<f64>,
    torn: Option<IncompleteLine>,
    ended: bool,
}

impl<R: BufRead> HlogReader<R> {
    /// Reads from here.
    pub fn new(input: R) -> Self {
        HlogReader {
            input,
            deserializer: Deserializer::new(),
            line: 0,
            buffer: Vec::new(),
            start_time: None,
            base_time: None,
            torn: None,
            ended: false,
        }
    }

    /// The header's start time, seconds since the Unix epoch, once an interval has been read.
    pub fn start_time(&self) -> Option<f64> {
        self.start_time
    }

    /// The header's base time, seconds since the Unix epoch, once an interval has been read.
    pub fn base_time(&self) -> Option<f64> {
        self.base_time
    }

    /// The cut-off last line, if there is one, once everything has been read.
    pub fn torn(&self) -> Option<IncompleteLine> {
        self.torn
    }

    fn read(&mut self) -> Result<Option<HlogEntry>, HlogError> {
        loop {
            self.buffer.clear();
            let bytes = self.input.read_until(b'\n', &mut self.buffer)?;
            if bytes == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.buffer.pop() != Some(b'\n') {
                // Even if it looks whole: the writer ends every line, so something is missing.
                self.torn = Some(IncompleteLine {
                    line: self.line,
                    bytes,
                });
                return Ok(None);
            }
            let buffer = std::mem::take(&mut self.buffer);
            let entry = self.parse(&buffer);
            self.buffer = buffer;
            if let Some(entry) = entry? {
                return Ok(Some(entry));
            }
        }
    }

    /// None for a comment, the legend or an empty line.
    fn parse(&mut self, bytes: &[u8]) -> Result<Option<HlogEntry>, HlogError> {
        let text = str::from_utf8(bytes).map_err(|_| self.problem("is not text".into()))?;
        let text = text.trim_end_matches('\r');
        if let Some(comment) = text.strip_prefix('#') {
            self.comment(comment);
            return Ok(None);
        }
        if text.is_empty() || text.starts_with('"') {
            return Ok(None);
        }
        let (tag, rest) = match text.strip_prefix("Tag=") {
            None => (None, text),
            Some(rest) => match rest.split_once(',') {
                Some((tag, rest)) => (Some(tag.to_owned()), rest),
                None => return Err(self.problem(format!("{} has no fields", shorten(text)))),
            },
        };
        let fields: Vec<&str> = rest.split(',').collect();
        let &[start, length, max, histogram] = fields.as_slice() else {
            let problem = format!("{} has {} fields instead of 4", shorten(rest), fields.len());
            return Err(self.problem(problem));
        };
        let (start, length) = (self.number("start", start)?, self.number("length", length)?);
        self.number("max", max)?;
        let histogram = self.histogram(histogram)?;
        Ok(Some(HlogEntry {
            line: self.line,
            start,
            length,
            tag,
            histogram,
        }))
    }

    fn comment(&mut self, comment: &str) {
        let seconds = |name| {
            let value: &str = comment.strip_prefix(name)?;
            value.split_whitespace().next()?.parse().ok()
        };
        self.start_time = self.start_time.or_else(|| seconds("[StartTime:"));
        self.base_time = self.base_time.or_else(|| seconds("[BaseTime:"));
    }

    fn number(&self, name: &str, text: &str) -> Result<f64, HlogError> {
        match text.parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(x),
            _ => Err(self.problem(format!("{name} {} is not a number", shorten(text)))),
        }
    }

    fn histogram(&mut self, text: &str) -> Result<Histogram<u64>, HlogError> {
        let bytes = STANDARD
            .decode(text)
            .map_err(|e| self.problem(format!("histogram is not base64: {e}")))?;
        self.deserializer
            .deserialize(&mut bytes.as_slice())
            .map_err(|e| self.problem(format!("cannot decode the histogram: {e}")))
    }

    fn problem(&self, problem: String) -> HlogError {
        HlogError::Line {
            line: self.line,
            problem,
        }
    }
}

impl<R: BufRead> Iterator for HlogReader<R> {
    type Item = Result<HlogEntry, HlogError>;

    /// Nothing follows an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.read().transpose();
        self.ended = !matches!(entry, Some(Ok(_)));
        entry
    }
}

fn shorten(text: &str) -> String {
    let start: String = text.chars().take(40).collect();
    if start.len() < text.len() {
        format!("{start:?}…")
    } else {
        format!("{start:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::hist::Hist;
    use proptest::prelude::*;

    const T0: UnixNanos = 1_795_320_483_075_000_000;

    fn tag(class: &str) -> String {
        format!("measure|main|{class}|response")
    }

    fn hist(values: &[u64]) -> Hist {
        let mut h = Hist::new();
        values.iter().for_each(|&v| h.record(v));
        h
    }

    fn log(seconds: &[Vec<u64>]) -> Vec<u8> {
        let mut w = HlogWriter::new(Vec::new(), T0, "0.1.0").unwrap();
        for (i, values) in seconds.iter().enumerate() {
            let h = hist(values);
            let Some(histogram) = h.histogram() else {
                continue;
            };
            for tag in [None, Some(tag("node-lease/update"))] {
                w.write(i as f64, 1.0, tag.as_deref(), histogram).unwrap();
            }
        }
        w.into_inner().unwrap()
    }

    fn read(bytes: &[u8]) -> (Result<Vec<HlogEntry>, HlogError>, Option<IncompleteLine>) {
        let mut r = HlogReader::new(bytes);
        let entries = r.by_ref().collect();
        (entries, r.torn())
    }

    #[test]
    fn the_text_is_what_java_expects() {
        let text = String::from_utf8(log(&[vec![1_000_000, 6_000_000]])).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..5],
            [
                "#[Logged with etcdmark 0.1.0]",
                "#[Histogram log format version 1.3]",
                "#[StartTime: 1795320483.075 (seconds since epoch), Sun Nov 22 04:08:03 UTC 2026]",
                "#[BaseTime: 1795320483.075 (seconds since epoch)]",
                LEGEND,
            ]
        );
        assert!(
            lines[5].starts_with("0.000,1.000,6.001,HISTF"),
            "{}",
            lines[5]
        );
        assert!(
            lines[6]
                .starts_with("Tag=measure|main|node-lease/update|response,0.000,1.000,6.001,HISTF")
        );
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn a_tag_that_breaks_the_line_is_refused() {
        let h = hist(&[1]);
        let mut w = HlogWriter::new(Vec::new(), T0, "0").unwrap();
        let refused = w.write(0.0, 1.0, Some(&tag("a,b")), h.histogram().unwrap());
        assert!(matches!(refused, Err(HlogError::Tag(_))));
        assert!(String::from_utf8_lossy(w.get_ref()).ends_with(&format!("{LEGEND}\n")));
    }

    #[test]
    fn a_torn_last_line_is_reported_wherever_it_is_cut() {
        let bytes = log(&[vec![1, 2, 3], vec![4]]);
        let before = bytes[..bytes.len() - 1]
            .iter()
            .rposition(|&b| b == b'\n')
            .unwrap()
            + 1;
        assert_eq!(read(&bytes).1, None);
        for cut in before + 1..bytes.len() {
            let (entries, torn) = read(&bytes[..cut]);
            assert_eq!(entries.unwrap().len(), 3);
            assert_eq!(
                torn,
                Some(IncompleteLine {
                    line: 9,
                    bytes: cut - before
                })
            );
        }
    }

    #[test]
    fn other_garbage_is_refused_with_its_line() {
        for (garbage, part) in [
            ("hello\n", "1 fields instead of 4"),
            ("x,1.000,1.000,HISTFAAAA\n", "start \"x\" is not a number"),
            ("0.000,1.000,nan,HISTFAAAA\n", "max \"nan\" is not a number"),
            ("0.000,1.000,1.000,!!!\n", "not base64"),
            ("0.000,1.000,1.000,HISTFAAAA\n", "histogram"),
            ("Tag=x\n", "has no fields"),
        ] {
            let mut bytes = log(&[vec![1]]);
            bytes.extend_from_slice(garbage.as_bytes());
            bytes.extend_from_slice(b"# a later line\n");
            let e = read(&bytes).0.unwrap_err().to_string();
            assert!(e.contains("line 8") && e.contains(part), "{e}");
        }
    }

    #[test]
    fn times_of_the_header_are_read() {
        let bytes = log(&[vec![1]]);
        let mut r = HlogReader::new(bytes.as_slice());
        assert!(r.next().is_some_and(|e| e.is_ok()));
        assert_eq!(
            (r.start_time(), r.base_time()),
            (Some(1_795_320_483.075), Some(1_795_320_483.075))
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            seconds in proptest::collection::vec(
                proptest::collection::vec(0..4_000_000_000_000_u64, 1..30), 1..5),
        ) {
            let (entries, torn) = read(&log(&seconds));
            let entries = entries.unwrap();
            prop_assert_eq!(torn, None);
            prop_assert_eq!(entries.len(), 2 * seconds.len());
            for (i, e) in entries.iter().enumerate() {
                prop_assert_eq!(e.start, (i / 2) as f64);
                prop_assert_eq!(e.length, 1.0);
                let expected = hist(&seconds[i / 2]);
                prop_assert_eq!(Some(&e.histogram), expected.histogram());
                let expected = (i % 2 == 1).then(|| tag("node-lease/update"));
                prop_assert_eq!(e.tag.clone(), expected);
            }
        }

        #[test]
        fn no_damage_makes_it_panic(position in 0..2000_usize, byte: u8) {
            let mut bytes = log(&[vec![1, 1_000_000], vec![3_600_000_000_000]]);
            let position = position % bytes.len();
            bytes[position] = byte;
            let _ = read(&bytes);
        }
    }
}
