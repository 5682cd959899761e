//! Standard output. A broken pipe (`etcdmark list | head -1`) is a quiet success.

use super::CliError;
use std::io::{ErrorKind, Write};

/// Which form a command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Human-readable.
    #[default]
    Text,
    /// Machine-readable.
    Json,
}

/// Writes text to standard output as it is.
pub fn print(text: &str) -> Result<(), CliError> {
    write_to(&mut std::io::stdout().lock(), text)
}

/// Writes a value to standard output as indented JSON.
pub fn print_json<T: serde::Serialize>(value: &T) -> Result<(), CliError> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|e| CliError::failure(format!("cannot write JSON: {e}")))?;
    print(&format!("{json}\n"))
}

/// Says something on stderr, where nothing can be done if that fails.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn write_to(out: &mut dyn Write, text: &str) -> Result<(), CliError> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::failure(format!(
            "cannot write to standard output: {e}"
        ))),
        _ => Ok(()),
    }
}

/// `println!` to standard output, where a broken pipe is a quiet success: `out!("{n} keys")?`.
#[macro_export]
macro_rules! out {
    ($($arg:tt)*) => { $crate::cli::output::print(&format!("{}\n", format_args!($($arg)*))) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    struct Fails(ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_pipe_is_a_success_and_a_full_disk_is_not() {
        assert_eq!(write_to(&mut Fails(ErrorKind::BrokenPipe), "x"), Ok(()));
        let full = write_to(&mut Fails(ErrorKind::StorageFull), "x").unwrap_err();
        assert!(
            full.message
                .starts_with("cannot write to standard output: "),
            "{full}"
        );
    }
}
