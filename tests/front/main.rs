//! Who gets in: pages, names, and connections.
//!
//! `pages` are requests of browsers, `names` what the server is called, `connections` how many there may be and how long they
//! may stay, `arriving` what becomes of requests whose bodies do not come, `stalled` of answers that nobody takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod arriving;
mod connections;
mod names;
mod pages;
mod stalled;

use common::{Server, raw};

/// The status of a request with these lines below its own, on a connection that ends with it.
async fn status(server: &Server, request: &str, headers: &[String], body: &str) -> u16 {
    let answer = exchange(server, request, headers, body).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("{request} {headers:?}: {answer}"))
}

async fn exchange(server: &Server, request: &str, headers: &[String], body: &str) -> String {
    let mut text = format!("{request} HTTP/1.1\r\nconnection: close\r\n");
    headers.iter().for_each(|line| text.push_str(&format!("{line}\r\n")));
    if !body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    raw::exchange(server.address, format!("{text}\r\n{body}").as_bytes()).await
}
