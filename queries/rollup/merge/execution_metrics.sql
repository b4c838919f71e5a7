arg_max_null(orders_submitted_end, bucket) AS orders_submitted_end,
    arg_max_null(orders_filled_end, bucket) AS orders_filled_end,
    arg_max_null(orders_cancelled_end, bucket) AS orders_cancelled_end,
    arg_max_null(orders_rejected_end, bucket) AS orders_rejected_end,
    arg_max_null(fill_rate_end, bucket) AS fill_rate_end,
    arg_max_null(avg_latency_ms_end, bucket) AS avg_latency_ms_end,
    arg_max_null(avg_slippage_bps_end, bucket) AS avg_slippage_bps_end
