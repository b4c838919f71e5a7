//! The summary of a window as a table.

use super::{Queries, Window};
use crate::batch::{BatchStream, ReadError};

impl Queries {
    /// One row a metric type, label and numeric column: count, mean, min, max, first and last of its values.
    pub async fn summary(&self, window: Window) -> Result<BatchStream, ReadError> {
        self.named("summary/table", window, Vec::new()).await
    }
}
