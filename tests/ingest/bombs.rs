//! Small bodies that stand for more than there is memory for, and headers that claim what is not there.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, NullArray, RunArray, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow::record_batch::RecordBatch;
use futures::future::join_all;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use reqwest::Method;

use crate::common::{Launch, Server, ipc};
use crate::{count, push, quote};

const PARQUET: &str = "application/vnd.apache.parquet";
const CSV: &str = "text/csv";
const JSON: &str = "application/json";
const NOON: i64 = 1_761_048_000_000_000;

fn instants(rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values((0..rows as i64).map(|row| NOON + row)))
}

fn batch(symbols: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter(vec![("timestamp", instants(symbols.len())), ("symbol", symbols)]).unwrap()
}

/// One text for every row, as a dictionary.
fn repeated(rows: usize, text: &str) -> ArrayRef {
    let values: ArrayRef = Arc::new(StringArray::from(vec![text]));
    Arc::new(DictionaryArray::new(Int32Array::from(vec![0; rows]), values))
}

fn run(rows: i32, text: &str) -> ArrayRef {
    Arc::new(RunArray::<Int32Type>::try_new(&Int32Array::from(vec![rows]), &StringArray::from(vec![text])).unwrap())
}

/// One long text that the view of every row points at.
fn views(rows: usize, text: &str) -> ArrayRef {
    let one = StringViewArray::from(vec![text]);
    let views = vec![one.views()[0]; rows];
    Arc::new(StringViewArray::try_new(views.into(), one.data_buffers().to_vec(), None).unwrap())
}

fn arrow(batches: &[RecordBatch], compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

fn parquet(batch: &RecordBatch, compression: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// A Parquet file whose schema is `depth` groups within each other.
fn nested_schema(depth: u32) -> Vec<u8> {
    let mut footer = vec![0x15, 0x02, 0x19, 0xfc];
    let mut length = depth;
    while length >= 0x80 {
        footer.push(length as u8 | 0x80);
        length >>= 7;
    }
    footer.push(length as u8);
    for _ in 0..depth {
        footer.extend([0x48, 6]);
        footer.extend(b"symbol");
        footer.extend([0x15, 0x02, 0]);
    }
    footer.extend([0x16, 0x00, 0x19, 0x0c, 0]);
    let length = footer.len() as u32;
    [b"PAR1", footer.as_slice(), &length.to_le_bytes(), b"PAR1"].concat()
}

/// Writes another number over the one place where `number` stands.
fn replace_number(mut body: Vec<u8>, number: i64, other: i64) -> Vec<u8> {
    let places: Vec<_> = (0..body.len() - 8).filter(|at| body[*at..*at + 8] == number.to_le_bytes()).collect();
    let [place] = places.as_slice() else { panic!("{number} stands in {places:?}") };
    body[*place..*place + 8].copy_from_slice(&other.to_le_bytes());
    body
}

fn unfolding() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let long = "A".repeat(1 << 20);
    let zstd = Some(CompressionType::ZSTD);
    let lz4 = Some(CompressionType::LZ4_FRAME);
    let many = |batch: RecordBatch| vec![batch; 20];
    let prices = |rows| -> ArrayRef { Arc::new(Float64Array::from(vec![0.0; rows])) };
    let plain = |rows| {
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_value(NOON, rows));
        let columns = vec![("timestamp", times), ("symbol", repeated(rows, "A")), ("bid", prices(rows))];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let same: ArrayRef = Arc::new(TimestampMicrosecondArray::from_value(NOON, 4_900_000));
    let nothing: ArrayRef = Arc::new(NullArray::new(4_900_000));
    let nothing = RecordBatch::try_from_iter(vec![("timestamp", same), ("symbol", nothing)]).unwrap();
    vec![
        (
            "Parquet with a dictionary",
            PARQUET,
            parquet(&batch(repeated(1_000_000, &"A".repeat(20_000))), Compression::SNAPPY),
        ),
        ("Parquet of many rows", PARQUET, parquet(&plain(4_900_000), Compression::SNAPPY)),
        ("Arrow with a dictionary", ipc::MEDIA_TYPE, arrow(&many(batch(repeated(1_000, &long))), zstd)),
        ("Arrow with runs", ipc::MEDIA_TYPE, arrow(&many(batch(run(1_000, &long))), zstd)),
        ("Arrow with views", ipc::MEDIA_TYPE, arrow(&many(batch(views(1_000, &long))), lz4)),
        ("Arrow of many rows", ipc::MEDIA_TYPE, arrow(&[plain(2_000_000), plain(2_000_000)], zstd)),
        (
            "Arrow with a large text",
            ipc::MEDIA_TYPE,
            arrow(&[batch(Arc::new(StringArray::from(vec!["A".repeat(200 << 20)])))], zstd),
        ),
        ("Arrow with nothing in it", ipc::MEDIA_TYPE, arrow(&[nothing], zstd)),
    ]
}

fn lying() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let rows = 100_003;
    let times = rows as i64 * 8;
    let symbols: ArrayRef = Arc::new(StringArray::from(vec!["A"; rows]));
    let compressed = |compression| arrow(&[batch(symbols.clone())], Some(compression));
    let fields = vec![(",", 5_000_000), ("a,", 3_000_000)];
    let mut bodies = vec![
        (
            "lz4 that is longer than it says",
            ipc::MEDIA_TYPE,
            replace_number(compressed(CompressionType::LZ4_FRAME), times, 8),
        ),
        (
            "zstd that is longer than it says",
            ipc::MEDIA_TYPE,
            replace_number(compressed(CompressionType::ZSTD), times, 8),
        ),
        (
            "zstd that claims more than there is",
            ipc::MEDIA_TYPE,
            replace_number(compressed(CompressionType::ZSTD), times, 1 << 45),
        ),
        ("a schema of groups in groups", PARQUET, nested_schema(300_000)),
        ("a file that ends within its footer", PARQUET, nested_schema(10)[..60].to_vec()),
    ];
    for (field, count) in fields {
        bodies.push(("a header of very many columns", CSV, field.repeat(count).into_bytes()));
        let line = format!("timestamp,symbol\n{}\n", field.repeat(count));
        bodies.push(("a line of very many fields", CSV, line.into_bytes()));
    }
    bodies.push(("objects in objects", JSON, r#"[{"symbol":"#.repeat(2_000_000).into_bytes()));
    bodies.push(("very many empty rows", JSON, format!("[{}{{}}]", "{},".repeat(3_000_000)).into_bytes()));
    bodies
}

/// Every body, four times at one time: each is refused in a moment, and memory stays what it is.
#[tokio::test]
async fn bodies_that_unfold_to_too_much_are_refused_before_they_do() {
    let server = Server::start().await;
    for (what, content_type, body) in unfolding() {
        assert!(body.len() < 12 << 20, "{what} has {} bytes", body.len());
        for answer in join_all((0..4).map(|_| push(&server, "market_data", content_type, body.clone()))).await {
            assert!([413, 429].contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
            assert!(
                answer.detail().contains("in parts") || answer.detail().contains("less at a time"),
                "{}",
                answer.text()
            );
            assert_eq!(answer.status == 429, !answer.header("retry-after").is_empty(), "{what}");
        }
        push(&server, "market_data", content_type, body).await.expect(413);
    }
    assert!(server.peak_memory() < 700 << 20, "{} MiB", server.peak_memory() >> 20);
    assert_eq!(count(&server, "market_data").await, 0);
}

#[tokio::test]
async fn headers_that_claim_what_is_not_there_are_refused() {
    let server = Server::start().await;
    for (what, content_type, body) in lying() {
        let answer = push(&server, "market_data", content_type, body).await;
        assert!([400, 413, 422].contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
        assert!(answer.body.len() < 2_000, "{what}: a message of {} bytes", answer.body.len());
    }
    assert!(server.peak_memory() < 500 << 20, "{} MiB", server.peak_memory() >> 20);
    assert_eq!(count(&server, "market_data").await, 0);
}

#[tokio::test]
async fn rows_that_repeat_values_are_stored_with_them() {
    let server = Server::start().await;
    let lz4 = Some(CompressionType::LZ4_FRAME);
    let text = "a text that is longer than a view";
    let tiny: Vec<_> = (0..3_000).map(|row| batch(repeated(3_000, "T")).slice(row, 1)).collect();
    let bodies = [
        (ipc::MEDIA_TYPE, arrow(&[batch(run(3_000, "R"))], lz4)),
        (ipc::MEDIA_TYPE, arrow(&[batch(views(3_000, text))], Some(CompressionType::ZSTD))),
        (ipc::MEDIA_TYPE, arrow(&[batch(repeated(2_000, "D")), batch(repeated(3_000, "D")).slice(2_000, 1_000)], lz4)),
        (ipc::MEDIA_TYPE, arrow(&tiny, None)),
        (PARQUET, parquet(&batch(repeated(3_000, "P")), Compression::ZSTD(Default::default()))),
        (PARQUET, parquet(&batch(Arc::new(StringArray::from(vec!["S"; 3_000]))), Compression::SNAPPY)),
        (
            PARQUET,
            parquet(&batch(Arc::new(StringArray::from(vec!["G"; 3_000]))), Compression::GZIP(Default::default())),
        ),
    ];
    for (content_type, body) in bodies {
        let answer = push(&server, "market_data", content_type, body).await.expect(200).json();
        assert_eq!(answer["rows"], 3_000);
    }
    let stored = "SELECT symbol, count(*) AS n, max(timestamp) AS last FROM market_data GROUP BY 1 ORDER BY 1";
    let rows = server.sql(stored).await;
    let symbols = ["D", "G", "P", "R", "S", "T", text];
    let last = "2025-10-21T12:00:00.002999";
    let expected = symbols.map(|symbol| serde_json::json!({"symbol": symbol, "n": 3_000, "last": last}));
    assert_eq!(serde_json::json!(rows), serde_json::json!(expected));
}

#[tokio::test]
async fn a_query_with_more_values_than_anybody_asks_with_is_refused() {
    let server = Server::start().await;
    let values = format!(r#"{{"sql":"SELECT 1","params":[{}0]}}"#, "0,".repeat(400_000));
    for path in ["/api/sql", "/api/metrics/history"] {
        let headers = [("content-type", JSON)];
        let answer = server.send(Method::POST, path, &headers, values.clone().into_bytes()).await.expect(413);
        assert!(answer.detail().contains("values"), "{}", answer.text());
        server.send(Method::POST, path, &headers, vec![b' '; 2 << 20]).await.expect(413);
    }
}

/// A few bytes can take a second to read: nobody else waits for that.
#[tokio::test]
async fn reading_a_body_holds_up_no_other_client() {
    let server = Launch::new().arguments(["--workers", "1", "--memory-limit", "8GiB"]).start().await;
    let rows = 3_000_000;
    // The last value is refused, so that nothing is stored.
    let bids: ArrayRef =
        Arc::new(Float64Array::from_iter_values((0..rows).map(|row| if row + 1 < rows { 1.0 } else { 0.5 })));
    let columns = vec![("timestamp", instants(rows)), ("symbol", repeated(rows, "A")), ("volume", bids)];
    let body = parquet(&RecordBatch::try_from_iter(columns).unwrap(), Compression::ZSTD(Default::default()));
    server.get("/health/live").await.expect(200);
    let pushing = push(&server, "market_data", PARQUET, body);
    let mut answered = 0;
    let watching = async {
        loop {
            server.get("/health/live").await.expect(200);
            answered += 1;
        }
    };
    tokio::select! {
        answer = pushing => { answer.expect(422); }
        () = watching => {}
    }
    assert!(answered > 20, "{answered} others were answered meanwhile");
    server.ingest("market_data", &serde_json::json!([quote(0, "A", 1.0)])).await;
}
