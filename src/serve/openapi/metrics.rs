//! Newest values and history.

use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::schema::Type;

use super::Draft;
use super::operation::{answer, body, format, operation, query, rows, unknown_format, validation_error};
use super::schema::{
    any_object, integer, list, map, named, nullable, nullable_list, nullable_named, nullable_time, number, object,
    optional, required, string, time, word,
};

const TAG: Option<&str> = Some("metrics");

pub(super) fn describe(draft: Draft) -> Draft {
    draft
        .get(
            "/api/metrics/current",
            operation(TAG, "get_current_metrics_api_metrics_current_get", "The newest values of all four sections")
                .response("200", answer(named("MetricsSnapshot"))),
        )
        .post(
            "/api/metrics/history",
            operation(TAG, "get_metrics_history_api_metrics_history_post", "Rows of a time range, in time buckets")
                .description(Some(HISTORY))
                .parameter(format())
                .request_body(Some(body(
                    "What is asked for; `{}` asks for the last hour.",
                    named("MetricsHistoryRequest"),
                )))
                .response("200", rows(named("MetricsHistoryResponse")))
                .response("406", unknown_format())
                .response("422", validation_error()),
        )
        .get(
            "/api/metrics/symbols",
            operation(TAG, "get_tracked_symbols_api_metrics_symbols_get", "The symbols that have been seen")
                .response("200", answer(symbols())),
        )
        .get(
            "/api/metrics/summary",
            operation(TAG, "get_metrics_summary_api_metrics_summary_get", "The newest values in a few figures")
                .description(Some(SUMMARY))
                .parameter(query("time_range", "Summarise this span as a table.", named("TimeRange")))
                .parameter(format())
                .response("200", rows(summary()))
                .response("406", unknown_format())
                .response("422", validation_error()),
        )
        .schema(
            "TimeRange",
            word(
                "A span that ends now; `HOUR_1`, `HOURS_24`, `DAYS_7`, `DAYS_30` work too.",
                &["1h", "24h", "7d", "30d"],
            ),
        )
        .schema(
            "AggregationInterval",
            word("Width of a time bucket; `MINUTE_1` and its like work too.", &["1m", "5m", "15m", "1h", "1d"]),
        )
        .schema("MetricsSnapshot", snapshot())
        .schema("MarketDataSection", market_data())
        .schema("StrategySection", strategy())
        .schema("ExecutionSection", execution())
        .schema("SystemSection", system())
        .schema("MetricsHistoryRequest", history_request())
        .schema("MetricsHistoryResponse", history_response())
}

const HISTORY: &str = "\
Both ends of the range are inclusive. Buckets begin at UTC multiples of the interval and are named by their \
beginning, which may lie before the range; empty ones are absent. With `interval`, strategy, execution and system \
rows are the last ones of their bucket; without it they are raw, and market data comes in five-minute buckets. Rows \
are grouped by type (market data, strategy, execution, system), newest first.";

const SUMMARY: &str = "\
With `time_range`, or in any format but JSON, the answer is a table: one row for each metric type, label and column, \
with count, mean, minimum, maximum, first and last. As JSON it comes with `start_time`, `end_time`, `data` and `count`; \
without `time_range` it covers the last 24 hours.";

fn snapshot() -> ObjectBuilder {
    object(
        "The newest values. A section whose collector has failed is `{}`.",
        [
            required("timestamp", time("When the answer was made.")),
            required("market_data", named("MarketDataSection")),
            required("strategy", named("StrategySection")),
            required("execution", named("ExecutionSection")),
            required("system", named("SystemSection")),
        ],
    )
}

fn market_data() -> ObjectBuilder {
    let symbol = object(
        "",
        [
            required("last_price", number("Last traded price.")),
            required("bid", number("Best bid, 0 where the source has none.")),
            required("ask", number("Best ask, 0 where the source has none.")),
            required("volume", integer("Units traded so far.")),
            required("trades", integer("Trades, or ticks, so far.")),
        ],
    );
    object(
        "Market data of every symbol.",
        [
            optional("timestamp", time("When the section was made.")),
            optional("symbols", map("By symbol, in order of first appearance.", symbol)),
            optional("total_trades", integer("Trades of all symbols.")),
            optional("total_volume", number("Traded value of all symbols.")),
            optional("symbols_tracked", integer("Number of symbols.")),
        ],
    )
}

fn strategy() -> ObjectBuilder {
    let strategy = object(
        "",
        [
            required("pnl", number("Profit and loss since the strategy began.")),
            required("daily_pnl", number("Profit and loss since midnight UTC.")),
            required("positions", integer("Open positions.")),
            required("signals", integer("Signals since midnight UTC.")),
            required("win_rate", number("Winning share of closed trades, 0 to 1.")),
        ],
    );
    object(
        "Every strategy.",
        [
            optional("timestamp", time("When the section was made.")),
            optional("strategies", map("By strategy, in order of first appearance.", strategy)),
            optional("total_pnl", number("Sum of `pnl`.")),
            optional("daily_pnl", number("Sum of `daily_pnl`.")),
            optional("open_positions", integer("Sum of `positions`.")),
            optional("signals_generated", integer("Sum of `signals`.")),
        ],
    )
}

fn execution() -> ObjectBuilder {
    object(
        "Orders since midnight UTC.",
        [
            optional("timestamp", time("When the section was made.")),
            optional("orders_today", integer("Orders submitted.")),
            optional("fills_today", integer("Orders filled.")),
            optional("cancelled", integer("Orders cancelled.")),
            optional("rejected", integer("Orders rejected.")),
            optional("fill_rate", number("Filled share of submitted orders, 0 to 1.")),
            optional("avg_latency_ms", number("Mean time from order to fill.")),
            optional("avg_slippage_bps", number("Mean slippage.")),
        ],
    )
}

fn system() -> ObjectBuilder {
    object(
        "The machine.",
        [
            optional("timestamp", time("When the section was made.")),
            optional("cpu_percent", number("Load of all processors.")),
            optional("memory_percent", number("Memory in use.")),
            optional("disk_usage_percent", number("Space in use on the database's disk.")),
            optional("uptime", number("Seconds since the server started.")),
            optional("health", string("`healthy`, `degraded` or `unhealthy`.")),
            optional("active_alerts", integer("Alerts that hold now.")),
        ],
    )
}

fn history_request() -> ObjectBuilder {
    object(
        "What of the history is asked for; unknown members are ignored.",
        [
            optional("time_range", nullable_named("TimeRange")),
            optional("start_time", nullable_time("Used without `time_range`; one hour ago when absent.")),
            optional("end_time", nullable_time("Used without `time_range`; now when absent.")),
            optional(
                "metric_types",
                nullable_list("Some of `market_data`, `strategy`, `execution`, `system`; all when absent.", string("")),
            ),
            optional("symbols", nullable_list("Only these symbols of market data; all when absent.", string(""))),
            optional("symbol", nullable("One more of `symbols`.", Type::String)),
            optional("interval", named("AggregationInterval")),
        ],
    )
}

fn history_response() -> ObjectBuilder {
    object(
        "Rows of the history. Each carries `type`, `timestamp` and the columns of its type.",
        [
            required("start_time", time("Beginning of the range, as it was understood.")),
            required("end_time", time("End of the range, as it was understood.")),
            required("interval", named("AggregationInterval")),
            required("data", list("The rows.", any_object("A row."))),
            required("count", integer("Number of rows.")),
        ],
    )
}

fn symbols() -> ObjectBuilder {
    object(
        "",
        [
            required("symbols", list("In order of first appearance.", string(""))),
            required("count", integer("Number of symbols.")),
        ],
    )
}

fn summary() -> ObjectBuilder {
    let market = object(
        "",
        [
            required("symbols_tracked", integer("")),
            required("total_trades", integer("")),
            required("total_volume", number("")),
        ],
    );
    let strategy = object(
        "",
        [
            required("active_strategies", integer("")),
            required("total_pnl", number("")),
            required("daily_pnl", number("")),
            required("open_positions", integer("")),
        ],
    );
    let execution = object(
        "",
        [
            required("orders_today", integer("")),
            required("fills_today", integer("")),
            required("fill_rate", number("")),
            required("avg_latency_ms", number("")),
        ],
    );
    let system = object(
        "",
        [
            required("cpu_usage", number("")),
            required("memory_usage", number("")),
            required("uptime_seconds", number("")),
            required("health_status", string("")),
        ],
    );
    object(
        "",
        [
            required("timestamp", time("When the answer was made.")),
            required("market", market),
            required("strategy", strategy),
            required("execution", execution),
            required("system", system),
        ],
    )
}
