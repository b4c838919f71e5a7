//! What became of the desk's orders.

use super::declare::declare_table;

declare_table! {
    /// Order counts and execution quality, once a second.
    EXECUTION_METRICS, ExecutionMetricsRow, "execution_metrics",
    "Order counts since midnight UTC and execution quality, once a second.",
    key: ["timestamp"], label: None,
    columns: {
        timestamp: Timestamp required, "When the values were observed, naive UTC.";
        orders_submitted: Integer nullable, "Orders submitted since midnight UTC.";
        orders_filled: Integer nullable, "Orders filled since midnight UTC.";
        orders_cancelled: Integer nullable, "Orders cancelled since midnight UTC.";
        orders_rejected: Integer nullable, "Orders rejected since midnight UTC.";
        fill_rate: Double nullable, "orders_filled / orders_submitted, 0 to 1.";
        avg_latency_ms: Double nullable, "Mean time from order to fill, in milliseconds.";
        avg_slippage_bps: Double nullable, "Mean slippage against the price at decision, in basis points.";
    }
}
