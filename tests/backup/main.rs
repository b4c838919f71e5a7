//! Backups of a running server, and databases made of them.
//!
//! * `under_load` writes while a backup is taken, and compares what comes back.
//! * `refusals` is about what is not done: overwriting, damaged files, strangers.
//! * `broken_off` kills the program in the middle.
//! * `several` is about names, the count to keep, and backups at an interval.
//! * `object_store` does it all with S3.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod broken_off;
mod desk;
mod object_store;
mod refusals;
mod several;
mod under_load;
