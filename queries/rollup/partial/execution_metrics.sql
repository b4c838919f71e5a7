-- The last row, with its nulls.
    arg_max_null(orders_submitted, timestamp) AS orders_submitted_end,
    arg_max_null(orders_filled, timestamp) AS orders_filled_end,
    arg_max_null(orders_cancelled, timestamp) AS orders_cancelled_end,
    arg_max_null(orders_rejected, timestamp) AS orders_rejected_end,
    arg_max_null(fill_rate, timestamp) AS fill_rate_end,
    arg_max_null(avg_latency_ms, timestamp) AS avg_latency_ms_end,
    arg_max_null(avg_slippage_bps, timestamp) AS avg_slippage_bps_end
