"""Reads every format of every path with pyarrow, polars and pandas, and compares them with the JSON rows.

Usage: read_formats.py URL, where the server at URL holds rows of 2025-10-21.
"""

import io
import json
import math
import sys
import urllib.request

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

HISTORY = {"start_time": "2025-10-21T00:00:00", "end_time": "2025-10-21T23:59:59", "interval": "1h"}
DAY = "start_time=2025-10-21&end_time=2025-10-22"
# Path, body, and where the rows are in the JSON document.
QUESTIONS = {
    "history": ("/api/metrics/history?", HISTORY, "data"),
    "summary": ("/api/metrics/summary?time_range=30d", None, "data"),
    "trades": (f"/api/trades/?{DAY}&limit=1000", None, "trades"),
    "sql": ("/api/sql?", {"sql": "SELECT * FROM trades WHERE timestamp < '2025-10-22' ORDER BY trade_id"}, None),
}


def fetch(url: str, path: str, body: dict | None, form: str) -> bytes:
    """The answer in one format."""
    separator = "" if path.endswith("?") else "&"
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}{path}{separator}format={form}", data, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        return answer.read()


def readings(answers: dict) -> dict:
    """Each format, read by each library that can."""
    arrow, parquet, csv, ndjson = (answers[form] for form in ("arrow", "parquet", "csv", "ndjson"))
    return {
        "Arrow by pyarrow": pa.ipc.open_stream(arrow).read_all(),
        "Arrow by polars": pl.read_ipc_stream(io.BytesIO(arrow)),
        "Arrow by pandas": pa.ipc.open_stream(arrow).read_pandas(),
        "Parquet by pyarrow": pa.parquet.read_table(io.BytesIO(parquet)),
        "Parquet by polars": pl.read_parquet(io.BytesIO(parquet)),
        "Parquet by pandas": pd.read_parquet(io.BytesIO(parquet)),
        "CSV by pyarrow": pa.csv.read_csv(io.BytesIO(csv)),
        "CSV by polars": pl.read_csv(io.BytesIO(csv), infer_schema_length=None),
        "CSV by pandas": pd.read_csv(io.BytesIO(csv)),
        "NDJSON by pyarrow": pa.json.read_json(io.BytesIO(ndjson)),
        "NDJSON by polars": pl.read_ndjson(io.BytesIO(ndjson), infer_schema_length=None),
        "NDJSON by pandas": pd.read_json(io.BytesIO(ndjson), lines=True),
    }


def rows_of(table) -> list:
    """Rows as dictionaries, whatever library read them."""
    if isinstance(table, pa.Table):
        return table.to_pylist()
    if isinstance(table, pl.DataFrame):
        return table.to_dicts()
    return table.to_dict("records")


def plain(value):
    """Instants as text, numbers as floats, every kind of nothing as None."""
    if value is None or value is pd.NaT or value == "":
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, str):
        text = value.replace(" ", "T", 1) if value[:4].isdigit() else value
        return text[:-7] if text.endswith(".000000") else text
    number = float(value)
    return None if math.isnan(number) else number


def instants(value):
    """An instant without regard to how many zeros its fraction has."""
    if isinstance(value, str) and value[:4].isdigit() and "T" in value and "." in value:
        return value.rstrip("0").rstrip(".")
    return value


def main() -> None:
    (url,) = sys.argv[1:]
    count = 0
    for name, (path, body, member) in QUESTIONS.items():
        document = json.loads(fetch(url, path, body, "json"))
        expected = document[member] if member else document
        assert len(expected) > 3, f"{name}: too few rows to tell anything"
        answers = {form: fetch(url, path, body, form) for form in ("arrow", "parquet", "csv", "ndjson")}
        for reader, table in readings(answers).items():
            rows = rows_of(table)
            if name == "summary" and len(rows) != len(expected):
                # The machine's rows go on between two requests; a row may be new.
                rows = [row for row in rows if row["type"] != "system"]
                expected = [row for row in expected if row["type"] != "system"]
            assert len(rows) == len(expected), f"{name}, {reader}: {len(rows)} rows, JSON has {len(expected)}"
            for number, (row, reference) in enumerate(zip(rows, expected)):
                if name == "summary" and row["type"] == "system":
                    continue
                for column, value in reference.items():
                    ours, theirs = instants(plain(row[column])), instants(plain(value))
                    assert ours == theirs, f"{name}, {reader}, row {number}, {column}: {ours!r}, JSON has {theirs!r}"
            count += 1
        schema = pa.ipc.open_stream(answers["arrow"]).schema
        if "timestamp" in schema.names:
            kind = schema.field("timestamp").type
            assert pa.types.is_timestamp(kind) and kind.tz is None and kind.unit == "us", f"{name}: {kind}"
    print(f"{count} readings by pyarrow {pa.__version__}, polars {pl.__version__} and pandas {pd.__version__}")


if __name__ == "__main__":
    main()
