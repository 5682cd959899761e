//! A run's directory: `events.jsonl` and `latency.hlog` (append-only, flushed each second; the truth),
//! and `result.json` (made from them).

use super::event::{Event, HistogramLine, Sink, SinkError};
use super::json;
use super::result::RunResult;
use crate::measure::hlog::{HlogError, HlogWriter};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The event stream.
pub const EVENTS: &str = "events.jsonl";
/// The interval histograms.
pub const HLOG: &str = "latency.hlog";
/// The result.
pub const RESULT: &str = "result.json";

/// Why a result directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// `--out` names something that is not a directory.
    #[error("--out {0}: not a directory; name a new or empty directory")]
    NotADirectory(PathBuf),
    /// It already holds files.
    #[error(
        "--out {0}: the directory is not empty (it contains {1}); etcdmark never overwrites results: name a new \
         or empty directory"
    )]
    NotEmpty(PathBuf, String),
    /// It cannot be made or written.
    #[error("--out {path}: cannot {what}: {source}")]
    Unwritable {
        /// The directory or the file in it.
        path: PathBuf,
        /// `create the directory`, `write a file in it` …
        what: &'static str,
        source: io::Error,
    },
}

/// An empty, writable directory for one run.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// What was made for it, the outermost first: what [`RunDirectory::discard`] takes away.
    made: Vec<PathBuf>,
}

/// Creates a directory and its parents; returns those that were not there, the outermost first.
pub(crate) fn make(path: &Path) -> io::Result<Vec<PathBuf>> {
    let absent = |p: &&Path| !p.as_os_str().is_empty() && !p.exists();
    let made = path.ancestors().take_while(absent);
    let mut made: Vec<PathBuf> = made.map(Path::to_owned).collect();
    made.reverse();
    fs::create_dir_all(path)?;
    Ok(made)
}

/// Removes directories that [`make`] made, as far as they are empty.
pub(crate) fn unmake(made: &[PathBuf]) {
    for path in made.iter().rev() {
        // A parent that another run uses by now is not empty, and stays.
        let _ = fs::remove_dir(path);
    }
}

/// Writes a file whole or not at all.
pub(crate) fn whole(path: &Path, text: &str) -> io::Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, text)?;
    fs::rename(&partial, path)
}

/// Removes a directory and what is in it, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

impl RunDirectory {
    /// Creates the directory and its parents, or takes an empty one. Finds out now whether files can be
    /// written there, not when there is something to lose.
    pub fn create(path: &Path) -> Result<Self, DirectoryError> {
        let refused = |what: &'static str| {
            move |source| DirectoryError::Unwritable {
                path: path.to_owned(),
                what,
                source,
            }
        };
        let made = match fs::metadata(path) {
            Ok(m) if !m.is_dir() => return Err(DirectoryError::NotADirectory(path.to_owned())),
            Ok(_) => {
                let mut entries = fs::read_dir(path).map_err(refused("list the directory"))?;
                if let Some(entry) = entries.next() {
                    let entry = entry.map_err(refused("list the directory"))?;
                    let name = entry.file_name().to_string_lossy().into_owned();
                    return Err(DirectoryError::NotEmpty(path.to_owned(), name));
                }
                Vec::new()
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                make(path).map_err(refused("create the directory"))?
            }
            Err(e) => return Err(refused("look at the directory")(e)),
        };
        let probe = path.join(".etcdmark-probe");
        File::create(&probe).map_err(refused("write a file in it"))?;
        fs::remove_file(&probe).map_err(refused("remove a file in it"))?;
        Ok(RunDirectory {
            path: path.to_owned(),
            made,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what was made of it, when nothing came of the run.
    pub fn discard(&self) {
        for name in [EVENTS, HLOG] {
            // Best effort: what cannot be removed does no harm.
            let _ = fs::remove_file(self.path.join(name));
        }
        unmake(&self.made);
    }

    /// Opens the two append-only files. The log of histograms begins with the run's header, which says
    /// when t = 0 was.
    pub fn sink(&self) -> Result<FileSink, SinkError> {
        Ok(FileSink {
            path: self.path.clone(),
            events: BufWriter::new(self.append(EVENTS)?),
            log: Log::Waiting(self.append(HLOG)?),
            broken: false,
        })
    }

    /// Writes `result.json`, whole or not at all.
    pub fn write_result(&self, result: &RunResult) -> Result<PathBuf, SinkError> {
        let path = self.path.join(RESULT);
        let partial = self.path.join(".result.json.partial");
        let written = (|| {
            let mut file = File::create(&partial)?;
            file.write_all(json::render(result).map_err(io::Error::other)?.as_bytes())?;
            file.flush()?;
            fs::rename(&partial, &path)
        })();
        match written {
            Ok(()) => Ok(path),
            Err(e) => {
                // Best effort: the error that matters is the first one.
                let _ = fs::remove_file(&partial);
                Err(failed(&path, e))
            }
        }
    }

    fn append(&self, name: &str) -> Result<File, SinkError> {
        let path = self.path.join(name);
        OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(|e| failed(&path, e))
    }
}

fn failed(path: &Path, source: io::Error) -> SinkError {
    let mut what = path.display().to_string();
    let full = [
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::FileTooLarge,
    ];
    if full.contains(&source.kind()) {
        what.push_str(
            " (the disk is full or a limit is reached; the results so far are kept; free space, or \
                       use --out on another disk)",
        );
    }
    SinkError { what, source }
}

fn io_error(e: HlogError) -> io::Error {
    match e {
        HlogError::Io(e) => e,
        e => io::Error::other(e),
    }
}

/// The log of histograms, which cannot begin before the header has said when t = 0 was.
enum Log {
    Waiting(File),
    Open(HlogWriter<BufWriter<File>>),
    Lost,
}

impl Log {
    fn begin(&mut self, start_unix_ns: u64) -> io::Result<()> {
        if let Log::Waiting(file) = std::mem::replace(self, Log::Lost) {
            let file = BufWriter::new(file);
            let writer = HlogWriter::new(file, start_unix_ns, env!("CARGO_PKG_VERSION"));
            *self = Log::Open(writer.map_err(io_error)?);
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<&mut HlogWriter<BufWriter<File>>> {
        match self {
            Log::Open(writer) => Ok(writer),
            _ => Err(io::Error::other("a histogram came before the header")),
        }
    }
}

/// Writes events and histograms to a [`RunDirectory`]. After its first error it refuses the rest
/// quietly, so that one full disk is one message and nothing is appended after a gap.
pub struct FileSink {
    path: PathBuf,
    events: BufWriter<File>,
    log: Log,
    broken: bool,
}

impl FileSink {
    fn guard(&mut self, file: &str, result: io::Result<()>) -> Result<(), SinkError> {
        result.map_err(|e| {
            self.broken = true;
            failed(&self.path.join(file), e)
        })
    }
}

/// JSON has no NaN: values that are none are left out, as if the member had not told them.
fn finite(event: &Event) -> Option<Event> {
    let mut event = event.clone();
    let values = match &mut event {
        Event::Server(s) => &mut s.values,
        Event::Host(h) => &mut h.values,
        _ => return None,
    };
    if values.values().all(|v| v.is_finite()) {
        return None;
    }
    values.retain(|_, v| v.is_finite());
    Some(event)
}

impl Sink for FileSink {
    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        if self.broken {
            return Ok(());
        }
        if let Event::Header(header) = event {
            let begun = self.log.begin(header.t0_unix_ns);
            self.guard(HLOG, begun)?;
        }
        let clean = finite(event);
        let line = serde_json::to_string(clean.as_ref().unwrap_or(event));
        let written = line.map_err(io::Error::other).and_then(|mut line| {
            line.push('\n');
            self.events.write_all(line.as_bytes())
        });
        self.guard(EVENTS, written)
    }

    fn histogram(&mut self, line: &HistogramLine<'_>) -> Result<(), SinkError> {
        if self.broken {
            return Ok(());
        }
        let written = self.log.open().and_then(|log| {
            let tag = line.tag.as_ref().map(ToString::to_string);
            log.write(line.start, line.length, tag.as_deref(), line.histogram)
                .map_err(io_error)
        });
        self.guard(HLOG, written)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if self.broken {
            return Ok(());
        }
        // Histograms first: an event line promises that what it counts is in the log.
        if let Log::Open(log) = &mut self.log {
            let written = log.flush().map_err(io_error);
            self.guard(HLOG, written)?;
        }
        let written = self.events.flush();
        self.guard(EVENTS, written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::event::Note;

    #[test]
    fn a_full_disk_is_said_once_and_nothing_follows_the_gap() {
        let full = || {
            BufWriter::with_capacity(
                16,
                OpenOptions::new().write(true).open("/dev/full").unwrap(),
            )
        };
        let dir = tempfile::tempdir().unwrap();
        let hlog = HlogWriter::new(
            BufWriter::new(File::create(dir.path().join(HLOG)).unwrap()),
            0,
            "0",
        )
        .unwrap();
        let mut sink = FileSink {
            path: PathBuf::from("out"),
            events: full(),
            log: Log::Open(hlog),
            broken: false,
        };
        let note = Event::Note(Note {
            t: 0.0,
            level: "info".to_owned(),
            text: "x".repeat(64),
        });
        let error = sink.event(&note).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot write out/events.jsonl (the disk is full"),
            "{error}"
        );
        assert!(sink.event(&note).is_ok() && sink.flush().is_ok());
    }
}
