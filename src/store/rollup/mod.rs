//! Roll-ups: what is known of each bucket of time without its rows.

mod level;

pub use level::{LEVELS, Level};
