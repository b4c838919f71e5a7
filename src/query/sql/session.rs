//! From the text of a query to its answer.

use std::sync::Arc;

use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use tokio::sync::{OnceCell, mpsc};

use super::errors::read_error;
use super::limits::{Admission, Answer, ComputePool, Deadline, ended};
use super::parameters::Parameters;
use super::{context, guard};
use crate::batch::{BatchStream, ReadError};
use crate::config::QuerySettings;
use crate::store::Reader;

/// Batches between a query's own threads and the one that serves the socket.
const BATCHES_IN_FLIGHT: usize = 4;

/// Answers users' SQL.
pub struct Session {
    reader: Reader,
    settings: QuerySettings,
    admission: Admission,
    /// Made for the first query: many servers never see one, and it is a third of their memory.
    engine: OnceCell<Engine>,
}

struct Engine {
    state: SessionState,
    pool: ComputePool,
}

impl Session {
    /// Asks `reader`, within `settings`. Cheap: nothing starts before the first query.
    pub fn new(reader: Reader, settings: QuerySettings) -> Self {
        let admission = Admission::new(settings.concurrency);
        Self { reader, settings, admission, engine: OnceCell::new() }
    }

    /// Runs one question in SQL and returns when its first rows are there. `parameters` is a list for `$1`, `$2`, …, an
    /// object for `$name`, or null.
    ///
    /// Dropping the answer stops the query. What is wrong with the question, or hits a limit before the first rows, is
    /// an error here; what goes wrong later is an error in the answer.
    pub async fn query(&self, sql: &str, parameters: serde_json::Value) -> Result<BatchStream, ReadError> {
        let parameters = Parameters::read(parameters)?;
        let place = self.admission.enter().await?;
        let deadline = Arc::new(Deadline::after(self.settings.time_limit));
        let engine = self.engine.get_or_try_init(|| async { self.start() }).await?;

        // The place goes with the work: a plan in the making ends some time after nobody waits for it any more.
        let planning = start(engine.state.clone(), sql.to_owned(), parameters, deadline.clone());
        let planning = engine.pool.spawn(async move { planning.await.map(|computed| (computed, place)) });
        let (mut computed, place) = deadline.bound(planning).await?.map_err(ended)??;
        let schema = computed.schema();
        let (sender, batches) = mpsc::channel(BATCHES_IN_FLIGHT);
        let work = engine.pool.spawn(async move {
            let _place = place;
            while let Some(batch) = computed.next().await {
                let batch = batch.map_err(|error| read_error(&error));
                let last = batch.is_err();
                if sender.send(batch).await.is_err() || last {
                    return;
                }
            }
        });

        let answer = Answer { batches, work, deadline, max_rows: self.settings.max_rows, rows: 0 };
        let mut batches = Box::pin(answer.stream().peekable());
        match batches.as_mut().peek().await {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(BatchStream::new(schema, batches)),
        }
    }

    fn start(&self) -> Result<Engine, ReadError> {
        let state = context::session(&self.reader, &self.settings)
            .map_err(|error| ReadError::Failed(format!("SQL could not be started: {error}")))?;
        Ok(Engine { state, pool: ComputePool::start()? })
    }
}

/// Plans a question and begins to execute it; runs on the pool.
async fn start(
    mut state: SessionState,
    sql: String,
    parameters: Parameters,
    deadline: Arc<Deadline>,
) -> Result<SendableRecordBatchStream, ReadError> {
    state.mark_start_execution();
    // Stored instants have microseconds. With a "now" of nanoseconds the store could not compare them.
    state.execution_props_mut().query_execution_start_time =
        chrono::DateTime::from_timestamp_micros(crate::time::now());
    state.config_mut().set_extension(deadline);

    let plan = guard::plan(&state, &sql).await?;
    let plan = parameters.bind(plan)?;
    let plan = state.create_physical_plan(&plan).await.map_err(|error| read_error(&error))?;
    execute_stream(plan, state.task_ctx()).map_err(|error| read_error(&error))
}
