//! Clients that take nothing of what they asked for.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::PATIENCE;
use crate::budget::Responses;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Cuts whatever has waited for its client for too long, until `shutdown` is cancelled, and tells the log of all that was cut.
pub async fn cut_stalled(responses: Responses, shutdown: CancellationToken) {
    let mut told = 0;
    while shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        responses.cut_stalled(PATIENCE);
        let cut = responses.cut();
        if cut > told {
            tracing::warn!(number = cut - told, "responses were cut: their clients took nothing of them");
            told = cut;
        }
    }
}
