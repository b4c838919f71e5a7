//! What is encoded reads back as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat_batches;
use arrow::csv::ReaderBuilder;
use arrow::datatypes::*;
use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::json::Options;
use super::*;
use crate::tables::{MARKET_DATA, MarketDataRow};
use crate::time::SECOND;

fn market_data(rows: std::ops::Range<i64>) -> RecordBatch {
    let rows: Vec<_> = rows
        .map(|row| MarketDataRow {
            timestamp: 1_761_084_000 * SECOND + row * 500_000,
            symbol: format!("SYM{}\",\n{}", row % 3, if row % 7 == 0 { "é😀" } else { "" }),
            last_price: (row % 5 != 0).then_some(row as f64 / 8.0),
            bid: Some(0.1 + row as f64),
            ask: None,
            volume: Some(row * 1_000_000_007),
            trades: Some(-1),
            spread_bps: Some(0.0),
        })
        .collect();
    MarketDataRow::batch(&rows).unwrap()
}

fn answer(batches: Vec<RecordBatch>, schema: SchemaRef) -> BatchStream {
    BatchStream::new(schema, stream::iter(batches.into_iter().map(Ok)))
}

async fn text(bytes: ByteStream) -> String {
    String::from_utf8(collect(bytes).await).unwrap()
}

async fn collect(bytes: ByteStream) -> Vec<u8> {
    bytes.try_collect::<Vec<Bytes>>().await.unwrap().concat()
}

fn one_column(array: impl Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter([("v", Arc::new(array) as ArrayRef)]).unwrap()
}

/// The values of a column, as JSON writes them.
async fn values(array: impl Array + 'static) -> String {
    let batch = one_column(array);
    let rows = text(encode(Format::Ndjson, answer(vec![batch.clone()], batch.schema()))).await;
    let rows: Vec<&str> =
        rows.lines().map(|row| row.strip_prefix("{\"v\":").unwrap().strip_suffix('}').unwrap()).collect();
    rows.join(" ")
}

fn batches() -> Vec<RecordBatch> {
    vec![market_data(0..2_048), market_data(2_048..2_050), market_data(2_050..6_000)]
}

#[tokio::test]
async fn arrow_reads_back() {
    let schema = MARKET_DATA.schema();
    let bytes = collect(encode(Format::Arrow, answer(batches(), schema.clone()))).await;
    let reader = StreamReader::try_new(bytes.as_slice(), None).unwrap();
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(concat_batches(&schema, &read).unwrap(), market_data(0..6_000));
}

#[tokio::test]
async fn parquet_reads_back() {
    let schema = MARKET_DATA.schema();
    let bytes = collect(encode(Format::Parquet, answer(batches(), schema.clone()))).await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap().build().unwrap();
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(concat_batches(&schema, &read).unwrap(), market_data(0..6_000));
}

#[tokio::test]
async fn parquet_is_sent_row_group_by_row_group() {
    let many = (0..70).map(|part| market_data(part * 4_096..(part + 1) * 4_096)).collect();
    let mut bytes = encode(Format::Parquet, answer(many, MARKET_DATA.schema()));
    let mut chunks = Vec::new();
    while let Some(chunk) = bytes.next().await {
        chunks.push(chunk.unwrap());
    }
    assert!(chunks.len() > 2, "{} chunks", chunks.len());
    let file = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(chunks.concat())).unwrap();
    assert_eq!(file.metadata().file_metadata().num_rows(), 70 * 4_096);
    assert_eq!(file.metadata().num_row_groups(), 3);
}

#[tokio::test]
async fn csv_reads_back() {
    let schema = MARKET_DATA.schema();
    let bytes = collect(encode(Format::Csv, answer(batches(), schema.clone()))).await;
    let reader = ReaderBuilder::new(schema.clone()).with_header(true).build(bytes.as_slice()).unwrap();
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(concat_batches(&schema, &read).unwrap(), market_data(0..6_000));
}

#[tokio::test]
async fn csv_has_a_header_and_iso_times_and_nested_values_as_json() {
    let batch = RecordBatch::try_from_iter([
        ("t", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_500_000), None])) as ArrayRef),
        ("z", Arc::new(TimestampSecondArray::from(vec![1, 2]).with_timezone("+00:00"))),
        ("l", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None]), None]))),
    ])
    .unwrap();
    let csv = text(encode(Format::Csv, answer(vec![batch.clone()], batch.schema()))).await;
    let expected =
        "t,z,l\n1970-01-01T00:00:01.500,1970-01-01T00:00:01+00:00,\"[1,null]\"\n,1970-01-01T00:00:02+00:00,\n";
    assert_eq!(csv, expected);
}

#[tokio::test]
async fn json_rows_have_every_column_in_order() {
    let json =
        text(encode(Format::Json, answer(vec![market_data(0..1), market_data(1..2)], MARKET_DATA.schema()))).await;
    assert_eq!(
        json,
        concat!(
            r#"[{"timestamp":"2025-10-21T22:00:00","symbol":"SYM0\",\né😀","last_price":null,"bid":0.1,"ask":null,"#,
            r#""volume":0,"trades":-1,"spread_bps":0.0},"#,
            r#"{"timestamp":"2025-10-21T22:00:00.500000","symbol":"SYM1\",\n","last_price":0.125,"bid":1.1,"ask":null,"#,
            r#""volume":1000000007,"trades":-1,"spread_bps":0.0}]"#,
        )
    );
}

#[tokio::test]
async fn ndjson_is_the_same_rows_one_a_line() {
    let array: Value =
        serde_json::from_str(&text(encode(Format::Json, answer(batches(), MARKET_DATA.schema()))).await).unwrap();
    let lines = text(encode(Format::Ndjson, answer(batches(), MARKET_DATA.schema()))).await;
    assert!(lines.ends_with('\n'));
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(array, Value::Array(lines));
}

#[tokio::test]
async fn an_answer_without_rows_is_whole() {
    let schema = MARKET_DATA.schema();
    for batches in [vec![], vec![RecordBatch::new_empty(schema.clone())]] {
        let empty = |format| encode(format, answer(batches.clone(), schema.clone()));
        assert_eq!(text(empty(Format::Json)).await, "[]");
        assert_eq!(text(empty(Format::Ndjson)).await, "");
        assert_eq!(text(empty(Format::Csv)).await, "timestamp,symbol,last_price,bid,ask,volume,trades,spread_bps\n");
        let arrow = collect(empty(Format::Arrow)).await;
        let arrow = StreamReader::try_new(arrow.as_slice(), None).unwrap();
        assert_eq!(arrow.schema(), schema);
        assert_eq!(arrow.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 0);
        let parquet = Bytes::from(collect(empty(Format::Parquet)).await);
        let parquet = ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
        assert_eq!(parquet.schema(), &schema);
        assert_eq!(parquet.metadata().file_metadata().num_rows(), 0);
    }
}

#[tokio::test]
async fn a_document_holds_the_rows_of_all_its_parts_and_their_number() {
    let first = one_column(Int32Array::from(vec![1, 2]));
    let second = RecordBatch::try_from_iter([("w", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
    let parts = stream::iter([first.clone(), RecordBatch::new_empty(first.schema()), second])
        .map(|batch| Ok(answer(vec![batch.clone()], batch.schema())));
    let document =
        json::document(b"{\"data\":[".to_vec(), parts.boxed(), |rows| format!("],\"count\":{rows}}}").into_bytes());
    assert_eq!(text(document).await, r#"{"data":[{"v":1},{"v":2},{"w":"x"}],"count":3}"#);
}

#[tokio::test]
async fn a_document_without_parts_is_its_prefix_and_suffix() {
    let document = json::document(b"[".to_vec(), stream::empty().boxed(), |rows| format!("]{rows}").into_bytes());
    assert_eq!(text(document).await, "[]0");
}

#[tokio::test]
async fn listed_columns_show_integral_floats_as_integers() {
    let batch = one_column(Float64Array::from(vec![Some(5.0), Some(0.25), None, Some(-0.0)]));
    let options = Options { integral_as_integer: &["v"], ..Options::default() };
    let parts = one_part(answer(vec![batch.clone()], batch.schema()));
    let document = json::document_with(options, Vec::new(), parts, |_| Vec::new());
    assert_eq!(text(document).await, r#"{"v":5},{"v":0.25},{"v":null},{"v":0}"#);
}

#[tokio::test]
async fn listed_columns_show_nulls_as_zeros_of_their_type() {
    let columns = [
        ("v", Arc::new(Float64Array::from(vec![Some(0.5), None])) as ArrayRef),
        ("w", Arc::new(Int32Array::from(vec![None, Some(7)]))),
        ("x", Arc::new(Int32Array::from(vec![None, Some(8)]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let options = Options { null_as_zero: &["v", "w"], ..Options::default() };
    let parts = one_part(answer(vec![batch.clone()], batch.schema()));
    let document = json::document_with(options, Vec::new(), parts, |_| Vec::new());
    assert_eq!(text(document).await, r#"{"v":0.5,"w":0,"x":null},{"v":0.0,"w":7,"x":8}"#);
}

#[tokio::test]
async fn a_query_that_fails_at_its_start_gives_no_byte() {
    for format in Format::ALL {
        let failing = stream::iter([Err(ReadError::Busy)]);
        let mut bytes = encode(format, BatchStream::new(MARKET_DATA.schema(), failing));
        assert_eq!(bytes.next().await, Some(Err(ReadError::Busy)), "{format:?}");
        assert_eq!(bytes.next().await, None);
    }
}

#[tokio::test]
async fn a_query_that_fails_later_cuts_the_answer_short() {
    let rows = (0..60).map(|part| Ok(market_data(part * 4_096..(part + 1) * 4_096)));
    for format in Format::ALL {
        let failing = stream::iter(rows.clone().chain([Err(ReadError::Stopping)]).collect::<Vec<_>>());
        let bytes = encode(format, BatchStream::new(MARKET_DATA.schema(), failing));
        let chunks: Vec<_> = bytes.collect().await;
        let (last, before) = chunks.split_last().unwrap();
        assert_eq!(last, &Err(ReadError::Stopping), "{format:?}");
        assert!(!before.is_empty() && before.iter().all(Result::is_ok), "{format:?}");
    }
}

#[tokio::test]
async fn batches_are_asked_for_only_when_bytes_are() {
    for format in Format::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let endless = stream::iter(0..).map(move |part| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(market_data(part * 2_048..(part + 1) * 2_048))
        });
        let mut bytes = encode(format, BatchStream::new(MARKET_DATA.schema(), endless));
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        bytes.next().await.unwrap().unwrap();
        let first = asked.load(Ordering::Relaxed);
        // One row group of Parquet is 60 batches; all else is less than two.
        assert!(first <= 60, "{format:?} asked for {first} batches");
    }
}

#[tokio::test]
async fn json_comes_in_chunks_of_bounded_size() {
    let bytes = encode(Format::Json, answer(vec![market_data(0..6_000)], MARKET_DATA.schema()));
    let chunks: Vec<Bytes> = bytes.try_collect().await.unwrap();
    assert!(chunks.len() > 5);
    assert!(chunks.iter().all(|chunk| chunk.len() < CHUNK_BYTES + 1_024));
    assert!(chunks.iter().rev().skip(1).all(|chunk| chunk.len() >= CHUNK_BYTES));
}

#[tokio::test]
async fn integers_and_decimals_keep_all_their_digits() {
    assert_eq!(values(Int64Array::from(vec![i64::MIN, i64::MAX])).await, "-9223372036854775808 9223372036854775807");
    assert_eq!(values(UInt64Array::from(vec![u64::MAX])).await, "18446744073709551615");
    assert_eq!(values(Int8Array::from(vec![Some(-128), None])).await, "-128 null");
    let decimal = Decimal128Array::from(vec![12_345, -5]).with_precision_and_scale(10, 3).unwrap();
    assert_eq!(values(decimal).await, "12.345 -0.005");
    let huge = Decimal128Array::from(vec![i128::from(i64::MAX) * 1_000]).with_precision_and_scale(38, 0).unwrap();
    assert_eq!(values(huge).await, "9223372036854775807000");
}

#[tokio::test]
async fn floats_of_every_width_have_their_shortest_text() {
    assert_eq!(values(Float32Array::from(vec![0.1, f32::NAN, 3.0])).await, "0.1 null 3.0");
    assert_eq!(values(Float64Array::from(vec![0.1, f64::INFINITY, 1e300])).await, "0.1 null 1e+300");
    let half = Float16Array::from_iter_values([1.5_f32].map(<<Float16Type as ArrowPrimitiveType>::Native>::from_f32));
    assert_eq!(values(half).await, "1.5");
}

#[tokio::test]
async fn text_and_bytes_of_every_layout_are_strings() {
    assert_eq!(values(LargeStringArray::from(vec!["a\"b"])).await, r#""a\"b""#);
    assert_eq!(
        values(StringViewArray::from(vec![Some("a long enough string to be kept apart"), None])).await,
        r#""a long enough string to be kept apart" null"#
    );
    assert_eq!(values(BinaryArray::from(vec![&b"\x00\xfe"[..]])).await, r#""00fe""#);
    assert_eq!(values(BinaryViewArray::from_iter_values([b"\xab"])).await, r#""ab""#);
    let dictionary: DictionaryArray<Int8Type> = [Some("x"), None, Some("y"), Some("x")].into_iter().collect();
    assert_eq!(values(dictionary).await, r#""x" null "y" "x""#);
    let empty: DictionaryArray<Int8Type> = [None::<&str>].into_iter().collect();
    assert_eq!(values(empty).await, "null");
    assert_eq!(values(BooleanArray::from(vec![Some(true), Some(false), None])).await, "true false null");
    assert_eq!(values(NullArray::new(2)).await, "null null");
}

#[tokio::test]
async fn times_are_iso_8601() {
    assert_eq!(values(TimestampSecondArray::from(vec![0, i64::MAX])).await, r#""1970-01-01T00:00:00" null"#);
    assert_eq!(values(TimestampMillisecondArray::from(vec![1])).await, r#""1970-01-01T00:00:00.001000""#);
    assert_eq!(
        values(TimestampNanosecondArray::from(vec![1_000, 1, -1])).await,
        r#""1970-01-01T00:00:00.000001" "1970-01-01T00:00:00.000000001" "1969-12-31T23:59:59.999999999""#
    );
    let zoned = TimestampMicrosecondArray::from(vec![500_000]).with_timezone("+05:30");
    assert_eq!(values(zoned).await, r#""1970-01-01T00:00:00.500000Z""#);
    assert_eq!(values(Date32Array::from(vec![20_000])).await, r#""2024-10-04""#);
    assert_eq!(values(Time64MicrosecondArray::from(vec![3_661_000_001])).await, r#""01:01:01.000001""#);
    let interval = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNanoType::make_value(1, 2, 3_000_000_000)]);
    let interval: String = serde_json::from_str(&values(interval).await).unwrap();
    assert!(interval.contains("1 mons 2 days"), "{interval}");
}

#[tokio::test]
async fn nested_values_are_arrays_and_objects() {
    let list = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(1.0), None]), None, Some(vec![])]);
    assert_eq!(values(list.clone()).await, "[1.0,null] null []");
    assert_eq!(values(list.slice(2, 1)).await, "[]");
    let structs = StructArray::from(vec![
        (Arc::new(Field::new("a", DataType::Int32, true)), Arc::new(Int32Array::from(vec![Some(1), None])) as ArrayRef),
        (Arc::new(Field::new("b\"", DataType::Utf8, true)), Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef),
    ]);
    assert_eq!(values(structs.clone()).await, r#"{"a":1,"b\"":"x"} {"a":null,"b\"":"y"}"#);
    let field = Arc::new(Field::new_list_field(structs.data_type().clone(), true));
    let nested = ListArray::new(field, OffsetBuffer::from_lengths([2]), Arc::new(structs), None);
    assert_eq!(values(nested).await, r#"[{"a":1,"b\"":"x"},{"a":null,"b\"":"y"}]"#);
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for (key, value) in [("k", 1), ("l", 2)] {
        maps.keys().append_value(key);
        maps.values().append_value(value);
        maps.append(true).unwrap();
    }
    assert_eq!(values(maps.finish()).await, r#"{"k":1} {"l":2}"#);
}

#[tokio::test]
async fn a_sliced_batch_is_written_from_its_first_row() {
    let batch = market_data(0..10).slice(7, 2);
    let json = text(encode(Format::Json, answer(vec![batch], MARKET_DATA.schema()))).await;
    let whole = text(encode(Format::Json, answer(vec![market_data(7..9)], MARKET_DATA.schema()))).await;
    assert_eq!(json, whole);
}

#[derive(Debug, Clone)]
struct Row {
    text: Option<String>,
    float: Option<f64>,
    integer: Option<i64>,
    micros: Option<i64>,
    flag: Option<bool>,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        any::<Option<String>>(),
        any::<Option<f64>>(),
        any::<Option<i64>>(),
        any::<Option<i64>>(),
        any::<Option<bool>>(),
    );
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let row = |(text, float, integer, micros, flag)| Row { text, float, integer, micros, flag };
        rows.into_iter().map(row).collect()
    })
}

fn same(written: &Value, row: &Row) -> bool {
    let float = match row.float.filter(|float| float.is_finite()) {
        // The general reader may be off by some last bits; that the text is exact is tested where it is written.
        Some(float) => written["float"].as_f64().is_some_and(|read| read.to_bits().abs_diff(float.to_bits()) <= 8),
        None => written["float"].is_null(),
    };
    float
        && written["text"] == json!(row.text)
        && written["integer"] == json!(row.integer)
        && written["micros"] == json!(row.micros.map(crate::time::format_naive))
        && written["flag"] == json!(row.flag)
}

proptest! {
    #[test]
    fn any_rows_read_back_from_json(rows in rows()) {
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("text", Arc::new(rows.iter().map(|row| row.text.as_deref()).collect::<StringArray>()) as ArrayRef, true),
            ("float", Arc::new(rows.iter().map(|row| row.float).collect::<Float64Array>()), true),
            ("integer", Arc::new(rows.iter().map(|row| row.integer).collect::<Int64Array>()), true),
            ("micros", Arc::new(rows.iter().map(|row| row.micros).collect::<TimestampMicrosecondArray>()), true),
            ("flag", Arc::new(rows.iter().map(|row| row.flag).collect::<BooleanArray>()), true),
        ]).unwrap();
        let json = futures::executor::block_on(text(encode(Format::Json, answer(vec![batch.clone()], batch.schema()))));
        let written: Vec<Value> = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(written.len(), rows.len());
        for (written, row) in written.iter().zip(&rows) {
            prop_assert!(same(written, row), "{} is not {:?}", written, row);
        }
    }
}
