//! The engine's last word: an error after which it answers nothing until the file is opened again.

use tokio_util::sync::CancellationToken;

/// Raised once, seen by whoever runs the server. Clones share it.
#[derive(Clone, Default)]
pub struct Failure {
    raised: CancellationToken,
}

impl Failure {
    /// Looks at an error of the engine and raises the failure when it is one that the engine does not recover from.
    pub fn notice(&self, error: &str) {
        let fatal = ["FATAL Error", "database has been invalidated"].iter().any(|sign| error.contains(sign));
        if fatal {
            self.raise(error);
        }
    }

    /// Raises the failure: what the engine holds in memory is not to be trusted any more.
    pub fn raise(&self, error: &str) {
        if !self.raised.is_cancelled() {
            tracing::error!(error, "the database engine cannot go on");
            self.raised.cancel();
        }
    }

    /// Returns when the failure has been raised.
    pub async fn raised(&self) {
        self.raised.cancelled().await;
    }

    /// Whether the failure has been raised.
    pub fn is_raised(&self) -> bool {
        self.raised.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_without_a_way_back_is_a_failure() {
        let failure = Failure::default();
        failure.notice("Constraint Error: NOT NULL constraint failed: trades.symbol");
        failure.notice("IO Error: No space left on device");
        assert!(!failure.is_raised());
        failure.notice("FATAL Error: Failed: database has been invalidated because of a previous fatal error");
        assert!(failure.is_raised());
    }
}
