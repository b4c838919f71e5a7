//! HTTPS with a certificate that signed itself.

use std::path::PathBuf;

use tokio::net::TcpStream;

use crate::common::{Launch, eventually, raw};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

fn with_tls(key: &str) -> Launch {
    let (certificate, key) = (file("certificate.pem"), file(key));
    Launch::new().arguments(["--ssl-certfile", certificate.to_str().unwrap(), "--ssl-keyfile", key.to_str().unwrap()])
}

#[tokio::test]
async fn https_is_served_with_key_and_certificate_files() {
    let mut server = with_tls("key.pem").tls().start().await;
    let answer = server.get("/health").await.expect(200);
    assert_eq!(answer.json()["status"], "healthy");

    let trusted = reqwest::Certificate::from_pem(&std::fs::read(file("certificate.pem")).unwrap()).unwrap();
    let client = reqwest::Client::builder().no_proxy().add_root_certificate(trusted);
    let client = client.resolve("localhost", server.address).build().unwrap();
    let url = format!("https://localhost:{}/health/", server.address.port());
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the redirect is followed");
    assert_eq!(answer.url().scheme(), "https", "and stays on https");

    let plain = raw::get(server.address, "/health").await;
    assert!(!plain.contains("healthy"), "no plain text on a port for TLS: {plain}");
    assert_eq!(server.terminate().await, Some(0));
}

#[tokio::test]
async fn handshakes_that_do_not_begin_make_room() {
    let server = with_tls("key.pem").arguments(["--max-connections", "8"]).tls().start().await;
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(TcpStream::connect(server.address).await.unwrap());
    }
    eventually("somebody makes room", async || {
        let answer = server.client.get(server.url("/health/ready")).send().await.ok()?;
        (answer.status() != 503).then_some(())
    })
    .await;
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let ended = with_tls("other-key.pem").run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("key.pem") || ended.err.contains("ssl-keyfile"), "{}", ended.err);
}
