//! How many rows a second a table has where it is not rolled up yet.

use crate::time::{Micros, SECOND};

/// Table time that is counted at a time.
const SPAN: Micros = 60 * SECOND;

/// Counts rows as they are stored. Late rows count too, so that there may seem to be more than there are.
pub struct Density {
    rows: u64,
    /// Where the span begins that is being counted.
    since: Option<Micros>,
    per_second: Option<f64>,
}

impl Density {
    /// Of so many rows that lie between two instants.
    pub fn new(rows: u64, since: Micros, newest: Option<Micros>) -> Self {
        let per_second = newest.filter(|newest| *newest > since).map(|newest| rate(rows, newest - since));
        Self { rows: 0, since: newest, per_second }
    }

    /// Rows were stored, of which the first and the last instant are these.
    pub fn add(&mut self, rows: usize, (oldest, newest): (Micros, Micros)) {
        self.rows += rows as u64;
        let since = *self.since.get_or_insert(oldest);
        let span = newest.saturating_sub(since);
        if span >= SPAN {
            self.per_second = Some(rate(self.rows, span));
            (self.rows, self.since) = (0, Some(newest));
        }
    }

    /// Rows a second; `None` while nothing is known.
    pub fn per_second(&self) -> Option<f64> {
        self.per_second
    }
}

fn rate(rows: u64, span: Micros) -> f64 {
    rows as f64 * SECOND as f64 / span.max(SECOND) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_last_counts() {
        let mut density = Density::new(600, 0, Some(60 * SECOND));
        assert_eq!(density.per_second(), Some(10.0));
        density.add(100, (60 * SECOND, 70 * SECOND));
        assert_eq!(density.per_second(), Some(10.0), "too short to tell");
        density.add(6_500, (70 * SECOND, 120 * SECOND));
        assert_eq!(density.per_second(), Some(110.0));
        let mut density = Density::new(0, 0, None);
        assert_eq!(density.per_second(), None);
        density.add(120, (60 * SECOND, 120 * SECOND));
        assert_eq!(density.per_second(), Some(2.0));
    }
}
