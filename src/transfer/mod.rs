//! Rows of files and of other databases, brought to the declared tables.
//!
//! * `source` reads files row by row and knows their columns by name; [`postgres`] does the same with a table of a
//!   server. Both give their values as [`Cell`]s, whatever type they came in.
//! * `mapping` says which column of the source becomes which column of the table, and holds what the user wished.
//! * `convert` brings a cell to a column's type, losing nothing that the user did not allow.
//! * `batch` builds batches of the rows that fit; `reject` counts and keeps the others, each with its reason.
//!
//! Memory holds a few thousand rows, however large the source is. None of this sees the store.

mod batch;
mod cell;
mod convert;
mod mapping;
pub mod postgres;
mod reject;
mod source;

pub use batch::{ConvertError, Converter};
pub use cell::{Cell, Rows};
pub use convert::TimeUnit;
pub use mapping::{Columns, Mapping, MappingError, Plan, Translation};
pub use reject::{Reject, Rejects};
pub use source::{FileFormat, Reader, SourceError, open};
