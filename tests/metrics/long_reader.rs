//! A client that reads slowly while rows go in.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Figures;
use crate::common::{Launch, eventually};
use crate::{push, quotes};

const START: i64 = 1_761_048_000_000_000;
const ROWS: usize = 50_000;
/// What stays free, of which the log may have a quarter: more than one body takes.
const FLOOR: usize = 16_000_000;

#[tokio::test]
async fn the_log_is_short_again_after_a_long_reader_and_rows_go_in_meanwhile() {
    let server = Launch::new().arguments(["--min-free-space", &FLOOR.to_string()]).start().await;
    for body in 0..6 {
        push(&server, quotes(START, body * ROWS, ROWS)).await;
    }
    let mut reader = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /api/export/market_data?format=ndjson HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    reader.write_all(request.as_bytes()).await.unwrap();
    let mut begun = [0; 1_000];
    reader.read_exact(&mut begun).await.unwrap();
    assert!(begun.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&begun));

    let before = Figures::of(&server).await;
    assert!(before.get("observability_readers_in_use", &[]) >= 1.0);
    let mut longest = 0.0_f64;
    for body in 6..18 {
        push(&server, quotes(START, body * ROWS, ROWS)).await;
        longest = longest.max(Figures::of(&server).await.get("observability_database_wal_bytes", &[]));
    }
    let during = Figures::of(&server).await;
    assert!(longest > before.get("observability_database_wal_bytes", &[]).min(1e6), "the log is seen: {longest}");
    assert!(during.get("observability_readers_in_use", &[]) >= 1.0, "it still reads");
    let stored = during.get("observability_rows_stored_total", &[("table", "market_data")]);
    assert_eq!(stored, (18 * ROWS) as f64, "rows go in meanwhile");
    println!("the log: {longest} bytes at the most while an export was open");

    drop(reader);
    eventually("the reader is gone", async || {
        (Figures::of(&server).await.get("observability_readers_in_use", &[]) == 0.0).then_some(())
    })
    .await;
    push(&server, quotes(START, 18 * ROWS, ROWS)).await;
    eventually("the log is worked off", async || {
        let figures = Figures::of(&server).await;
        (figures.get("observability_database_wal_bytes", &[]) < FLOOR as f64 / 4.0).then_some(())
    })
    .await;
    let count = server.sql_value("SELECT count(*) FROM market_data").await;
    assert_eq!(count, 19 * ROWS);
}
