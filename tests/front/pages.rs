//! What web pages can have a browser send.

use serde_json::json;

use crate::common::{Launch, Server};
use crate::{exchange, status};

const ROW: &str =
    r#"{"trade_id":"t","timestamp":"2025-10-21T12:00:00","symbol":"A","side":"buy","quantity":1,"price":1}"#;
const QUERY: &str = r#"{"sql":"SELECT 1 AS one"}"#;
/// What acts or costs, with a body that would be taken.
const ACTS: [(&str, &str); 4] = [
    ("POST /api/ingest/trades", ROW),
    ("POST /api/sql", QUERY),
    ("POST /api/metrics/history", "{}"),
    ("POST /api/system/alerts/acknowledge/none", ""),
];

fn from(server: &Server, lines: &[&str]) -> Vec<String> {
    let host = format!("host: {}", server.address);
    [host].into_iter().chain(lines.iter().map(|line| (*line).to_owned())).collect()
}

#[tokio::test]
async fn a_foreign_page_acts_nowhere_in_no_media_type() {
    let server = Server::start().await;
    for (request, body) in ACTS {
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:3001",
            "http://127.0.0.1",
            &format!("https://{}", server.address),
            &format!("http://{}.evil.example", server.address),
            &format!("http://10.0.0.9:{}", server.address.port()),
        ] {
            for media in [None, Some("text/plain"), Some("application/json"), Some("multipart/form-data; boundary=x")] {
                let media = media.map(|media| format!("content-type: {media}"));
                let origin = format!("origin: {origin}");
                let lines: Vec<_> = [Some(origin.as_str()), media.as_deref()].into_iter().flatten().collect();
                let answer = exchange(&server, request, &from(&server, &lines), body).await;
                assert!(answer.starts_with("HTTP/1.1 403 "), "{request} {lines:?}: {answer}");
                assert!(answer.contains("--cors-origins"), "the way out is named: {answer}");
            }
        }
        for site in ["cross-site", "same-site"] {
            let lines = from(&server, &[&format!("sec-fetch-site: {site}")]);
            assert_eq!(status(&server, request, &lines, body).await, 403, "{request} {site}");
        }
    }
    assert_eq!(server.sql_value("SELECT count(*) FROM trades").await, json!(0));
    let metrics = server.get("/metrics").await.text();
    assert!(!metrics.contains("observability_requests_refused_total{header=\"origin\"} 0"), "it is counted: {metrics}");
}

#[tokio::test]
async fn programs_known_pages_and_the_servers_own_act() {
    let server = Launch::new().arguments(["--cors-origins", "https://desk.example"]).start().await;
    let own = format!("origin: http://{}", server.address);
    let alias = format!("origin: http://localhost:{}", server.address.port());
    for lines in
        [&[][..], &[own.as_str()], &[alias.as_str()], &["origin: https://desk.example"], &["sec-fetch-site: none"]]
    {
        for (request, body) in ACTS {
            let lines = from(&server, lines);
            assert_eq!(status(&server, request, &lines, body).await, 200, "{request} {lines:?}");
        }
    }
}

#[tokio::test]
async fn a_foreign_page_may_link_here_but_not_embed_or_read() {
    let server = Server::start().await;
    let asks = async |lines: &[&str]| exchange(&server, "GET /api/trades/", &from(&server, lines), "").await;
    let read = asks(&["origin: http://evil.example"]).await;
    assert!(read.starts_with("HTTP/1.1 200 ") && !read.contains("access-control-allow-origin"), "{read}");
    let fetched = asks(&["origin: http://evil.example", "sec-fetch-site: cross-site"]).await;
    assert!(fetched.starts_with("HTTP/1.1 403 "), "nothing is computed for a page that cannot read it: {fetched}");
    // A page on another port of this machine is of the same site, and no less foreign.
    for site in ["sec-fetch-site: cross-site", "sec-fetch-site: same-site"] {
        let link = asks(&[site, "sec-fetch-mode: navigate"]).await;
        assert!(link.starts_with("HTTP/1.1 200 "), "{site}: {link}");
        let image = asks(&[site, "sec-fetch-mode: no-cors"]).await;
        assert!(image.starts_with("HTTP/1.1 403 "), "{site}: {image}");
    }
    for known in ["http://localhost:3000", "http://localhost:5173"] {
        let origin = format!("origin: {known}");
        let read = asks(&[&origin, "sec-fetch-site: same-site", "sec-fetch-mode: cors"]).await;
        assert!(read.starts_with("HTTP/1.1 200 ") && read.contains(known), "{known}: {read}");
    }
}
