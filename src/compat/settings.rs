//! What a load of the Go tool is, with the tool's names and defaults.

use super::keys;
use std::time::Duration;

/// One of the Go tool's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Put one key
    Put,
    /// Range over one fixed key or range
    Range,
    /// Transactions of --txn-ops puts without a condition
    TxnPut,
    /// Transactions of one operation each: a read of up to --limit keys, or a put
    TxnMixed,
    /// Renew etcd leases, one per client
    LeaseKeepalive,
}

impl Command {
    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Command::Put => "put",
            Command::Range => "range",
            Command::TxnPut => "txn-put",
            Command::TxnMixed => "txn-mixed",
            Command::LeaseKeepalive => "lease-keepalive",
        }
    }

    /// Whether it writes keys.
    pub const fn writes(self) -> bool {
        matches!(self, Command::Put | Command::TxnPut | Command::TxnMixed)
    }
}

/// The flags of a command, resolved.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    pub command: Command,
    /// Workers, each with one request outstanding.
    pub clients: usize,
    /// Connections; worker i uses connection i % conns.
    pub conns: usize,
    /// Requests in all.
    pub total: u64,
    /// Requests per second of all workers; 0 = no limit.
    pub rate: u32,
    /// Bytes of the shared key buffer.
    pub key_size: usize,
    /// Bytes of the one value.
    pub val_size: usize,
    /// Numbers that keys are made of.
    pub key_space_size: u64,
    /// put: in order instead of at random.
    pub sequential_keys: bool,
    /// txn-put: puts of a transaction.
    pub txn_ops: u64,
    /// txn-mixed: reads per write.
    pub rw_ratio: f64,
    /// Reads: at most so many keys; 0 = no limit.
    pub limit: i64,
    /// Reads are answered by the member that is asked.
    pub serializable: bool,
    /// range: only the count.
    pub count_only: bool,
    /// range: the key, and the end of the range.
    pub range: Option<(String, String)>,
    /// range: a value of so many bytes is put there first.
    pub preload: Option<usize>,
    /// Of the keys' numbers, of the value and of the choice between read and put.
    pub seed: u64,
    /// Give up on a request after this; never, as in the Go tool, when none.
    pub timeout: Option<Duration>,
}

/// Keys and values are held in memory, and no etcd takes more.
const LARGEST: usize = 64 << 20;

impl Settings {
    /// A command with the Go tool's defaults.
    pub fn new(command: Command) -> Settings {
        Settings {
            command,
            clients: 1,
            conns: 1,
            total: 10_000,
            rate: 0,
            key_size: 8,
            val_size: 8,
            key_space_size: 1,
            sequential_keys: false,
            txn_ops: 1,
            rw_ratio: 1.0,
            limit: match command {
                Command::TxnMixed => 1000,
                _ => 0,
            },
            serializable: false,
            count_only: false,
            range: None,
            preload: None,
            seed: 1,
            timeout: None,
        }
    }

    /// What the Go tool would panic on or misunderstand: the flag, the value and what would be right.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), String> {
        let within = |flag: &str, value: u64, most: u64| match value {
            1.. if value <= most => Ok(()),
            _ => Err(format!("{flag} {value}: use 1 to {most}")),
        };
        within("--clients", self.clients as u64, 100_000)?;
        within("--conns", self.conns as u64, 10_000)?;
        within("--total", self.total, 1_000_000_000)?;
        if self.command.writes() {
            self.check_keys()?;
        }
        if let Some(size) = self.preload.filter(|size| *size > LARGEST) {
            return Err(format!("--preload {size}: use at most {LARGEST}"));
        }
        if self.limit < 0 {
            return Err(format!("--limit {}: use 0 (no limit) or more", self.limit));
        }
        if !(self.rw_ratio >= 0.0 && self.rw_ratio.is_finite()) {
            return Err(format!(
                "--rw-ratio {}: use 0 or more, such as 4 for four reads per write",
                self.rw_ratio
            ));
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), String> {
        let (size, space) = (self.key_size, self.key_space_size);
        if space == 0 || i64::try_from(space).is_err() {
            return Err(format!("--key-space-size {space}: use 1 to {}", i64::MAX));
        }
        let longest = keys::longest(space);
        if size < longest {
            return Err(format!(
                "--key-size {size}: keys of --key-space-size {space} need {longest} bytes; use {longest} or more"
            ));
        }
        for (flag, size) in [("--key-size", size), ("--val-size", self.val_size)] {
            if size > LARGEST {
                return Err(format!("{flag} {size}: use at most {LARGEST}"));
            }
        }
        if self.command == Command::TxnPut {
            if self.txn_ops == 0 {
                return Err("--txn-ops 0: use 1 or more".to_owned());
            }
            if self.txn_ops > space {
                return Err(format!(
                    "--txn-ops {}: a transaction cannot put more keys than --key-space-size {space}",
                    self.txn_ops
                ));
            }
        }
        Ok(())
    }

    /// Puts that it sends, at most.
    pub fn puts(&self) -> u64 {
        match self.command {
            Command::Put | Command::TxnMixed => self.total,
            Command::TxnPut => self.total.saturating_mul(self.txn_ops),
            Command::Range | Command::LeaseKeepalive => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_name_the_flag_the_value_and_what_is_right() {
        let refused = |change: fn(&mut Settings)| {
            let mut settings = Settings::new(Command::TxnPut);
            change(&mut settings);
            settings.check().unwrap_err()
        };
        assert_eq!(refused(|s| s.clients = 0), "--clients 0: use 1 to 100000");
        assert_eq!(refused(|s| s.conns = 0), "--conns 0: use 1 to 10000");
        assert_eq!(refused(|s| s.total = 0), "--total 0: use 1 to 1000000000");
        assert_eq!(
            refused(|s| (s.key_size, s.key_space_size) = (1, 65)),
            "--key-size 1: keys of --key-space-size 65 need 2 bytes; use 2 or more"
        );
        assert_eq!(
            refused(|s| s.txn_ops = 2),
            "--txn-ops 2: a transaction cannot put more keys than --key-space-size 1"
        );
        assert_eq!(
            refused(|s| s.rw_ratio = f64::NAN),
            "--rw-ratio NaN: use 0 or more, such as 4 for four reads per write"
        );
        for command in [Command::Put, Command::Range, Command::LeaseKeepalive] {
            assert_eq!(Settings::new(command).check(), Ok(()));
        }
    }
}
