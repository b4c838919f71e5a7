//! What every door says about the days, to the byte.

use serde_json::json;

use crate::common::Server;

/// The server adds rows about this machine, which are of today. Where rows have an order, the bytes of the answer count.
const SQL: [&str; 6] = [
    "SELECT * FROM market_data ORDER BY timestamp, symbol",
    "SELECT symbol, count(*) AS n, sum(volume) AS volume, min(last_price) AS low, avg(ask) AS ask FROM market_data \
     WHERE timestamp BETWEEN '2025-10-21T12:00:00' AND '2025-10-23T11:59:59' GROUP BY symbol ORDER BY symbol",
    "SELECT * FROM trades ORDER BY trade_id",
    "SELECT m.symbol, count(*) AS n FROM market_data m JOIN trades t ON m.symbol = t.symbol AND m.timestamp = t.timestamp \
     GROUP BY m.symbol ORDER BY m.symbol",
    "SELECT timestamp, cpu_percent FROM system_metrics WHERE timestamp < '2025-10-22' ORDER BY timestamp DESC LIMIT 50",
    "SELECT count(*) AS n FROM system_metrics WHERE timestamp < '2025-10-24'",
];

/// Answers of SQL, history, trades and exports.
pub async fn all(server: &Server) -> Vec<(String, Vec<u8>)> {
    let mut answers = Vec::new();
    for sql in SQL {
        for format in ["json", "csv"] {
            let path = format!("/api/sql?format={format}");
            let answer = server.post(&path, &json!({ "sql": sql })).await.expect(200);
            answers.push((format!("{format}: {sql}"), answer.body.to_vec()));
        }
    }
    for (from, to) in [("2025-10-21T00:00:00", "2025-10-24T00:00:00"), ("2025-10-21T10:01:30", "2025-10-22T00:00:07")] {
        for interval in [Some("1m"), Some("1h"), Some("1d"), None] {
            let mut body = json!({"start_time": from, "end_time": to, "metric_types": ["market_data", "system"]});
            if let Some(interval) = interval {
                body["interval"] = json!(interval);
            }
            let answer = server.post("/api/metrics/history", &body).await.expect(200);
            answers.push((body.to_string(), answer.body.to_vec()));
        }
        for path in
            ["/api/trades/?limit=1000", "/api/trades/?limit=7&offset=400&symbol=O'Neil", "/api/trades/stats/summary?"]
        {
            let path = format!("{path}&start_time={from}&end_time={to}");
            answers.push((path.clone(), server.get(&path).await.expect(200).body.to_vec()));
        }
    }
    let id = crate::desk::FIRST;
    let path = format!("/api/trades/{id}-17");
    answers.push((path.clone(), server.get(&path).await.expect(200).body.to_vec()));
    answers
}

/// The answers are those from before.
pub async fn same(server: &Server, before: &[(String, Vec<u8>)], when: &str) {
    for ((question, now), (_, before)) in all(server).await.iter().zip(before) {
        let differs = now.iter().zip(before).position(|(now, before)| now != before).unwrap_or(0);
        let around = |bytes: &[u8]| {
            let part = &bytes[differs.saturating_sub(200).min(bytes.len())..(differs + 200).min(bytes.len())];
            String::from_utf8_lossy(part).into_owned()
        };
        assert!(now == before, "{when}: {question}\nnow    {}\nbefore {}", around(now), around(before));
    }
}
