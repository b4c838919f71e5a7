//! Rows that clients push. Each has a number of its own, from which its values follow.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::record_batch::RecordBatch;
use observability_api::tables::{
    MARKET_DATA, MarketDataRow, STRATEGY_METRICS, SYSTEM_METRICS, StrategyMetricsRow, SystemMetricsRow, TRADES, Table,
    TradeRow,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub type Micros = i64;
pub const SECOND: Micros = 1_000_000;
pub const DAY: Micros = 86_400 * SECOND;

/// Instants of a day that rows are at.
const SLOTS: i64 = 120;
/// Trades of a client, each of which is pushed again and again.
const TRADE_IDS: i64 = 150;

/// The days of the test.
pub struct Calendar {
    today: Micros,
    tick: AtomicI64,
    number: AtomicI64,
}

impl Calendar {
    pub fn now() -> Self {
        let today = chrono::Utc::now().timestamp_micros().div_euclid(DAY) * DAY;
        Self { today, tick: AtomicI64::new(0), number: AtomicI64::new(1) }
    }

    /// The first instant that retention keeps; none of the days of the test is near it.
    pub fn kept_from(&self) -> Micros {
        self.today - 20 * DAY
    }

    /// The first instant that history is asked about.
    pub fn start(&self) -> Micros {
        self.today - 6 * DAY
    }

    /// After all rows of clients.
    pub fn end(&self) -> Micros {
        self.today
    }

    /// Now and then a day that is dropped at once, else one that is kept.
    fn day(&self, random: &mut ChaCha8Rng) -> Micros {
        let ago =
            if random.random_bool(0.1) { [25, 40][random.random_range(0..2)] } else { random.random_range(2..=5) };
        self.today - ago * DAY
    }

    fn instant(&self, random: &mut ChaCha8Rng) -> Micros {
        self.day(random) + random.random_range(0..SLOTS) * 40 * SECOND
    }

    /// Goes on through yesterday.
    fn next_instant(&self) -> Micros {
        self.today - DAY + self.tick.fetch_add(1, Ordering::Relaxed) * 7 * SECOND % (DAY * 5 / 6)
    }

    fn number(&self) -> i64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }
}

/// A row of a table.
pub trait Row: Clone + PartialEq + Debug + Send + Sync + 'static {
    const TABLE: &'static Table;
    /// What no two rows have in common.
    fn key(&self) -> String;
    fn timestamp(&self) -> Micros;
    fn batch_of(rows: &[Self]) -> RecordBatch;
    fn rows_of(batch: &RecordBatch) -> Vec<Self>;
    /// A row of a client, at a key that it may have used before.
    fn random(random: &mut ChaCha8Rng, calendar: &Calendar, client: i64) -> Self;
}

macro_rules! row {
    ($row:ident, $table:ident, [$($key:ident),+], $random:item) => {
        impl Row for $row {
            const TABLE: &'static Table = &$table;

            fn key(&self) -> String {
                [$(self.$key.to_string()),+].join(" ")
            }

            fn timestamp(&self) -> Micros {
                self.timestamp
            }

            fn batch_of(rows: &[Self]) -> RecordBatch {
                Self::batch(rows).unwrap()
            }

            fn rows_of(batch: &RecordBatch) -> Vec<Self> {
                Self::rows(batch).unwrap()
            }

            $random
        }
    };
}

/// Eighths add up without rounding, in whatever order.
fn eighths(number: i64) -> Option<f64> {
    (number % 7 != 0).then_some(number as f64 / 8.0)
}

row!(
    MarketDataRow,
    MARKET_DATA,
    [timestamp, symbol],
    fn random(random: &mut ChaCha8Rng, calendar: &Calendar, client: i64) -> Self {
        let number = calendar.number();
        let (timestamp, symbol) = match random.random_range(0..4) {
            0 => (calendar.next_instant(), "live"),
            1 => (calendar.instant(random), "a"),
            _ => (calendar.instant(random), "b"),
        };
        let whole = (number % 1_000) as i32;
        Self {
            timestamp,
            symbol: format!("{client}-{symbol}"),
            last_price: eighths(number),
            bid: None,
            ask: Some(number as f64),
            volume: Some(number),
            trades: (whole % 3 != 0).then_some(whole),
            spread_bps: eighths(number + 1),
        }
    }
);

row!(
    StrategyMetricsRow,
    STRATEGY_METRICS,
    [timestamp, strategy_name],
    fn random(random: &mut ChaCha8Rng, calendar: &Calendar, client: i64) -> Self {
        let number = calendar.number();
        Self {
            timestamp: calendar.instant(random),
            strategy_name: format!("{client}-{}", ["calm", "wild"][random.random_range(0..2)]),
            pnl: Some(number as f64 / 4.0),
            daily_pnl: eighths(number),
            positions: Some((number % 1_000) as i32),
            signals: Some(1),
            win_rate: None,
        }
    }
);

row!(
    SystemMetricsRow,
    SYSTEM_METRICS,
    [timestamp],
    fn random(random: &mut ChaCha8Rng, calendar: &Calendar, client: i64) -> Self {
        let number = calendar.number();
        Self {
            // Apart from those of other clients.
            timestamp: calendar.instant(random) + client,
            cpu_percent: eighths(number),
            memory_percent: Some(50.0),
            disk_usage_percent: None,
            uptime_seconds: Some(number as f64),
            health_status: Some(format!("healthy {number}")),
            active_alerts: Some((number % 1_000) as i32),
        }
    }
);

row!(
    TradeRow,
    TRADES,
    [trade_id],
    fn random(random: &mut ChaCha8Rng, calendar: &Calendar, client: i64) -> Self {
        let number = calendar.number();
        Self {
            trade_id: format!("{client}-{}", random.random_range(0..TRADE_IDS)),
            // Most of the time another day than the one before.
            timestamp: calendar.instant(random),
            symbol: ["A", "B"][random.random_range(0..2)].to_owned(),
            side: ["buy", "sell"][random.random_range(0..2)].to_owned(),
            quantity: (number % 100) as f64,
            price: number as f64 / 8.0,
            latency_ms: eighths(number),
            slippage_bps: None,
            strategy: None,
        }
    }
);
