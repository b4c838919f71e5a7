//! What a client was told of its rows. No two clients have a key in common, so that each knows the order of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use observability_api::tables::{MarketDataRow, StrategyMetricsRow, SystemMetricsRow, TradeRow};

use crate::rows::{Micros, Row};

/// All that one client knows.
#[derive(Default)]
pub struct Promises {
    pub quotes: Ledger<MarketDataRow>,
    pub strategies: Ledger<StrategyMetricsRow>,
    pub machines: Ledger<SystemMetricsRow>,
    pub trades: Ledger<TradeRow>,
    /// Bodies that were acknowledged.
    pub acknowledged: u64,
}

/// The rows of one table.
pub struct Ledger<R> {
    keys: BTreeMap<String, Promise<R>>,
}

struct Promise<R> {
    /// The last row that was acknowledged.
    acknowledged: Option<R>,
    /// The row of a body of which nobody knows what became.
    in_flight: Option<R>,
}

impl<R> Default for Ledger<R> {
    fn default() -> Self {
        Self { keys: BTreeMap::new() }
    }
}

impl<R: Row> Ledger<R> {
    /// A body was acknowledged.
    pub fn acknowledge(&mut self, rows: Vec<R>) {
        for row in rows {
            self.keys.insert(row.key(), Promise { acknowledged: Some(row), in_flight: None });
        }
    }

    /// A body was sent, and nothing came back. It was the last.
    pub fn lose_sight(&mut self, rows: Vec<R>) {
        for row in rows {
            let promise = self.keys.entry(row.key());
            promise.or_insert(Promise { acknowledged: None, in_flight: None }).in_flight = Some(row);
        }
    }

    /// Compares with the rows that are there, which are taken out, and holds on to what is. What lies before `kept_from`
    /// may be gone.
    pub fn compare(&mut self, stored: &mut HashMap<String, R>, kept_from: Micros) {
        let old = |row: &Option<R>| row.as_ref().is_some_and(|row| row.timestamp() < kept_from);
        let mut landed = BTreeSet::new();
        for (key, Promise { acknowledged, in_flight }) in &mut self.keys {
            let found = stored.remove(key);
            if in_flight.is_some() && found == *in_flight {
                landed.insert(true);
            } else if found.is_some() || acknowledged.is_none() {
                assert!(found == *acknowledged, "{key} is {found:?}, acknowledged was {acknowledged:?}");
                if in_flight.is_some() && !old(in_flight) {
                    landed.insert(false);
                }
            } else {
                let dropped = old(acknowledged) || old(in_flight);
                if !old(acknowledged) {
                    // It had come there before.
                    landed.insert(true);
                }
                assert!(dropped, "{key} is gone, acknowledged was {acknowledged:?}, on its way {in_flight:?}");
            }
            (*acknowledged, *in_flight) = (found, None);
        }
        self.keys.retain(|_, promise| promise.acknowledged.is_some());
        assert!(landed.len() < 2, "a body of {} is there in part", R::TABLE.name);
    }
}
