use super::super::super::CliError;
use super::Args;
use crate::compat::{Command, Settings};
use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn settings_of(line: &str) -> Result<Settings, CliError> {
    let cli = Cli::try_parse_from(line.split(' ')).map_err(|e| CliError::usage(e.to_string()))?;
    cli.args.flags.settings()
}

#[test]
fn a_line_of_the_go_tool_is_taken_as_it_is() {
    let settings = settings_of(
        "benchmark --endpoints=http://10.0.0.1:2379 --conns=8 --clients=64 --precise put --sequential-keys=true \
         --key-space-size=200000 --total=200000 --key-size=48 --val-size=1024",
    );
    let expected = Settings {
        clients: 64,
        conns: 8,
        total: 200_000,
        key_size: 48,
        val_size: 1024,
        key_space_size: 200_000,
        sequential_keys: true,
        ..Settings::new(Command::Put)
    };
    assert_eq!(settings, Ok(expected));
}

#[test]
fn a_flag_of_another_command_is_refused() {
    for (line, message) in [
        (
            "b range foo --val-size 5",
            "--val-size applies to put, txn-put and txn-mixed, but the command is range; omit it",
        ),
        (
            "b lease-keepalive --rate 5",
            "--rate applies to put, range, txn-put and txn-mixed, but the command is lease-keepalive; omit it",
        ),
        ("b range", "range needs a KEY, such as: range foo"),
        (
            "b put foo",
            "put takes no KEY, but \"foo\" was given; omit it",
        ),
        (
            "b range foo --consistency x",
            "--consistency \"x\": use l (linearizable) or s (serializable)",
        ),
    ] {
        assert_eq!(settings_of(line), Err(CliError::usage(message)), "{line}");
    }
}
