//! Keys of rows that have come in, of tables whose key is without time. Archived rows may have the same: the writer does not
//! look into files for them, and somebody else has to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, StringArray};
use tokio::sync::Notify;

use crate::tables::Table;

/// What may wait: some 300,000 keys.
const MOST_BYTES: usize = 16 << 20;

/// Keys that wait to be looked for. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct NewKeys {
    waiting: Arc<Mutex<Waiting>>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Waiting {
    keys: Vec<(&'static Table, StringArray)>,
    bytes: usize,
    left_out: usize,
}

impl NewKeys {
    /// Rows with these keys are committed. Beyond a bound they are left out.
    pub fn add(&self, table: &'static Table, keys: impl IntoIterator<Item = StringArray>) {
        let mut waiting = self.lock();
        for keys in keys {
            let bytes = keys.get_buffer_memory_size();
            if waiting.bytes.saturating_add(bytes) > MOST_BYTES {
                waiting.left_out += keys.len();
                continue;
            }
            waiting.bytes += bytes;
            waiting.keys.push((table, keys));
        }
        if !waiting.keys.is_empty() || waiting.left_out > 0 {
            self.arrived.notify_one();
        }
    }

    /// All that wait, once there are some, and how many were left out.
    pub async fn take(&self) -> (Vec<(&'static Table, StringArray)>, usize) {
        loop {
            let Waiting { keys, left_out, .. } = std::mem::take(&mut *self.lock());
            if !keys.is_empty() || left_out > 0 {
                return (keys, left_out);
            }
            self.arrived.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::TRADES;

    #[tokio::test]
    async fn what_waits_is_bounded_and_told() {
        let keys = NewKeys::default();
        let some = || StringArray::from(vec!["a", "b"]);
        let many = StringArray::from(vec!["x".repeat(1 << 20); 8]);
        keys.add(&TRADES, [some(), many.clone(), many, some()]);
        let (taken, left_out) = keys.take().await;
        assert_eq!(taken.iter().map(|(_, keys)| keys.len()).collect::<Vec<_>>(), [2, 8, 2]);
        assert_eq!(left_out, 8);
        let waiting = tokio::spawn(async move { keys.take().await.0.len() });
        assert!(!waiting.is_finished());
        waiting.abort();
    }
}
