//! Runs queries, one after the other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use tokio::runtime::{Builder, Runtime};

use super::{Allowance, Link, STACK_BYTES};
use crate::batch::ReadError;
use crate::query::sql::errors::{broken_down, read_error};
use crate::query::sql::parameters::Parameters;
use crate::query::sql::wire::{FromWorker, LARGEST_ROWS, Pieces, Query};
use crate::query::sql::{context, guard};

/// What plans and computes. It is there before the first query comes.
pub struct Engine {
    /// Why there is none, otherwise.
    state: Result<SessionState, ReadError>,
    threads: usize,
}

impl Engine {
    /// An engine within an allowance.
    pub fn start(allowance: Allowance) -> Self {
        let state = context::session(allowance)
            .map_err(|error| ReadError::Failed(format!("SQL could not be started: {error}")));
        Self { state, threads: allowance.threads }
    }

    /// Runs every query that comes, and says when nothing of it runs any more. After a query that broke down it does not
    /// say so: whatever it has left behind ends with the process.
    pub fn serve(&self, queries: &Receiver<Query>, link: &Arc<Link>) {
        while let Ok(query) = queries.recv() {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.run(query, link)));
            let broken = outcome.is_err();
            link.say(match outcome.unwrap_or_else(|panic| Err(broken_down(text_of(panic.as_ref())))) {
                Ok(()) => FromWorker::Idle,
                Err(error) => FromWorker::Failed(error),
            });
            if broken {
                return;
            }
        }
    }

    fn run(&self, query: Query, link: &Arc<Link>) -> Result<(), ReadError> {
        let runtime = threads(self.threads)?;
        let outcome = runtime.block_on(async {
            tokio::select! {
                () = link.gone() => Err(ReadError::Stopping),
                outcome = self.answer(query, link) => outcome,
            }
        });
        link.say(match outcome {
            Ok(()) => FromWorker::Done,
            Err(error) => FromWorker::Failed(error),
        });
        // Waits until every thread has ended.
        drop(runtime);
        Ok(())
    }

    async fn answer(&self, query: Query, link: &Arc<Link>) -> Result<(), ReadError> {
        let mut results = start(self.state.clone()?, query, link.clone()).await?;
        let mut any = false;
        while let Some(batch) = results.next().await {
            let batch = batch.map_err(|error| read_error(&error))?;
            for piece in Pieces::of(batch, LARGEST_ROWS) {
                link.send_result(piece?).await?;
                any = true;
            }
        }
        if any { Ok(()) } else { link.send_result(Pieces::empty(&results.schema())?).await }
    }
}

/// Plans a query and begins to execute it.
async fn start(mut state: SessionState, query: Query, link: Arc<Link>) -> Result<SendableRecordBatchStream, ReadError> {
    state.mark_start_execution();
    // Stored instants have microseconds. With a "now" of nanoseconds the store could not compare them.
    state.execution_props_mut().query_execution_start_time =
        chrono::DateTime::from_timestamp_micros(crate::time::now());
    state.config_mut().set_extension(link);

    let parameters = Parameters::read(query.parameters)?;
    let plan = guard::plan(&state, &query.sql).await?;
    let plan = parameters.bind(plan)?;
    let planned = match state.create_physical_plan(&plan).await {
        Err(error) if context::is_doubted(&error) => {
            state = context::one_partition(state);
            state.create_physical_plan(&plan).await
        }
        planned => planned,
    };
    let plan = planned.map_err(|error| read_error(&error))?;
    execute_stream(plan, state.task_ctx()).map_err(|error| read_error(&error))
}

/// Threads for one query. They end with it, so that nothing of it goes on.
fn threads(number: usize) -> Result<Runtime, ReadError> {
    Builder::new_multi_thread()
        .worker_threads(number.max(1))
        .thread_name("sql")
        .thread_stack_size(STACK_BYTES)
        .enable_time()
        .build()
        .map_err(|error| ReadError::Unavailable(format!("the threads of a query could not be started: {error}")))
}

fn text_of(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied())
}
