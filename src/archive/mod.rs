//! Old days as Parquet files, outside of the database.
//!
//! * `layout` names the files, `day_file` writes and reads one, and [`Files`] is where they are: a directory that the
//!   database reads, or a bucket with a `cache` of copies. `lease` keeps files in place that are being read.
//! * [`Archive`] moves days there: written aside, read back, renamed, and only then deleted from the database, in the
//!   transaction that records the file. Stopped at any point, it can begin anew: until that transaction is committed
//!   the file does not count.
//!
//! * [`Ownership`] sees to it that only one database changes an archive; `owner` is the file that says which.
//! * `verified` reads a file to its end before its rows are believed, and compares its [`Digest`] with what the database
//!   knows; `keys` says which files may have a key.
//!
//! What the rows of a day are, and when the database lets go of them, is the business of the store.

mod cache;
mod day_file;
mod digest;
mod error;
mod files;
mod keys;
mod layout;
mod lease;
mod owner;
mod ownership;
mod run;
mod verified;

pub use day_file::{Content, keys_of};
pub use digest::Digest;
pub use error::ArchiveError;
pub use files::{Files, Found};
pub use keys::{FileKeys, key_column};
pub use layout::{Named, date, file_name, parse, set_aside};
pub use lease::Lease;
pub use ownership::{Ownership, Vacancy};
pub use run::{Archive, MovedDay};

#[cfg(test)]
pub(crate) use day_file::write;
