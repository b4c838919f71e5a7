//! What the operating system knows of this process.

use std::fs;

/// Ticks of a second in `/proc`: the same on every processor that Linux runs on today.
const TICKS: f64 = 100.0;

/// Figures of this process; `None` where the system does not tell them.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// Memory that it holds, in bytes.
    pub resident_bytes: Option<u64>,
    /// The most memory that it has held, in bytes.
    pub peak_resident_bytes: Option<u64>,
    /// Files and sockets that it has open.
    pub open_files: Option<u64>,
    /// Files and sockets that it may have open.
    pub most_open_files: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Processor time that it has taken, in seconds.
    pub cpu_seconds: Option<f64>,
}

impl Process {
    /// As it is now.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let kibibytes = |name| after(&status, name).map(|count| count * 1024);
        Self {
            resident_bytes: kibibytes("VmRSS:"),
            peak_resident_bytes: kibibytes("VmHWM:"),
            threads: after(&status, "Threads:"),
            open_files: open_files(),
            most_open_files: after(&limits, "Max open files"),
            cpu_seconds: cpu_seconds(&fs::read_to_string("/proc/self/stat").unwrap_or_default()),
        }
    }
}

/// Memory that this process holds, in bytes: what is cheap to ask for often.
pub fn resident_bytes() -> Option<u64> {
    after(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:").map(|count| count * 1024)
}

/// The number that follows `name` at the beginning of a line.
fn after(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<u64> {
    // One of them is the directory that is being read.
    fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1) as u64)
}

/// The name of the program comes second and may hold anything; user and system time are the twelfth and thirteenth
/// after it.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut ticks = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some((user + system) as f64 / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_whatever_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 9 0 1000 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn a_line_is_found_by_its_name() {
        assert_eq!(after("VmPeak:\t 9 kB\nVmRSS:\t  44100 kB\n", "VmRSS:"), Some(44_100));
        assert_eq!(after("", "VmRSS:"), None);
    }
}
