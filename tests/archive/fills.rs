//! A fill by its id, wherever it is.

use serde_json::Value;

use crate::common::{Launch, S3, Server};
use crate::desk::{DAY, FIRST, SECOND, launch, operator, push_trades, trade};

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
