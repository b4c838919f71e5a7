//! Input that clients send, read leniently, and what is wrong with it, item by item.
//!
//! * [`Problem`] is one item of a 422 answer.
//! * [`Moment`] is an instant as the client wrote it; [`integer`] reads whole numbers.
//! * [`Parameters`] are those of the query string, [`Members`] those of a JSON body. Both gather problems while they
//!   are read and give them out together at the end.

mod body;
mod integer;
mod members;
mod moment;
mod parameters;
mod problem;

pub use body::object;
pub use members::Members;
pub use moment::Moment;
pub use parameters::Parameters;
pub use problem::{Problem, Step};

/// The spans that `time_range` may name, as a message lists them.
const TIME_RANGES: &str = "'1h', '24h', '7d' or '30d'";
/// The buckets that `interval` may name, as a message lists them.
const INTERVALS: &str = "'1m', '5m', '15m', '1h' or '1d'";
