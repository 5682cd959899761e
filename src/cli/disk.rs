//! `etcdmark disk DIR…`: how fast directories' disks make an append durable, against what etcd asks for.

use super::output::{Format, complain, print, print_json};
use super::progress::Line;
use super::{CliError, signals};
use crate::clock::Nanos;
use crate::disk::{self, Budget, DiskError, DiskResult, Measured, Pattern, Progress, Request};
use crate::disk::{fio, medium, text};
use crate::document::read_document;
use crate::exit::Exit;
use crate::human::Span;
use crate::human::numbers::{ns, rate, things};
use rustix::fs::{Access, access};
use std::io::Write;
use std::path::{Path, PathBuf};

/// How long each directory is measured unless --duration or --passes says otherwise.
const DURATION: Span = Span::seconds(60);

/// Measure whether a disk is fast enough for etcd: append and fdatasync as etcd's write-ahead log does, and compare
/// with the limits in etcd's documentation. Leaves no files.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Several directories take turns of about a second, so that other activity affects all equally.
At least 1 GiB of each file system stays free (10 % of a file system below 10 GiB). The measurement
competes with an etcd on the same disk.

Examples:
  etcdmark disk /var/lib/etcd                          a minute of etcd's WAL writes
  etcdmark disk /mnt/nvme /mnt/gp3 --duration 5m       compare two disks
  etcdmark disk /var/lib/etcd --max-p99 10ms           exit code 99 when it is slower
  etcdmark disk /var/lib/etcd --save-medium prod.yaml  save as a medium for emulation
  etcdmark disk . --pattern fio --passes 1             the fio job in etcd's documentation
  etcdmark disk --fio fio.json                         judge a result of fio")]
pub struct Args {
    /// Directories on the disks to measure
    #[arg(required_unless_present = "fio", value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// Write pattern
    #[arg(long, value_enum, default_value_t, value_name = "PATTERN")]
    pub pattern: Pattern,
    /// Measuring time per directory, such as 5m [default: 60s]
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<String>,
    /// Write N whole files per directory, instead of for a duration (wal: 64 MB each, fio: 22 MiB each)
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    pub passes: Option<u64>,
    /// Exit with code 99 if the fdatasync p99 over time of a directory exceeds this, such as 10ms
    #[arg(long, value_name = "DURATION")]
    pub max_p99: Option<String>,
    /// Exit with code 99 if --max-p99 is undecided because the measurement is too short, too
    #[arg(long, requires = "max_p99", conflicts_with = "fio")]
    pub strict: bool,
    /// Save the measured syncs as a medium file for emulation; once for each DIR, in order
    #[arg(long, value_name = "FILE")]
    pub save_medium: Vec<PathBuf>,
    /// Measure nothing: judge the fdatasyncs in this JSON result of fio (--output-format=json+)
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["dirs", "pattern", "duration", "passes", "save_medium", "named_files"]
    )]
    pub fio: Option<PathBuf>,
    /// Use named files on every file system; they are removed at the end
    #[arg(long)]
    pub named_files: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// Print only the result, no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// Measures and prints.
///
/// # Errors
/// What is wrong with a flag or a directory, before anything is written; what failed.
pub fn run(args: &Args) -> Result<Exit, CliError> {
    let max_p99 = args.max_p99.as_deref();
    let max_p99 = max_p99.map(|t| span("--max-p99", t)).transpose()?;
    if let Some(file) = &args.fio {
        return judge_fio(file, max_p99, args.output);
    }
    let request = Request {
        dirs: args.dirs.clone(),
        pattern: args.pattern,
        budget: budget(args)?,
        named: args.named_files,
        max_p99,
        strict: args.strict,
    };
    media(args)?;
    let control = signals::watched("stopping; printing the results so far")?;
    let mut line = Line::new();
    let mut tell = |p: &Progress| {
        if !args.quiet {
            line.show(p.elapsed as f64 / 1e9, &progress(p));
        }
    };
    let measured = disk::measure(&request, &|| control.draining(), &mut tell);
    line.close();
    let Measured { result, failure } = measured.map_err(refuse)?;
    // Before anything else can fail: a minute's figures are worth more than a file.
    match args.output {
        Format::Text => print(&text::render(&result))?,
        Format::Json => print_json(&result)?,
    }
    save(args, &result)?;
    match failure {
        Some(failure) => Err(CliError::failure(failure)),
        None => Ok(exit(&result)),
    }
}

/// Prints the verdicts on what fio measured.
fn judge_fio(file: &Path, max_p99: Option<Nanos>, output: Format) -> Result<Exit, CliError> {
    let wrong =
        |e: &dyn std::fmt::Display| CliError::usage(format!("--fio {}: {e}", file.display()));
    let text = read_document(file).map_err(|e| wrong(&e))?;
    let jobs = fio::read(&text).map_err(|e| wrong(&e))?;
    match output {
        Format::Text => {
            for job in &jobs {
                print(&format!("{}\n", job.verdict))?;
            }
        }
        Format::Json => print_json(&jobs)?,
    }
    let Some(max) = max_p99 else {
        return Ok(Exit::Ok);
    };
    let exceeds: Vec<Option<bool>> = jobs.iter().map(|j| j.exceeds(max)).collect();
    if exceeds.contains(&Some(true)) {
        return Ok(Exit::Threshold);
    }
    if exceeds.contains(&None) {
        let e = "--max-p99 cannot be judged without bins: run fio with --output-format=json+";
        return Err(wrong(&e));
    }
    Ok(Exit::Ok)
}

fn refuse(e: DiskError) -> CliError {
    match e.is_usage() {
        true => CliError::usage(e.to_string()),
        false => CliError::failure(e.to_string()),
    }
}

fn exit(result: &DiskResult) -> Exit {
    [Exit::Interrupted, Exit::Threshold]
        .into_iter()
        .find(|e| e.code() == result.exit_code)
        .unwrap_or(Exit::Ok)
}

/// A duration above zero, ns.
fn span(flag: &str, text: &str) -> Result<Nanos, CliError> {
    match Span::parse(text) {
        Ok(span) if span.nanos() > 0 => Ok(span.nanos()),
        Ok(_) => Err(CliError::usage(format!("{flag} {text}: must be above 0"))),
        Err(e) => Err(CliError::usage(format!("{flag}: {e}"))),
    }
}

fn budget(args: &Args) -> Result<Budget, CliError> {
    match (args.passes, &args.duration) {
        (Some(0), _) => Err(CliError::usage("--passes 0: must be at least 1")),
        (Some(n), _) => Ok(Budget::Passes(n)),
        (None, Some(text)) => Ok(Budget::Time(span("--duration", text)?)),
        (None, None) => Ok(Budget::Time(DURATION.nanos())),
    }
}

/// Whether the media can be written, before a minute is spent.
fn media(args: &Args) -> Result<(), CliError> {
    let files = &args.save_medium;
    if !files.is_empty() && files.len() != args.dirs.len() {
        return Err(CliError::usage(format!(
            "--save-medium is given {} for {}; pass one FILE per DIR, in the same order",
            things(files.len() as u64, "time"),
            match args.dirs.len() {
                1 => "1 directory".to_owned(),
                n => format!("{n} directories"),
            }
        )));
    }
    for (i, file) in files.iter().enumerate() {
        let flag = format!("--save-medium {}", file.display());
        if files[..i].contains(file) {
            return Err(CliError::usage(format!(
                "{flag} is given twice; pass a different file for each DIR"
            )));
        }
        if file.symlink_metadata().is_ok() {
            return Err(CliError::usage(format!(
                "{flag}: the file exists; remove it or choose another name"
            )));
        }
        access(parent(file), Access::WRITE_OK)
            .map_err(|e| CliError::usage(format!("{flag}: cannot write to its directory: {e}")))?;
    }
    Ok(())
}

fn parent(file: &Path) -> &Path {
    file.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Writes the media of a measurement that was not cut short, as many as can be written.
///
/// # Errors
/// The first one; further ones are told.
fn save(args: &Args, result: &DiskResult) -> Result<(), CliError> {
    let mut saved = Ok(());
    for (file, directory) in args.save_medium.iter().zip(&result.directories) {
        let flag = format!("--save-medium {}", file.display());
        if result.outcome != "completed" {
            complain(&format!("{flag}: not written: {}", result.outcome));
            continue;
        }
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let yaml = medium::render(result, directory, &name).map_err(|e| e.to_string());
        // Not over one that came into being in the meantime.
        let written = yaml.and_then(|yaml| {
            let made = std::fs::File::create_new(file);
            let written = made.and_then(|mut f| f.write_all(yaml.as_bytes()));
            written.map_err(|e| e.to_string())
        });
        match (written, &saved) {
            (Ok(()), _) => {}
            (Err(e), Ok(())) => saved = Err(CliError::failure(format!("{flag}: {e}"))),
            (Err(e), Err(_)) => complain(&format!("{flag}: {e}")),
        }
    }
    saved
}

/// `disk: 42 %  /mnt/nvme p99 0.9 ms, 1,900/s  /mnt/gp3 p99 2.5 ms, 640/s`.
fn progress(p: &Progress) -> String {
    let mut text = format!("disk: {:.0} %", p.share * 100.0);
    for (name, p99, per_second) in &p.directories {
        if let Some(p99) = p99 {
            text += &format!("  {name} p99 {}, {}/s", ns(*p99), rate(*per_second));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Args {
        Cli::try_parse_from(line.split(' ')).unwrap().args
    }

    #[test]
    fn a_minute_unless_told_otherwise() {
        let of = |line| budget(&args(line));
        assert_eq!(of("disk /x"), Ok(Budget::Time(60_000_000_000)));
        assert_eq!(
            of("disk /x --duration 5m"),
            Ok(Budget::Time(300_000_000_000))
        );
        assert_eq!(of("disk /x --passes 2"), Ok(Budget::Passes(2)));
        assert_eq!(
            of("disk /x --passes 0").unwrap_err().message,
            "--passes 0: must be at least 1"
        );
        assert_eq!(
            of("disk /x --duration 0s").unwrap_err().message,
            "--duration 0s: must be above 0"
        );
    }
}
