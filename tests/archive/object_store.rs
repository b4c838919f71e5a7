//! The archive in a bucket.

use crate::answers;
use crate::common::{Launch, S3};
use crate::desk::{FIRST, SECOND, command, fill, launch, operator, push_quotes, quote, today};
use crate::sequences::rolled;

#[tokio::test]
async fn a_bucket_is_an_archive_like_any_other() {
    let Some(s3) = S3::start() else { return };
    let location = s3.location("archive/desk");
    // The cache holds less than a day, so that copies come and go.
    let settings = ["--archive-location", &location, "--archive-cache-size", "40KB"];
    let mut server = s3.known_to(launch().arguments(settings)).start().await;
    fill(&server).await;
    let before = answers::all(&server).await;
    let ended = command(&server, Launch::new(), &["archive"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    answers::same(&server, &before, "archived").await;
    assert!(!server.path().join("data/archive").exists(), "the files are in the bucket");

    assert_eq!(server.terminate().await, Some(0));
    std::fs::remove_dir_all(server.path().join("data/archive-cache")).unwrap();
    let server = s3.known_to(launch().arguments(settings).directory(&server.directory)).start().await;
    answers::same(&server, &before, "without copies").await;
    let cached = size(&server.path().join("data/archive-cache"));
    println!("copies of archived days: {cached} bytes");

    push_quotes(&server, &[quote(FIRST + SECOND, "LATE", 8)]).await;
    let late = answers::all(&server).await;
    assert!(late != before);
    operator(&server, "archive").await;
    answers::same(&server, &late, "merged").await;

    // A backup fetches the days from there, and a restore brings them to where its settings say.
    let to = s3.location("backups/desk");
    let ended = command(&server, s3.known_to(Launch::new()), &["backup", "--to", &to]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let elsewhere = s3.location("archive/elsewhere");
    let settings = ["--archive-location", &elsewhere, "--database", "elsewhere/desk.duckdb"];
    let ended = command(&server, s3.known_to(Launch::new()), &[&["restore", &to][..], &settings].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let restored = s3.known_to(launch().arguments(settings).directory(&server.directory)).start().await;
    answers::same(&restored, &late, "restored").await;
    assert!(!restored.path().join("elsewhere/archive").exists(), "the files are in the other bucket");
}

#[tokio::test]
async fn a_bucket_that_does_not_answer_holds_up_no_start_and_no_row() {
    // Bound, and nobody listens.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let launch = launch()
        .arguments(["--archive-location", "s3://desk/archive"])
        .environment("AWS_ENDPOINT_URL", &format!("http://{}", nobody.local_addr().unwrap()))
        .environment("AWS_ALLOW_HTTP", "true")
        .environment("AWS_ACCESS_KEY_ID", "key")
        .environment("AWS_SECRET_ACCESS_KEY", "secret");
    let server = launch.start().await;
    assert!(server.log().contains("whose the archive is could not be seen"), "{}", server.log());
    push_quotes(&server, &[quote(FIRST, "A", 1)]).await;
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, 1);
}

#[tokio::test]
async fn a_bucket_that_does_not_answer_keeps_nobody_from_writing() {
    let Some(s3) = S3::start() else { return };
    let location = s3.location("archive/desk");
    let started = || s3.known_to(launch().arguments(["--archive-location", &location]));
    let mut server = started().start().await;
    let days: Vec<_> = (0..3).map(|day| quote(FIRST + day * 86_400 * SECOND, "AAPL", 8)).collect();
    push_quotes(&server, &days).await;
    push_quotes(&server, &[quote(today(), "AAPL", 8)]).await;
    rolled(&server).await;
    operator(&server, "archive").await;
    assert_eq!(server.terminate().await, Some(0));
    std::fs::remove_dir_all(server.path().join("data/archive-cache")).unwrap();
    let mut server = started().directory(&server.directory).start().await;

    s3.stop_answering();
    let began = std::time::Instant::now();
    // Late rows of days far apart, and rows of today, some of them late as well.
    push_quotes(&server, &[quote(FIRST + SECOND, "AAPL", 16), quote(FIRST + 2 * 86_400 * SECOND, "AAPL", 24)]).await;
    push_quotes(&server, &[quote(today() + SECOND, "MSFT", 8), quote(today(), "AAPL", 9)]).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    let of = |day: i64| {
        serde_json::json!({"start_time": text(FIRST + day * 86_400 * SECOND), "interval": "1h",
            "end_time": text(FIRST + (day + 1) * 86_400 * SECOND - 1), "metric_types": ["market_data"]})
    };
    let middle = server.post("/api/metrics/history", &of(1)).await.expect(200).json();
    assert_eq!(middle["data"][0]["total_volume"], 8, "a day without late rows needs no file");
    assert_eq!(server.terminate().await, Some(0), "nor does the end");
    let server = started().directory(&server.directory).start().await;

    s3.answer_again();
    let volume = async |day: i64| {
        let answer = server.post("/api/metrics/history", &of(day)).await.expect(200).json();
        answer["data"][0]["total_volume"].as_i64().unwrap()
    };
    assert_eq!((volume(0).await, volume(1).await, volume(2).await), (24, 8, 24), "stale buckets are made of rows");
    rolled(&server).await;
    assert_eq!((volume(0).await, volume(1).await, volume(2).await), (24, 8, 24));
}

fn text(instant: i64) -> String {
    chrono::DateTime::from_timestamp_micros(instant).unwrap().format("%FT%T%.6f").to_string()
}

fn size(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { size(&path) } else { path.metadata().unwrap().len() }).sum()
}
