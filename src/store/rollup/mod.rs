//! Roll-ups: what is known of each bucket of time without its rows.
//!
//! `level` has the widths, `text` the statements of `queries/rollup` for a table, `reach` how far they are in the database.
//! A `roller` for each table knows how far its buckets are made. Complete buckets are made once, a `step` at a time, by a
//! `worker` beside the writer; the writer makes them again when it stores a row into the past (`past`). `density` says how
//! many rows stand in for buckets that are not made, `bounds` tells questions how far all of it reaches.

mod bounds;
mod density;
mod level;
mod past;
mod progress;
mod reach;
mod roller;
mod step;
pub mod text;
mod worker;

pub use bounds::{Bounds, Made, Rolled};
pub use level::{FINEST, LEVELS, Level};
pub use past::Past;
pub use progress::{Rollups, TableRollup};
pub use reach::{Reach, rolled_up_before, rows_begin};
pub use roller::Roller;
pub use step::{Step, Stepped};
pub use worker::Worker;

#[cfg(test)]
mod tests;
