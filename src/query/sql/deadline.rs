//! How long a query may take.

use std::time::Duration;

use tokio::time::Instant;

use crate::batch::ReadError;

/// When a query has to be done, everything included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }

    /// What is left of the time.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Waits for `work`, but not beyond the deadline.
    pub async fn bound<T>(&self, work: impl Future<Output = T>) -> Result<T, ReadError> {
        tokio::time::timeout_at(self.at, work).await.map_err(|_| ReadError::TimedOut(self.limit))
    }
}
