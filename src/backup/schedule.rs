//! Backups at an interval.

use std::time::Duration;

use super::{BackupError, Backups, Place, catalog};
use crate::time::{self, Micros};

/// Time until a backup that failed is tried again, unless the interval is shorter.
const RETRY: Duration = Duration::from_secs(300);
/// The longest time between two looks at the clock, which may be set meanwhile.
const LOOK: Duration = Duration::from_secs(60);

/// Takes a backup whenever the newest one of this database that is there is as old as `every`, until the server stops. A start does not
/// repeat what was done before it.
pub(super) async fn schedule(backups: Backups, every: Duration, keep: usize) {
    tracing::info!(location = %backups.location(), every = every.as_secs(), keep, "backups are taken by themselves");
    loop {
        let wait = match backup_when_due(&backups, every, keep).await {
            Ok(wait) => {
                tracing::debug!(seconds = wait.as_secs(), "the next backup is due");
                wait.min(LOOK)
            }
            Err(error) => {
                backups.failed(&error);
                RETRY.min(every)
            }
        };
        tokio::select! {
            () = backups.stopped().cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Says how long the next one can wait.
async fn backup_when_due(backups: &Backups, every: Duration, keep: usize) -> Result<Duration, BackupError> {
    let place = Place::open(backups.location())?;
    let newest = catalog::newest_of(&place, backups.identity()).await?;
    if let Some(wait) = newest.and_then(|newest| until_due(newest.name.instant(), every, time::now())) {
        return Ok(wait);
    }
    backups.take(backups.location(), Some(keep), backups.stopped(), &|_| {}).await?;
    Ok(every)
}

/// How long until a backup is `every` old; `None` when it is. One from the future is as good as new.
fn until_due(taken: Micros, every: Duration, now: Micros) -> Option<Duration> {
    let age = Duration::from_micros(u64::try_from(now.saturating_sub(taken)).unwrap_or(0));
    every.checked_sub(age).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn a_backup_is_due_when_the_newest_is_old_enough() {
        let hour = Duration::from_secs(3_600);
        let now = 1_767_623_400 * SECOND;
        assert_eq!(until_due(now, hour, now), Some(hour));
        assert_eq!(until_due(now - 3_599 * SECOND, hour, now), Some(Duration::from_secs(1)));
        assert_eq!(until_due(now - 3_600 * SECOND, hour, now), None);
        assert_eq!(until_due(now + 7_200 * SECOND, hour, now), Some(hour));
    }
}
