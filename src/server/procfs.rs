//! Parsers of `/proc` and `/sys` files (proc(5), `Documentation/admin-guide/iostats.rst`,
//! `Documentation/accounting/psi.rst`). Text in, numbers out; a file that does not look so gives None.

/// Ticks per second in `/proc` (USER_HZ: 100 on every architecture that etcd runs on).
pub(crate) const TICKS: f64 = 100.0;
/// `/proc/diskstats` counts in sectors of so many bytes, whatever the disk's own are.
const SECTOR: f64 = 512.0;

/// Whole-host CPU seconds since boot, all cores together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
    pub(crate) idle: f64,
    pub(crate) iowait: f64,
    pub(crate) steal: f64,
    pub(crate) count: f64,
}

/// `/proc/stat`.
pub(crate) fn cpu(stat: &str) -> Option<Cpu> {
    let all = stat.lines().find_map(|l| l.strip_prefix("cpu "))?;
    let v: Vec<f64> = all
        .split_ascii_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    let at = |i: usize| v.get(i).map(|ticks| ticks / TICKS);
    let numbered = |l: &&str| {
        l.strip_prefix("cpu")
            .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
    };
    Some(Cpu {
        user: at(0)? + at(1)?,
        system: at(2)? + at(5).unwrap_or(0.0) + at(6).unwrap_or(0.0),
        idle: at(3)?,
        iowait: at(4).unwrap_or(0.0),
        steal: at(7).unwrap_or(0.0),
        count: stat.lines().filter(numbered).count() as f64,
    })
}

/// `/proc/pressure/*` → (some, full) µs; full is None where the kernel has none.
pub(crate) fn pressure(file: &str) -> Option<(f64, Option<f64>)> {
    let total = |kind: &str| {
        let line = file.lines().find_map(|l| l.strip_prefix(kind))?;
        line.split_ascii_whitespace()
            .find_map(|w| w.strip_prefix("total="))?
            .parse::<f64>()
            .ok()
    };
    Some((total("some ")?, total("full ")))
}

/// `/proc/diskstats`: the row of a device → its name and named counters.
pub(crate) fn disk(
    diskstats: &str,
    major: u32,
    minor: u32,
) -> Option<(String, Vec<(&'static str, f64)>)> {
    let wanted = [major.to_string(), minor.to_string()];
    let row = diskstats
        .lines()
        .map(|l| l.split_ascii_whitespace().collect::<Vec<_>>());
    let row = row
        .into_iter()
        .find(|f| f.len() >= 14 && f[0] == wanted[0] && f[1] == wanted[1])?;
    let at = |i: usize| row.get(i).and_then(|n| n.parse::<f64>().ok());
    let named = [
        ("reads", at(3)),
        ("read_bytes", at(5).map(|s| s * SECTOR)),
        ("writes", at(7)),
        ("write_bytes", at(9).map(|s| s * SECTOR)),
        ("write_seconds", at(10).map(|ms| ms / 1e3)),
        ("in_flight", at(11)),
        ("busy_seconds", at(12).map(|ms| ms / 1e3)),
        ("flushes", at(18)),
        ("flush_seconds", at(19).map(|ms| ms / 1e3)),
    ];
    let counters = named
        .into_iter()
        .filter_map(|(name, v)| v.map(|v| (name, v)))
        .collect();
    Some((row[2].to_owned(), counters))
}

/// `/proc/PID/stat` → CPU seconds and threads. The command name may hold spaces and brackets.
pub(crate) fn process(stat: &str) -> Option<(f64, f64)> {
    let rest = stat.get(stat.rfind(')')? + 1..)?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let at = |i: usize| fields.get(i).and_then(|n| n.parse::<f64>().ok());
    Some(((at(11)? + at(12)?) / TICKS, at(17)?))
}

/// A field like `VmRSS:   123 kB` of `/proc/PID/status` or `/proc/meminfo`, in bytes.
pub(crate) fn kilobytes(file: &str, field: &str) -> Option<f64> {
    let line = file
        .lines()
        .find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<f64>()
        .ok()
        .map(|kb| kb * 1024.0)
}

/// A field like `write_bytes: 4096` of `/proc/PID/io`.
pub(crate) fn io(file: &str, field: &str) -> Option<f64> {
    file.lines()
        .find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))
        .and_then(|v| v.trim().parse().ok())
}

/// `/proc/…/schedstat` → seconds on a CPU (ns precision, unlike `stat`).
pub(crate) fn schedstat(file: &str) -> Option<f64> {
    file.split_ascii_whitespace()
        .next()?
        .parse::<f64>()
        .ok()
        .map(|ns| ns / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_cpu_pressure_and_disk() {
        let stat = "cpu  1000 50 300 9000 70 0 30 40 0 0\ncpu0 500 1 1 1 1 0 1 1 0 0\ncpu1 1 1 1 1 1 0 1 1 0 0\nintr 5\n";
        let want = Cpu {
            user: 10.5,
            system: 3.3,
            idle: 90.0,
            iowait: 0.7,
            steal: 0.4,
            count: 2.0,
        };
        assert_eq!(cpu(stat), Some(want));
        assert_eq!(cpu("intr 5\n"), None);

        let psi = "some avg10=0.10 avg60=0.05 avg300=0.01 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=789\n";
        assert_eq!(pressure(psi), Some((123_456.0, Some(789.0))));
        assert_eq!(
            pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"),
            Some((7.0, None))
        );

        let disks = " 254 0 vda 10 0 80 5 20 1 400 30 2 40 70 0 0 0 0 6 12\n 254 1 vda1 1 0 8 5 2 1 16 30 0 40 70\n";
        let (name, counters) = disk(disks, 254, 0).expect("vda");
        assert_eq!(name, "vda");
        assert!(counters.contains(&("write_bytes", 204_800.0)));
        assert!(counters.contains(&("flush_seconds", 0.012)));
        let (_, old) = disk(disks, 254, 1).expect("vda1");
        assert!(
            !old.iter().any(|(n, _)| *n == "flushes"),
            "an old kernel's row has no flushes"
        );
        assert_eq!(disk(disks, 0, 45), None);
    }

    #[test]
    fn processes() {
        let stat =
            "4242 (etcd (x) y) S 1 4242 4242 0 -1 4194304 1 2 3 4 250 50 0 0 20 0 13 0 99 1 2 3";
        assert_eq!(process(stat), Some((3.0, 13.0)));
        assert_eq!(process("4242 (etcd"), None);
        assert_eq!(
            kilobytes("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n", "VmRSS"),
            Some(2_097_152.0)
        );
        assert_eq!(
            io("rchar: 1\nwrite_bytes: 4096\n", "write_bytes"),
            Some(4096.0)
        );
        assert_eq!(io("cancelled_write_bytes: 1\n", "write_bytes"), None);
        assert_eq!(schedstat("1500000000 20 3\n"), Some(1.5));
    }
}
