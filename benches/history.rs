//! History against DuckDB alone over the rows, both over HTTP as Arrow: `cargo bench --bench history`.
//!
//! DuckDB alone is behind a handler that does nothing but run the statement and send what it says.
//! 50 symbols over seven days at 3 and at 30 million rows, so that the same buckets are asked of ten times the rows, and
//! over thirty days. `HISTORY_ROWS` sets another number of rows than 30 million.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use axum::routing::post;
use axum::serve::ListenerExt;
use common::{Server, ipc, market_data, median};

const ROUNDS: usize = 15;
const SYMBOLS: usize = 50;
const BATCH: usize = 100_000;
const START: i64 = 1_767_225_600_000_000;
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// By then everything that is complete is rolled up.
const SETTLE: Duration = Duration::from_secs(15);

/// The same rows in a server and in DuckDB alone, whose address this is.
struct Stored {
    server: Server,
    alone: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// A question.
struct Question {
    name: &'static str,
    days: i64,
    interval: &'static str,
    width: i64,
    symbol: Option<&'static str>,
}

fn main() {
    let many: usize = std::env::var("HISTORY_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(30_000_000);
    let minutes = |name, symbol| Question { name, days: 7, interval: "5m", width: 300 * SECOND, symbol };
    let week = [minutes("7 days at 5 minutes", None), minutes("the same of one symbol", Some("SYM007"))];
    let month = [Question { name: "30 days at 1 hour", days: 30, interval: "1h", width: 3_600 * SECOND, symbol: None }];

    let few = measure(many / 10, 7, &week);
    let all = measure(many, 7, &week);
    println!("ten times the rows, the same buckets: time ratio {:.2}", all / few);
    measure(many, 30, &month);
}

/// Stores rows over some days and asks. Returns the milliseconds of the first question.
fn measure(rows: usize, days: i64, questions: &[Question]) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let stored = Stored::new(directory.path(), rows, days);
    let mut first = None;
    for question in questions {
        let (mut ours, mut raws, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let mut buckets = 0;
        for _ in 0..ROUNDS {
            let started = Instant::now();
            buckets = stored.alone(question);
            let alone = started.elapsed().as_secs_f64() * 1e3;
            let started = Instant::now();
            assert_eq!(stored.served(question), buckets);
            let served = started.elapsed().as_secs_f64() * 1e3;
            ratios.push(alone / served);
            raws.push(alone);
            ours.push(served);
        }
        let served = median(ours);
        println!(
            "{} of {rows} rows, {buckets} buckets: DuckDB alone {:.1} ms, ours {served:.1} ms, {:.1} times as fast",
            question.name,
            median(raws),
            median(ratios)
        );
        first.get_or_insert(served);
    }
    first.unwrap_or_default()
}

impl Stored {
    fn new(directory: &Path, rows: usize, days: i64) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let raw = duckdb::Connection::open(directory.join("raw.duckdb")).unwrap();
        raw.execute_batch(include_str!("../queries/schema/001_tables.sql")).unwrap();
        let server = Server::start(directory, &["--hot-days", "never"]);
        let step = days * DAY / (rows / SYMBOLS) as i64;
        for start in (0..rows).step_by(BATCH) {
            let batch = market_data(START + (start / SYMBOLS) as i64 * step, BATCH, SYMBOLS, step);
            raw.appender("market_data").unwrap().append_record_batch(batch.clone()).unwrap();
            let request = client.post(server.url("/api/ingest/market_data"));
            let request = request.header("content-type", "application/vnd.apache.arrow.stream").body(ipc(&batch));
            assert!(runtime.block_on(request.send()).unwrap().status().is_success());
        }
        raw.execute_batch("CHECKPOINT").unwrap();
        std::thread::sleep(SETTLE);
        Self { server, alone: duckdb_server(raw), client, runtime }
    }

    /// Buckets that DuckDB alone computes.
    fn alone(&self, question: &Question) -> usize {
        let sql = include_str!("history.sql")
            .replace("{start}", &START.to_string())
            .replace("{end}", &(START + question.days * DAY - 1).to_string())
            .replace("{width}", &question.width.to_string())
            .replace("{which}", &question.symbol.map_or("TRUE".into(), |symbol| format!("symbol = '{symbol}'")));
        self.buckets(self.client.post(&self.alone).body(sql))
    }

    /// Buckets that the server answers.
    fn served(&self, question: &Question) -> usize {
        let body = serde_json::json!({
            "start_time": START as f64 / 1e6,
            "end_time": (START + question.days * DAY - 1) as f64 / 1e6,
            "interval": question.interval,
            "metric_types": ["market_data"],
            "symbols": question.symbol.into_iter().collect::<Vec<_>>(),
        });
        self.buckets(self.client.post(self.server.url("/api/metrics/history?format=arrow")).json(&body))
    }

    /// Buckets of an answer, each batch decoded when the last of it has come.
    fn buckets(&self, request: reqwest::RequestBuilder) -> usize {
        self.runtime.block_on(async {
            let mut response = request.send().await.unwrap();
            assert!(response.status().is_success());
            let (mut decoder, mut buckets) = (StreamDecoder::new(), 0);
            while let Some(chunk) = response.chunk().await.unwrap() {
                let mut chunk = Buffer::from(chunk);
                while !chunk.is_empty() {
                    buckets += decoder.decode(&mut chunk).unwrap().map_or(0, |batch| batch.num_rows());
                }
            }
            decoder.finish().unwrap();
            buckets
        })
    }
}

/// A server with nothing but a handler that runs a statement and sends its answer.
fn duckdb_server(connection: duckdb::Connection) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let connection = Arc::new(Mutex::new(connection));
    let handler = move |sql: String| async move {
        let connection = connection.lock().unwrap();
        let mut statement = connection.prepare(&sql).unwrap();
        let batches = statement.query_arrow([]).unwrap();
        let mut answer = StreamWriter::try_new(Vec::new(), &batches.get_schema()).unwrap();
        batches.for_each(|batch| answer.write(&batch).unwrap());
        answer.into_inner().unwrap()
    };
    std::thread::spawn(move || {
        let router = axum::Router::new().route("/", post(handler));
        runtime
            .block_on(async { axum::serve(listener.tap_io(|stream| stream.set_nodelay(true).unwrap()), router).await })
    });
    address
}
