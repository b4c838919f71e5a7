//! Files that are shaped in another way than the tables.

use serde_json::json;

use crate::Desk;

#[test]
fn columns_are_renamed_given_and_translated() {
    let desk = Desk::new();
    desk.write(
        "fills.csv",
        "time,id,price,qty,buyer_maker,venue\n\
         2021-01-08 00:00:00.610000+00:00,553287566,39432.37,0.000563,True,X\n\
         2021-01-08 01:00:00.673000+01:00,553287570,39430.63,2,False,X\n",
    );
    let said = desk
        .run(&[
            "import",
            "trades",
            "fills.csv",
            "--map",
            "timestamp=time",
            "--map",
            "trade_id=id",
            "--map",
            "quantity=qty",
            "--map",
            "side=buyer_maker",
            "--values",
            "side:True=sell,False=buy",
            "--set",
            "symbol=BTCUSDT",
            "--set",
            "latency_ms=2.5",
        ])
        .err;
    assert!(said.contains("not taken: venue"), "{said}");
    let expected = json!([
        {"trade_id": "553287566", "timestamp": "2021-01-08T00:00:00.610000", "symbol": "BTCUSDT", "side": "sell",
         "quantity": 0.000563, "price": 39432.37, "latency_ms": 2.5, "slippage_bps": null, "strategy": null},
        {"trade_id": "553287570", "timestamp": "2021-01-08T00:00:00.673000", "symbol": "BTCUSDT", "side": "buy",
         "quantity": 2.0, "price": 39430.63, "latency_ms": 2.5, "slippage_bps": null, "strategy": null},
    ]);
    assert_eq!(desk.sql("SELECT * FROM trades ORDER BY timestamp"), expected);
}

#[test]
fn json_values_become_what_the_columns_store() {
    let desk = Desk::new();
    desk.write(
        "fills.ndjson",
        r#"{"timestamp": 1610064000610, "trade_id": 553287566, "price": "39432.37", "quantity": 1, "side": true}

        {"timestamp": 1610064001.5, "trade_id": "b", "price": 1, "quantity": "2.5", "side": false, "strategy": null}
        {"timestamp": "2021-01-08", "trade_id": 3.0, "price": 1, "quantity": 1, "side": true, "latency_ms": 4}
"#,
    );
    desk.run(&["import", "trades", "fills.ndjson", "--values", "side:True=sell,False=buy", "--set", "symbol=X"]);
    let expected = json!([
        {"timestamp": "2021-01-08T00:00:00", "trade_id": "3", "price": 1.0, "side": "sell", "latency_ms": 4.0},
        {"timestamp": "2021-01-08T00:00:00.610000", "trade_id": "553287566", "price": 39432.37, "side": "sell",
         "latency_ms": null},
        {"timestamp": "2021-01-08T00:00:01.500000", "trade_id": "b", "price": 1.0, "side": "buy", "latency_ms": null},
    ]);
    let stored = desk.sql("SELECT timestamp, trade_id, price, side, latency_ms FROM trades ORDER BY timestamp");
    assert_eq!(stored, expected);
}

#[test]
fn columns_of_json_may_turn_up_late() {
    let desk = Desk::new();
    let mut lines: String =
        (0..20_000).map(|row| format!("{{\"timestamp\": {}, \"symbol\": \"A\"}}\n", 1_610_064_000 + row)).collect();
    lines.push_str("{\"timestamp\": 1, \"symbol\": \"B\", \"bid\": 2.5, \"mood\": \"good\"}\n");
    desk.write("quotes.ndjson", lines);
    let said = desk.run(&["import", "market_data", "quotes.ndjson"]).err;
    assert!(said.contains("not taken, in later rows: mood"), "{said}");
    assert_eq!(desk.sql("SELECT bid FROM market_data WHERE symbol = 'B'"), json!([{"bid": 2.5}]));
}

#[test]
fn a_missing_column_is_told_with_what_the_file_has() {
    let desk = Desk::new();
    desk.write("candles.csv", "Time,open,close\n2022-01-01,1,2\n");
    let said = desk.refused(&["import", "market_data", "candles.csv"]);
    for told in ["timestamp, symbol", "--map timestamp=Time", "--set symbol=VALUE", "Time, open, close"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let said = desk.refused(&["import", "market_data", "candles.csv", "--map", "last_price=last"]);
    assert!(said.contains("no column last") && said.contains("Time, open, close"), "{said}");
    let said = desk.refused(&["import", "market_data", "candles.csv", "--set", "price=1"]);
    assert!(said.contains("--set price") && said.contains("last_price"), "{said}");
    let said = desk.refused(&["import", "market_data", "nowhere.csv"]);
    assert!(said.contains("nowhere.csv"), "{said}");
    assert_eq!(desk.sql("SELECT count(*) AS n FROM market_data"), json!([{"n": 0}]));
}

#[test]
fn a_clock_without_a_zone_is_in_the_zone_that_was_named() {
    let desk = Desk::new();
    desk.write(
        "quotes.csv",
        "timestamp,symbol\n2022-07-01 12:00:00,summer\n2022-01-01 12:00:00,winter\n2022-07-01T12:00:00Z,own\n\
         2022-10-30 02:30:00,twice\n2022-03-27 02:30:00,never\n",
    );
    let said = desk.refused(&["import", "market_data", "quotes.csv", "--time-zone", "Europe/Berlin"]);
    assert!(said.contains("row 4") && said.contains("happens twice in Europe/Berlin"), "{said}");
    assert!(said.contains("row 5") && said.contains("does not happen in Europe/Berlin"), "{said}");
    let expected = json!([
        {"timestamp": "2022-01-01T11:00:00", "symbol": "winter"},
        {"timestamp": "2022-07-01T10:00:00", "symbol": "summer"},
        {"timestamp": "2022-07-01T12:00:00", "symbol": "own"},
    ]);
    assert_eq!(desk.sql("SELECT timestamp, symbol FROM market_data ORDER BY timestamp"), expected);
    let said = desk.launch(&["import", "market_data", "quotes.csv", "--time-zone", "Berlin"]).run();
    assert!(said.code == Some(2) && said.err.contains("Europe/Berlin"), "{said:?}");
}
