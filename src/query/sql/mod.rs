//! Users' own SQL: read only, over the five tables, in DataFusion.
//!
//! A query runs in a process of its own, so that it can be stopped and its memory is bounded, whatever it calls.
//!
//! In the server:
//! * [`Session`] takes a query from its text to a stream of batches, `process` has the worker processes, `conversation`
//!   stands between a worker, the store and the client, and `wire` is what they say to each other.
//! * `figures` counts what runs and what was stopped, for `/metrics`.
//!
//! In the worker ([`run_worker`]):
//! * `worker` reads from the server and runs one query after the other; `parameters` are the values bound to it.
//! * `guard` says which statements are queries at all and `complexity` how complicated they may be, `context` what a
//!   query can see (our tables, no files, no network, no settings); `derived` and `recursion` keep DataFusion from taking
//!   parts of a query for others.
//! * `stored_table` shows a table of the store to DataFusion, and `scan` streams its rows. What the store can do itself
//!   it is asked to do: columns, filters and limits by the table, joining and grouping by `aggregates`, the first rows
//!   of an order by `top_rows`; both look for the tables under a plan with `sources`.
//! * `functions` and `floats` make what is computed here and what is computed there the same for every value.
//! * `expressions` and `store_sql` write the text that the store is asked with. It depends on the query, so this is
//!   the one SQL that does not live in `queries/`. Values are bound, never written, and an expression is handed over
//!   only where the store certainly means the same by it; DataFusion computes the rest itself.

mod aggregates;
mod complexity;
mod context;
mod conversation;
mod deadline;
mod derived;
mod errors;
mod expressions;
mod figures;
mod floats;
mod functions;
mod guard;
mod parameters;
mod process;
mod recursion;
mod scan;
mod session;
mod sources;
mod store_sql;
mod stored_table;
#[cfg(test)]
mod tests;
mod top_rows;
mod wire;
mod worker;

pub use process::COMMAND as WORKER_COMMAND;
pub use session::Session;
pub use worker::{Allowance, confine, run as run_worker};
