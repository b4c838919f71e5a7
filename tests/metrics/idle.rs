//! A server with nothing to do.

use std::fs;
use std::time::Duration;

use crate::common::{Server, eventually};

/// How often a thread of the server has gone to sleep so far.
fn sleeps(server: &Server, thread: &str) -> Option<u64> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).ok()?.flatten();
    let is_it =
        |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == thread);
    let status = fs::read_to_string(tasks.into_iter().find(is_it)?.path().join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok())
}

#[tokio::test]
async fn nobody_looks_at_the_memory_of_queries_while_there_are_none() {
    let server = Server::start().await;
    if sleeps(&server, "memory").is_none() {
        println!("SKIPPED: this system does not tell how often a thread sleeps");
        return;
    }
    // The server itself asks the database something now and then: there has to be one quiet time, not only quiet times.
    eventually("the thread stays asleep", async || {
        let before = sleeps(&server, "memory");
        tokio::time::sleep(Duration::from_millis(300)).await;
        (sleeps(&server, "memory") == before).then_some(())
    })
    .await;
}
