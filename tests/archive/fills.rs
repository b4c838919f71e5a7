//! A fill by its id, wherever it is.

use observability_api::tables::TradeRow;
use serde_json::{Value, json};

use crate::common::{Launch, S3, Server, eventually};
use crate::desk::{DAY, FIRST, SECOND, done, launch, operator, push_trades, trade};

const DAYS: i64 = 20;

async fn price(server: &Server, id: &str) -> Option<Value> {
    let answer = server.get(&format!("/api/trades/{id}")).await;
    (answer.status == 200).then(|| answer.json()["price"].clone())
}

async fn looks_in_few_files(launch: impl Fn() -> Launch, cached: bool) {
    let mut server = launch().start().await;
    for day in 0..DAYS {
        let at = FIRST + day * DAY;
        let fills: Vec<_> =
            (0..50).map(|number| trade(&format!("{day}-{number}"), at + number * SECOND, number as f64)).collect();
        push_trades(&server, &fills).await;
    }
    push_trades(&server, &[trade("hot", crate::desk::today(), 7.5)]).await;
    operator(&server, "archive").await;
    if cached {
        assert_eq!(server.terminate().await, Some(0));
        std::fs::remove_dir_all(server.path().join("data/archive-cache")).unwrap();
        server = launch().directory(&server.directory).start().await;
    }
    assert_eq!(price(&server, "hot").await, Some(7.5.into()));
    assert_eq!(price(&server, "3-17").await, Some(17.0.into()));
    assert_eq!(price(&server, "nobody's").await, None);
    if cached {
        let copies = std::fs::read_dir(server.path().join("data/archive-cache/observability/trades")).unwrap().count();
        assert!(copies <= 3, "{copies} days were fetched for one fill of one day");
    }
    // Replaced in another day, before and after that is archived; and once more in the same.
    push_trades(&server, &[trade("3-17", FIRST + 9 * DAY, 99.0), trade("4-1", FIRST + 4 * DAY, 98.0)]).await;
    for moved in [false, true] {
        if moved {
            operator(&server, "archive").await;
        }
        assert_eq!(price(&server, "3-17").await, Some(99.0.into()));
        assert_eq!(price(&server, "4-1").await, Some(98.0.into()));
        assert_eq!(price(&server, "3-18").await, Some(18.0.into()));
    }
}

#[tokio::test]
async fn a_fill_in_a_directory_is_found_and_a_replaced_one_is_what_it_became() {
    looks_in_few_files(launch, false).await;
}

#[tokio::test]
async fn a_fill_in_a_bucket_is_found_without_fetching_every_day() {
    let Some(s3) = S3::start() else { return };
    let location = s3.location("archive");
    looks_in_few_files(|| s3.known_to(launch().arguments(["--archive-location", &location])), true).await;
}

/// Fills of the last days, and what they are worth.
async fn statistics(server: &Server) -> (Value, Value) {
    let body = server.get("/api/trades/stats/summary?time_range=30d").await.expect(200).json();
    (body["count"].clone(), body["total_volume"].clone())
}

/// The first of the days of `archived_fills`.
fn first_day() -> i64 {
    crate::desk::today() - 12 * DAY
}

/// A server with 100 fills in each of some days that are archived, and one in the database; all of them are rolled up.
async fn archived_fills(launch: Launch, days: i64) -> Server {
    let server = launch.arguments(["--hot-days", "1"]).start().await;
    let fills: Vec<_> = (0..days)
        .flat_map(|day| (0..100).map(move |number| (day, number)))
        .map(|(day, number)| trade(&format!("{day}-{number}"), first_day() + day * DAY + number * 60 * SECOND, 1.0))
        .collect();
    push_trades(&server, &fills).await;
    push_trades(&server, &[trade("hot", crate::desk::today(), 1.0)]).await;
    eventually("fills are rolled up", async || (rollups(&server).await["lag_seconds"] == json!(0.0)).then_some(()))
        .await;
    assert_eq!(operator(&server, "archive").await.as_array().map(Vec::len), Some(days as usize));
    server
}

/// How far rollups of fills are.
async fn rollups(server: &Server) -> Value {
    let components = server.get("/api/system/components").await.expect(200).json();
    components["components"]["rollups"]["tables"]["trades"].clone()
}

async fn is_counted(server: &Server, count: u64, volume: f64) {
    eventually("each fill is counted once, and nothing is pending", async || {
        let is_pending = rollups(server).await["replaced_rows_pending"] == json!(true);
        (statistics(server).await == (json!(count), json!(volume)) && !is_pending).then_some(())
    })
    .await;
}

/// Corrects fills of an archived day while nobody looks for them: somebody rests who has just looked for another.
async fn correct_unlooked(server: &Server) {
    push_trades(server, &[trade("new", crate::desk::today(), 1.0)]).await;
    let corrected: Vec<_> =
        (0..50).map(|number| trade(&format!("0-{number}"), crate::desk::today() + number * SECOND, 2.0)).collect();
    push_trades(server, &corrected).await;
}

#[tokio::test]
async fn a_corrected_fill_is_counted_once_after_a_stop() {
    let mut server = archived_fills(launch(), 3).await;
    correct_unlooked(&server).await;
    assert_eq!(server.terminate().await, Some(0));
    let server = launch().arguments(["--hot-days", "1"]).directory(&server.directory).start().await;
    is_counted(&server, 302, 704.0).await;
}

#[tokio::test]
async fn a_corrected_fill_is_counted_once_after_a_kill() {
    let mut server = archived_fills(launch(), 3).await;
    correct_unlooked(&server).await;
    server.kill();
    let server = launch().arguments(["--hot-days", "never"]).directory(&server.directory).start().await;
    is_counted(&server, 302, 704.0).await;
}

#[tokio::test]
async fn a_corrected_fill_is_counted_once_when_its_day_is_dropped() {
    let server = archived_fills(launch().arguments(["--retain", "trades=10d"]), 4).await;
    correct_unlooked(&server).await;
    let dropped = operator(&server, "retention").await;
    assert_eq!((&dropped[0]["table"], &dropped[0]["days"]), (&json!("trades"), &json!(2)), "{dropped}");
    is_counted(&server, 402, 904.0).await;
    assert_eq!(server.sql_value("SELECT count(*) FROM trades").await, 252.0);
}

#[tokio::test]
async fn corrected_fills_in_many_files_of_a_bucket_are_counted_once() {
    let Some(s3) = S3::start() else { return };
    let location = s3.location("archive");
    let server = archived_fills(s3.known_to(launch().arguments(["--archive-location", &location])), 10).await;
    let corrected: Vec<_> =
        (0..10).map(|day| trade(&format!("{day}-7"), crate::desk::today() + day * SECOND, 2.0)).collect();
    push_trades(&server, &corrected).await;
    is_counted(&server, 1_001, 2_022.0).await;
}

async fn counts_a_corrected_fill_once(launch: impl Fn() -> Launch) {
    let server = launch().arguments(["--hot-days", "2"]).start().await;
    let first = crate::desk::today() - 12 * DAY;
    let fills: Vec<_> = (0..7)
        .flat_map(|day| (0..100).map(move |number| (day, number)))
        .map(|(day, number)| trade(&format!("{day}-{number}"), first + day * DAY + number * 60 * SECOND, 1.0))
        .collect();
    push_trades(&server, &fills).await;
    push_trades(&server, &[trade("hot", crate::desk::today(), 1.0)]).await;
    eventually("fills are rolled up", async || {
        let components = server.get("/api/system/components").await.expect(200).json();
        (components["components"]["rollups"]["tables"]["trades"]["lag_seconds"] == json!(0.0)).then_some(())
    })
    .await;
    assert_eq!(operator(&server, "archive").await.as_array().map(Vec::len), Some(7));
    let counted = async |count: u64, volume: f64| {
        assert_eq!(server.sql_value("SELECT sum(quantity * price) FROM trades WHERE symbol <> 'far'").await, volume);
        eventually("the figures say what the rows say", async || {
            let found = statistics(&server).await;
            (found == (json!(count), json!(volume))).then_some(())
        })
        .await;
    };
    counted(701, 1_402.0).await;
    // At another time of another day, in the same day, at the same time, and with a new one among them.
    push_trades(&server, &[trade("2-50", first + 5 * DAY, 2.0)]).await;
    counted(701, 1_404.0).await;
    let more = [
        trade("3-7", first + 3 * DAY + 40_000 * SECOND, 3.0),
        trade("3-8", first + 3 * DAY + 8 * 60 * SECOND, 4.0),
        trade("new", first + 3 * DAY, 5.0),
    ];
    push_trades(&server, &more).await;
    counted(702, 1_424.0).await;
    // Out of the window altogether.
    let far = TradeRow { symbol: "far".to_owned(), ..trade("4-1", first - 90 * DAY, 1.0) };
    push_trades(&server, &[far]).await;
    counted(701, 1_422.0).await;
    operator(&server, "archive").await;
    counted(701, 1_422.0).await;
}

#[tokio::test]
async fn a_corrected_fill_of_a_directory_is_counted_once() {
    counts_a_corrected_fill_once(launch).await;
}

#[tokio::test]
async fn a_corrected_fill_of_a_bucket_is_counted_once() {
    let Some(s3) = S3::start() else { return };
    let location = s3.location("archive");
    counts_a_corrected_fill_once(|| s3.known_to(launch().arguments(["--archive-location", &location]))).await;
}

#[tokio::test]
async fn a_restored_database_knows_which_files_have_a_fill() {
    let Some(s3) = S3::start() else { return };
    let (first, second) = (s3.location("first"), s3.location("second"));
    let at = |location: &str| s3.known_to(launch().arguments(["--archive-location", location]));
    let server = at(&first).start().await;
    for day in 0..DAYS {
        push_trades(&server, &[trade(&format!("{day}"), FIRST + day * DAY, 1.0)]).await;
    }
    operator(&server, "archive").await;
    let backups = s3.location("backups");
    for place in ["backups", &backups] {
        done(&server, &["backup", "--to", "backups"]).await;
        let database = format!("{}/desk.duckdb", if place == "backups" { "local" } else { "bucket" });
        let location = format!("{second}-{}", place.len());
        if place != "backups" {
            let take = s3.known_to(Launch::new().directory(&server.directory)).arguments(["backup", "--to", place]);
            let server = server.directory.clone();
            let taken = tokio::task::spawn_blocking(move || (take.run(), server)).await.unwrap();
            assert_eq!(taken.0.code, Some(0), "{:?}", taken.0);
        }
        let restore = s3.known_to(Launch::new().directory(&server.directory).arguments(["restore", place]));
        let restore = restore.arguments(["--database", &database, "--archive-location", &location]);
        let restored = tokio::task::spawn_blocking(move || restore.run()).await.unwrap();
        assert_eq!(restored.code, Some(0), "{restored:?}");
        let restored = at(&location).directory(&server.directory).arguments(["--database", &database]).start().await;
        assert_eq!(price(&restored, "nobody's").await, None);
        let cache = server.path().join(&database).with_file_name("archive-cache/desk/trades");
        let copies = std::fs::read_dir(&cache).map_or(0, Iterator::count);
        assert!(copies <= 3, "{copies} days were fetched for a fill that there is not");
        assert_eq!(price(&restored, "7").await, Some(1.0.into()));
        assert!(cache.join("date=2025-10-28").is_dir(), "this is where copies are");
    }
}
