//! Days that leave the database are answered for as before.
//!
//! * `desk` pushes days of rows and runs the commands; `answers` asks every door about them.
//! * `moving` archives, with rows that come too late, and compares answers to the byte.
//! * `kills` ends the program in the middle of it, again and again. `ARCHIVE_ROUNDS` says how often, 6 unless it is set.
//! * `retention` drops days, `sequences` in any order with rows and restarts; `object_store` does it all in a bucket; `fills` looks for one row.
//! * `scattered` has late rows in many hours of archived days, and little memory.
//! * `ownership` lets several databases want one archive; `damage` damages its files, and copies of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod damage;
mod desk;
mod fills;
mod kills;
mod moving;
mod object_store;
mod ownership;
mod retention;
mod scattered;
mod sequences;
