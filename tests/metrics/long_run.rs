//! Thirty million rows, by hand: `cargo test --release --test metrics -- --ignored --nocapture thirty_million`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Figures;
use crate::common::Launch;
use crate::{push, quotes};

const START: i64 = 1_761_048_000_000_000;
const ROWS: usize = 100_000;
const BODIES: usize = 300;
const MEMORY: u64 = 1 << 30;

/// Time of each answer of the newest values, asked every ten milliseconds.
async fn ask(client: reqwest::Client, url: String, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut clock = tokio::time::interval(Duration::from_millis(10));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        clock.tick().await;
        let started = Instant::now();
        client.get(&url).send().await.unwrap().bytes().await.unwrap();
        times.push(started.elapsed());
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "takes minutes; prints what it measures"]
async fn thirty_million_rows_go_in_within_the_memory_that_was_set() {
    let server = Launch::new().arguments(["--memory-limit", &format!("{MEMORY}")]).start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(ask(server.client.clone(), server.url("/api/metrics/current"), stop.clone()));
    let (mut longest_log, mut slowest_push, mut files) = (0.0_f64, Duration::ZERO, (f64::MAX, 0.0_f64));
    let started = Instant::now();
    for body in 0..BODIES {
        let quotes = quotes(START, body * ROWS, ROWS);
        let pushed = Instant::now();
        push(&server, quotes).await;
        slowest_push = slowest_push.max(pushed.elapsed());
        let figures = Figures::of(&server).await;
        longest_log = longest_log.max(figures.get("observability_database_wal_bytes", &[]));
        let open = figures.get("observability_process_open_files", &[]);
        files = (files.0.min(open), files.1.max(open));
    }
    let took = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut times = asking.await.unwrap();
    times.sort();
    let figures = Figures::of(&server).await;
    let peak = figures.get("observability_process_peak_resident_memory_bytes", &[]);
    println!("{}", figures.text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n"));
    println!("{} rows in {took:?}; slowest body {slowest_push:?}", BODIES * ROWS);
    println!("peak memory {peak}, longest log {longest_log}, open files {files:?}");
    println!(
        "{} answers of the newest values: p99.9 {:?}, slowest {:?}",
        times.len(),
        times[times.len() * 999 / 1_000],
        times.last().unwrap()
    );
    assert!(peak < MEMORY as f64, "{peak} bytes of memory");
    assert!(times.last().unwrap() < &Duration::from_millis(250));
}
