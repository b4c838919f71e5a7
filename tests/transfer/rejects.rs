//! Rows that cannot be stored are reported, each with its reason, and never lost without a word.

use serde_json::{Value, json};

use crate::Desk;

const CANDLES: &str = "timestamp,close,volume\n\
    2022-01-01 00:00:00,100.5,10\n\
    2022-01-01 00:01:00,101,10.5\n\
    yesterday,102,10\n\
    2022-01-01 00:03:00,NA,10\n\
    2022-01-01 00:04:00,104\n\
    ,105,10\n\
    2022-01-01 00:06:00,106,99999999999999999999\n";
const IMPORT: [&str; 7] =
    ["import", "market_data", "candles.csv", "--map", "last_price=close", "--set", "symbol=BTC-PERP"];

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("candles.csv", CANDLES);
    desk
}

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    IMPORT.iter().chain(more).copied().collect()
}

fn stored(desk: &Desk) -> Value {
    desk.sql("SELECT count(*) AS n FROM market_data")[0]["n"].clone()
}

#[test]
fn every_rejected_row_is_reported_and_the_others_are_stored() {
    let desk = desk();
    let said = desk.refused(&with(&["--rejected", "rejected.ndjson"]));
    for told in [
        "1 row stored in market_data",
        "rejected: 6 rows",
        "row 2, volume: \"10.5\" is not a whole number: --round",
        "row 3, timestamp: \"yesterday\" is not a timestamp such as",
        "row 4, last_price: \"NA\" is not a number",
        "row 5, \"2022-01-01 00:04:00,104\" is a line of 2 fields under a header of 3",
        "row 6, timestamp: a value is required",
        "row 7, volume: \"99999999999999999999\" does not fit 64 bits",
        "--allow-rejected",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert_eq!(stored(&desk), 1);
    let file: Vec<Value> =
        desk.read("rejected.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(file.len(), 6);
    let reason = "is not a whole number: --round COLUMN takes the nearest one";
    let first = json!({"source": "candles.csv", "row": 2, "column": "volume", "value": "10.5", "reason": reason});
    assert_eq!(file[0], first);
    assert_eq!(file[3]["column"], Value::Null);
}

#[test]
fn what_the_user_allows_is_taken() {
    let desk = desk();
    desk.run(&with(&["--round", "volume", "--null", "NA", "--allow-rejected", "--rejected", "rejected.csv"]));
    let expected = json!([
        {"timestamp": "2022-01-01T00:00:00", "last_price": 100.5, "volume": 10},
        {"timestamp": "2022-01-01T00:01:00", "last_price": 101.0, "volume": 11},
        {"timestamp": "2022-01-01T00:03:00", "last_price": null, "volume": 10},
    ]);
    assert_eq!(desk.sql("SELECT timestamp, last_price, volume FROM market_data ORDER BY timestamp"), expected);
    let rejected = desk.read("rejected.csv");
    assert!(rejected.starts_with("source,row,column,value,reason\ncandles.csv,3,timestamp,yesterday,"), "{rejected}");
    assert_eq!(rejected.lines().count(), 5);
}

#[test]
fn a_dry_run_tells_the_same_and_stores_nothing() {
    let desk = desk();
    let said = desk.refused(&with(&["--dry-run"]));
    assert!(said.contains("1 row would be stored") && said.contains("rejected: 6 rows"), "{said}");
    assert!(!desk.path().join("data").exists(), "not even the database is made");
}

#[test]
fn values_that_a_column_cannot_hold_are_rejected_in_every_format() {
    let desk = Desk::new();
    desk.write(
        "fills.ndjson",
        concat!(
            r#"{"timestamp": "2021-01-08", "trade_id": "a", "symbol": "X", "side": "maybe", "quantity": 1, "price": 1}"#,
            "\n[1, 2]\n",
            r#"{"timestamp": "2021-01-08", "trade_id": "", "symbol": "X", "side": "b", "quantity": 1, "price": 1}"#,
            "\n",
            r#"{"timestamp": "2021-01-08", "trade_id": "c", "symbol": "X", "side": "b", "quantity": [1], "price": 1}"#,
            "\n",
            r#"{"timestamp": "2021-01-08T00:00:00.0000001", "trade_id": "d", "symbol": "X", "side": "b", "quantity": 1, "price": 1}"#,
            "\n",
            r#"{"timestamp": "2021-01-08", "trade_id": "e", "symbol": "X", "side": "b", "quantity": true, "price": 1}"#,
            "\n",
            r#"{"timestamp": "2021-01-08", "trade_id": "f", "symbol": "X", "side": "b", "quantity": 1, "price": 1}"#,
        ),
    );
    let said = desk.refused(&["import", "trades", "fills.ndjson", "--values", "side:b=buy,s=sell"]);
    for told in [
        "row 1, side: \"maybe\" is none of the words that --values lists",
        "row 2, \"[1, 2]\" is no JSON object",
        "row 3, trade_id: a value is required",
        "row 4, quantity: \"[1]\" is a list or an object",
        "row 5, timestamp: \"2021-01-08T00:00:00.0000001\" is finer than a microsecond",
        "row 6, quantity: \"true\" is a truth value and no number",
        "1 row stored",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert_eq!(desk.sql("SELECT trade_id, side FROM trades"), json!([{"trade_id": "f", "side": "buy"}]));
}

#[test]
fn a_file_that_is_not_whole_is_told_with_what_is_stored() {
    let desk = Desk::new();
    desk.write("quotes.csv", "timestamp,symbol\n2022-01-01,A\n");
    desk.run(&["import", "market_data", "quotes.csv"]);
    desk.run(&["export", "market_data", "--output", "quotes.parquet"]);
    let whole = std::fs::read(desk.path().join("quotes.parquet")).unwrap();
    desk.write("torn.parquet", &whole[..whole.len() / 2]);
    let said = desk.refused(&["import", "market_data", "torn.parquet"]);
    assert!(said.contains("torn.parquet is not whole or not Parquet"), "{said}");
    desk.write("mystery", "some text");
    let said = desk.refused(&["import", "market_data", "mystery"]);
    assert!(said.contains("--format csv, ndjson, arrow or parquet"), "{said}");
}
