//! Everything that can hold up a server at one time, for as long as `SOAK_SECONDS` says (a few seconds without it).
//!
//! Rows come in at 50,000 a second while clients leave their exports unread, let uploads stall, open WebSockets that they do
//! not read, ask for SQL that has no end, and bring labels that nobody has seen before. Meanwhile the server must answer
//! its health check, stay within its memory, and lose no row that it has acknowledged; afterwards it must come to rest.
//!
//! By hand, on a machine with nothing else to do:
//! `SOAK_SECONDS=1800 cargo test --release --test soak -- --nocapture`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;
mod ledger;
mod stalled;
mod vitals;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Launch, Server, eventually_within};
use ledger::Ledger;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vitals::Vitals;

/// What the server may take.
const MEMORY: u64 = 1 << 30;
const UNREAD_EXPORTS: usize = 20;
const STALLED_UPLOADS: usize = 200;
const STALLED_WEBSOCKETS: usize = 500;
const ENDLESS_QUERIES: usize = 4;
/// How long after the load the server may take to come to rest.
const REST: Duration = Duration::from_secs(60);
/// A server that is at rest uses less of one core than this.
const IDLE_CPU: f64 = 0.15;

/// Time that the load lasts.
fn duration() -> Duration {
    let seconds = std::env::var("SOAK_SECONDS").ok().map(|seconds| seconds.parse().expect("SOAK_SECONDS is a number"));
    Duration::from_secs(seconds.unwrap_or(15))
}

fn launch() -> Launch {
    Launch::new().arguments(["--memory-limit", &MEMORY.to_string()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_under_siege_keeps_its_promises() {
    let server = launch().start().await;
    let ledger = Arc::new(Ledger::default());
    let stop = CancellationToken::new();
    let mut load = JoinSet::new();
    // First, so that there is something to export.
    load.spawn(work::ingest(server.client.clone(), server.url(""), Arc::clone(&ledger), stop.clone()));
    eventually_within(Duration::from_secs(20), "rows are stored", async || (ledger.acknowledged() > 20).then_some(()))
        .await;
    for _ in 0..UNREAD_EXPORTS {
        load.spawn(stalled::export(server.address, stop.clone()));
    }
    for _ in 0..STALLED_UPLOADS {
        load.spawn(stalled::upload(server.address, stop.clone()));
    }
    for _ in 0..STALLED_WEBSOCKETS {
        load.spawn(stalled::websocket(server.address, stop.clone()));
    }
    for _ in 0..ENDLESS_QUERIES {
        load.spawn(work::endless_sql(server.client.clone(), server.url("/api/sql"), stop.clone()));
    }
    load.spawn(work::label_storm(server.client.clone(), server.url("/api/ingest/market_data"), stop.clone()));

    let vitals = Vitals::watch(server.pid(), server.url("/health/live"), duration()).await;
    stop.cancel();
    while let Some(ended) = load.join_next().await {
        ended.expect("the load goes on until it is told to stop");
    }
    println!("{vitals}\n{ledger}");

    let rested = Instant::now();
    eventually_within(REST, "the server comes to rest", async || at_rest(&server).await.then_some(())).await;
    println!("at rest after {:?}", rested.elapsed());

    assert!(ledger.acknowledged() > 0, "nothing was stored under load");
    ledger.check(&server).await;
    let directory = server.directory.clone();
    drop(server);
    let restarted = launch().directory(&directory).start().await;
    ledger.check(&restarted).await;

    assert!(vitals.peak_memory < MEMORY, "{vitals}");
    // A short run beside other tests says nothing of the time that answers take.
    if std::env::var_os("SOAK_SECONDS").is_some() {
        assert!(vitals.slow_answers(0.99) < Duration::from_millis(50), "{vitals}");
    }
}

/// Whether nobody is served and nothing is computed.
async fn at_rest(server: &Server) -> bool {
    let before = vitals::cpu_seconds(server.pid());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let busy = vitals::cpu_seconds(server.pid()) - before;
    let figures = server.get("/metrics").await.expect(200).text();
    let readers = figures.lines().filter(|line| line.starts_with("observability_readers_in_use"));
    let in_use: f64 = readers.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    busy < IDLE_CPU && in_use <= 1.0
}
