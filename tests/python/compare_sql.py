"""Asks the server and DuckDB's Python package the same questions over the same rows, and compares the answers.

Usage: compare_sql.py URL ROWS.json, where the server at URL already holds the rows of the file.
"""

import json
import math
import sys
import urllib.request

import duckdb
import pyarrow as pa

QUESTIONS = {
    "count and sums by symbol": """
        SELECT symbol, count(*) AS n, count(last_price) AS priced, sum(volume) AS volume, sum(trades) AS trades
        FROM market_data GROUP BY symbol ORDER BY symbol""",
    "mean, least and greatest by hour": """
        SELECT date_trunc('hour', timestamp) AS hour, avg(last_price) AS mean, min(bid) AS low, max(ask) AS high
        FROM market_data GROUP BY 1 ORDER BY 1""",
    "having and distinct": """
        SELECT symbol, count(DISTINCT trades) AS kinds, avg(spread_bps) AS spread FROM market_data
        WHERE last_price IS NOT NULL GROUP BY symbol HAVING count(*) > 10 ORDER BY symbol""",
    "deviation": """
        SELECT symbol, stddev_samp(last_price) AS deviation, var_pop(bid) AS variance, corr(bid, ask) AS correlation
        FROM market_data GROUP BY symbol ORDER BY symbol""",
    "case and filter": """
        SELECT strategy, sum(CASE WHEN side = 'buy' THEN quantity ELSE -quantity END) AS net,
               count(*) FILTER (WHERE side = 'sell') AS sells, sum(quantity * price) AS value
        FROM trades GROUP BY strategy ORDER BY strategy""",
    "join of fills with quotes": """
        SELECT t.trade_id, t.price, m.bid, m.ask, t.price - m.last_price AS difference
        FROM trades t JOIN market_data m ON m.symbol = t.symbol AND m.timestamp = t.timestamp
        ORDER BY t.trade_id""",
    "outer join with strategies": """
        SELECT s.strategy_name, s.timestamp, s.pnl, count(t.trade_id) AS fills
        FROM strategy_metrics s LEFT JOIN trades t
          ON t.strategy = s.strategy_name AND t.timestamp = s.timestamp
        GROUP BY s.strategy_name, s.timestamp, s.pnl ORDER BY s.timestamp, s.strategy_name LIMIT 200""",
    "window: running profit and rank": """
        SELECT timestamp, strategy_name, pnl - lag(pnl) OVER w AS change,
               sum(signals) OVER (PARTITION BY strategy_name ORDER BY timestamp) AS running,
               row_number() OVER w AS place
        FROM strategy_metrics WINDOW w AS (PARTITION BY strategy_name ORDER BY timestamp)
        ORDER BY strategy_name, timestamp""",
    "common table expression and subquery": """
        WITH means AS (SELECT symbol, avg(price) AS mean FROM trades GROUP BY symbol)
        SELECT t.symbol, count(*) AS above FROM trades t JOIN means ON means.symbol = t.symbol
        WHERE t.price > means.mean AND t.symbol IN (SELECT symbol FROM market_data WHERE last_price > 120)
        GROUP BY t.symbol ORDER BY t.symbol""",
    "union of counts over all tables": """
        SELECT 'market_data' AS place, count(*) AS n, max(timestamp) AS newest FROM market_data
        UNION ALL SELECT 'strategy_metrics', count(*), max(timestamp) FROM strategy_metrics
        UNION ALL SELECT 'execution_metrics', count(*), max(timestamp) FROM execution_metrics
        UNION ALL SELECT 'trades', count(*), max(timestamp) FROM trades ORDER BY n, place""",
    "three tables": """
        SELECT e.orders_submitted, count(DISTINCT m.symbol) AS symbols, sum(t.quantity) AS quantity
        FROM execution_metrics e
        JOIN market_data m ON m.timestamp = e.timestamp
        LEFT JOIN trades t ON t.timestamp = e.timestamp AND t.symbol = m.symbol
        WHERE e.orders_submitted BETWEEN 50 AND 90 GROUP BY 1 ORDER BY 1""",
    "filter, order and limit": """
        SELECT timestamp, symbol, volume FROM market_data
        WHERE symbol <> 'O''Hara' AND timestamp >= TIMESTAMP '2025-10-21 01:00:00' AND volume > 5000000000
        ORDER BY volume DESC LIMIT 17""",
}

SCHEMA = {
    "market_data": "timestamp TIMESTAMP, symbol VARCHAR, last_price DOUBLE, bid DOUBLE, ask DOUBLE, volume BIGINT,"
    " trades INTEGER, spread_bps DOUBLE",
    "strategy_metrics": "timestamp TIMESTAMP, strategy_name VARCHAR, pnl DOUBLE, daily_pnl DOUBLE, positions INTEGER,"
    " signals INTEGER, win_rate DOUBLE",
    "execution_metrics": "timestamp TIMESTAMP, orders_submitted INTEGER, orders_filled INTEGER,"
    " orders_cancelled INTEGER, orders_rejected INTEGER, fill_rate DOUBLE, avg_latency_ms DOUBLE,"
    " avg_slippage_bps DOUBLE",
    "trades": "trade_id VARCHAR, timestamp TIMESTAMP, symbol VARCHAR, side VARCHAR, quantity DOUBLE, price DOUBLE,"
    " latency_ms DOUBLE, slippage_bps DOUBLE, strategy VARCHAR",
}


def ask(url: str, sql: str, accept: str) -> bytes:
    """The server's answer."""
    body = json.dumps({"sql": sql}).encode()
    request = urllib.request.Request(f"{url}/api/sql", body, {"content-type": "application/json", "accept": accept})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{error.code}: {error.read().decode()}\n{sql}") from error


def reference(rows: dict) -> duckdb.DuckDBPyConnection:
    """The same rows in a database of Python's own."""
    database = duckdb.connect()
    for table, columns in SCHEMA.items():
        database.execute(f"CREATE TABLE {table} ({columns})")
        names = [column.split()[0] for column in columns.split(",")]
        marks = ", ".join("?" for _ in names)
        database.executemany(
            f"INSERT INTO {table} VALUES ({marks})", [[row.get(name) for name in names] for row in rows[table]]
        )
    return database


def plain(value):
    """A value as JSON has it: instants in the wire's text, exact numbers as floats of the same value."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return float(value)


def same(ours, theirs) -> bool:
    """Equal, but for the last digits of a sum of floats."""
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs


def compare(name: str, form: str, rows: list, expected: list) -> None:
    """Stops at the first difference."""
    assert len(rows) == len(expected), f"{name} as {form}: {len(rows)} rows, DuckDB has {len(expected)}"
    for number, (ours, theirs) in enumerate(zip(rows, expected)):
        assert list(ours) == list(theirs), f"{name} as {form}: columns {list(ours)}, DuckDB has {list(theirs)}"
        for column in theirs:
            us, them = plain(ours[column]), plain(theirs[column])
            assert same(us, them), f"{name} as {form}, row {number}, {column}: {us!r}, DuckDB has {them!r}"


def main() -> None:
    url, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        database = reference(json.load(file))
    for name, sql in QUESTIONS.items():
        cursor = database.execute(sql)
        columns = [column[0] for column in cursor.description]
        expected = [dict(zip(columns, row)) for row in cursor.fetchall()]
        assert expected, f"{name}: the question has no answer to compare"
        compare(name, "JSON", json.loads(ask(url, sql, "application/json")), expected)
        stream = ask(url, sql, "application/vnd.apache.arrow.stream")
        compare(name, "Arrow", pa.ipc.open_stream(stream).read_all().to_pylist(), expected)
    print(f"{len(QUESTIONS)} questions answered as DuckDB {duckdb.__version__} answers them")


if __name__ == "__main__":
    main()
