//! What the program answers out of its roll-ups is what follows from the rows.

use std::collections::BTreeMap;

use serde_json::json;

use crate::common::Server;
use crate::rows::{Calendar, Micros, SECOND};
use crate::stored::Stored;

const MINUTE: Micros = 60 * SECOND;
const INTERVALS: [(&str, Micros); 5] =
    [("1m", MINUTE), ("5m", 5 * MINUTE), ("15m", 15 * MINUTE), ("1h", 60 * MINUTE), ("1d", 1_440 * MINUTE)];

/// Figures by instant and label.
type Figures = BTreeMap<(Micros, String), [Option<f64>; 5]>;

/// Compares history at one interval, and the summary.
pub async fn check(server: &Server, stored: &Stored, calendar: &Calendar, round: u64) {
    history(server, stored, calendar, INTERVALS[round as usize % INTERVALS.len()]).await;
    summary(server, stored, calendar).await;
}

/// Compares all, for when what trades left behind in archived days is settled.
pub async fn check_all(server: &Server, stored: &Stored, calendar: &Calendar) {
    for interval in INTERVALS {
        history(server, stored, calendar, interval).await;
    }
    summary(server, stored, calendar).await;
    trades(server, stored, calendar).await;
}

async fn history(server: &Server, stored: &Stored, calendar: &Calendar, (interval, width): (&str, Micros)) {
    let body = json!({"start_time": text(calendar.start()), "end_time": text(calendar.end() - 1),
        "metric_types": ["market_data", "strategy"], "interval": interval});
    let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
    let rows = answer["data"].as_array().unwrap();
    let figures = |kind: &str, label: &str, columns: [&str; 5]| -> Figures {
        let of_kind = rows.iter().filter(|row| row["type"] == kind);
        of_kind
            .map(|row| {
                let key = (micros(row["timestamp"].as_str().unwrap()), row[label].as_str().unwrap().to_owned());
                (key, columns.map(|column| row[column].as_f64()))
            })
            .collect()
    };

    let mut buckets = BTreeMap::<_, Vec<_>>::new();
    for quote in stored.quotes.values().filter(|quote| quote.timestamp >= calendar.start()) {
        buckets.entry((quote.timestamp.div_euclid(width) * width, quote.symbol.clone())).or_default().push(quote);
    }
    let expected: Figures = buckets
        .into_iter()
        .map(|(key, quotes)| {
            let prices: Vec<f64> = quotes.iter().filter_map(|quote| quote.last_price).collect();
            let trades: Vec<f64> = quotes.iter().filter_map(|quote| quote.trades.map(f64::from)).collect();
            let volume = quotes.iter().filter_map(|quote| quote.volume).sum::<i64>() as f64;
            let (high, low) = (prices.iter().copied().reduce(f64::max), prices.iter().copied().reduce(f64::min));
            (key, [mean(&prices), high, low, Some(volume), trades.iter().copied().reduce(|sum, next| sum + next)])
        })
        .collect();
    let columns = ["avg_price", "high", "low", "total_volume", "total_trades"];
    same(&figures("market_data", "symbol", columns), &expected, &format!("market data by {interval}"));

    let mut last = BTreeMap::new();
    for row in stored.strategies.values().filter(|row| row.timestamp >= calendar.start()) {
        let key = (row.timestamp.div_euclid(width) * width, row.strategy_name.clone());
        let newest = last.entry(key).or_insert(row);
        if newest.timestamp < row.timestamp {
            *newest = row;
        }
    }
    let figures_of = |row: &observability_api::tables::StrategyMetricsRow| {
        let numbers = [row.pnl, row.daily_pnl, row.positions.map(f64::from), row.signals.map(f64::from), row.win_rate];
        // What is not known of a strategy is zero in JSON.
        numbers.map(|number| Some(number.unwrap_or(0.0)))
    };
    let expected: Figures = last.into_iter().map(|(key, row)| (key, figures_of(row))).collect();
    let columns = ["pnl", "daily_pnl", "positions", "signals", "win_rate"];
    same(&figures("strategy", "strategy_name", columns), &expected, &format!("strategies by {interval}"));
}

/// Seven days begin before the first day of rows that are kept.
async fn summary(server: &Server, stored: &Stored, calendar: &Calendar) {
    let answer = server.get("/api/metrics/summary?time_range=7d").await.expect(200).json();
    let volumes = answer["data"].as_array().unwrap().iter().filter(|row| row["column"] == "volume");
    let columns = ["count", "mean", "min", "max", "last"];
    let figures: Figures = volumes
        .map(|row| ((0, row["label"].as_str().unwrap().to_owned()), columns.map(|column| row[column].as_f64())))
        .collect();
    let mut series = BTreeMap::<_, Vec<_>>::new();
    for quote in stored.quotes.values().filter(|quote| quote.timestamp >= calendar.start()) {
        series.entry((0, quote.symbol.clone())).or_default().push((quote.timestamp, quote.volume.unwrap() as f64));
    }
    let expected = series.into_iter().map(|(key, mut rows)| {
        rows.sort_by_key(|(timestamp, _)| *timestamp);
        let volumes: Vec<f64> = rows.into_iter().map(|(_, volume)| volume).collect();
        let (low, high) = (volumes.iter().copied().reduce(f64::min), volumes.iter().copied().reduce(f64::max));
        (key, [Some(volumes.len() as f64), mean(&volumes), low, high, volumes.last().copied()])
    });
    same(&figures, &expected.collect(), "the summary");
}

async fn trades(server: &Server, stored: &Stored, calendar: &Calendar) {
    let answer = server.get("/api/trades/stats/summary?time_range=7d").await.expect(200).json();
    let kept: Vec<_> = stored.trades.values().filter(|trade| trade.timestamp >= calendar.start()).collect();
    let of_side = |side: &str| kept.iter().filter(|trade| trade.side == side).count();
    assert_eq!(answer["count"], json!(kept.len()), "{answer}");
    assert_eq!(answer["total_volume"], json!(kept.iter().map(|trade| trade.quantity * trade.price).sum::<f64>()));
    assert_eq!((&answer["buy_count"], &answer["sell_count"]), (&json!(of_side("buy")), &json!(of_side("sell"))));
}

/// The same, but for the last digit of a mean.
fn same(figures: &Figures, expected: &Figures, what: &str) {
    assert_eq!(figures.len(), expected.len(), "{what}");
    for ((key, figures), (expected_key, expected)) in figures.iter().zip(expected) {
        assert_eq!(key, expected_key, "{what}");
        for (figure, expected) in figures.iter().zip(expected) {
            let close = match (figure, expected) {
                (Some(figure), Some(expected)) => (figure - expected).abs() <= 1e-12 * expected.abs(),
                (figure, expected) => figure == expected,
            };
            assert!(close, "{what}, {key:?}: {figures:?}, not {expected:?}");
        }
    }
}

fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

fn text(instant: Micros) -> String {
    chrono::DateTime::from_timestamp_micros(instant).unwrap().naive_utc().format("%FT%T%.6f").to_string()
}

fn micros(text: &str) -> Micros {
    chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").unwrap().and_utc().timestamp_micros()
}
