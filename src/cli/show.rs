//! `etcdmark show`: the effective workload after every flag.

use super::CliError;
use super::output::{Format, print, print_json};
use super::workload_flags::WorkloadFlags;
use crate::exit::Exit;
use crate::experiment::schema::file_schema;
use crate::local::medium::medium_schema_text;
use crate::workload::Source;
use crate::workload::schema::json_schema_text;

/// Flags of `etcdmark show`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  etcdmark show cluster --nodes 5000          every default written out
  etcdmark show probe --source > my.yaml      a file to start from, with its comments
  etcdmark show --schema > workload.schema.json                   schema for an editor
  etcdmark show --schema experiment > experiment.schema.json")]
pub struct Args {
    /// A built-in workload's name (see `etcdmark list`), or a file
    #[arg(default_value = "cluster")]
    pub workload: String,

    /// Print the original file with its comments
    #[arg(long, conflicts_with = "output")]
    pub source: bool,

    /// Print the JSON Schema of a kind of file, for editors
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        num_args = 0..=1,
        default_missing_value = "workload",
        conflicts_with_all = ["source", "output"]
    )]
    pub schema: Option<FileKind>,

    /// Output format; text is YAML
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,

    /// Changes to the workload
    #[command(flatten)]
    pub flags: WorkloadFlags,
}

/// The kinds of files that etcdmark reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FileKind {
    /// For `etcdmark run`
    Workload,
    /// For `etcdmark experiment`
    Experiment,
    /// For `--medium`
    Medium,
}

impl FileKind {
    fn schema(self) -> String {
        match self {
            FileKind::Workload => json_schema_text(),
            FileKind::Experiment => file_schema(),
            FileKind::Medium => medium_schema_text(),
        }
    }
}

/// Prints the workload.
pub fn run(args: Args) -> Result<Exit, CliError> {
    if let Some(kind) = args.schema {
        print(&kind.schema())?;
        return Ok(Exit::Ok);
    }
    let source = Source::load(&args.workload)?;
    let overrides = args.flags.overrides()?;
    if args.source {
        if let Some(edit) = overrides.edits().first() {
            return Err(CliError::usage(format!(
                "{} has no effect with --source; remove one of them",
                edit.flag
            )));
        }
        print(&source.text)?;
        return Ok(Exit::Ok);
    }
    let resolved = source.resolve(&overrides)?;
    match args.output {
        Format::Json => print_json(&resolved.file)?,
        Format::Text => print(&resolved.yaml())?,
    }
    Ok(Exit::Ok)
}
