//! Parse, dispatch, exit code: nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(etcdmark::cli::main().code())
}
