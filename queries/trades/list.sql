-- Fills of a window, oldest first. The last columns exist on the wire; the first and the last of them have no source yet.
SELECT
    trade_id, symbol, side, quantity, price, timestamp, latency_ms, slippage_bps,
    NULL::DOUBLE AS pnl, strategy, NULL::VARCHAR AS order_id
FROM {rows:trades}
WHERE timestamp BETWEEN $start AND $end
    AND ($symbol::VARCHAR IS NULL OR symbol = $symbol::VARCHAR)
    AND ($side::VARCHAR IS NULL OR side = $side::VARCHAR)
ORDER BY timestamp, trade_id
LIMIT $limit OFFSET $offset
