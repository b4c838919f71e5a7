arg_max_null(pnl_end, bucket) AS pnl_end,
    arg_max_null(daily_pnl_end, bucket) AS daily_pnl_end,
    arg_max_null(positions_end, bucket) AS positions_end,
    arg_max_null(signals_end, bucket) AS signals_end,
    arg_max_null(win_rate_end, bucket) AS win_rate_end
