//! `/api/trades…`: fills, figures over them, and how orders fare.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;

use super::respond::{self, Wanted};
use super::validation::{Moment, Parameters};
use super::{ApiError, AppState};
use crate::batch::BatchStream;
use crate::encode::json::{Options, document_with};
use crate::encode::{ByteStream, Format, one_part};
use crate::query::{ExecutionQuality, TimeRange, TradeFilter, TradeStatistics, Window};
use crate::tables;
use crate::time::{self, DAY};

/// Legacy clients read a whole number of units as an integer.
const SPELLING: Options = Options { integral_as_integer: tables::WHOLE_UNITS, null_as_zero: &[] };

/// Fills, oldest first, a page at a time; of the last day unless the request names a window.
pub async fn list(
    State(state): State<AppState>,
    Wanted(format): Wanted,
    mut parameters: Parameters,
) -> Result<Response, ApiError> {
    let start = parameters.moment("start_time").map(Moment::utc);
    let end = parameters.moment("end_time").map(Moment::utc);
    let limit = parameters.integer_within("limit", 100, 1, 1_000);
    let offset = parameters.integer_within("offset", 0, 0, i64::MAX);
    parameters.finish()?;

    let end = end.unwrap_or_else(time::now);
    let filter = TradeFilter {
        symbol: parameters.text("symbol").map(str::to_owned),
        side: parameters.text("side").map(str::to_owned),
        window: Window { start: start.unwrap_or(end.saturating_sub(DAY)), end },
        limit: limit.unsigned_abs(),
        offset: offset.unsigned_abs(),
    };
    if format != Format::Json {
        return respond::rows(&state.store.responses, format, "trades", state.queries.trades(&filter).await?).await;
    }
    let (total, trades) = state.queries.trades_with_count(&filter).await?;
    let suffix = format!(r#"],"total":{total},"limit":{limit},"offset":{offset}}}"#);
    respond::bytes(&state.store.responses, format, "trades", objects(r#"{"trades":["#, trades, suffix)).await
}

/// The fill of that id.
pub async fn one(State(state): State<AppState>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let trade = state.queries.trade(&id).await?.ok_or(ApiError::TradeNotFound)?;
    respond::bytes(&state.store.responses, Format::Json, "trade", objects("", trade, String::new())).await
}

/// Figures over the fills of a time range.
pub async fn statistics(
    State(state): State<AppState>,
    mut parameters: Parameters,
) -> Result<Json<TradeStatistics>, ApiError> {
    let range = parameters.time_range_by_pattern("time_range");
    parameters.finish()?;
    let window = range.unwrap_or(TimeRange::Hours24).until(time::now());
    Ok(Json(state.queries.trade_statistics(parameters.text("symbol"), window).await?))
}

/// What became of today's orders.
pub async fn quality(State(state): State<AppState>) -> Result<Json<ExecutionQuality>, ApiError> {
    Ok(Json(state.queries.execution_quality().await?))
}

fn objects(prefix: &str, trades: BatchStream, suffix: String) -> ByteStream {
    document_with(SPELLING, prefix.as_bytes().to_vec(), one_part(trades), |_| suffix.into_bytes())
}
