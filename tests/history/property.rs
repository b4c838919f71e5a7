//! Random rows in, the same rows computed twice.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::common::{Launch, Server};
use crate::naive::{Question, Stored};
use crate::rows::{MINUTE, Micros, instant, quote, strategy, text};

const INTERVALS: [(&str, Micros); 5] =
    [("1m", MINUTE), ("5m", 5 * MINUTE), ("15m", 15 * MINUTE), ("1h", 60 * MINUTE), ("1d", 1_440 * MINUTE)];
/// Days whose buckets are awkward: one of today's kind, the edge of the epoch, the end of a leap February.
const BASES: [Micros; 3] = [1_761_048_000_000_000, 0, 1_709_251_200_000_000];

/// Pushes some bodies of random rows, and remembers what must be stored.
async fn push(server: &Server, random: &mut ChaCha8Rng, base: Micros, stored: &mut Stored) {
    let names = |prefix: &str| (0..4).map(|number| format!("{prefix}{number}")).collect::<Vec<_>>();
    let (symbols, strategies) = (names("S"), names("strategy "));
    for _ in 0..random.random_range(3..7) {
        let mut rows: Vec<_> = (0..random.random_range(1..120)).map(|_| quote(random, base, &symbols)).collect();
        // Some rows replace a stored one, and some another of the same body.
        for _ in 0..random.random_range(0..20) {
            let known = stored.quotes.values().chain(&rows).map(|row| (row.timestamp, row.symbol.clone()));
            let known: Vec<_> = known.collect();
            let mut again = quote(random, base, &symbols);
            (again.timestamp, again.symbol) = known[random.random_range(0..known.len())].clone();
            rows.push(again);
        }
        let body: Vec<_> = rows.iter().map(|row| row.json()).collect();
        server.ingest("market_data", &json!(body)).await;
        stored.quotes.extend(rows.into_iter().map(|row| ((row.timestamp, row.symbol.clone()), row)));

        let rows: Vec<_> = (0..random.random_range(1..60)).map(|_| strategy(random, base, &strategies)).collect();
        let body: Vec<_> = rows.iter().map(|row| row.json()).collect();
        server.ingest("strategy_metrics", &json!(body)).await;
        stored.strategies.extend(rows.into_iter().map(|row| ((row.timestamp, row.name.clone()), row)));
    }
}

fn question(random: &mut ChaCha8Rng, base: Micros, stored: &Stored) -> Question {
    let known: Vec<_> = stored.quotes.keys().map(|(instant, _)| *instant).collect();
    let mut edge = || match random.random_range(0..3) {
        0 => base + random.random_range(-6_000..6_000) * MINUTE,
        1 => instant(random, base),
        _ => known[random.random_range(0..known.len())],
    };
    let (one, other) = (edge(), edge());
    let symbols = (0..4).filter(|_| random.random_bool(0.3)).map(|number| format!("S{number}")).collect();
    let interval = random.random_bool(0.8).then(|| INTERVALS[random.random_range(0..INTERVALS.len())]);
    Question { start: one.min(other), end: one.max(other), symbols, interval }
}

async fn check(server: &Server, question: &Question, stored: &Stored) {
    let mut body = json!({"start_time": text(question.start), "end_time": text(question.end),
        "metric_types": ["strategy", "market_data"], "symbols": question.symbols});
    if let Some((name, _)) = question.interval {
        body["interval"] = json!(name);
    }
    let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
    let rows = answer["data"].as_array().unwrap();
    assert_eq!(answer["count"], rows.len(), "{question:?}");
    let (market_data, strategies): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["type"] == "market_data");
    let grouped = market_data.iter().chain(&strategies).copied().eq(rows);
    assert!(grouped, "all market data comes before all strategies: {question:?}");
    for (rows, expected) in [(market_data, question.market_data(stored)), (strategies, question.strategies(stored))] {
        let instants: Vec<_> = rows.iter().map(|row| row["timestamp"].as_str().unwrap()).collect();
        assert!(instants.is_sorted_by_key(|text| std::cmp::Reverse(micros(text))), "newest first: {question:?}");
        let mut rows: Vec<Value> = rows.into_iter().cloned().collect();
        let mut expected = expected;
        rows.sort_by_key(key);
        expected.sort_by_key(key);
        assert_eq!(rows.len(), expected.len(), "{question:?}");
        for (row, expected) in rows.iter().zip(&expected) {
            assert!(is_same_row(row, expected), "{question:?}:\n{row}, not\n{expected}");
        }
    }
}

/// The same keys in the same order with the same values, but for the last digit of a mean.
fn is_same_row(ours: &Value, theirs: &Value) -> bool {
    let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
    let same = |(our_key, our): (&String, &Value), (their_key, their): (&String, &Value)| {
        let value = match (our.as_f64(), their.as_f64()) {
            (Some(us), Some(them)) if our_key.starts_with("avg_") => (us - them).abs() <= 1e-12 * them.abs(),
            _ => our == their,
        };
        our_key == their_key && value
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
}

fn micros(text: &str) -> Micros {
    chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").unwrap().and_utc().timestamp_micros()
}

fn key(row: &Value) -> String {
    format!("{} {} {}", row["timestamp"], row["symbol"], row["strategy_name"])
}

#[tokio::test]
async fn history_equals_a_naive_computation_on_the_same_rows() {
    let cases = std::env::var("HISTORY_CASES").map_or(6, |text| text.parse().unwrap());
    for case in 0..cases {
        let mut random = ChaCha8Rng::seed_from_u64(case);
        let base = BASES[case as usize % BASES.len()];
        // Every other case with roll-ups that are made at once.
        let rolled = case % 2 == 1;
        let launch = || if rolled { Launch::new().arguments(["--rollup-interval=1ms"]) } else { Launch::new() };
        let mut server = launch().start().await;
        let mut stored = Stored::default();
        println!("case {case}: base {}", text(base));
        push(&server, &mut random, base, &mut stored).await;
        for _ in 0..15 {
            check(&server, &question(&mut random, base, &stored), &stored).await;
        }
        // And again from the file, with more rows on top.
        assert_eq!(server.terminate().await, Some(0));
        let server = launch().directory(&server.directory).start().await;
        push(&server, &mut random, base, &mut stored).await;
        for _ in 0..15 {
            check(&server, &question(&mut random, base, &stored), &stored).await;
        }
    }
}
