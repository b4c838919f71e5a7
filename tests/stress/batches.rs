//! Batches that can be told from each other, and what was heard of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::common::Server;

/// Rows of a batch.
pub const ROWS: u64 = 10_000;
const FIRST: i64 = 1_700_000_000;

/// What a client was told of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is stored.
    Stored,
    /// It is not.
    Refused,
    /// The connection broke.
    Nothing,
}

/// A batch as CSV. Its number is its volume, and no two batches share a key.
pub fn csv(batch: u64) -> String {
    let mut text = String::from("timestamp,symbol,last_price,bid,ask,volume\n");
    for row in 0..ROWS {
        let instant = chrono::DateTime::from_timestamp(FIRST + (row / 10) as i64, 0).unwrap().format("%FT%T");
        let price = (row * 7_919 + batch * 104_729) % 1_000_003;
        let _ = writeln!(text, "{instant},B{batch}-{},{price}.25,{price}.125,{price}.5,{batch}", row % 10);
    }
    text
}

/// The rows of each batch that are stored. No key is there twice.
pub async fn stored(server: &Server) -> BTreeMap<u64, u64> {
    let sql = "SELECT volume, count(*) AS n FROM market_data GROUP BY volume";
    let rows = server.sql(sql).await;
    let twice =
        "SELECT count(*) AS n FROM (SELECT symbol, timestamp FROM market_data GROUP BY 1, 2 HAVING count(*) > 1) AS t";
    assert_eq!(server.sql_value(twice).await, 0, "no key is there twice");
    rows.iter().map(|row| (row["volume"].as_u64().unwrap(), row["n"].as_u64().unwrap())).collect()
}
