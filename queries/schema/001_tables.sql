-- The five documented tables. Their keys are kept by the writer, not by an index: see ARCHITECTURE.md, "The store".
CREATE TABLE IF NOT EXISTS market_data (
    timestamp TIMESTAMP NOT NULL,
    symbol VARCHAR NOT NULL,
    last_price DOUBLE,
    bid DOUBLE,
    ask DOUBLE,
    volume BIGINT,
    trades INTEGER,
    spread_bps DOUBLE
);

CREATE TABLE IF NOT EXISTS strategy_metrics (
    timestamp TIMESTAMP NOT NULL,
    strategy_name VARCHAR NOT NULL,
    pnl DOUBLE,
    daily_pnl DOUBLE,
    positions INTEGER,
    signals INTEGER,
    win_rate DOUBLE
);

CREATE TABLE IF NOT EXISTS execution_metrics (
    timestamp TIMESTAMP NOT NULL,
    orders_submitted INTEGER,
    orders_filled INTEGER,
    orders_cancelled INTEGER,
    orders_rejected INTEGER,
    fill_rate DOUBLE,
    avg_latency_ms DOUBLE,
    avg_slippage_bps DOUBLE
);

CREATE TABLE IF NOT EXISTS system_metrics (
    timestamp TIMESTAMP NOT NULL,
    cpu_percent DOUBLE,
    memory_percent DOUBLE,
    disk_usage_percent DOUBLE,
    uptime_seconds DOUBLE,
    health_status VARCHAR,
    active_alerts INTEGER
);

-- A trade is identified by its id alone, which no order of time helps to find.
CREATE TABLE IF NOT EXISTS trades (
    trade_id VARCHAR PRIMARY KEY,
    timestamp TIMESTAMP NOT NULL,
    symbol VARCHAR NOT NULL,
    side VARCHAR NOT NULL,
    quantity DOUBLE NOT NULL,
    price DOUBLE NOT NULL,
    latency_ms DOUBLE,
    slippage_bps DOUBLE,
    strategy VARCHAR
);
