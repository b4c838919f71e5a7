//! Results that nobody reads: what they hold is bounded, and everybody else is answered.

use std::time::{Duration, Instant};

use observability_api::tables::MarketDataRow;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::common::{Launch, Server, eventually, eventually_within, ipc};

const START: i64 = 1_700_000_000;
const LABELS: usize = 250;
const ROWS: usize = 16_000;
const MEMORY: u64 = 512 << 20;
/// How long a client that reads nothing waits before it asks again.
const AGAIN: Duration = Duration::from_secs(10);

/// A server whose series have labels of nearly a thousand characters: a few rows take much room.
async fn with_long_labels(arguments: &[&str]) -> Server {
    let server = Launch::new().arguments(["--memory-limit=512MiB"]).arguments(arguments).start().await;
    let row = |row: usize| MarketDataRow {
        timestamp: (START + (row / LABELS) as i64 * 60) * 1_000_000,
        symbol: format!("{:05}{}", row % LABELS, "x".repeat(980)),
        last_price: Some(1.5),
        bid: None,
        ask: None,
        volume: None,
        trades: None,
        spread_bps: None,
    };
    let headers = [("content-type", ipc::MEDIA_TYPE)];
    for part in 0..ROWS / 4_000 {
        let rows: Vec<_> = (part * 4_000..(part + 1) * 4_000).map(row).collect();
        let body = ipc::write(&[MarketDataRow::batch(&rows).unwrap()]);
        server.send(reqwest::Method::POST, "/api/ingest/market_data", &headers, body).await.expect(200);
    }
    server
}

fn history() -> Value {
    json!({"start_time": "2023-11-14", "end_time": "2023-11-16", "metric_types": ["market_data"], "interval": "1m"})
}

fn large_sql() -> Value {
    let values: Vec<_> = (0..3).map(|number| format!("({number})")).collect();
    json!({"sql": format!("SELECT repeat('x', 2000000) AS s, column1 FROM (VALUES {}) AS v", values.join(","))})
}

/// A request of whose response nothing is read.
async fn ask(server: &Server, path: &str, body: &Value) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// A figure of `/metrics`.
async fn figure(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").await.expect(200).text().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
}

async fn until_nothing_is_held(server: &Server) {
    for name in ["observability_results_bytes", "observability_readers_in_use"] {
        let given_back = async || (figure(server, name).await == 0).then_some(());
        eventually(&format!("{name} is 0"), given_back).await;
    }
}

/// What the server and the processes it has started hold now, in bytes.
fn resident(server: &Server) -> u64 {
    let children = |pid: u32| {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        children.flat_map(|all| all.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
    };
    let resident = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10
    };
    resident(server.pid()) + children(server.pid()).map(resident).sum::<u64>()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "not kept yet: with more of them than there are connections, some of the others are still told to come back (429)"]
async fn requests_that_nobody_reads_leave_the_api_to_others() {
    let server = std::sync::Arc::new(with_long_labels(&["--readers=8"]).await);
    let mut unread = JoinSet::new();
    for _ in 0..12 {
        let server = server.clone();
        unread.spawn(async move {
            loop {
                let held = ask(&server, "/api/metrics/history", &history()).await;
                tokio::time::sleep(AGAIN).await;
                drop(held);
            }
        });
    }
    let taken = async || (figure(&server, "observability_readers_in_use").await >= 8).then_some(());
    eventually("all connections are taken", taken).await;
    let day = json!({"start_time": "2024-11-14", "end_time": "2024-11-15", "metric_types": ["market_data"]});
    for round in 0..2 {
        let asked = Instant::now();
        let (trades, summary, history) = tokio::join!(
            server.get("/api/trades/?limit=5"),
            server.get("/api/trades/stats/summary"),
            server.post("/api/metrics/history", &day)
        );
        for answer in [trades, summary, history] {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert!(asked.elapsed() < Duration::from_secs(5), "{round}: {:?}", asked.elapsed());
        println!("round {round}: {:?}", asked.elapsed());
    }
    assert!(figure(&server, "observability_readers_displaced_total").await > 0);
    unread.abort_all();
    while unread.join_next().await.is_some() {}
    until_nothing_is_held(&server).await;
    let peak = server.peak_memory();
    println!("at most {} MiB", peak >> 20);
    assert!(peak < MEMORY, "{} MiB", peak >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_sql_that_nobody_reads_are_bounded() {
    let server = Launch::new().arguments(["--memory-limit=512MiB"]).start().await;
    let (mut held, mut most, mut first) = (Vec::new(), 0, [0; 12]);
    for _ in 0..40 {
        let mut stream = ask(&server, "/api/sql?format=json", &large_sql()).await;
        // Its query has ended, or been refused, before the next one comes.
        let begun = tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut first)).await;
        begun.expect("it is answered").expect("with a status");
        most = resident(&server).max(most);
        held.push(stream);
    }
    println!("at most {} MiB", most >> 20);
    assert!(most < MEMORY, "{} MiB", most >> 20);
    drop(held);
    until_nothing_is_held(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_result_nobody_reads_goes_to_others() {
    // With this little memory there is one.
    let server = with_long_labels(&[]).await;
    let mut held = ask(&server, "/api/sql", &json!({"sql": "SELECT * FROM market_data"})).await;
    held.read_exact(&mut [0; 12]).await.unwrap();
    let other = async || (server.post("/api/sql", &json!({"sql": "SELECT 1 AS n"})).await.status == 200).then_some(());
    assert!(other().await.is_none(), "it has a moment");
    eventually_within(Duration::from_secs(6), "others have their turn", other).await;
    assert!(server.log().contains("others wait for its worker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_nobody_reads_together_stays_within_the_memory() {
    let server = with_long_labels(&[]).await;
    let export = async || {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET /api/export/market_data?format=arrow HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(ask(&server, "/api/metrics/history", &history()).await);
        held.push(export().await);
        held.push(ask(&server, "/api/sql", &large_sql()).await);
    }
    let mut most = 0;
    let served = async || {
        most = resident(&server).max(most);
        (server.get("/api/trades/?limit=1").await.status == 200).then_some(())
    };
    eventually_within(Duration::from_secs(5), "others are served", served).await;
    let busy = async || (figure(&server, "observability_results_bytes").await > 0).then_some(());
    eventually("something is held", busy).await;
    println!("at most {} MiB", most >> 20);
    assert!(most < MEMORY, "{} MiB", most >> 20);
    drop(held);
    until_nothing_is_held(&server).await;
}
