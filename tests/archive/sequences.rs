//! Whatever is dropped, in whatever order, history keeps telling at each interval what it still has to be made of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::common::{Launch, Server, eventually_within};
use crate::desk::{DAY, SECOND, launch, operator, today};

/// Days before today that rows are of.
const DAYS: i64 = 7;
/// Intervals of history, and the levels of rollups that they can be made of.
const INTERVALS: [(&str, &[&str]); 5] = [
    ("1m", &["rollup_1m"]),
    ("5m", &["rollup_1m", "rollup_5m"]),
    ("15m", &["rollup_1m", "rollup_5m"]),
    ("1h", &["rollup_1m", "rollup_5m", "rollup_1h"]),
    ("1d", &["rollup_1m", "rollup_5m", "rollup_1h"]),
];
const KEPT: [&str; 4] = ["market_data", "rollup_1m", "rollup_5m", "rollup_1h"];

/// What is stored, and what has been dropped of it.
#[derive(Default)]
struct Desk {
    rows: BTreeSet<i64>,
    /// The first day that is certain to be kept, of rows and levels.
    kept_from: BTreeMap<&'static str, i64>,
    /// Days to keep, as the next start is told.
    retain: BTreeMap<&'static str, i64>,
}

impl Desk {
    fn launch(&self) -> Launch {
        let retain: Vec<_> = self.retain.iter().map(|(name, days)| format!("{name}={days}d")).collect();
        if retain.is_empty() { launch() } else { launch().arguments(["--retain", &retain.join(",")]) }
    }

    fn first_kept(&self, name: &str) -> i64 {
        self.kept_from.get(name).copied().unwrap_or(i64::MIN)
    }

    /// Rows of days whose rows are all there, in the order of time or not.
    async fn store(&mut self, server: &Server, random: &mut ChaCha8Rng) {
        let first = self.first_kept("market_data").max(today() - DAYS * DAY);
        let count = random.random_range(1..60);
        let around = random.random_range(first..today());
        let instants: BTreeSet<_> = (0..count)
            .map(|_| match random.random_bool(0.5) {
                true => random.random_range(first..today()),
                false => (around + random.random_range(0..7_200) * SECOND).min(today() - 1),
            })
            .map(|instant| instant.div_euclid(SECOND) * SECOND)
            .collect();
        let quote = |instant: &i64| json!({"timestamp": text(*instant), "symbol": "A", "last_price": 1.5, "volume": 1});
        server.ingest("market_data", &json!(instants.iter().map(quote).collect::<Vec<_>>())).await;
        self.rows.extend(instants);
    }

    async fn drop_days(&mut self, server: &Server) {
        operator(server, "retention").await;
        for (name, days) in &self.retain {
            let kept = self.kept_from.entry(name).or_insert(i64::MIN);
            *kept = (*kept).max(today() - days * DAY);
        }
    }

    async fn check(&self, server: &Server, what: &str) {
        for (interval, levels) in INTERVALS {
            let body = json!({"start_time": text(today() - (DAYS + 1) * DAY), "end_time": text(today() - SECOND),
                "metric_types": ["market_data"], "interval": interval});
            let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
            let mut told = BTreeMap::<&str, i64>::new();
            for bucket in answer["data"].as_array().unwrap() {
                *told.entry(&bucket["timestamp"].as_str().unwrap()[..10]).or_default() +=
                    bucket["total_volume"].as_i64().unwrap();
            }
            for day in (0..=DAYS).map(|day| today() - (DAYS - day) * DAY) {
                let stored = self.rows.range(day..day + DAY).count() as i64;
                let found = told.get(&text(day)[..10]).copied().unwrap_or(0);
                let is_there =
                    day >= self.first_kept("market_data") || levels.iter().any(|level| day >= self.first_kept(level));
                assert!(
                    found == stored || (!is_there && found == 0),
                    "{what}: {interval} tells {found} of {stored} rows of {}, kept from {:?}",
                    text(day),
                    self.kept_from.iter().map(|(name, day)| (name, text(*day))).collect::<Vec<_>>()
                );
            }
        }
    }
}

fn text(instant: i64) -> String {
    chrono::DateTime::from_timestamp_micros(instant).map_or_else(|| "ever".into(), |at| at.format("%FT%T").to_string())
}

#[tokio::test]
async fn no_order_of_rows_retention_and_restarts_takes_anything_else_out_of_history() {
    let cases = std::env::var("RETENTION_CASES").map_or(4, |text| text.parse().unwrap());
    for case in 0..cases {
        let mut random = ChaCha8Rng::seed_from_u64(case);
        let mut desk = Desk::default();
        let mut server = desk.launch().start().await;
        for step in 0..10 {
            let what = format!("case {case}, step {step}");
            match random.random_range(0..6) {
                0..=2 => desk.store(&server, &mut random).await,
                3 | 4 => desk.drop_days(&server).await,
                _ => {
                    desk.retain.clear();
                    for name in KEPT {
                        if random.random_bool(0.5) {
                            desk.retain.insert(name, random.random_range(1..DAYS));
                        }
                    }
                    assert_eq!(server.terminate().await, Some(0));
                    server = desk.launch().directory(&server.directory).start().await;
                }
            }
            desk.check(&server, &what).await;
        }
    }
}

/// A table that is silent since the middle of an hour, whose narrow buckets become too old.
#[tokio::test]
async fn hours_of_a_silent_table_are_made_of_minutes_that_are_too_old() {
    for retain in ["rollup_1m=2d", "rollup_5m=2d", "rollup_1h=3d,rollup_1m=2d", "rollup_5m=1d,rollup_1m=4d"] {
        let started = || launch().arguments(["--retain", retain]);
        let mut server = started().start().await;
        let start = today() - 10 * DAY + 36_000 * SECOND;
        let quote = |instant: i64| json!({"timestamp": text(instant), "symbol": "A", "last_price": 1.0, "volume": 1});
        let rows: Vec<_> = (0..180).map(|row| quote(start + row * 10 * SECOND)).collect();
        server.ingest("market_data", &json!(rows)).await;
        let totals = async |server: &Server| {
            let mut totals = Vec::new();
            for (interval, _) in INTERVALS {
                let body = json!({"start_time": text(today() - 10 * DAY), "end_time": text(today() - 9 * DAY - SECOND),
                    "metric_types": ["market_data"], "interval": interval});
                let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
                let volumes =
                    answer["data"].as_array().unwrap().iter().map(|row| row["total_volume"].as_i64().unwrap());
                totals.push(volumes.sum::<i64>());
            }
            totals
        };
        rolled(&server).await;
        assert_eq!(totals(&server).await, [180; 5], "{retain}");
        operator(&server, "retention").await;
        assert_eq!(totals(&server).await, [180; 5], "{retain}, dropped");
        assert_eq!(server.terminate().await, Some(0));
        let server = started().directory(&server.directory).start().await;
        assert_eq!(totals(&server).await, [180; 5], "{retain}, started again");
        // Late rows, and rows of today that let rollups go on.
        server.ingest("market_data", &json!([quote(start + SECOND), quote(today())])).await;
        assert_eq!(totals(&server).await, [181; 5], "{retain}, a late row");
        rolled(&server).await;
        operator(&server, "retention").await;
        assert_eq!(totals(&server).await, [181; 5], "{retain}, dropped again");
    }
}

/// Waits until rollups of market data are made and none is stale.
pub async fn rolled(server: &Server) {
    eventually_within(Duration::from_secs(60), "rollups are made", async || {
        let components: Value = server.get("/api/system/components").await.expect(200).json();
        let table = &components["components"]["rollups"]["tables"]["market_data"];
        (table["lag_seconds"] == 0.0 && table["stale_hours"] == 0).then_some(())
    })
    .await;
}
