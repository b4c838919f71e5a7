//! A signal while rows are on their way into the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::common::{Launch, eventually};
use crate::{bodies, quotes};

const ROWS: u64 = 20_000;

#[tokio::test]
async fn what_was_acknowledged_before_the_end_is_there_and_nothing_is_half_there() {
    let directory = Arc::new(TempDir::new().unwrap());
    let (mut next, mut all) = (1, Vec::new());
    for _ in 0..3 {
        let mut server = Launch::new().directory(&directory).start().await;
        assert_eq!(bodies(&server).await, all);
        let started = Arc::new(AtomicU64::new(0));
        let pushes: Vec<_> = (next..next + 12)
            .map(|body| {
                let (client, url, started) =
                    (server.client.clone(), server.url("/api/ingest/market_data"), started.clone());
                tokio::spawn(async move {
                    let rows = quotes(body, ROWS).to_string();
                    let request = client.post(url).header("content-type", "application/json").body(rows);
                    started.fetch_add(1, Ordering::Relaxed);
                    (body, request.send().await.map(|answer| answer.status().as_u16()))
                })
            })
            .collect();
        next += 12;
        let waiting = async || {
            let depth = server.get("/api/system/performance").await.json()["queue_depth"].as_u64();
            (depth > Some(0) || started.load(Ordering::Relaxed) == 12).then_some(())
        };
        eventually("rows are on their way", waiting).await;
        server.signal("TERM");
        let mut answers = Vec::new();
        for push in pushes {
            answers.push(push.await.unwrap());
        }
        assert_eq!(server.ended().await, Some(0), "{answers:?}");
        all.extend(answers.iter().filter(|(_, status)| matches!(status, Ok(200))).map(|(body, _)| (*body, ROWS)));
        let log = server.log();
        assert!(log.contains("everything is stored") && !log.contains("ERROR"), "{log}");
        println!("{answers:?}");
    }
    let server = Launch::new().directory(&directory).start().await;
    assert_eq!(bodies(&server).await, all, "exactly what was acknowledged");
}
