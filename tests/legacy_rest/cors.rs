//! What a browser on another origin may do.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;

use crate::common::Server;
use crate::recorded;

#[derive(Deserialize)]
struct Case {
    case: String,
    method: String,
    path: String,
    request_headers: BTreeMap<String, String>,
    status: u16,
    headers: BTreeMap<String, String>,
    text: String,
}

#[tokio::test]
async fn cross_origin_requests_are_answered_as_recorded() {
    let server = Server::start().await;
    for case in recorded::<Vec<Case>>("cors.json") {
        let headers: Vec<_> =
            case.request_headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let method = Method::from_bytes(case.method.as_bytes()).unwrap();
        let answer = server.send(method, &case.path, &headers, Vec::new()).await;
        assert_eq!(answer.status, case.status, "{}", case.case);
        assert_eq!(answer.text(), case.text, "{}", case.case);
        for (name, value) in &case.headers {
            let ours = answer.header(name);
            if name == "access-control-allow-methods" {
                assert_eq!(words(ours), words(value), "{}: {name}", case.case);
            } else if name == "vary" {
                assert!(words(&ours.to_lowercase()).contains(&"origin"), "{}: {name}: {ours}", case.case);
            } else {
                assert_eq!(ours, value, "{}: {name}", case.case);
            }
        }
        for name in ["access-control-allow-origin", "access-control-allow-headers", "allow"] {
            assert_eq!(answer.headers.contains_key(name), case.headers.contains_key(name), "{}: {name}", case.case);
        }
    }
}

fn words(list: &str) -> Vec<&str> {
    let mut words: Vec<_> = list.split(',').map(str::trim).collect();
    words.sort_unstable();
    words
}
