//! Fills.

use serde_json::json;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::schema::Type;

use super::Draft;
use super::operation::{answer, error, format, operation, query, rows, segment, unknown_format, validation_error};
use super::schema::{integer, list, named, nullable, nullable_time, number, object, optional, required, string, time};

const TAG: Option<&str> = Some("trades");

pub(super) fn describe(draft: Draft) -> Draft {
    let limit = integer("").minimum(Some(1)).maximum(Some(1000)).default(Some(json!(100)));
    let offset = integer("").minimum(Some(0)).default(Some(json!(0)));
    draft
        .get(
            "/api/trades/",
            operation(TAG, "get_trade_history_api_trades__get", "Fills of a time range, oldest first")
                .parameter(query("symbol", "Only this symbol.", nullable("", Type::String)))
                .parameter(query("side", "Only this side, to the letter.", nullable("", Type::String)))
                .parameter(query("start_time", "First instant; 24 hours ago when absent.", nullable_time("")))
                .parameter(query("end_time", "Last instant; now when absent.", nullable_time("")))
                .parameter(query("limit", "At most this many.", limit))
                .parameter(query("offset", "After this many.", offset))
                .parameter(format())
                .response("200", rows(named("TradeHistoryResponse")))
                .response("406", unknown_format())
                .response("422", validation_error()),
        )
        .get(
            "/api/trades/{trade_id}",
            operation(TAG, "get_trade_details_api_trades__trade_id__get", "One fill")
                .parameter(segment("trade_id", "The fill's id.", string("")))
                .response("200", answer(named("Trade")))
                .response("404", error("There is no such fill."))
                .response("422", validation_error()),
        )
        .get(
            "/api/trades/stats/summary",
            operation(
                TAG,
                "get_trade_statistics_api_trades_stats_summary_get",
                "Figures over the fills of a time range",
            )
            .parameter(query("symbol", "Only this symbol.", nullable("", Type::String)))
            .parameter(query(
                "time_range",
                "The span, ending now.",
                string("").pattern(Some("^(1h|24h|7d|30d)$")).default(Some(json!("24h"))),
            ))
            .response("200", answer(statistics()))
            .response("422", validation_error()),
        )
        .get(
            "/api/trades/execution/quality",
            operation(
                TAG,
                "get_execution_quality_metrics_api_trades_execution_quality_get",
                "What became of the orders since midnight UTC",
            )
            .response("200", answer(quality())),
        )
        .schema("Trade", trade())
        .schema("TradeHistoryResponse", history())
}

fn trade() -> ObjectBuilder {
    object(
        "A fill.",
        [
            required("trade_id", string("Unique; its form means nothing.")),
            required("symbol", string("The instrument.")),
            required("side", string("`buy` or `sell`.")),
            required("quantity", number("Units; printed without a fraction when there is none.")),
            required("price", number("Price of the fill.")),
            required("timestamp", time("When it was filled.")),
            optional("latency_ms", nullable("Time from order to fill.", Type::Number)),
            optional("slippage_bps", nullable("Slippage.", Type::Number)),
            optional("pnl", nullable("Always null: it is not stored.", Type::Number)),
            optional("strategy", nullable("The strategy that ordered.", Type::String)),
            optional("order_id", nullable("Always null: it is not stored.", Type::String)),
        ],
    )
}

fn history() -> ObjectBuilder {
    object(
        "A page of fills.",
        [
            required("trades", list("Oldest first.", named("Trade"))),
            required("total", integer("Fills that match, on all pages.")),
            required("limit", integer("As it was understood.")),
            required("offset", integer("As it was understood.")),
        ],
    )
}

fn statistics() -> ObjectBuilder {
    object(
        "",
        [
            required("count", integer("Fills.")),
            required("total_volume", number("Sum of quantity times price.")),
            required("avg_price", number("Mean price.")),
            required("avg_size", number("Mean quantity.")),
            required("buy_count", integer("Fills whose side is `buy`.")),
            required("sell_count", integer("Fills whose side is `sell`.")),
        ],
    )
}

fn quality() -> ObjectBuilder {
    object(
        "",
        [
            required("fill_rate", number("Filled share of submitted orders, 0 to 1.")),
            required("avg_latency_ms", number("Mean time from order to fill.")),
            required("avg_slippage_bps", number("Mean slippage.")),
            required("rejection_rate", number("Rejected share of submitted orders, 0 to 1.")),
            required("cancellation_rate", number("Cancelled share of submitted orders, 0 to 1.")),
        ],
    )
}
