//! Rollups: what is known of each bucket of time without its rows.
//!
//! `level` has the widths, `text` the statements of `queries/rollup` for a table, `reach` how far they are in the database.
//! A `roller` for each table knows how far its buckets are made. Complete buckets are made once, a `step` at a time, by a
//! `worker` beside the writer. When the writer stores a late row, `past` notes which buckets are stale: few of them are
//! computed again at once (`refresh`), others are marked in the database (`marks`) and wait (`pending`) for a step, whose
//! files of archived days are fetched before it begins (`fetch`). `density` says how many rows stand in for buckets that are
//! not made, `bounds` tells questions how far all of it reaches, `ranges` what to read of it. `dropped` knows the days whose
//! buckets have outlived their rows.

mod bounds;
mod density;
pub mod dropped;
mod fetch;
mod level;
pub mod marks;
mod past;
mod pending;
mod progress;
mod ranges;
mod reach;
mod refresh;
mod roller;
mod step;
pub mod text;
mod worker;

pub use bounds::{Bounds, Made, Rolled};
pub use level::{FINEST, LEVELS, Level};
pub use past::Past;
pub use progress::{Rollups, TableRollup};
pub use ranges::{TimeRange, ranges};
pub use reach::{Reach, rolled_up_before};
pub use roller::Roller;
pub use step::{Step, Stepped};
pub use worker::Worker;

#[cfg(test)]
mod tests;
