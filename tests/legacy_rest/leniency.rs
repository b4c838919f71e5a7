//! The many spellings of a value that are taken, and those that are not.

use reqwest::Method;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::common::{Answer, Server};
use crate::recorded;
use crate::refusals::assert_same_refusal;

/// The recorded status, and either the value that is echoed under a key or the recorded refusal.
fn assert_as_recorded(name: &str, answer: &Answer, status: u16, echo: Option<(&str, Value)>, refusal: Option<Value>) {
    assert_eq!(answer.status, status, "{name:?}: {}", answer.text());
    match (echo, refusal) {
        (Some((key, echo)), _) => assert_eq!(answer.json()[key], echo, "{name:?}"),
        (None, Some(expected)) => assert_same_refusal(name, &answer.json(), &expected),
        (None, None) => panic!("{name:?} expects nothing"),
    }
}

#[derive(Deserialize)]
struct StartTime {
    start_time: Value,
    status: u16,
    echo: Option<String>,
    answer: Option<Value>,
}

#[tokio::test]
async fn history_takes_the_recorded_spellings_of_an_instant() {
    let server = Server::start().await;
    for case in recorded::<Vec<StartTime>>("start_times.json") {
        let body = json!({"start_time": case.start_time, "metric_types": ["execution"]});
        let answer = server.post("/api/metrics/history", &body).await;
        let echo = case.echo.map(|echo| ("start_time", json!(echo)));
        assert_as_recorded(&case.start_time.to_string(), &answer, case.status, echo, case.answer);
    }
}

#[derive(Deserialize)]
struct Limit {
    limit: String,
    status: u16,
    echo: Option<u64>,
    answer: Option<Value>,
}

#[tokio::test]
async fn trades_take_the_recorded_spellings_of_a_number() {
    let server = Server::start().await;
    for case in recorded::<Vec<Limit>>("limits.json") {
        let mut url = Url::parse("http://x/api/trades/").unwrap();
        url.query_pairs_mut().append_pair("limit", &case.limit);
        let answer = server.get(&format!("{}?{}", url.path(), url.query().unwrap())).await;
        let echo = case.echo.map(|echo| ("limit", json!(echo)));
        assert_as_recorded(&case.limit, &answer, case.status, echo, case.answer);
    }
}

#[tokio::test]
async fn trades_take_the_spellings_of_an_instant_in_a_query_string() {
    let server = Server::start().await;
    for (text, status) in [
        ("2025-10-21T22:00:00Z", 200),
        ("2025-10-21T22:00:00%2B02:00", 200),
        ("2025-10-21", 200),
        ("1761084000", 200),
        ("2025-10-21%2022:00:00", 200),
        ("", 422),
        ("tomorrow", 422),
        ("2025-10-21T22:00:00+02:00", 422),
    ] {
        let answer = server.get(&format!("/api/trades/?start_time={text}")).await;
        assert_eq!(answer.status, status, "{text}: {}", answer.text());
        if status == 422 {
            let item = &answer.json()["detail"][0];
            assert_eq!(item["type"], "datetime_from_date_parsing", "{text}");
            assert_eq!(item["loc"], json!(["query", "start_time"]), "{text}");
            assert_eq!(item["input"], text.replace('+', " "), "{text}");
        }
    }
}

#[derive(Deserialize)]
struct Body {
    case: String,
    content_type: String,
    body: String,
    status: u16,
    interval: Option<String>,
    answer: Option<Value>,
}

#[tokio::test]
async fn history_takes_the_recorded_bodies() {
    let server = Server::start().await;
    for case in recorded::<Vec<Body>>("history_bodies.json") {
        let headers = [("content-type", case.content_type.as_str())];
        let answer = server.send(Method::POST, "/api/metrics/history", &headers, case.body.into_bytes()).await;
        let echo = case.interval.map(|interval| ("interval", json!(interval)));
        assert_as_recorded(&case.case, &answer, case.status, echo, case.answer);
    }
}

#[tokio::test]
async fn history_without_a_content_type_is_read_as_json() {
    let server = Server::start().await;
    let body = br#"{"time_range":"1h","metric_types":["execution"]}"#.to_vec();
    let answer = server.send(Method::POST, "/api/metrics/history", &[], body).await.expect(200).json();
    assert_eq!((&answer["count"], &answer["data"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn of_repeated_parameters_the_last_wins_and_unknown_ones_are_ignored() {
    let server = Server::start().await;
    let answer = server.get("/api/trades/?limit=1&limit=2&unknown=3").await.expect(200).json();
    assert_eq!(answer, json!({"trades": [], "total": 0, "limit": 2, "offset": 0}));
}
