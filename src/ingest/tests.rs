//! What is pushed arrives whole, or is refused with a reason that helps.

use std::sync::Arc;

use ::arrow::array::*;
use ::arrow::compute::{cast, concat_batches};
use ::arrow::datatypes::*;
use ::arrow::ipc::CompressionType;
use ::arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use ::arrow::record_batch::RecordBatch;
use ::parquet::arrow::ArrowWriter;
use futures::TryStreamExt;
use proptest::prelude::*;

use super::*;
use crate::batch::BatchStream;
use crate::encode::encode;
use crate::tables::{EXECUTION_METRICS, LONGEST_TEXT, MARKET_DATA, MarketDataRow, TRADES, TradeRow};
use crate::time::{SECOND, format_naive};

mod parquet_forms;

/// Reads a body that may unfold to anything that a test sends.
fn decode(table: &'static Table, content_type: Option<&str>, body: Bytes) -> Result<Vec<RecordBatch>, DecodeError> {
    super::decode(table, content_type, body, &Allowance::alone(1 << 30))
}

const JSON: Option<&str> = None;
const NOON: i64 = 1_761_048_000 * SECOND;

fn trades(rows: i64) -> RecordBatch {
    let rows: Vec<_> = (0..rows)
        .map(|row| TradeRow {
            trade_id: format!("t{row}"),
            timestamp: NOON + row,
            symbol: if row % 2 == 0 { "AAPL".into() } else { "é\"\\, \n".into() },
            side: "buy".into(),
            quantity: row as f64,
            price: 0.1 + row as f64,
            latency_ms: (row % 3 != 0).then_some(row as f64 / 3.0),
            slippage_bps: None,
            strategy: (row % 5 != 0).then(|| "mean reversion".into()),
        })
        .collect();
    TradeRow::batch(&rows).unwrap()
}

fn one(table: &'static Table, batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(&table.schema(), batches).unwrap()
}

fn arrow_body(batches: &[RecordBatch], compression: Option<CompressionType>) -> Bytes {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap().into()
}

fn decode_arrow(table: &'static Table, batch: &RecordBatch) -> Result<RecordBatch, DecodeError> {
    let body = arrow_body(std::slice::from_ref(batch), None);
    Ok(one(table, &decode(table, Some(Format::Arrow.content_type()), body)?))
}

fn decode_json(table: &'static Table, body: impl Into<String>) -> Result<RecordBatch, DecodeError> {
    Ok(one(table, &decode(table, JSON, Bytes::from(body.into()))?))
}

fn refusal(table: &'static Table, format: Format, body: &str) -> (Fault, String) {
    let error = decode(table, Some(format.content_type()), Bytes::from(body.to_owned())).unwrap_err();
    (error.fault(), error.to_string())
}

fn refused(body: &str) -> String {
    let (fault, message) = refusal(&MARKET_DATA, Format::Json, body);
    assert_eq!(fault, Fault::Unprocessable, "{message}");
    message
}

fn replace(batch: &RecordBatch, name: &str, array: ArrayRef) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        (field.name().clone(), if field.name() == name { array.clone() } else { column.clone() }, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
}

#[tokio::test]
async fn what_is_encoded_decodes_in_every_format() {
    for format in Format::ALL {
        let batches = vec![trades(1_000), trades(1), trades(70_000)];
        let expected = one(&TRADES, &batches);
        let answer = BatchStream::new(TRADES.schema(), futures::stream::iter(batches.into_iter().map(Ok)));
        let body: Vec<Bytes> = encode(format, answer).try_collect().await.unwrap();
        let decoded = decode(&TRADES, Some(format.content_type()), body.concat().into()).unwrap();
        assert!(decoded.iter().all(|batch| batch.schema() == TRADES.schema()), "{format:?}");
        assert!(one(&TRADES, &decoded) == expected, "{format:?}");
    }
}

#[test]
fn compressed_arrow_is_taken() {
    for compression in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let body = arrow_body(&[trades(100), trades(10)], Some(compression));
        let decoded = decode(&TRADES, Some(Format::Arrow.content_type()), body).unwrap();
        assert_eq!(one(&TRADES, &decoded), one(&TRADES, &[trades(100), trades(10)]));
    }
}

#[test]
fn arrow_of_the_tables_own_schema_is_not_copied() {
    let body = arrow_body(&[trades(1_000)], None);
    let place = body.as_ptr_range();
    let decoded = decode(&TRADES, Some(Format::Arrow.content_type()), body).unwrap();
    let values = decoded[0].column(4).as_primitive::<Float64Type>().values().inner().as_ptr();
    assert!(place.contains(&values));
}

#[test]
fn no_rows_are_no_batches() {
    assert_eq!(decode(&TRADES, JSON, Bytes::from("[]")), Ok(vec![]));
    assert_eq!(decode(&TRADES, Some("application/x-ndjson"), Bytes::from("\n \n")), Ok(vec![]));
    let body = arrow_body(&[RecordBatch::new_empty(TRADES.schema())], None);
    assert_eq!(decode(&TRADES, Some(Format::Arrow.content_type()), body), Ok(vec![]));
    let header = "trade_id,timestamp,symbol,side,quantity,price\n";
    assert_eq!(decode(&TRADES, Some("text/csv; charset=utf-8"), Bytes::from(header)), Ok(vec![]));
}

#[test]
fn one_object_is_one_row_and_columns_may_come_in_any_order() {
    let decoded = decode_json(
        &MARKET_DATA,
        r#" { "volume": 1e3, "symbol": "A", "trades": 5.0, "timestamp": "2025-10-21T14:00:00+02:00", "bid": 7 } "#,
    );
    let row = MarketDataRow {
        timestamp: NOON,
        symbol: "A".into(),
        last_price: None,
        bid: Some(7.0),
        ask: None,
        volume: Some(1_000),
        trades: Some(5),
        spread_bps: None,
    };
    assert_eq!(decoded, Ok(MarketDataRow::batch(&[row]).unwrap()));
}

#[test]
fn floats_in_json_keep_their_last_bit() {
    for value in [0.1 + 0.2, 123_456.789_012_345_67, f64::MIN_POSITIVE, f64::MAX, 2.225_073_858_507_201e-308] {
        let body = format!(r#"{{"timestamp":"2025-10-21","symbol":"A","bid":{value:?}}}"#);
        let decoded = decode_json(&MARKET_DATA, body).unwrap();
        assert_eq!(decoded.column(3).as_primitive::<Float64Type>().value(0).to_bits(), value.to_bits());
    }
}

#[test]
fn a_body_that_is_not_json_is_malformed_and_says_where() {
    let row = r#"{"timestamp":"2025-10-21","symbol":"A"}"#;
    for body in [
        "",
        "  ",
        "7",
        "null",
        "[",
        "{",
        "[}",
        "[] x",
        r#"{"symbol":}"#,
        r#"{"symbol" "A"}"#,
        r#"{"symbol":"A",}"#,
        r#"{"bid":NaN}"#,
        r#"{"bid":01}"#,
        r#"{"bid":nul}"#,
        r#"{symbol:"A"}"#,
        r#"{"symbol":"A"#,
        &format!("[{row}"),
        &format!("[{row},]"),
        &format!("[{row} {row}]"),
        &format!("{row}{row}"),
    ] {
        let (fault, message) = refusal(&MARKET_DATA, Format::Json, body);
        assert_eq!(fault, Fault::Malformed, "{body}: {message}");
        assert!(message.contains("line 1, column"), "{message}");
    }
    let error = decode(&MARKET_DATA, JSON, Bytes::from_static(b"{\"symbol\":\"\xff\"}")).unwrap_err();
    assert_eq!(error.to_string(), "the body is not JSON: byte 12 is not UTF-8");
}

#[test]
fn rows_on_lines_sent_as_json_are_told_apart() {
    let body = "{\"timestamp\":\"2025-10-21\",\"symbol\":\"A\"}\n{\"timestamp\":\"2025-10-21\",\"symbol\":\"B\"}\n";
    assert!(refusal(&MARKET_DATA, Format::Json, body).1.contains("application/x-ndjson"));
    assert_eq!(decode(&MARKET_DATA, Some("application/x-ndjson"), Bytes::from(body)).unwrap()[0].num_rows(), 2);
}

#[test]
fn an_unknown_content_type_is_refused_with_the_list() {
    let error = decode(&TRADES, Some("text/html"), Bytes::new()).unwrap_err();
    assert_eq!(error.fault(), Fault::UnsupportedMediaType);
    for format in Format::ALL {
        assert!(error.to_string().contains(format.content_type()));
    }
}

#[test]
fn a_refused_value_is_named_by_row_column_and_reason() {
    let good = r#"{"timestamp":"2025-10-21","symbol":"A"}"#;
    let third = |row: &str| refused(&format!("[{good},{good},{row}]"));
    for (row, message) in [
        (r#"{"timestamp":"2025-10-21","symbol":"A","bid":"abc"}"#, r#"row 3, column "bid": "abc" is not a number"#),
        (r#"{"timestamp":"2025-10-21","symbol":"A","bid":true}"#, r#"row 3, column "bid": true is not a number"#),
        (r#"{"timestamp":"2025-10-21","symbol":7}"#, r#"row 3, column "symbol": 7 is not text"#),
        (r#"{"timestamp":"2025-10-21","symbol":["A"]}"#, r#"row 3, column "symbol": an object or array is not text"#),
        (r#"{"timestamp":7,"symbol":"A"}"#, r#"row 3, column "timestamp": 7 is not a timestamp in text"#),
        (r#"{"timestamp":"2025-10-21","symbol":null}"#, r#"row 3, column "symbol": a value is required"#),
        (r#"{"timestamp":"2025-10-21"}"#, r#"row 3, column "symbol": a value is required"#),
        (
            r#"{"timestamp":"2025-10-21","symbol":""}"#,
            r#"row 3, column "symbol": a value is required, and this text is empty"#,
        ),
        (
            r#"{"timestamp":"2025-10-21","symbol":"A","volume":1.5}"#,
            r#"row 3, column "volume": 1.5 is not a whole number that fits 64 bits"#,
        ),
        (
            r#"{"timestamp":"2025-10-21","symbol":"A","volume":9223372036854775808}"#,
            r#"row 3, column "volume": 9223372036854775808 does not fit 64 bits"#,
        ),
        (
            r#"{"timestamp":"2025-10-21","symbol":"A","trades":2147483648}"#,
            r#"row 3, column "trades": 2147483648 does not fit 32 bits"#,
        ),
        (
            r#"{"timestamp":"2025-10-21","symbol":"A","bid":9007199254740993}"#,
            r#"row 3, column "bid": 9007199254740993 would lose digits as a 64-bit float"#,
        ),
        (
            r#"{"timestamp":"2025-10-21","symbol":"A","bid":1e999}"#,
            r#"row 3, column "bid": 1e999 does not fit a 64-bit float"#,
        ),
        (r#"{"timestamp":"2025-10-21","symbol":"A","symbol":"B"}"#, r#"row 3: column "symbol" is given twice"#),
        ("7", "row 3: a row must be an object with the columns as its keys"),
    ] {
        assert_eq!(third(row), message);
    }
    let fine = third(r#"{"timestamp":"2025-10-21T00:00:00.0000001","symbol":"A"}"#);
    assert!(fine.starts_with(r#"row 3, column "timestamp": "2025-10-21T00:00:00.0000001""#), "{fine}");
}

#[test]
fn an_unknown_column_is_named_and_the_tables_columns_listed() {
    let message = refused(r#"{"timestamp":"2025-10-21","symbol":"A","price":1}"#);
    assert_eq!(
        message,
        "row 1: there is no column \"price\" in market_data: its columns are timestamp, symbol, last_price, bid, ask, \
         volume, trades, spread_bps"
    );
}

#[test]
fn rows_are_counted_over_the_whole_body() {
    let row = |symbol: &str| format!("{{\"timestamp\":\"2025-10-21\",\"symbol\":\"{symbol}\"}}\n");
    let body = row("A").repeat(BATCH_ROWS + 10) + &row("");
    let (_, message) = refusal(&MARKET_DATA, Format::Ndjson, &body);
    assert!(message.starts_with(&format!("row {}, ", BATCH_ROWS + 11)), "{message}");
    let bad = replace(&trades(3), "price", Arc::new(Float64Array::from(vec![Some(1.0), None, Some(1.0)])));
    let good = replace(&trades(7), "price", trades(7).column(5).clone());
    let error = decode(&TRADES, Some(Format::Arrow.content_type()), arrow_body(&[good, bad], None)).unwrap_err();
    assert_eq!(error.to_string(), "row 9, column \"price\": a value is required");
}

#[test]
fn columns_of_other_types_are_taken_where_nothing_is_lost() {
    let batch = trades(10);
    let rewrite = |name: &str, kind: DataType| {
        let array = cast(batch.column_by_name(name).unwrap(), &kind).unwrap();
        decode_arrow(&TRADES, &replace(&batch, name, array))
    };
    let text = Box::new(DataType::Utf8);
    for (name, kind) in [
        ("symbol", DataType::LargeUtf8),
        ("symbol", DataType::Utf8View),
        ("symbol", DataType::Dictionary(Box::new(DataType::UInt32), text)),
        ("timestamp", DataType::Timestamp(TimeUnit::Nanosecond, None)),
        ("quantity", DataType::Int8),
        ("quantity", DataType::UInt64),
        ("quantity", DataType::Float32),
    ] {
        assert_eq!(rewrite(name, kind.clone()), Ok(batch.clone()), "{name} as {kind}");
    }
    let nothing = Arc::new(NullArray::new(10));
    assert_eq!(decode_arrow(&TRADES, &replace(&batch, "slippage_bps", nothing)), Ok(batch.clone()));
    let instants = batch.column(1).as_primitive::<TimestampMicrosecondType>();
    let zoned = Arc::new(instants.clone().with_timezone("+05:30"));
    assert_eq!(decode_arrow(&TRADES, &replace(&batch, "timestamp", zoned)), Ok(batch.clone()));
    let texts: StringArray = instants.values().iter().map(|instant| Some(format_naive(*instant))).collect();
    assert_eq!(decode_arrow(&TRADES, &replace(&batch, "timestamp", Arc::new(texts))), Ok(batch.clone()));

    let orders: ArrayRef = Arc::new(Float64Array::from(vec![Some(5.0), None]));
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![NOON / SECOND, 0]));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![20_382, 0]));
    for times in [seconds, days] {
        let batch = RecordBatch::try_from_iter([("orders_filled", orders.clone()), ("timestamp", times)]).unwrap();
        let decoded = decode_arrow(&EXECUTION_METRICS, &batch).unwrap();
        assert_eq!(decoded.column(2).as_primitive::<Int32Type>(), &Int32Array::from(vec![Some(5), None]));
        assert_eq!(decoded.column(0).as_primitive::<TimestampMicrosecondType>().value(1), 0);
        assert_eq!(decoded.column(1).null_count(), 2);
    }
}

#[test]
fn columns_that_would_lose_something_are_refused() {
    let batch = trades(2);
    let refused = |name: &str, array: ArrayRef| {
        let error = decode_arrow(&TRADES, &replace(&batch, name, array)).unwrap_err();
        assert_eq!(error.fault(), Fault::Unprocessable);
        error.to_string()
    };
    let fine = refused("timestamp", Arc::new(TimestampNanosecondArray::from(vec![1_000, 1_001])));
    assert!(fine.starts_with("row 2, column \"timestamp\": 1970-01-01T00:00:00.000001001 does not fit"), "{fine}");
    let far = refused("timestamp", Arc::new(TimestampSecondArray::from(vec![i64::MAX, 0])));
    assert!(far.starts_with("row 1, column \"timestamp\""), "{far}");
    assert_eq!(
        refused("timestamp", Arc::new(TimestampMicrosecondArray::from(vec![0, i64::MAX]))),
        "row 2, column \"timestamp\": +294247-01-10T04:00:54.775807 is outside the years 1 to 9999"
    );
    assert_eq!(
        refused("timestamp", Arc::new(Int64Array::from(vec![0, 1]))),
        "column \"timestamp\": values of type Int64 cannot become TIMESTAMP"
    );
    assert_eq!(
        refused("price", Arc::new(Int64Array::from(vec![1, (1 << 53) + 1]))),
        "row 2, column \"price\": 9007199254740993 would lose digits as a 64-bit float"
    );
    assert_eq!(
        refused("price", Arc::new(Float64Array::from(vec![1.0, f64::NAN]))),
        "row 2, column \"price\": a value is required, and NaN is none"
    );
    assert_eq!(
        refused("symbol", Arc::new(Int32Array::from(vec![1, 2]))),
        "column \"symbol\": values of type Int32 cannot become VARCHAR"
    );
    let market = RecordBatch::try_from_iter([
        ("timestamp", Arc::new(TimestampSecondArray::from(vec![0])) as ArrayRef),
        ("symbol", Arc::new(StringArray::from(vec!["A"]))),
        ("volume", Arc::new(Float64Array::from(vec![1.5]))),
    ]);
    assert_eq!(
        decode_arrow(&MARKET_DATA, &market.unwrap()).unwrap_err().to_string(),
        "row 1, column \"volume\": 1.5 is not a whole number that fits 64 bits"
    );
}

#[test]
fn a_float_that_may_be_absent_may_be_nan() {
    let batch = replace(&trades(1), "latency_ms", Arc::new(Float64Array::from(vec![f64::NAN])));
    let decoded = decode_arrow(&TRADES, &batch).unwrap();
    assert!(decoded.column(6).as_primitive::<Float64Type>().value(0).is_nan());
}

#[test]
fn a_text_that_is_too_long_is_refused_in_every_format() {
    let long = "x".repeat(LONGEST_TEXT + 1);
    let message = format!("row 2, column \"symbol\": a text has at most {LONGEST_TEXT} bytes, and this one has 1025");
    let body = |symbol: &str| format!("timestamp,symbol\n2025-10-21,A\n2025-10-21,{symbol}\n");
    assert_eq!(refusal(&MARKET_DATA, Format::Csv, &body(&long)), (Fault::Unprocessable, message.clone()));
    assert!(decode(&MARKET_DATA, Some("text/csv"), Bytes::from(body(&long[1..]))).is_ok());
    let batch = replace(&trades(2), "symbol", Arc::new(StringArray::from(vec!["A", &long])));
    assert_eq!(decode_arrow(&TRADES, &batch).unwrap_err().to_string(), message);
    let batch = replace(&trades(1), "strategy", Arc::new(StringArray::from(vec![long.as_str()])));
    assert_eq!(decode_arrow(&TRADES, &batch).unwrap_err().fault(), Fault::Unprocessable);
}

#[test]
fn a_schema_that_does_not_fit_is_refused_even_without_rows() {
    let lacking = trades(0).project(&[0, 1, 2, 3, 4]).unwrap();
    let error = decode_arrow(&TRADES, &lacking).unwrap_err();
    assert_eq!(error, DecodeError::MissingColumn { column: "price", table: "trades" });
    let strange = RecordBatch::try_from_iter([("price_usd", trades(1).column(5).clone())]).unwrap();
    let error = decode_arrow(&TRADES, &strange).unwrap_err();
    assert!(error.to_string().starts_with("there is no column \"price_usd\" in trades: its columns are trade_id,"));
}

#[test]
fn bytes_that_are_not_of_the_format_are_malformed() {
    let whole = arrow_body(&[trades(100)], None);
    for (format, body) in [
        (Format::Arrow, Bytes::from_static(b"")),
        (Format::Arrow, Bytes::from_static(b"not an arrow stream at all, only text")),
        (Format::Arrow, whole.slice(..whole.len() / 2)),
        (Format::Parquet, Bytes::from_static(b"")),
        (Format::Parquet, whole.clone()),
        (Format::Csv, Bytes::from_static(b"timestamp,symbol\n2025-10-21,A,7\n")),
        (Format::Csv, Bytes::from_static(b"timestamp,symbol\n2025-10-21,\xff\n")),
    ] {
        let table = if format == Format::Arrow { &TRADES } else { &MARKET_DATA };
        let error = decode(table, Some(format.content_type()), body).unwrap_err();
        assert_eq!(error.fault(), Fault::Malformed, "{format:?}: {error}");
    }
}

#[test]
fn a_small_body_cannot_stand_for_endless_rows() {
    let schema = TRADES.schema();
    let columns =
        schema.fields().iter().map(|field| (field.name().clone(), Arc::new(NullArray::new(1 << 40)) as ArrayRef, true));
    let claim = RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap();
    let error = decode_arrow(&TRADES, &claim).unwrap_err();
    assert_eq!(error.fault(), Fault::TooLarge, "{error}");

    let rows = MAX_ROWS + 1;
    let mut writer = ArrowWriter::try_new(Vec::new(), MARKET_DATA.schema(), None).unwrap();
    let schema = MARKET_DATA.schema();
    let columns = schema.fields().iter().map(|field| match field.is_nullable() {
        true => new_null_array(field.data_type(), rows),
        false if field.data_type() == &DataType::Utf8 => {
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n("A", rows)))
        }
        false => Arc::new(TimestampMicrosecondArray::from_value(NOON, rows)),
    });
    let batch = RecordBatch::try_new(MARKET_DATA.schema(), columns.collect()).unwrap();
    writer.write(&batch).unwrap();
    let body = Bytes::from(writer.into_inner().unwrap());
    assert!(body.len() < 1 << 20);
    let error = decode(&MARKET_DATA, Some(Format::Parquet.content_type()), body).unwrap_err();
    assert_eq!(error, DecodeError::TooManyRows(MAX_ROWS));
}

#[test]
fn csv_takes_quotes_blanks_and_empty_fields() {
    let body = "\u{feff}symbol,timestamp,bid,volume\r\n\"A,\"\"B\",2025-10-21 12:00:00, 1.5 ,\r\nC,2025-10-21T12:00:00Z,,7\r\n";
    let decoded = decode(&MARKET_DATA, Some("text/csv"), Bytes::from(body)).unwrap();
    let row = |symbol: &str, bid, volume| MarketDataRow {
        timestamp: NOON,
        symbol: symbol.into(),
        last_price: None,
        bid,
        ask: None,
        volume,
        trades: None,
        spread_bps: None,
    };
    assert_eq!(decoded, vec![MarketDataRow::batch(&[row("A,\"B", Some(1.5), None), row("C", None, Some(7))]).unwrap()]);
    let (fault, message) = refusal(&MARKET_DATA, Format::Csv, "symbol,timestamp,bid\nA,2025-10-21,x\n");
    assert_eq!((fault, message.as_str()), (Fault::Unprocessable, r#"row 1, column "bid": "x" is not a number"#));
    let (_, message) = refusal(&MARKET_DATA, Format::Csv, "symbol,bid\nA,1\n");
    assert_eq!(message, "column \"timestamp\" is missing: market_data requires it");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL {
            let _ = decode(&TRADES, Some(format.content_type()), Bytes::from(body.clone()));
        }
    }

    #[test]
    fn a_damaged_arrow_stream_is_read_or_refused(position in 0_usize..2_000, byte in any::<u8>()) {
        let mut body = arrow_body(&[trades(5)], None).to_vec();
        let position = position % body.len();
        body[position] = byte;
        let _ = decode(&TRADES, Some(Format::Arrow.content_type()), body.into());
    }

    #[test]
    fn a_damaged_compressed_stream_is_read_or_refused(position in 0_usize..4_000, byte in any::<u8>(), lz4 in any::<bool>()) {
        let compression = if lz4 { CompressionType::LZ4_FRAME } else { CompressionType::ZSTD };
        let dictionary = cast(trades(300).column(2), &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)));
        let mut body = arrow_body(&[replace(&trades(300), "symbol", dictionary.unwrap())], Some(compression)).to_vec();
        let position = position % body.len();
        body[position] = byte;
        let _ = decode(&TRADES, Some(Format::Arrow.content_type()), body.into());
    }
}

#[test]
fn a_mistake_in_csv_is_in_the_line_that_an_editor_shows() {
    for (text, line) in [
        ("timestamp,symbol\n2025-10-21T12:00:00,A,1\n", 2),
        ("timestamp,symbol\r\n2025-10-21T12:00:00,A\r\n2025-10-21T12:00:00\r\n", 3),
        ("timestamp,symbol\r2025-10-21T12:00:00,A\r2025-10-21T12:00:00\r", 3),
        ("timestamp,symbol\n2025-10-21T12:00:00,\"A\nB\r\nC\"\n2025-10-21T12:00:00", 5),
        ("\n\r\ntimestamp,symbol\n\n\n2025-10-21T12:00:00,A,\"1\n2\"\n2025-10-21T12:00:00,A\n", 6),
        ("\u{feff}timestamp,symbol\n2025-10-21T12:00:00,A\n2025-10-21T12:00:00,A,1", 3),
    ] {
        let told = decode(&MARKET_DATA, Some(Format::Csv.content_type()), text.into()).unwrap_err().to_string();
        assert!(told.contains(&format!("line {line} has")), "{text:?} {told}");
    }
    let text = Bytes::from_static(b"timestamp,symbol\n2025-10-21T12:00:00,\"A\n\xff\"\n");
    let told = decode(&MARKET_DATA, Some(Format::Csv.content_type()), text).unwrap_err();
    assert!(told.to_string().contains("line 2 is not UTF-8"), "{told}");
}
