//! The command line: what it says, what it takes from where, and how the program starts and ends.
//!
//! `options` is about settings, `running` about files, signals and a second server, `output` about files that commands
//! write, `closed` about output that nobody reads, `forms` about what is in files, `tls` about HTTPS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod closed;
mod forms;
mod options;
mod output;
mod running;
mod tls;
