//! Old days as Parquet files, outside of the database.
//!
//! * `layout` names the files, `day_file` writes and reads one, and [`Files`] is where they are: a directory that the
//!   database reads, or a bucket with a `cache` of copies. `lease` keeps files in place that are being read.
//! * [`Archive`] moves days there: written aside, read back, renamed, and only then deleted from the database, in the
//!   transaction that records the file. Stopped at any point, it can begin anew: until that transaction is committed
//!   the file does not count.
//!
//! What the rows of a day are, and when the database lets go of them, is the business of the store.

mod cache;
mod day_file;
mod error;
mod files;
mod layout;
mod lease;
mod run;

pub use error::ArchiveError;
pub use files::{Files, Found};
pub use layout::{Named, date, parse};
pub use lease::Lease;
pub use run::{Archive, MovedDay};

#[cfg(test)]
pub(crate) use day_file::write;
