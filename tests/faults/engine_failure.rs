//! An engine that cannot go on.

use crate::common::{Launch, eventually};
use crate::small_disk::SmallDisk;
use crate::{bodies, quotes};

const ROWS: u64 = 1_000;
/// Not a whole row group.
const FIRST_ROWS: u64 = 100_000;

#[tokio::test]
#[ignore = "checkpoints and commits keep room on the disk now, and the engine does not fail in this way any more"]
async fn the_program_ends_for_its_supervisor_and_comes_back_with_every_acknowledged_row() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let arguments = ["--database", disk.database().to_str().unwrap(), "--min-free-space", "1KB"].map(str::to_owned);
    let mut server = Launch::new().arguments(arguments.clone()).start().await;
    // A checkpoint writes the last row group once more, however short the log is. Without a reserve nothing is kept free
    // for that: there is room for the 1 MB of log that make a checkpoint and not much beyond it.
    server.ingest("market_data", &quotes(1, FIRST_ROWS)).await;
    eventually("the first rows are in the file", async || disk.log_bytes().eq(&0).then_some(())).await;
    let ballast = disk.fill(2_300_000);
    let mut sent = 1;
    let mut acknowledged = vec![(1, FIRST_ROWS)];
    let failed = eventually("the engine fails", async || {
        sent += 1;
        let body = quotes(sent, ROWS).to_string();
        let request =
            server.client.post(server.url("/api/ingest/market_data")).header("content-type", "application/json");
        match request.body(body).send().await.map(|answer| answer.status().as_u16()) {
            Ok(200) => acknowledged.push((sent, ROWS)),
            Ok(507) => {}
            other => return Some(other),
        }
        None
    })
    .await;
    println!("{} bodies were acknowledged, then: {failed:?}", acknowledged.len());
    let ready = server.client.get(server.url("/health/ready")).send().await.map(|answer| answer.status().as_u16());
    assert!(!matches!(ready, Ok(200)), "nobody is sent here any more: {ready:?}");
    assert_eq!(server.ended().await, Some(1), "the supervisor sees a failure");
    assert!(server.log().contains("start the server again"), "{}", server.log());
    assert!(acknowledged.len() > 1);

    ballast.remove();
    let server = Launch::new().arguments(arguments).start().await;
    let stored = bodies(&server).await;
    for body in &acknowledged {
        assert!(stored.contains(body), "{body:?} was acknowledged and is gone: {stored:?}");
    }
    assert!(
        stored.iter().all(|(body, rows)| *body <= sent && (*rows == ROWS || *body == 1)),
        "bodies are whole: {stored:?}"
    );
    server.get("/health/ready").await.expect(200);
}
