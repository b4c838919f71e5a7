//! A collector whose source is one of the desk's services.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::drive::{Collect, CollectError, Component, Report};
use super::source::prometheus::{Endpoint, Exposition, Scrape};
use crate::live::{Connection, Live};
use crate::tables::Table;
use crate::time::Micros;

/// Understands what one service says.
pub(super) trait Observer: Send + 'static {
    /// In whose name.
    const COMPONENT: &'static [Component; 1];
    /// Which table the rows belong to.
    const TABLE: &'static Table;

    /// Takes one exposition in and makes rows of it.
    fn observe(&mut self, exposition: &Exposition, now: Micros) -> Result<Observed, ArrowError>;

    /// Shows the values that are known now.
    fn show(&self, live: &Live, now: Micros);
}

/// What an exposition came to.
pub(super) struct Observed {
    /// The rows; there may be none.
    pub(super) rows: RecordBatch,
    /// Samples that no column wants.
    pub(super) unknown: u64,
}

/// Asks an endpoint and gives the answer to an observer. No answer, no row: the live section keeps its last values.
pub(super) struct Scraped<O> {
    endpoint: Endpoint,
    observer: O,
    connection: Connection,
}

impl<O: Observer> Scraped<O> {
    /// A collector that has not asked yet.
    pub(super) fn new(endpoint: Endpoint, observer: O) -> Self {
        Self { endpoint, observer, connection: Connection::Unknown }
    }

    fn changed(&mut self, connection: Connection) -> bool {
        std::mem::replace(&mut self.connection, connection) != connection
    }
}

impl<O: Observer> Collect for Scraped<O> {
    fn components(&self) -> &'static [Component] {
        O::COMPONENT
    }

    fn source(&self) -> String {
        self.endpoint.url().to_owned()
    }

    async fn observe(&mut self, live: &Live, now: Micros) -> Result<Vec<Report>, CollectError> {
        let [component] = *O::COMPONENT;
        let account = component.of(live);
        let mut batches = Vec::new();
        match self.endpoint.scrape().await {
            Scrape::Answered(exposition) => {
                if self.changed(Connection::Connected) {
                    tracing::info!(collector = account.name, url = self.endpoint.url(), "connected");
                }
                let observed = self.observer.observe(&exposition, now)?;
                self.observer.show(live, now);
                account.skip(exposition.skipped + observed.unknown);
                batches.push((O::TABLE, observed.rows));
            }
            Scrape::Failed(error) => {
                account.failed(error.to_string());
                if self.changed(Connection::Disconnected) {
                    tracing::warn!(collector = account.name, %error, "disconnected: no row is written until it answers");
                } else {
                    tracing::debug!(collector = account.name, %error, "still disconnected");
                }
            }
            Scrape::Waiting => {}
        }
        Ok(vec![Report { component, connection: self.connection, batches }])
    }
}
