//! Users' SQL.

use super::AppState;
use crate::metrics::{Exposition, one};

/// The processes that run it, and what became of its queries.
pub fn describe(state: &AppState, text: &mut Exposition) {
    let session = state.queries.users_sql();
    let usage = session.usage();
    let workers = [("running", usage.running), ("idle", usage.idle)];
    text.gauge(
        "observability_sql_workers",
        "Processes that run users' SQL, by whether they have a query.",
        workers.map(|(state, count)| ([("state", state)], count as f64)),
    );
    let places = usage.places as f64;
    text.gauge("observability_sql_workers_limit", "How many of them may have a query at one time.", one(places));
    text.gauge("observability_sql_memory_bytes", "Memory they have taken or are promised.", one(usage.memory as f64));
    let limit = usage.memory_limit as f64;
    text.gauge("observability_sql_memory_limit_bytes", "What they may take together.", one(limit));
    text.counter(
        "observability_sql_queries_stopped_total",
        "Queries of users that did not end by themselves, by what stopped them.",
        session.stopped().counts().map(|(cause, count)| ([("cause", cause)], count as f64)),
    );
}
