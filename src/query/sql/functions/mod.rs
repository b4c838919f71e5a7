//! Functions of SQL that mean the same for every value that a table may hold, wherever a part of a query runs.
//!
//! DataFusion's own go wrong at the edges: `date_bin` wraps around and `date_trunc` fails outside of the years that
//! nanoseconds reach, `min` and `max` depend on the order of rows where one of them is NaN. These here take their places.

mod extremes;
mod instants;

pub(super) use instants::bin_width;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

/// The functions of one value that take the place of DataFusion's of the same names.
pub(super) fn scalars() -> [Arc<ScalarUDF>; 2] {
    [instants::date_bin(), instants::date_trunc()]
}

/// The aggregates that take the place of DataFusion's of the same names.
pub(super) fn aggregates() -> [Arc<AggregateUDF>; 2] {
    [extremes::min(), extremes::max()]
}
