//! What the benches share: the built server on a port of its own, rows, and medians.
//!
//! A bench prints ratios taken in one run, pair by pair, and the median of several pairs: machines are noisy, and an
//! absolute number says more about the machine than about the program.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use observability_api::tables::MarketDataRow;

/// A server of the built program, ended with the value.
pub struct Server {
    child: Child,
    /// Where it listens, `127.0.0.1:1234`.
    pub address: String,
}

impl Server {
    /// Starts it in `directory`, collecting nothing from the desk.
    pub fn start(directory: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_observability-api"))
            .current_dir(directory)
            .args(["--port", "0", "--log-level", "info"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split("listening on http://").nth(1).map(|address| address.trim().to_owned()))
            .expect("the server listens");
        // Keep reading, so that the server never waits for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// Its URL for `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap_or_default();
        text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `rows` rows of market data from the instant `start` on: `symbols` symbols, one row each every `step` microseconds.
pub fn market_data(start: i64, rows: usize, symbols: usize, step: i64) -> RecordBatch {
    let rows: Vec<MarketDataRow> = (0..rows)
        .map(|row| {
            let wave = (row as f64 * 0.37).sin();
            MarketDataRow {
                timestamp: start + (row / symbols) as i64 * step,
                symbol: format!("SYM{:03}", row % symbols),
                last_price: Some(100.0 + wave),
                bid: Some(99.99 + wave),
                ask: Some(100.01 + wave),
                volume: Some((row % 977) as i64),
                trades: Some((row % 31) as i32),
                spread_bps: Some(2.0 + wave * 0.1),
            }
        })
        .collect();
    MarketDataRow::batch(&rows).unwrap()
}

/// A batch as an Arrow IPC stream.
pub fn ipc(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
