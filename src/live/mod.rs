//! The newest values, ready to be sent.
//!
//! Collectors write sections; `/api/metrics/current` and the WebSocket read them. Each section is turned into JSON
//! once, when it changes, so that a reader only joins ready bytes.

mod alerts;
mod components;
mod sections;

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use crate::time;

pub use alerts::{Alert, AlertBook};
pub use components::{Collector, CollectorState, Components, Connection};
pub use sections::{ExecutionSection, MarketDataSection, StrategySection, StrategyValues, SymbolValues, SystemSection};

/// The latest values of every section, shared by collectors and readers.
///
/// A read-write lock around one pointer: readers hold it for the time of a reference count, a writer once a second.
pub struct Live {
    snapshot: RwLock<Arc<Snapshot>>,
    /// What each collector is doing.
    pub components: Components,
    /// Alerts that are raised now.
    pub alerts: AlertBook,
}

/// One consistent view of the sections.
#[derive(Clone)]
pub struct Snapshot {
    /// Market data.
    pub market_data: Section<MarketDataSection>,
    /// Strategies.
    pub strategy: Section<StrategySection>,
    /// Execution.
    pub execution: Section<ExecutionSection>,
    /// The machine.
    pub system: Section<SystemSection>,
}

/// A section's values and the same as JSON text.
#[derive(Clone)]
pub struct Section<T> {
    /// The values.
    pub values: Arc<T>,
    /// The section as JSON text; `{}` when its collector has failed.
    pub json: Bytes,
}

impl<T: serde::Serialize> Section<T> {
    fn new(values: T) -> Self {
        let json = serde_json::to_vec(&values).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from);
        Self { values: Arc::new(values), json }
    }
}

impl Live {
    /// Everything zero or empty, as before the first tick.
    pub fn new() -> Self {
        let timestamp = time::now();
        let snapshot = Snapshot {
            market_data: Section::new(MarketDataSection { timestamp, ..Default::default() }),
            strategy: Section::new(StrategySection { timestamp, ..Default::default() }),
            execution: Section::new(ExecutionSection { timestamp, ..Default::default() }),
            system: Section::new(SystemSection { timestamp, ..Default::default() }),
        };
        Self {
            snapshot: RwLock::new(Arc::new(snapshot)),
            components: Components::default(),
            alerts: AlertBook::default(),
        }
    }

    /// The newest values.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the market data section.
    pub fn set_market_data(&self, values: MarketDataSection) {
        let section = Section::new(values);
        self.replace(|snapshot| snapshot.market_data = section);
    }

    /// Replaces the strategy section.
    pub fn set_strategy(&self, values: StrategySection) {
        let section = Section::new(values);
        self.replace(|snapshot| snapshot.strategy = section);
    }

    /// Replaces the execution section.
    pub fn set_execution(&self, values: ExecutionSection) {
        let section = Section::new(values);
        self.replace(|snapshot| snapshot.execution = section);
    }

    /// Replaces the system section.
    pub fn set_system(&self, values: SystemSection) {
        let section = Section::new(values);
        self.replace(|snapshot| snapshot.system = section);
    }

    fn replace(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut current = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&current);
        change(&mut next);
        *current = Arc::new(next);
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}
