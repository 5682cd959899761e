//! The Go tool's own flags, and to which of its commands each belongs.

use super::super::CliError;
use crate::compat::{Command, Settings};
use crate::human::Span;

/// The load, with the Go tool's names.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Load (as in the Go tool)")]
pub struct LoadFlags {
    /// Command of the Go tool
    #[arg(value_enum, value_name = "COMMAND")]
    pub command: Command,
    /// range: the key to read. txn-mixed ignores it, as the Go tool does
    #[arg(id = "range_key", value_name = "KEY")]
    pub key: Option<String>,
    /// range: the end of the range, exclusive
    #[arg(id = "range_end", value_name = "END")]
    pub end: Option<String>,
    /// Workers, each with one request outstanding [default: 1]
    #[arg(long, value_name = "N")]
    pub clients: Option<usize>,
    /// Connections; worker i uses connection i % N [default: 1]
    #[arg(long, value_name = "N")]
    pub conns: Option<usize>,
    /// Requests in all [default: 10000]
    #[arg(long, value_name = "N")]
    pub total: Option<u64>,
    /// Requests per second of all workers; 0 = no limit [default: 0]
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// Bytes of a key [default: 8]
    #[arg(long, value_name = "BYTES")]
    pub key_size: Option<usize>,
    /// Bytes of the value, the same one in the whole run [default: 8]
    #[arg(long, value_name = "BYTES")]
    pub val_size: Option<usize>,
    /// Numbers that keys are made of [default: 1]
    #[arg(long, value_name = "N")]
    pub key_space_size: Option<u64>,
    /// put: numbers in order instead of at random
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL",
        hide_possible_values = true)]
    pub sequential_keys: Option<bool>,
    /// txn-put: puts per transaction [default: 1]
    #[arg(long, value_name = "N")]
    pub txn_ops: Option<u64>,
    /// txn-mixed: reads per write [default: 1]
    #[arg(long, value_name = "RATIO")]
    pub rw_ratio: Option<f64>,
    /// range, txn-mixed: linearizable (l) or serializable (s) reads [default: l]
    #[arg(long, value_name = "l|s")]
    pub consistency: Option<String>,
    /// range, txn-mixed: at most so many keys per read; 0 = no limit [default: 0; txn-mixed: 1000]
    #[arg(long, value_name = "N")]
    pub limit: Option<i64>,
    /// range: only the number of keys
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL",
        hide_possible_values = true)]
    pub count_only: Option<bool>,
    /// txn-mixed: ignored, as the Go tool does
    #[arg(long, value_name = "KEY", hide = true)]
    pub end_key: Option<String>,
    /// Send all requests to the leader: --target leader (Go tool up to 3.6)
    #[arg(long, conflicts_with = "target", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        default_value = "false", hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub target_leader: bool,
    /// range: put a value of so many bytes at KEY first; not in the Go tool
    #[arg(long, value_name = "BYTES")]
    pub preload: Option<usize>,
    /// Give up on a request after this time, such as 5s; not in the Go tool [default: never]
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Seed of keys and value, which the Go tool draws anew each time
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

const KEYS: &[Command] = &[Command::Put, Command::TxnPut, Command::TxnMixed];
const READS: &[Command] = &[Command::Range, Command::TxnMixed];
const RATED: &[Command] = &[
    Command::Put,
    Command::Range,
    Command::TxnPut,
    Command::TxnMixed,
];

impl LoadFlags {
    /// The flags with the Go tool's defaults.
    ///
    /// # Errors
    /// A flag of another command, a value that makes no sense.
    pub fn settings(&self) -> Result<Settings, CliError> {
        self.belong()?;
        let default = Settings::new(self.command);
        let settings = Settings {
            clients: self.clients.unwrap_or(default.clients),
            conns: self.conns.unwrap_or(default.conns),
            total: self.total.unwrap_or(default.total),
            rate: self.rate.unwrap_or(default.rate),
            key_size: self.key_size.unwrap_or(default.key_size),
            val_size: self.val_size.unwrap_or(default.val_size),
            key_space_size: self.key_space_size.unwrap_or(default.key_space_size),
            sequential_keys: self.sequential_keys.unwrap_or(false),
            txn_ops: self.txn_ops.unwrap_or(default.txn_ops),
            rw_ratio: self.rw_ratio.unwrap_or(default.rw_ratio),
            limit: self.limit.unwrap_or(default.limit),
            serializable: self.serializable()?,
            count_only: self.count_only.unwrap_or(false),
            range: self.range()?,
            preload: self.preload,
            seed: self.seed,
            timeout: self.timeout()?,
            ..default
        };
        settings.check().map_err(CliError::usage)?;
        Ok(settings)
    }

    /// What has no effect, as in the Go tool.
    pub fn notes(&self) -> Vec<String> {
        let positional = self.key.is_some() && self.command == Command::TxnMixed;
        let given = [("KEY", positional), ("--end-key", self.end_key.is_some())];
        let given = given.iter().filter(|(_, given)| *given);
        given
            .map(|(name, _)| {
                format!("note: {name} has no effect in the Go tool's txn-mixed, nor here: it reads from the first key on")
            })
            .collect()
    }

    fn belong(&self) -> Result<(), CliError> {
        let flags: &[(&str, bool, &[Command])] = &[
            ("--rate", self.rate.is_some(), RATED),
            ("--key-size", self.key_size.is_some(), KEYS),
            ("--val-size", self.val_size.is_some(), KEYS),
            ("--key-space-size", self.key_space_size.is_some(), KEYS),
            (
                "--sequential-keys",
                self.sequential_keys.is_some(),
                &[Command::Put],
            ),
            ("--txn-ops", self.txn_ops.is_some(), &[Command::TxnPut]),
            ("--rw-ratio", self.rw_ratio.is_some(), &[Command::TxnMixed]),
            ("--end-key", self.end_key.is_some(), &[Command::TxnMixed]),
            ("--consistency", self.consistency.is_some(), READS),
            ("--limit", self.limit.is_some(), READS),
            ("--count-only", self.count_only.is_some(), &[Command::Range]),
            ("--preload", self.preload.is_some(), &[Command::Range]),
        ];
        let other = flags
            .iter()
            .find(|(_, given, of)| *given && !of.contains(&self.command));
        match other {
            Some((flag, _, of)) => Err(CliError::usage(format!(
                "{flag} applies to {}, but the command is {}; omit it",
                names(of),
                self.command.name()
            ))),
            None => Ok(()),
        }
    }

    fn serializable(&self) -> Result<bool, CliError> {
        match self.consistency.as_deref() {
            None | Some("l") => Ok(false),
            Some("s") => Ok(true),
            Some(other) => Err(CliError::usage(format!(
                "--consistency {other:?}: use l (linearizable) or s (serializable)"
            ))),
        }
    }

    fn range(&self) -> Result<Option<(String, String)>, CliError> {
        let end = self.end.clone().unwrap_or_default();
        match (self.command, &self.key) {
            (Command::Range, Some(key)) if !key.is_empty() => Ok(Some((key.clone(), end))),
            (Command::Range, _) => Err(CliError::usage("range needs a KEY, such as: range foo")),
            (Command::TxnMixed, _) | (_, None) => Ok(None),
            (command, Some(key)) => Err(CliError::usage(format!(
                "{} takes no KEY, but {key:?} was given; omit it",
                command.name()
            ))),
        }
    }

    fn timeout(&self) -> Result<Option<std::time::Duration>, CliError> {
        let Some(text) = &self.timeout else {
            return Ok(None);
        };
        let span = Span::parse(text).map_err(|e| CliError::usage(format!("--timeout: {e}")))?;
        if span.nanos() == 0 {
            return Err(CliError::usage(format!(
                "--timeout {text}: must be above 0"
            )));
        }
        Ok(Some(span.0))
    }
}

/// `put, txn-put and txn-mixed`.
fn names(commands: &[Command]) -> String {
    let names: Vec<&str> = commands.iter().map(|c| c.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
