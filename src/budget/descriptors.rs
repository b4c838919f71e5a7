//! Files and sockets that the process may have open, and how many of them connections may take.

/// The most descriptors that are kept from connections. The database, the archive's files, the log, services that are scraped
/// and backups need some, however many clients there are.
const MOST_RESERVED: u64 = 1_024;
/// The fewest: what the server has open before the first client comes, and some files of a query.
const LEAST_RESERVED: u64 = 36;
/// More than this is never asked for: some systems allow a billion, and programs that close every possible descriptor one by
/// one would take minutes.
const ENOUGH: u64 = 1 << 20;

/// How the limit of open files is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorShares {
    /// How many the process may have open.
    pub limit: u64,
    /// How many of them connections of clients may take.
    pub connections: u64,
}

impl DescriptorShares {
    /// Raises the limit as far as this user may, and divides it.
    pub fn claim() -> Self {
        Self::of(raised())
    }

    /// The shares of a process that may have `limit` files open: a quarter is reserved, within bounds.
    pub fn of(limit: u64) -> Self {
        let reserved = (limit / 4).clamp(LEAST_RESERVED, MOST_RESERVED);
        Self { limit, connections: limit.saturating_sub(reserved).max(1) }
    }
}

/// The limit, raised if it can be.
#[cfg(unix)]
fn raised() -> u64 {
    use rlimit::Resource;
    let Ok((soft, hard)) = Resource::NOFILE.get() else { return ENOUGH };
    let wanted = hard.min(ENOUGH).max(soft);
    match Resource::NOFILE.set(wanted, hard) {
        Ok(()) => wanted,
        // Some systems have another limit below this one.
        Err(error) => {
            tracing::debug!(soft, hard, %error, "the limit of open files stays as it is");
            soft
        }
    }
}

#[cfg(not(unix))]
fn raised() -> u64 {
    ENOUGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_kept_from_connections() {
        for (limit, connections) in [(0, 1), (64, 28), (256, 192), (1_024, 768), (1 << 20, (1 << 20) - 1_024)] {
            assert_eq!(DescriptorShares::of(limit), DescriptorShares { limit, connections });
        }
    }
}
