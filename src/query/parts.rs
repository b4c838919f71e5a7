//! A time range in parts that are small enough to be sorted.

use super::Window;
use crate::batch::ReadError;
use crate::time::{Micros, SECOND};

/// Rows are counted in parts of this width; where one has too many, in parts of the next one.
const WIDTHS: [Micros; 4] = [3_600 * SECOND, SECOND, 1_000, 1];

/// Cuts a time range so that each part has about a number of rows, or is a single instant. The parts leave nothing out.
pub struct Parts {
    most_rows: i64,
    /// Oldest last.
    rest: Vec<Part>,
}

struct Part {
    window: Window,
    /// `None` while they are not counted.
    rows: Option<i64>,
    /// Which width it is counted in when it has too many.
    counted_in: usize,
}

impl Parts {
    /// Parts of `window` with about `most_rows` rows.
    pub fn new(window: Window, most_rows: i64) -> Self {
        Self { most_rows, rest: vec![Part { window, rows: None, counted_in: 0 }] }
    }

    /// The next part, oldest first. `count` gives the rows of each part of a width that has any, oldest first.
    pub fn next<C>(&mut self, mut count: C) -> Result<Option<Window>, ReadError>
    where
        C: FnMut(Window, Micros) -> Result<Vec<(Micros, i64)>, ReadError>,
    {
        while let Some(part) = self.rest.pop() {
            match WIDTHS.get(part.counted_in) {
                Some(width) if part.rows.is_none_or(|rows| rows > self.most_rows) => {
                    let counts = count(part.window, *width)?;
                    self.divide(&part, &counts);
                }
                _ => return Ok(Some(self.join(part))),
            }
        }
        Ok(None)
    }

    fn divide(&mut self, part: &Part, counts: &[(Micros, i64)]) {
        let mut end = part.window.end;
        for (place, (start, rows)) in counts.iter().enumerate().rev() {
            // What lies between two parts belongs to the one before it.
            let start = if place == 0 { part.window.start } else { *start };
            let window = Window { start, end };
            self.rest.push(Part { window, rows: Some(*rows), counted_in: part.counted_in + 1 });
            end = start.saturating_sub(1);
        }
        if counts.is_empty() {
            self.rest.push(Part { window: part.window, rows: Some(0), counted_in: WIDTHS.len() });
        }
    }

    /// A part together with those after it, as long as they are few rows.
    fn join(&mut self, first: Part) -> Window {
        let (mut window, mut rows) = (first.window, first.rows.unwrap_or(0));
        while let Some(next) = self.rest.pop_if(|next| next.rows.is_some_and(|more| rows + more <= self.most_rows)) {
            window.end = next.window.end;
            rows += next.rows.unwrap_or(0);
        }
        window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Micros = 3_600 * SECOND;

    /// Parts of a window over rows at these instants.
    fn cut(window: Window, most_rows: i64, instants: &[Micros]) -> Vec<(Micros, Micros)> {
        let mut parts = Parts::new(window, most_rows);
        let mut count = |window: Window, width: Micros| {
            let mut counts: Vec<(Micros, i64)> = Vec::new();
            for instant in instants.iter().filter(|instant| (window.start..=window.end).contains(instant)) {
                let part = instant.div_euclid(width) * width;
                match counts.last_mut() {
                    Some((last, rows)) if *last == part => *rows += 1,
                    _ => counts.push((part, 1)),
                }
            }
            Ok(counts)
        };
        std::iter::from_fn(|| parts.next(&mut count).unwrap()).map(|window| (window.start, window.end)).collect()
    }

    #[test]
    fn a_window_is_cut_without_a_gap_and_no_part_has_too_many_rows() {
        let window = Window { start: -10 * HOUR, end: 100 * HOUR };
        assert_eq!(cut(window, 3, &[]), [(-10 * HOUR, 100 * HOUR)]);
        assert_eq!(cut(window, 3, &[0, 5 * HOUR, 6 * HOUR]), [(-10 * HOUR, 100 * HOUR)]);
        let crowded: Vec<_> = (0..50).map(|row| row * 400_000 - 7 * SECOND).chain([20 * HOUR, 21 * HOUR]).collect();
        let parts = cut(window, 3, &crowded);
        assert_eq!((parts[0].0, parts[parts.len() - 1].1), (window.start, window.end));
        assert!(parts.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{parts:?}");
        let rows = |part: &(Micros, Micros)| crowded.iter().filter(|row| (part.0..=part.1).contains(row)).count();
        assert!(parts.iter().all(|part| rows(part) <= 3), "{parts:?}");
        assert!(parts.len() < 30, "small parts are joined: {parts:?}");
    }

    #[test]
    fn an_instant_is_never_cut() {
        let window = Window { start: 0, end: HOUR };
        assert_eq!(cut(window, 3, &[7, 7, 7, 7, 7, 9]), [(0, 8), (9, HOUR)]);
    }
}
