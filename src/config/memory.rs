//! Memory of bodies and of the queue behind them: what is set, what follows from the memory limit, what contradicts itself.

use std::fmt;

use super::Settings;

/// The largest body unless another size is set, where there is memory for it.
const MAX_BODY: usize = 64 << 20;
/// The server does not work with less memory: the database starts with half of it, and can then do nothing.
const LEAST_LIMIT: u64 = 64 << 20;
/// Less memory for bodies than this is of no use.
const LEAST: u64 = 1 << 20;

/// Sizes that cannot all hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// Too little for everything.
    #[error("--memory-limit is {}, and the database does not work with less than {}: raise it", Bytes(*.0), Bytes(LEAST_LIMIT))]
    LimitTooLow(u64),
    /// Bodies and queue are given more than the rest leaves them.
    #[error(
        "bodies ({}) and the queue ({}) may take a quarter of --memory-limit together, {}: lower --ingest-memory or \
         --queue-size, or raise --memory-limit", Bytes(*.ingest), Bytes(*.queue), Bytes(*.most)
    )]
    TooMuch {
        /// `--ingest-memory`, set or not.
        ingest: u64,
        /// `--queue-size`, set or not.
        queue: u64,
        /// What both may be together.
        most: u64,
    },
    /// A body is allowed that there is no memory for.
    #[error(
        "--max-body-size is {}, and a body may take half of --ingest-memory while it arrives, {}: lower the one, or raise \
         the other", Bytes(*.body), Bytes(*.most)
    )]
    BodyTooLarge {
        /// `--max-body-size`.
        body: u64,
        /// What there is for one.
        most: u64,
    },
    /// Too little to work with.
    #[error("--ingest-memory is {}, and no body can be read with less than {}", Bytes(*.0), Bytes(LEAST))]
    TooLittle(u64),
}

/// A number of bytes as settings have them.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.into_iter().find(|(shift, _)| self.0 > 0 && self.0.trailing_zeros() >= *shift) {
            Some((shift, unit)) => write!(formatter, "{}{unit}", self.0 >> shift),
            None => write!(formatter, "{} bytes", self.0),
        }
    }
}

impl Settings {
    /// What bodies may take while they arrive and are decoded, all together, in bytes: their share of the memory limit
    /// unless another size is set.
    pub fn ingest_memory(&self) -> u64 {
        self.server.ingest_memory_bytes.unwrap_or_else(|| self.store.memory().ingest)
    }

    /// Largest request body, in bytes after decompression: 64 MiB unless another size is set, if there is memory for it.
    pub fn max_body_bytes(&self) -> usize {
        let most = usize::try_from(self.largest_arriving()).unwrap_or(usize::MAX);
        self.server.max_body_bytes.unwrap_or(MAX_BODY).min(most)
    }

    /// What bodies may take of their memory before they are decoded, in bytes.
    pub fn largest_arriving(&self) -> u64 {
        self.ingest_memory() / 2
    }

    /// Refuses sizes that contradict each other.
    pub fn check_memory(&self) -> Result<(), MemoryError> {
        if self.store.memory_limit_bytes < LEAST_LIMIT {
            return Err(MemoryError::LimitTooLow(self.store.memory_limit_bytes));
        }
        let (ingest, queue) = (self.ingest_memory(), self.store.queue_bytes() as u64);
        let is_set = self.server.ingest_memory_bytes.is_some() || self.store.queue_bytes.is_some();
        let most = self.store.memory_limit_bytes / 4;
        if is_set && ingest.saturating_add(queue) > most {
            return Err(MemoryError::TooMuch { ingest, queue, most });
        }
        if self.server.ingest_memory_bytes.is_some_and(|ingest| ingest < LEAST) {
            return Err(MemoryError::TooLittle(ingest));
        }
        let (body, most) = (self.server.max_body_bytes.unwrap_or(0) as u64, self.largest_arriving());
        if body > most { Err(MemoryError::BodyTooLarge { body, most }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(change: impl FnOnce(&mut Settings)) -> Result<(), String> {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check_memory().map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_follow_from_the_memory_limit_or_are_what_is_set() {
        let mut settings = Settings::default();
        assert_eq!((settings.ingest_memory(), settings.store.queue_bytes()), (256 << 20, 128 << 20));
        assert_eq!(settings.max_body_bytes(), 64 << 20);
        settings.store.memory_limit_bytes = 256 << 20;
        assert_eq!(settings.max_body_bytes(), 16 << 20);
        settings.server.ingest_memory_bytes = Some(8 << 20);
        assert_eq!((settings.ingest_memory(), settings.max_body_bytes()), (8 << 20, 4 << 20));
        assert_eq!(settings.check_memory(), Ok(()));
    }

    #[test]
    fn what_contradicts_itself_is_told_with_the_sizes() {
        let refused = checked(|settings| settings.store.memory_limit_bytes = 1 << 20).unwrap_err();
        assert_eq!(refused, "--memory-limit is 1MiB, and the database does not work with less than 64MiB: raise it");
        assert_eq!(checked(|settings| settings.store.memory_limit_bytes = 64 << 20), Ok(()));
        let refused = checked(|settings| settings.store.queue_bytes = Some(300 << 20)).unwrap_err();
        assert!(refused.starts_with("bodies (256MiB) and the queue (300MiB) may take a quarter"), "{refused}");
        assert_eq!(checked(|settings| settings.store.queue_bytes = Some(256 << 20)), Ok(()));
        let refused = checked(|settings| settings.server.max_body_bytes = Some(129 << 20)).unwrap_err();
        assert!(refused.starts_with("--max-body-size is 129MiB"), "{refused}");
        assert!(checked(|settings| settings.server.ingest_memory_bytes = Some(1_000)).is_err());
    }
}
