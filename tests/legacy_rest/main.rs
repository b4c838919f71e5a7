//! The legacy REST interface, path by path, over real sockets.
//!
//! `service`, `metrics`, `trades` and `system` look at what each path answers, `history` at what history makes of given
//! rows, `refusals`, `leniency`, `redirects` and `cors` at what holds for all of them. What the legacy service answered
//! is in `tests/data/legacy`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod cors;
mod history;
mod leniency;
mod metrics;
mod redirects;
mod refusals;
mod service;
mod system;
mod trades;

use serde::de::DeserializeOwned;

/// The cases of a file in `tests/data/legacy`.
fn recorded<T: DeserializeOwned>(file: &str) -> T {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/legacy").join(file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
