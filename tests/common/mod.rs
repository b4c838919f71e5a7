//! What the tests of the running program share.
//!
//! * [`Server`] starts the program in a directory of its own, on a port that the system chooses, and ends it.
//! * [`Answer`] is an HTTP answer, and [`raw`] speaks HTTP by hand for what a client library would not send.
//! * [`http2`] is a client that takes nothing until it wants to.
//! * [`Exporter`] stands in for a service of the desk: it serves Prometheus text that a test can change.
//! * [`ipc`] writes and reads Arrow streams.
//! * [`Postgres`] is a PostgreSQL server of its own, where the machine has one.
//! * [`S3`] is an object store of a test's own.
//! * [`shape`] compares JSON with a template of types; [`python`] finds the interpreter with the data libraries.
//!
//! Each test binary uses a part of it.
#![allow(dead_code, unused_imports, reason = "every test binary uses a part of this")]

mod answer;
mod eventually;
mod exporter;
pub mod http2;
pub mod ipc;
mod postgres;
pub mod python;
pub mod raw;
mod s3;
mod server;
pub mod shape;

pub use answer::Answer;
pub use eventually::{eventually, eventually_within};
pub use exporter::Exporter;
pub use postgres::Postgres;
pub use s3::S3;
pub use server::{Ended, Launch, Server};
