-- The last row, with its nulls.
    arg_max_null(pnl, timestamp) AS pnl_end,
    arg_max_null(daily_pnl, timestamp) AS daily_pnl_end,
    arg_max_null(positions, timestamp) AS positions_end,
    arg_max_null(signals, timestamp) AS signals_end,
    arg_max_null(win_rate, timestamp) AS win_rate_end
