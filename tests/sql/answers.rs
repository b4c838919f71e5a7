//! What a question answers.

use reqwest::Method;
use serde_json::json;

use crate::common::{Ended, Launch, Server, ipc, python};
use crate::{rows, with_rows};

#[tokio::test(flavor = "multi_thread")]
async fn aggregations_and_joins_answer_what_duckdb_answers_on_the_same_rows() {
    let server = with_rows().await;
    let path = server.path().join("rows.json");
    std::fs::write(&path, json!(rows()).to_string()).unwrap();
    let (url, path) = (server.url(""), path.to_str().unwrap().to_owned());
    tokio::task::spawn_blocking(move || python::run("compare_sql.py", &[&url, &path])).await.unwrap();
}

#[tokio::test]
async fn a_question_is_answered_in_every_format() {
    let server = with_rows().await;
    let body = json!({"sql": "SELECT symbol, count(*) AS n FROM market_data GROUP BY symbol ORDER BY symbol LIMIT 2"});
    for (format, media_type) in [
        ("json", "application/json"),
        ("csv", "text/csv"),
        ("ndjson", "application/x-ndjson"),
        ("arrow", ipc::MEDIA_TYPE),
        ("parquet", "application/vnd.apache.parquet"),
    ] {
        let by_name = server.post(&format!("/api/sql?format={format}"), &body).await.expect(200);
        assert!(by_name.header("content-type").starts_with(media_type), "{format}: {}", by_name.header("content-type"));
        let headers = [("content-type", "application/json"), ("accept", media_type)];
        let by_accept =
            server.send(Method::POST, "/api/sql", &headers, body.to_string().into_bytes()).await.expect(200);
        assert_eq!(by_accept.header("content-type"), by_name.header("content-type"), "{format}");
        match format {
            "json" => assert_eq!(by_name.text(), r#"[{"symbol":"AAPL","n":240},{"symbol":"Größe","n":240}]"#),
            "ndjson" => {
                assert_eq!(by_name.text(), "{\"symbol\":\"AAPL\",\"n\":240}\n{\"symbol\":\"Größe\",\"n\":240}\n");
            }
            "csv" => {
                let text = by_name.text().replace("\r\n", "\n");
                assert_eq!(text, "symbol,n\nAAPL,240\nGröße,240\n");
            }
            "arrow" => {
                let rows: usize = ipc::read(&by_name.body).iter().map(arrow::array::RecordBatch::num_rows).sum();
                assert_eq!(rows, 2);
            }
            _ => {
                assert_eq!((&by_name.body[..4], &by_name.body[by_name.body.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]))
            }
        }
    }
}

#[tokio::test]
async fn parameters_are_values_not_text() {
    let server = with_rows().await;
    let ask = async |sql: &str, params: serde_json::Value| {
        server.post("/api/sql", &json!({"sql": sql, "params": params})).await.expect(200).json()
    };
    let count = "SELECT count(*) AS n FROM market_data WHERE symbol = $1";
    assert_eq!(ask(count, json!(["O'Hara"])).await, json!([{"n": 240}]));
    assert_eq!(ask(count, json!(["' OR '1'='1"])).await, json!([{"n": 0}]));
    let two = "SELECT count(*) AS n FROM trades WHERE quantity >= $1 AND side = $2";
    let more = ask(two, json!([0, "buy"])).await[0]["n"].as_i64().unwrap();
    let fewer = ask(two, json!([250.5, "buy"])).await[0]["n"].as_i64().unwrap();
    assert!(0 < fewer && fewer < more);
    let missing = server.post("/api/sql", &json!({"sql": count, "params": []})).await;
    assert!((400..500).contains(&missing.status) && missing.detail().contains("$1"), "{}", missing.text());
}

#[tokio::test]
async fn figures_of_several_queries_are_each_their_own() {
    let server = Server::start().await;
    let quotes: Vec<_> = (0..6)
        .map(|number| {
            json!({"timestamp": format!("2026-01-01T00:0{number}:00"), "symbol": if number % 2 == 0 { "A" } else { "B" },
                   "last_price": number, "volume": number})
        })
        .collect();
    server.ingest("market_data", &json!(quotes)).await;
    let fills = ["buy", "sell"].map(|side| {
        json!({"trade_id": side, "timestamp": "2026-01-01", "symbol": "A", "side": side, "quantity": 1, "price": 100})
    });
    server.ingest("trades", &json!(fills)).await;
    for (sql, expected) in [
        ("SELECT (SELECT count(*) FROM market_data) - (SELECT count(*) FROM trades)", json!(4)),
        (
            "SELECT (SELECT sum(last_price) FROM market_data WHERE symbol = 'A') / \
             (SELECT sum(last_price) FROM market_data WHERE symbol = 'B')",
            json!(6.0 / 9.0),
        ),
        (
            "SELECT (SELECT avg(last_price) FROM market_data WHERE timestamp >= '2026-01-01T00:03:00') - \
             (SELECT avg(last_price) FROM market_data WHERE timestamp < '2026-01-01T00:03:00')",
            json!(3.0),
        ),
        (
            "SELECT CASE WHEN (SELECT count(*) FROM trades) = (SELECT count(*) FROM market_data) THEN 'same' ELSE 'no' END",
            json!("no"),
        ),
        (
            "SELECT count(*) FROM market_data WHERE volume > (SELECT count(*) FROM trades) \
             AND volume < (SELECT count(*) FROM market_data)",
            json!(3),
        ),
    ] {
        assert_eq!(server.sql_value(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn what_was_pushed_a_moment_ago_is_answered() {
    let server = Server::start().await;
    for number in 1..=20 {
        let row = json!({"timestamp": format!("2025-10-21T12:00:{number:02}"), "symbol": "A", "last_price": 1.0});
        server.ingest("market_data", &row).await;
        assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, number);
    }
}

#[tokio::test]
async fn explain_shows_the_plan() {
    let server = with_rows().await;
    let plan =
        server.sql("EXPLAIN SELECT symbol, avg(last_price) FROM market_data WHERE volume > 5 GROUP BY symbol").await;
    let text = json!(plan).to_string();
    assert!(text.contains("market_data") && text.contains("plan"), "{text}");
}

#[tokio::test]
async fn columns_keep_their_types() {
    let server = with_rows().await;
    let row = server.sql("SELECT * FROM market_data WHERE symbol = 'AAPL' ORDER BY timestamp LIMIT 1").await.remove(0);
    assert_eq!(row["timestamp"], "2025-10-21T00:00:00.125000");
    assert!(row["volume"].is_i64() && row["trades"].is_i64() && row["bid"].is_f64(), "{row}");
    let answer = server.post("/api/sql?format=arrow", &json!({"sql": "SELECT * FROM market_data"})).await.expect(200);
    let batches = ipc::read(&answer.body);
    let types: Vec<_> = batches[0].schema().fields().iter().map(|field| field.data_type().to_string()).collect();
    assert!(
        types[0].starts_with("Timestamp(") && types[0].contains('µ') || types[0].contains("Microsecond"),
        "{types:?}"
    );
    assert_eq!(&types[2..5], ["Float64", "Float64", "Float64"]);
    assert_eq!(&types[5..7], ["Int64", "Int32"]);
    assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 960);
}

#[tokio::test]
async fn the_command_line_asks_the_file_and_the_running_server() {
    let mut server = with_rows().await;
    let sql = "SELECT count(*) AS n FROM trades";
    let csv = |ended: &Ended| ended.out.replace("\r\n", "\n");
    let ask = |arguments: &[&str]| {
        let launch = Launch::new().directory(&server.directory).arguments(["query", sql]).arguments(arguments);
        launch.run()
    };
    let while_running = ask(&["--format", "csv"]);
    // One process holds the file, so that the second one asks it.
    assert_eq!((while_running.code, csv(&while_running).as_str()), (Some(0), "n\n240\n"), "{while_running:?}");
    assert_eq!(server.terminate().await, Some(0));
    let alone = Launch::new().directory(&server.directory).arguments(["query", sql, "--format", "csv"]).run();
    assert_eq!((alone.code, csv(&alone).as_str()), (Some(0), "n\n240\n"), "{alone:?}");
    let refused = Launch::new().directory(&server.directory).arguments(["query", "DROP TABLE trades"]).run();
    assert!(refused.code != Some(0) && !refused.err.is_empty(), "{refused:?}");
}
