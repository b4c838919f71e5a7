SELECT
    trade_id, symbol, side, quantity, price, timestamp, latency_ms, slippage_bps,
    NULL::DOUBLE AS pnl, strategy, NULL::VARCHAR AS order_id
FROM {rows:trades}
WHERE trade_id = $trade_id
