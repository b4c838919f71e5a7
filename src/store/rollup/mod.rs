//! Roll-ups: what is known of each bucket of time without its rows.
//!
//! `level` has the widths, `text` the statements of `queries/rollup` for a table. A `roller` for each
//! table knows how far its buckets are made. Complete buckets are made once, a `step` at a time, by a `worker` beside the
//! writer; the writer makes them again when it stores a row into the past (`past`).

mod level;
mod past;
mod progress;
mod roller;
mod step;
pub mod text;
mod worker;

pub use level::{FINEST, LEVELS, Level};
pub use past::Past;
pub use progress::{Rollups, TableRollup};
pub use roller::{Roller, rows_begin};
pub use step::{Step, Stepped};
pub use worker::Worker;

#[cfg(test)]
mod tests;
