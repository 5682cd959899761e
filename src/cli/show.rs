//! `etcdmark show`: the effective workload after every flag.

use super::CliError;
use super::output::{Format, print, print_json};
use super::workload_flags::WorkloadFlags;
use crate::exit::Exit;
use crate::workload::Source;
use crate::workload::schema::json_schema_text;

/// Flags of `etcdmark show`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  etcdmark show cluster --nodes 5000          every default written out
  etcdmark show probe --source > my.yaml      a file to start from, with its comments
  etcdmark show --schema > schema.json        schema for an editor")]
pub struct Args {
    /// A built-in workload's name (see `etcdmark list`), or a file
    #[arg(default_value = "cluster")]
    pub workload: String,

    /// Print the original file with its comments
    #[arg(long, conflicts_with = "output")]
    pub source: bool,

    /// Print the JSON Schema of workload files, for editors
    #[arg(long, conflicts_with_all = ["source", "output"])]
    pub schema: bool,

    /// Output format; text is YAML
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,

    /// Changes to the workload
    #[command(flatten)]
    pub flags: WorkloadFlags,
}

/// Prints the workload.
pub fn run(args: Args) -> Result<Exit, CliError> {
    if args.schema {
        print(&json_schema_text())?;
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
