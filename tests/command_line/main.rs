//! The command line: what it says, what it takes from where, and how the program starts and ends.
//!
//! `options` is about settings, `running` about files, signals and a second server, `output` about files that commands
//! write, `forms` about what is in them, `tls` about HTTPS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod forms;
mod options;
mod output;
mod running;
mod tls;
