//! Exit codes: the one place that knows them. `etcdmark --help` and `docs/reference` repeat them.

/// How a command ended, as a shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// The command did what was asked.
    Ok = 0,
    /// etcd, the disk, the network or etcdmark itself failed; or acknowledged writes are missing.
    Failure = 1,
    /// A flag, a file or a precondition was wrong; nothing was started.
    Usage = 2,
    /// A comparison found that one etcd is worse than another.
    Regression = 97,
    /// The generator did not keep up: the numbers do not speak of etcd.
    Invalid = 98,
    /// A threshold of the workload was missed.
    Threshold = 99,
    /// Interrupted by the user (Ctrl-C), or by a signal that would have ended the process: TERM, HUP, QUIT, ALRM, USR1, USR2,
    /// XCPU.
    Interrupted = 130,
}

/// Precedence, strongest first: when several apply, the first one in this list is the exit code.
const PRECEDENCE: [Exit; 6] = [
    Exit::Usage,
    Exit::Interrupted,
    Exit::Failure,
    Exit::Invalid,
    Exit::Threshold,
    Exit::Regression,
];

impl Exit {
    /// The number handed to the operating system.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The stronger of two outcomes, by the precedence 2, 130, 1, 98, 99, 97, 0.
    #[must_use]
    pub fn and(self, other: Exit) -> Exit {
        PRECEDENCE
            .into_iter()
            .find(|e| *e == self || *e == other)
            .unwrap_or(Exit::Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn precedence_is_2_130_1_98_99_97() {
        let order = [
            Exit::Usage,
            Exit::Interrupted,
            Exit::Failure,
            Exit::Invalid,
            Exit::Threshold,
            Exit::Regression,
            Exit::Ok,
        ];
        for (i, a) in order.iter().enumerate() {
            for b in &order[i..] {
                assert_eq!(a.and(*b), *a);
                assert_eq!(b.and(*a), *a);
            }
        }
    }
}
