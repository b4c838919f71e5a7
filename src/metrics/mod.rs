//! Figures of the server itself: how they are counted, and the text in which a monitoring system reads them.
//!
//! * [`Histogram`] counts durations and amounts; whoever does the work adds to it.
//! * [`Exposition`] writes families of samples; `serve` says which there are.
//! * [`Process`] is what the operating system knows of this process.

mod exposition;
mod histogram;
mod process;

pub use exposition::{Exposition, one};
pub use histogram::{AMOUNTS, Histogram, SECONDS};
pub use process::{Process, resident_bytes};
