//! How the scans of one query share a transaction. The test plays the worker.

use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::conversation::{Client, Conversation};
use super::super::deadline::Deadline;
use super::super::process::{Worker, Workers};
use super::super::store_sql;
use super::super::wire::{FromWorker, Query, SCAN_WINDOW, ScanRequest, ToWorker, decode, frame};
use super::*;
use crate::budget::Budget;

/// The worker's end of a conversation that has begun.
async fn begun(desk: &Desk) -> (impl AsyncRead + Unpin, impl AsyncWrite + Unpin) {
    let (server, worker) = tokio::io::duplex(64 << 10);
    let (input, output) = tokio::io::split(server);
    let worker_here = Worker {
        input: BufReader::new(Box::new(input)),
        output: Box::new(output),
        process: None,
        memory: Budget::new("memory", 0).try_reserve(0).unwrap(),
        place: None,
        idle_since: Instant::now(),
    };
    let conversation = Conversation {
        worker: worker_here,
        workers: Workers::new(Launcher::Thread, &QuerySettings::default()),
        reader: desk.store.reader().sql(),
        deadline: Deadline::after(Duration::from_secs(60)),
        max_rows: 1,
    };
    let query = Query { sql: String::new(), parameters: Value::Null };
    let client = Client { opening: None, batches: mpsc::channel(1).0 };
    tokio::spawn(conversation.run(query, client, CancellationToken::new()));
    let (mut input, output) = tokio::io::split(worker);
    let (message, _) = frame::receive::<ToWorker>(&mut input, 0).await.unwrap();
    assert!(matches!(message, ToWorker::Query(_)), "{message:?}");
    (input, output)
}

fn every_quote() -> ScanRequest {
    let sql = store_sql::rows(&MARKET_DATA, &MARKET_DATA.schema(), &[], None, None).unwrap();
    ScanRequest::from(&sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_whose_rows_are_not_used_makes_way_for_the_next_one() {
    let desk = Desk::with(QuerySettings::default(), 40_000).await;
    let (mut input, mut output) = begun(&desk).await;
    frame::send(&mut output, &FromWorker::Scan(1, every_quote()), &[]).await.unwrap();
    let mut rows = 0;
    for _ in 0..SCAN_WINDOW {
        let (message, bytes) = frame::receive::<ToWorker>(&mut input, usize::MAX).await.unwrap();
        assert!(matches!(message, ToWorker::Rows(1)), "{message:?}");
        rows += decode(bytes).unwrap().1.unwrap().num_rows();
    }
    // Nothing more of it is asked for, but another one is.
    frame::send(&mut output, &FromWorker::Scan(2, every_quote()), &[]).await.unwrap();
    loop {
        match frame::receive::<ToWorker>(&mut input, usize::MAX).await.unwrap() {
            (ToWorker::Rows(1), bytes) => rows += decode(bytes).unwrap().1.unwrap().num_rows(),
            (ToWorker::End(1), _) => break,
            (message, _) => panic!("{message:?}"),
        }
    }
    assert_eq!(rows, 120_000);
    let (message, _) = frame::receive::<ToWorker>(&mut input, usize::MAX).await.unwrap();
    assert!(matches!(message, ToWorker::Rows(2)), "{message:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_is_read_as_far_as_it_is_used_and_ends_when_it_is_not_wanted() {
    let desk = Desk::with(QuerySettings::default(), 40_000).await;
    let (mut input, mut output) = begun(&desk).await;
    frame::send(&mut output, &FromWorker::Scan(1, every_quote()), &[]).await.unwrap();
    for _ in 0..SCAN_WINDOW {
        frame::receive::<ToWorker>(&mut input, usize::MAX).await.unwrap();
    }
    let more = tokio::time::timeout(Duration::from_millis(200), frame::receive::<ToWorker>(&mut input, usize::MAX));
    assert!(more.await.is_err(), "it waits until rows are used");
    frame::send(&mut output, &FromWorker::Cancel(1), &[]).await.unwrap();
    let (message, _) = frame::receive::<ToWorker>(&mut input, usize::MAX).await.unwrap();
    assert!(matches!(message, ToWorker::End(1)), "{message:?}");
}
