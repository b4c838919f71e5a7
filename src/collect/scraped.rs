//! A collector whose source is one of the desk's services.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

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
    /// What became of the samples.
    pub(super) tally: Tally,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It has its place.
    Used,
    /// No column wants it.
    Unknown,
    /// There are too many labels, or its own is too long.
    LeftOut,
}

impl Taken {
    /// A sample that no column wants, `known` or not.
    pub(super) fn without_column(known: bool) -> Self {
        if known { Self::Used } else { Self::Unknown }
    }
}

/// How many samples were of no use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Samples that no column wants.
    pub(super) unknown: u64,
    /// Samples that were left out because there are too many.
    pub(super) left_out: u64,
}

impl FromIterator<Taken> for Tally {
    fn from_iter<I: IntoIterator<Item = Taken>>(taken: I) -> Self {
        let mut tally = Self::default();
        for taken in taken {
            tally.unknown += u64::from(taken == Taken::Unknown);
            tally.left_out += u64::from(taken == Taken::LeftOut);
        }
        tally
    }
}

/// Asks an endpoint and gives the answer to an observer. No answer, no row: the live section keeps its last values.
pub(super) struct Scraped<O> {
    endpoint: Endpoint,
    /// `None` only while it observes.
    observer: Option<O>,
    connection: Connection,
}

impl<O: Observer> Scraped<O> {
    /// A collector that has not asked yet.
    pub(super) fn new(endpoint: Endpoint, observer: O) -> Self {
        Self { endpoint, observer: Some(observer), connection: Connection::Unknown }
    }

    /// A large exposition takes a while: not on a thread that serves sockets.
    async fn take_in(&mut self, exposition: Exposition, now: Micros) -> Result<Observed, CollectError> {
        let Some(mut observer) = self.observer.take() else { return Err(CollectError::Abandoned) };
        let work = tokio::task::spawn_blocking(move || {
            let observed = catch_unwind(AssertUnwindSafe(|| observer.observe(&exposition, now)));
            (observer, observed)
        });
        let (observer, observed) = work.await?;
        self.observer = Some(observer);
        Ok(observed.unwrap_or_else(|panic| resume_unwind(panic))?)
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
                let (skipped, left_out) = (exposition.skipped, exposition.left_out);
                let Observed { rows, tally } = self.take_in(exposition, now).await?;
                if let Some(observer) = &self.observer {
                    observer.show(live, now);
                }
                account.skip(skipped + tally.unknown);
                if account.leave_out(left_out + tally.left_out) {
                    tracing::warn!(
                        collector = account.name,
                        "the service has more series than are kept: some are left out, see left_out_samples in \
                         /api/system/components"
                    );
                }
                batches.push((O::TABLE, rows));
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
