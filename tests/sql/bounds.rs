//! What a query takes, whatever it calls: memory, time, connections.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Launch, Server, eventually};
use crate::processes::{self, Confined, Peak, is_running, signal, workers};

/// Cannot be stopped from inside: one call over a batch takes hours.
const UNSTOPPABLE: &str = "SELECT max(levenshtein(concat(symbol, $1), $2)) AS m FROM market_data";

/// A server with one row a second of seven symbols.
async fn with_quotes(rows: usize, arguments: &[&str]) -> Server {
    let server = Launch::new().arguments(arguments).start().await;
    let mut csv = String::from("timestamp,symbol,last_price\n");
    for row in 0..rows {
        let instant = chrono::DateTime::from_timestamp(1_700_000_000 + row as i64, 0).unwrap();
        csv.push_str(&format!("{},S{},{row}.5\n", instant.format("%FT%T"), row % 7));
    }
    let headers = [("content-type", "text/csv")];
    server.send(reqwest::Method::POST, "/api/ingest/market_data", &headers, csv.into()).await.expect(200);
    server
}

fn unstoppable() -> Value {
    json!({"sql": UNSTOPPABLE, "params": ["a".repeat(30_000), "b".repeat(30_000)]})
}

/// `call` of `s`, within itself, `levels` times.
fn nested(levels: usize, inner: &str, call: &str, of_result: &str) -> String {
    let inner = (0..levels).fold(inner.to_owned(), |sql, level| format!("SELECT {call} AS s FROM ({sql}) AS q{level}"));
    format!("SELECT {of_result} AS n FROM ({inner}) AS q")
}

fn many_times(call: &str) -> String {
    call.replace("{}", &["s"; 8].join(", "))
}

#[tokio::test]
async fn memory_is_bounded_whatever_is_called() {
    let server = with_quotes(30_000, &["--memory-limit", "1GiB", "--query-time-limit", "4s"]).await;
    let large = "SELECT arrow_cast(column1, 'LargeUtf8') AS s FROM (VALUES ('xxxxxxxx')) AS v";
    let text = "SELECT column1 AS s FROM (VALUES ('xxxxxxxx')) AS v";
    let list = "SELECT make_array(column1) AS s FROM (VALUES (1)) AS v";
    let terms: Vec<_> = (0..20).map(|number| format!("last_price + {number}")).collect();
    let cube = format!("SELECT 1 AS o FROM market_data GROUP BY CUBE({})", terms.join(", "));
    let length = "octet_length(s)";
    for sql in [
        nested(10, large, &many_times("concat({})"), length),
        nested(9, text, &many_times("concat({})"), length),
        nested(9, text, &many_times("concat_ws('-', {})"), length),
        nested(9, text, &["s"; 8].join(" || "), length),
        nested(10, list, &many_times("array_concat({})"), "array_length(s)"),
        nested(30, text, "encode(s, 'hex')", length),
        "SELECT octet_length(repeat('x', 2000000000)) AS n".into(),
        "SELECT sum(octet_length(repeat(symbol, 100000))) AS n FROM market_data".into(),
        "SELECT octet_length(lpad('x', 2000000000)) AS n".into(),
        "SELECT array_length(array_repeat(1, 2000000000)) AS n".into(),
        "SELECT array_length(range(1, 2000000000)) AS n".into(),
        "SELECT array_length(array_repeat(1, 9223372036854775807)) AS n".into(),
        "SELECT array_length(array_resize(make_array(1), 9223372036854775807)) AS n".into(),
        "SELECT count(*) AS n FROM (SELECT unnest(a) FROM (SELECT array_agg(last_price) AS a FROM market_data) AS q, \
         market_data) AS r"
            .into(),
        "SELECT max(n) AS m FROM (SELECT array_length(array_agg(last_price) OVER (ORDER BY timestamp)) AS n \
         FROM market_data) AS q"
            .into(),
        "SELECT octet_length(string_agg(a.symbol, ',')) AS n FROM market_data a, market_data b".into(),
        format!("SELECT count(*) AS n FROM ({cube}) AS q"),
    ] {
        let peak = Peak::of_workers(&server);
        let answer = server.post("/api/sql", &json!({"sql": sql})).await;
        assert!([408, 413].contains(&answer.status), "{sql}: {} {}", answer.status, answer.text());
        if answer.status == 413 {
            let detail = answer.detail();
            let ways_out = ["LIMIT", "--memory-limit"].iter().all(|way| detail.contains(way));
            assert!(ways_out, "{sql}: {detail}");
        }
        assert!(peak.bytes() <= 256 << 20, "{sql}: {} MiB", peak.bytes() >> 20);
        assert_eq!(server.sql_value("SELECT 1 AS n").await, 1, "{sql}");
    }
}

#[tokio::test]
async fn queries_that_take_all_they_can_at_one_time_share_the_memory() {
    let server = with_quotes(10, &["--memory-limit", "1GiB", "--query-time-limit", "5s"]).await;
    let peak = Peak::of_workers(&server);
    let greedy = json!({"sql": "SELECT max(n) AS m FROM (SELECT array_length(array_agg(value) OVER (ORDER BY value)) AS n \
        FROM generate_series(1, 100000)) AS q"});
    let answers = futures::future::join_all((0..4).map(|_| server.post("/api/sql", &greedy))).await;
    for answer in answers {
        assert!([408, 413, 429].contains(&answer.status), "{} {}", answer.status, answer.text());
    }
    assert!(peak.bytes() <= 256 << 20, "{} MiB", peak.bytes() >> 20);
    assert_eq!(server.sql_value("SELECT 1 AS n").await, 1);
}

#[tokio::test]
async fn functions_that_make_large_values_of_small_ones_are_there() {
    let server = Server::start().await;
    for (call, expected) in [
        ("repeat('ab', 3)", json!("ababab")),
        ("replace('a-b', '-', '+')", json!("a+b")),
        ("regexp_replace('aab', 'a', 'x', 'g')", json!("xxb")),
        ("lpad('7', 3, '0')", json!("007")),
        ("rpad('7', 3, '0')", json!("700")),
        ("array_repeat(1, 3)", json!([1, 1, 1])),
        ("range(1, 4)", json!([1, 2, 3])),
    ] {
        assert_eq!(server.sql_value(&format!("SELECT {call} AS v")).await, expected, "{call}");
    }
}

#[tokio::test]
async fn a_query_whose_time_is_up_stops_at_once() {
    let server = with_quotes(500, &["--query-time-limit", "1s"]).await;
    let began = Instant::now();
    let query = unstoppable();
    let answers = futures::future::join_all((0..4).map(|_| server.post("/api/sql", &query))).await;
    for answer in answers {
        assert_eq!(answer.status, 408, "{}", answer.text());
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    eventually("nothing of the queries runs any more", async || workers(&server).is_empty().then_some(())).await;
    assert_eq!(server.sql_value("SELECT 1 AS n").await, 1);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_query_and_frees_its_place() {
    let server = with_quotes(500, &["--query-concurrency", "1", "--query-time-limit", "60s"]).await;
    let query = unstoppable();
    tokio::select! {
        answer = server.post("/api/sql", &query) => panic!("{}", answer.text()),
        () = eventually("the query runs", async || (!workers(&server).is_empty()).then_some(())) => {}
    }
    eventually("nothing of the query runs any more", async || workers(&server).is_empty().then_some(())).await;
    assert_eq!(server.sql_value("SELECT 1 AS n").await, 1);
}

#[tokio::test]
async fn a_query_that_scans_many_times_leaves_connections_to_others() {
    let server = with_quotes(50_000, &["--query-time-limit", "60s"]).await;
    let scans = vec!["SELECT levenshtein(concat(symbol, $1), $1) AS d FROM market_data"; 32].join(" UNION ALL ");
    let query = json!({"sql": format!("SELECT sum(d) AS n FROM ({scans}) AS u"), "params": ["a".repeat(3_000)]});
    let others = async {
        eventually("the query runs", async || (!workers(&server).is_empty()).then_some(())).await;
        for _ in 0..5 {
            server.get("/api/trades/?limit=1").await.expect(200);
            server.post("/api/metrics/history", &json!({"time_range": "1h", "interval": "1m"})).await.expect(200);
            assert_eq!(server.sql_value("SELECT count(*) AS n FROM market_data").await, 50_000);
        }
    };
    tokio::select! {
        greedy = server.post("/api/sql", &query) => panic!("the others waited for it: {}", greedy.text()),
        () = others => {}
    }
}

#[tokio::test]
async fn scans_of_one_query_see_one_snapshot_while_rows_come_in() {
    let server = with_quotes(20_000, &[]).await;
    let counts = json!({"sql": "SELECT (SELECT count(*) FROM (SELECT DISTINCT timestamp, upper(symbol) FROM market_data) a) AS one, \
        (SELECT count(*) FROM (SELECT DISTINCT lower(symbol), timestamp FROM market_data) b) AS other"});
    let alone = json!({"sql": "SELECT count(*) AS n FROM market_data a FULL JOIN market_data b \
        ON a.timestamp = b.timestamp AND upper(a.symbol) = upper(b.symbol) WHERE a.symbol IS NULL OR b.symbol IS NULL"});
    let mut seen = Vec::new();
    let queries = async {
        for _ in 0..6 {
            let row = server.post("/api/sql", &counts).await.expect(200).json()[0].clone();
            assert_eq!(row["one"], row["other"]);
            seen.push(row["one"].as_i64().unwrap());
            assert_eq!(server.post("/api/sql", &alone).await.expect(200).json(), json!([{"n": 0}]));
        }
    };
    let rows = async {
        for second in 0_i64.. {
            let instant = chrono::DateTime::from_timestamp(1_710_000_000 + second, 0).unwrap();
            let row = json!({"timestamp": instant.format("%FT%T").to_string(), "symbol": "N", "last_price": 1.0});
            server.ingest("market_data", &row).await;
        }
    };
    tokio::select! {
        () = queries => {}
        () = rows => {}
    }
    assert!(seen.first() < seen.last(), "rows came in meanwhile: {seen:?}");
}

#[tokio::test]
async fn a_worker_that_is_ended_from_outside_costs_its_own_query_only() {
    let server = with_quotes(500, &["--query-time-limit", "4s"]).await;
    let query = unstoppable();
    let (one, other, ()) = tokio::join!(server.post("/api/sql", &query), server.post("/api/sql", &query), async {
        let both = async || Some(workers(&server)).filter(|workers| workers.len() == 2);
        signal(eventually("both queries run", both).await[0], "KILL");
    });
    // Which of the two it is is left to chance.
    let (hit, spared) = if one.status == 503 { (one, other) } else { (other, one) };
    assert_eq!((hit.status, spared.status), (503, 408), "{} {}", hit.text(), spared.text());
    assert!(hit.header("retry-after").parse::<u32>().is_ok() && hit.detail().contains("try again"), "{}", hit.text());
    assert_eq!(server.sql_value("SELECT 1 AS n").await, 1);
}

#[tokio::test]
async fn a_worker_starts_with_the_first_query_serves_the_next_and_ends_with_the_server() {
    let mut server = with_quotes(10, &[]).await;
    assert!(workers(&server).is_empty(), "nothing runs before the first query");
    assert_eq!(server.sql_value("SELECT count(*) AS n FROM market_data").await, 10);
    let first = workers(&server);
    assert_eq!(first.len(), 1);
    for _ in 0..5 {
        assert_eq!(server.post("/api/sql", &json!({"sql": "SELECT nope"})).await.status, 400);
        assert_eq!(server.sql_value("SELECT count(*) AS n FROM market_data").await, 10);
    }
    // On a busy machine a query may come before the worker of the last one is idle.
    let all = workers(&server);
    assert!(all.contains(&first[0]) && all.len() <= 4, "a worker serves one query after the other: {first:?} {all:?}");

    let limits = std::fs::read_to_string(format!("/proc/{}/limits", first[0])).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().nth(3), Some("0"), "it opens no file and no socket");
    for file in std::fs::read_dir(format!("/proc/{}/fd", first[0])).unwrap().flatten() {
        let target = std::fs::read_link(file.path()).unwrap();
        let target = target.to_str().unwrap();
        assert!(target.starts_with("socket:") || target.starts_with("pipe:") || target == "/dev/null", "{target}");
    }
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", first[0])).unwrap();
    assert!(!environment.contains("HOME="), "{environment}");

    // Killed while they are idle: the next query gets another one.
    for worker in all {
        signal(worker, "KILL");
        eventually("it is gone", async || (!is_running(worker)).then_some(())).await;
    }
    assert_eq!(server.sql_value("SELECT 1 AS n").await, 1);

    let second = workers(&server);
    server.kill();
    eventually("it ends with the server", async || (!is_running(second[0])).then_some(())).await;
}

#[tokio::test]
async fn a_server_that_stops_waits_for_no_query() {
    let mut server = with_quotes(500, &["--query-time-limit", "60s"]).await;
    let (client, url) = (server.client.clone(), server.url("/api/sql"));
    let request = client.post(url).header("content-type", "application/json").body(unstoppable().to_string());
    let query = tokio::spawn(request.send());
    let worker = eventually("the query runs", async || workers(&server).first().copied()).await;
    let began = Instant::now();
    assert_eq!(server.terminate().await, Some(0));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    eventually("it ends with the server", async || (!is_running(worker)).then_some(())).await;
    let _cut = query.await.unwrap();
}

#[tokio::test]
async fn a_pattern_that_is_too_large_is_the_fault_of_the_query() {
    let server = with_quotes(10, &[]).await;
    for sql in [
        "SELECT count(*) AS n FROM market_data WHERE symbol ~ '((a{1000}){1000}){1000}'",
        "SELECT count(*) AS n FROM market_data WHERE regexp_like(symbol, '((a{1000}){1000}){1000}')",
        "SELECT regexp_replace(symbol, '((a{1000}){1000}){1000}', '') AS n FROM market_data",
        "SELECT regexp_count(symbol, '((a{1000}){1000}){1000}') AS n FROM market_data",
        "SELECT regexp_replace(symbol, '[', '') AS n FROM market_data",
    ] {
        let answer = server.post("/api/sql", &json!({"sql": sql})).await;
        assert_eq!(answer.status, 400, "{sql}: {}", answer.text());
        assert!(answer.detail().len() > 20, "{sql}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_query_runs_on_a_machine_with_many_processors() {
    // Threads take address space, of which a worker has a bounded amount.
    let mut worker = processes::Lone::start(64 << 20, 64);
    let said = worker.run("SELECT sum(value) AS n FROM generate_series(1, 100000) AS t GROUP BY value % 7");
    assert_eq!(said.last().map(String::as_str), Some("\"Done\""), "{said:?}");
}

#[tokio::test]
async fn recursive_queries_keep_the_columns_that_they_build_on() {
    let server = Server::start().await;
    let series = "WITH RECURSIVE n AS (SELECT 1 AS x, 2 AS y UNION ALL SELECT x + 1, y FROM n WHERE x < 10)";
    for (select, expected) in [("count(*)", 10), ("sum(y)", 20), ("max(x)", 10), ("sum(x + y)", 75)] {
        assert_eq!(server.sql_value(&format!("{series} SELECT {select} AS v FROM n")).await, expected, "{select}");
    }
    // Rows that differ in a column that nobody reads are still different rows.
    let distinct = "WITH RECURSIVE n AS (SELECT 1 AS x, 2 AS y UNION SELECT x + 1, y FROM n WHERE x < 10)";
    assert_eq!(server.sql_value(&format!("{distinct} SELECT count(y) AS v FROM n")).await, 10);
    assert_eq!(server.sql_value(&format!("{distinct} SELECT count(*) AS v FROM n a, n b WHERE a.x = b.y")).await, 10);
}

#[tokio::test]
async fn a_query_that_the_machine_has_no_memory_for_is_told_to_take_less() {
    let Some(group) = Confined::to(64 << 20) else { return };
    let server = with_quotes(10, &[]).await;
    assert_eq!(server.sql_value("SELECT 1 AS n").await, 1);
    // Killed by the system as soon as it needs more than the group has.
    workers(&server).into_iter().for_each(|worker| group.add(worker));
    let greedy = json!({"sql": "SELECT max(n) AS m FROM (SELECT array_length(array_agg(value) OVER (ORDER BY value)) AS n \
        FROM generate_series(1, 100000)) AS q"});
    let answer = server.post("/api/sql", &greedy).await.expect(413);
    assert!(answer.detail().contains("the machine has no more"), "{}", answer.text());
    assert_eq!(server.sql_value("SELECT 1 AS n").await, 1);
}
