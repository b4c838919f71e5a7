//! Requests that are refused, and how.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::common::Server;
use crate::recorded;

#[derive(Deserialize)]
struct Case {
    case: String,
    method: String,
    path: String,
    content_type: Option<String>,
    body: Option<String>,
    status: u16,
    allow: Option<String>,
    answer: Option<Value>,
}

#[tokio::test]
async fn refused_requests_are_answered_as_recorded() {
    let server = Server::start().await;
    for case in recorded::<Vec<Case>>("errors.json") {
        let headers: Vec<_> = case.content_type.iter().map(|value| ("content-type", value.as_str())).collect();
        let method = Method::from_bytes(case.method.as_bytes()).unwrap();
        let answer = server.send(method, &case.path, &headers, case.body.unwrap_or_default().into_bytes()).await;
        assert_eq!(answer.status, case.status, "{}: {}", case.case, answer.text());
        assert_eq!(answer.header("allow"), case.allow.as_deref().unwrap_or(""), "{}", case.case);
        assert_eq!(answer.header("content-type"), "application/json", "{}", case.case);
        match case.answer {
            Some(expected) => assert_same_refusal(&case.case, &answer.json(), &expected),
            None => assert!(answer.body.is_empty(), "{}", case.case),
        }
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_named() {
    let server = Server::start().await;
    for (method, path, allow) in [
        ("PUT", "/api/metrics/history", "POST"),
        ("PATCH", "/", "GET"),
        ("TRACE", "/health", "GET"),
        ("OPTIONS", "/api/metrics/history", "POST"),
        ("HEAD", "/api/metrics/current", "GET"),
        ("DELETE", "/api/trades/", "GET"),
        ("POST", "/api/metrics/current", "GET"),
        ("POST", "/api/system/health", "GET"),
        ("GET", "/api/system/alerts/acknowledge/x", "POST"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = server.send(method.clone(), path, &[], Vec::new()).await;
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
        if method != Method::HEAD {
            assert_eq!(answer.text(), r#"{"detail":"Method Not Allowed"}"#, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_a_bad_request() {
    let server = Server::start().await;
    let headers = [("content-type", "application/json")];
    let body = b"{\"a\":\"\xff\"}".to_vec();
    let answer = server.send(Method::POST, "/api/metrics/history", &headers, body).await.expect(400);
    assert_eq!(answer.text(), r#"{"detail":"There was an error parsing the body"}"#);
}

/// Compares everything that a client can use: the whole answer but for the prose of a parser.
pub fn assert_same_refusal(case: &str, answer: &Value, expected: &Value) {
    let (Some(ours), Some(theirs)) = (answer["detail"].as_array(), expected["detail"].as_array()) else {
        assert_eq!(answer, expected, "{case}");
        return;
    };
    assert_eq!(ours.len(), theirs.len(), "{case}: {answer}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        let keys = |item: &Value| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(ours), keys(theirs), "{case}: {ours}");
        for key in ["type", "loc", "input"] {
            assert_eq!(ours[key], theirs[key], "{case}: {key} of {ours}");
        }
        match theirs["type"].as_str().unwrap() {
            "datetime_from_date_parsing" => {
                let reason = ours["ctx"]["error"].as_str().unwrap();
                assert_eq!(ours["msg"], format!("Input should be a valid datetime or date, {reason}"), "{case}");
            }
            "json_invalid" => {
                assert_eq!(ours["msg"], theirs["msg"], "{case}");
                assert!(ours["ctx"]["error"].is_string(), "{case}: {ours}");
            }
            _ => assert_eq!(ours, theirs, "{case}"),
        }
    }
}
