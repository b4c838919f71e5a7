//! History against a naive computation over the same rows.
//!
//! `rows` makes random rows, with gaps, nulls, late rows and rows that replace others; `naive` computes from them what
//! history must answer, one row at a time; `property` pushes the rows and compares. `summary` compares the figures of a time
//! range, `large_sums` is about sums that no integer holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod all_of_time;
mod large_sums;
mod naive;
mod property;
mod rows;
mod summary;
