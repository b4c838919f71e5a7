//! Arrow columns that come in other types than the table stores.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int64Array, LargeStringArray, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampSecondArray,
};
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;

use crate::common::{Server, ipc};
use crate::{count, push};

fn instants() -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(vec![1_761_048_000_000_000, 1_761_048_001_000_000]))
}

fn symbols() -> ArrayRef {
    Arc::new(StringArray::from(vec!["A", "B"]))
}

async fn push_columns(server: &Server, columns: Vec<(&str, ArrayRef)>) -> crate::common::Answer {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    push(server, "market_data", ipc::MEDIA_TYPE, ipc::write(&[batch])).await
}

#[tokio::test]
async fn columns_that_mean_the_same_are_taken() {
    let dictionary: DictionaryArray<Int32Type> = vec!["A", "B"].into_iter().collect();
    let zoned =
        TimestampMicrosecondArray::from(vec![1_761_048_000_000_000, 1_761_048_001_000_000]).with_timezone("UTC");
    let millis = TimestampMillisecondArray::from(vec![1_761_048_000_000, 1_761_048_001_000]);
    let seconds = TimestampSecondArray::from(vec![1_761_048_000, 1_761_048_001]);
    let trades: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
    let price: ArrayRef = Arc::new(Float32Array::from(vec![0.5, 2.0]));
    for (timestamp, symbol) in [
        (instants(), symbols()),
        (instants(), Arc::new(dictionary) as ArrayRef),
        (instants(), Arc::new(LargeStringArray::from(vec!["A", "B"])) as ArrayRef),
        (instants(), Arc::new(StringViewArray::from(vec!["A", "B"])) as ArrayRef),
        (Arc::new(zoned) as ArrayRef, symbols()),
        (Arc::new(millis) as ArrayRef, symbols()),
        (Arc::new(seconds) as ArrayRef, symbols()),
    ] {
        let server = Server::start().await;
        let what = format!("{} and {}", timestamp.data_type(), symbol.data_type());
        // In another order than the table has, and with some columns left out.
        let columns = vec![
            ("trades", trades.clone()),
            ("symbol", symbol),
            ("timestamp", timestamp),
            ("last_price", price.clone()),
        ];
        let answer = push_columns(&server, columns).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        let rows = server.sql("SELECT timestamp, symbol, last_price, trades, bid FROM market_data ORDER BY 1").await;
        let expected = serde_json::json!([
            {"timestamp": "2025-10-21T12:00:00", "symbol": "A", "last_price": 0.5, "trades": 7, "bid": null},
            {"timestamp": "2025-10-21T12:00:01", "symbol": "B", "last_price": 2.0, "trades": null, "bid": null},
        ]);
        assert_eq!(serde_json::json!(rows), expected, "{what}");
    }
}

#[tokio::test]
async fn columns_that_do_not_fit_are_named() {
    let server = Server::start().await;
    let base = || vec![("timestamp", instants()), ("symbol", symbols())];
    let text: ArrayRef = Arc::new(StringArray::from(vec!["1.5", "dear"]));
    let too_large: ArrayRef = Arc::new(Int64Array::from(vec![1, 3_000_000_000]));
    let null_symbols: ArrayRef = Arc::new(StringArray::from(vec![Some("A"), None]));
    let unknown: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    let mut cases = vec![
        ("symbol", vec![("timestamp", instants())]),
        ("timestamp", vec![("symbol", symbols())]),
        ("symbol", vec![("timestamp", instants()), ("symbol", null_symbols)]),
    ];
    for (column, array) in [("last_price", text), ("trades", too_large), ("colour", unknown)] {
        let mut columns = base();
        columns.push((column, array));
        cases.push((column, columns));
    }
    for (column, columns) in cases {
        let answer = push_columns(&server, columns).await.expect(422);
        assert!(answer.detail().contains(column), "{column} is named: {}", answer.text());
    }
    assert_eq!(count(&server, "market_data").await, 0);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_refused_whole() {
    let server = Server::start().await;
    let batch = RecordBatch::try_from_iter(vec![("timestamp", instants()), ("symbol", symbols())]).unwrap();
    let body = ipc::write(&[batch.clone(), batch]);
    for length in [body.len() / 4, body.len() / 2, body.len() - 40] {
        let answer = push(&server, "market_data", ipc::MEDIA_TYPE, body[..length].to_vec()).await;
        assert!([400, 422].contains(&answer.status), "{length} of {}: {}", body.len(), answer.text());
    }
    assert_eq!(count(&server, "market_data").await, 0);
}
