//! Roll-ups: what is known of each bucket of time without its rows.
//!
//! `level` has the widths, `text` the statements of `queries/rollup` for a table. The writer keeps the buckets with a
//! `roller` for each table: complete buckets are made once, and made again when a row is stored into the past (`past`).

mod level;
mod past;
mod progress;
mod roller;
pub mod text;

pub use level::{FINEST, LEVELS, Level};
pub use past::Past;
pub use progress::{Rollups, TableRollup};
pub use roller::{Roller, rows_begin};

#[cfg(test)]
mod tests;
