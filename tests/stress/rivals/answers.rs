//! What the program answers: all rows by export, how many by SQL, and bucketed figures by history.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use reqwest::Method;
use serde_json::{Value, json};

use super::serial::{Ledger, Number};
use super::table::{DAY, DAYS, KEYS, LABELS, STEP, TABLES, Table};
use crate::common::{Server, ipc};

/// What is stored under each key of a table, by export; each is there once.
async fn stored(server: &Server, table: Table, first: i64) -> Vec<Number> {
    let path = format!("/api/export/{}", table.name());
    let answer = server.send(Method::GET, &path, &[("accept", ipc::MEDIA_TYPE)], Vec::new()).await.expect(200);
    let mut stored = vec![0; DAYS * KEYS];
    for batch in ipc::read(&answer.body) {
        let times = batch.column_by_name("timestamp").unwrap().as_primitive::<TimestampMicrosecondType>();
        let figures = batch.column_by_name(table.figure()).unwrap().as_primitive::<Float64Type>();
        let labels = batch.column_by_name("symbol").map(|labels| labels.as_string::<i32>());
        for row in 0..batch.num_rows() {
            let since = times.value(row) - first;
            if since >= DAYS as i64 * DAY {
                // What the program has seen of its machine.
                continue;
            }
            let odd = labels.is_some_and(|labels| labels.value(row) == LABELS[1]);
            let key = (since / DAY) as usize * KEYS + (since % DAY / STEP) as usize + usize::from(odd);
            assert_eq!(stored[key], 0, "key {key} of {} is there twice", table.name());
            stored[key] = figures.value(row) as Number;
        }
    }
    stored
}

/// SQL tells as many rows of each write as there are.
async fn check_sql(server: &Server, table: Table, first: i64, stored: &[Number]) {
    let end = chrono::DateTime::from_timestamp_micros(first + DAYS as i64 * DAY).unwrap().format("%F");
    let figure = table.figure();
    let sql = format!(
        "SELECT {figure} AS number, count(*) AS n FROM {} WHERE timestamp < TIMESTAMP '{end}' GROUP BY 1",
        table.name()
    );
    let rows = server.sql(&sql).await;
    let told: BTreeMap<_, _> =
        rows.iter().map(|row| (row["number"].as_f64().unwrap() as Number, row["n"].as_u64().unwrap())).collect();
    let mut expected = BTreeMap::new();
    stored.iter().filter(|number| **number > 0).for_each(|number| *expected.entry(*number).or_insert(0) += 1);
    assert_eq!(told, expected, "{} by SQL", table.name());
}

/// Bucketed figures: of quotes their total volume, high and low, of the machine its last row.
type Figures = BTreeMap<(i64, String), Vec<f64>>;

async fn check_history(server: &Server, first: i64, ledgers: &[Ledger; 2], (interval, width): (&str, i64)) {
    let text = |instant: i64| chrono::DateTime::from_timestamp_micros(instant).unwrap().format("%FT%T").to_string();
    let mut told = Figures::new();
    for day in 0..DAYS as i64 {
        let (from, to) = (first + day * DAY, first + (day + 1) * DAY - 1);
        let question = json!({"start_time": text(from), "end_time": text(to), "interval": interval,
            "metric_types": ["market_data", "system"]});
        let answer = server.post("/api/metrics/history", &question).await.expect(200).json();
        for row in answer["data"].as_array().unwrap() {
            let columns: &[&str] =
                if row["symbol"].is_string() { &["total_volume", "high", "low"] } else { &["cpu_percent"] };
            let label = row["symbol"].as_str().unwrap_or_default().to_owned();
            let figures = columns.iter().map(|column| row[column].as_f64().unwrap_or_else(|| panic!("{row}")));
            told.insert((micros(&row["timestamp"]), label), figures.collect());
        }
    }
    let mut expected = Figures::new();
    for (table, ledger) in TABLES.into_iter().zip(ledgers) {
        // Keys are in the order of time.
        for (key, number) in ledger.stored.iter().enumerate().filter(|(_, number)| **number > 0) {
            let (since, label) = table.key(key);
            let (bucket, number) = ((first + since).div_euclid(width) * width, f64::from(*number));
            if table == Table::Quotes {
                let figures = expected.entry((bucket, LABELS[label].to_owned())).or_insert(vec![0.0, number, number]);
                *figures = vec![figures[0] + number, figures[1].max(number), figures[2].min(number)];
            } else {
                expected.insert((bucket, String::new()), vec![number]);
            }
        }
    }
    let differs = told.iter().zip(&expected).find(|(told, expected)| told != expected);
    assert_eq!((differs, told.len()), (None, expected.len()), "figures by {interval}");
}

fn micros(instant: &Value) -> i64 {
    let instant = chrono::NaiveDateTime::parse_from_str(instant.as_str().unwrap(), "%Y-%m-%dT%H:%M:%S%.f").unwrap();
    instant.and_utc().timestamp_micros()
}

/// Compares everything with what may be there.
pub async fn check(server: &Server, first: i64, ledgers: &mut [Ledger; 2]) {
    for (table, ledger) in TABLES.into_iter().zip(&mut *ledgers) {
        let wrong = ledger.compare(stored(server, table, first).await).err();
        assert_eq!(wrong, None, "{}", table.name());
        check_sql(server, table, first, &ledger.stored).await;
    }
    for interval in [("1m", 60_000_000), ("1h", 3_600_000_000)] {
        check_history(server, first, ledgers, interval).await;
    }
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}
