//! Whether the machine runs out of memory.

/// How many processes the system has ended for want of memory, of the machine or of a group of processes; 0 where it does
/// not say.
pub fn kills() -> u64 {
    std::fs::read_to_string("/proc/vmstat").ok().and_then(|counts| read(&counts)).unwrap_or(0)
}

fn read(counts: &str) -> Option<u64> {
    counts.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_the_others() {
        assert_eq!(read("oom_kill_disabled 9\noom_kill 7\npgfault 1\n"), Some(7));
        assert_eq!(read("pgfault 1\n"), None);
    }
}
