//! What is exported can be imported, and is the same.

use serde_json::json;

use crate::common::{Launch, Server};
use crate::{Desk, samples};

const FORMATS: [&str; 4] = ["csv", "ndjson", "arrow", "parquet"];

#[tokio::test]
async fn every_table_comes_back_the_same_in_every_format() {
    let mut server = Server::start().await;
    for (table, rows) in samples() {
        server.ingest(table, &rows).await;
    }
    let desk = Desk { directory: server.directory.clone() };
    let everything = |table: &str| format!("SELECT * FROM {table} WHERE timestamp < '2025-11-01' ORDER BY ALL");
    let mut stored = Vec::new();
    for (table, _) in samples() {
        stored.push(json!(server.sql(&everything(table).replace("ALL", "1, 2")).await));
        for format in FORMATS {
            let file = format!("{table}.{format}");
            // The machine's own rows of this very second do not belong to the sample.
            desk.run(&["export", table, "--to", "2025-10-31", "--output", &file]);
        }
    }
    assert_eq!(server.terminate().await, Some(0));

    for format in FORMATS {
        let other = Desk::new();
        for ((table, rows), expected) in samples().into_iter().zip(&stored) {
            let file = desk.path().join(format!("{table}.{format}"));
            let said = other.run(&["import", table, file.to_str().unwrap()]).err;
            let count = rows.as_array().unwrap().len();
            assert!(said.contains(&format!("{count} rows stored in {table}")), "{said}");
            assert_eq!(&other.sql(&everything(table).replace("ALL", "1, 2")), expected, "{table} as {format}");
        }
    }
}

#[tokio::test]
async fn a_running_server_is_used_and_the_file_itself_when_none_runs() {
    let desk = Desk::new();
    desk.write("quotes.csv", "timestamp,symbol,last_price\n2025-10-21T12:00:00,A,1.5\n2025-10-21T12:00:01,B,2.5\n");
    desk.run(&["import", "market_data", "quotes.csv"]);
    let alone = desk.run(&["export", "market_data", "--label", "B"]).out;
    assert_eq!(alone, "timestamp,symbol,last_price,bid,ask,volume,trades,spread_bps\n2025-10-21T12:00:01,B,2.5,,,,,\n");

    let server = Launch::new().directory(&desk.directory).start().await;
    assert_eq!(desk.run(&["export", "market_data", "--label", "B"]).out, alone);
    desk.write("more.ndjson", "{\"timestamp\":\"2025-10-21T12:00:02Z\",\"symbol\":\"C\"}\n");
    desk.run(&["import", "market_data", "more.ndjson", "quotes.csv", "--batch-rows", "1"]);
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, 3);

    let elsewhere = Desk::new();
    let lines = elsewhere.run(&["export", "market_data", "--format", "ndjson", "--server", &server.url("")]).out;
    assert_eq!(lines.lines().count(), 3);
    let nothing = elsewhere.refused(&["export", "market_data"]);
    assert!(nothing.contains("no database") && nothing.contains("--server"), "{nothing}");
}

#[tokio::test]
async fn an_import_may_be_repeated() {
    let desk = Desk::new();
    desk.write("quotes.csv", "timestamp,symbol,last_price\n2025-10-21T12:00:00,A,1\n2025-10-21T12:00:00,A,2\n");
    for _ in 0..2 {
        desk.run(&["import", "market_data", "quotes.csv"]);
        assert_eq!(desk.sql("SELECT last_price FROM market_data"), json!([{"last_price": 2.0}]), "the last row wins");
    }
}

#[test]
fn arrow_files_and_streams_are_both_read_also_from_a_pipe() {
    use arrow::array::{Float64Array, StringArray, TimestampNanosecondArray};
    use arrow::ipc::writer::{FileWriter, StreamWriter};
    use arrow::record_batch::RecordBatch;
    use std::sync::Arc;

    let times = TimestampNanosecondArray::from(vec![1_761_048_000_000_000_000]).with_timezone("America/New_York");
    let columns: [(&str, arrow::array::ArrayRef); 3] = [
        ("timestamp", Arc::new(times)),
        ("symbol", Arc::new(StringArray::from(vec!["A"]))),
        ("last_price", Arc::new(Float64Array::from(vec![1.5]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    file.write(&batch).unwrap();
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    for bytes in [file.into_inner().unwrap(), stream.into_inner().unwrap()] {
        let desk = Desk::new();
        desk.write("quotes", &bytes);
        desk.run(&["import", "market_data", "quotes"]);
        let expected = json!([{"timestamp": "2025-10-21T12:00:00", "last_price": 1.5}]);
        assert_eq!(desk.sql("SELECT timestamp, last_price FROM market_data"), expected);
        let piped = desk.launch(&["import", "market_data", "-", "--set", "symbol=B"]).run_with_input(&bytes);
        assert_eq!(piped.code, Some(0), "{piped:?}");
        assert_eq!(desk.sql("SELECT count(DISTINCT symbol) AS n FROM market_data"), json!([{"n": 2}]));
    }
}
