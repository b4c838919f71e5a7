//! HTTPS with a certificate that signed itself.

use std::path::PathBuf;

use tokio::net::TcpStream;

use crate::common::{Ended, Launch, Server, eventually, raw};

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

/// Runs a command in the directory of a server.
async fn command(server: &Server, environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let launch = Launch::new().directory(&server.directory).arguments(arguments).environment("NO_PROXY", "*");
    let launch = environment.iter().fold(launch, |launch, (name, value)| launch.environment(name, value));
    tokio::task::spawn_blocking(move || launch.run()).await.unwrap()
}

#[tokio::test]
async fn commands_speak_to_their_own_server_by_https() {
    let server = with_tls("key.pem").tls().start().await;
    std::fs::write(server.path().join("rows.csv"), "timestamp,symbol,last_price\n2025-10-21T12:00:00,A,1.5\n").unwrap();
    let named = format!("https://localhost:{}", server.address.port());
    let certificate = file("certificate.pem");
    let certificate = certificate.to_str().unwrap();
    let commands = [
        &["import", "market_data", "rows.csv"][..],
        &["export", "market_data"],
        &["query", "SELECT count(*) AS n FROM market_data", "--format", "csv"],
    ];
    // Whoever holds the lock of the database is the server.
    for arguments in [&commands[..], &[&["archive", "--dry-run"], &["retention", "--dry-run"], &["backup"]]].concat() {
        let ended = command(&server, &[], arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    }
    std::fs::write(server.path().join("client.toml"), format!("[client]\nca_file = {certificate:?}\n")).unwrap();
    for work in commands {
        let arguments = [work, &["--server", &named]].concat();
        let ended = command(&server, &[], &arguments).await;
        assert!(ended.code == Some(1) && ended.err.contains("--ca-file"), "a stranger is not trusted: {ended:?}");
        let shouted = named.replace("https", "HTTPS");
        let trusting = [
            (vec![], [&arguments[..], &["--ca-file", certificate]].concat()),
            (vec![], [work, &["--server", &shouted, "--ca-file", certificate]].concat()),
            (vec![("OBSERVABILITY_CA_FILE", certificate)], arguments.clone()),
            (vec![], [&arguments[..], &["--config", "client.toml"]].concat()),
        ];
        for (environment, arguments) in trusting {
            let ended = command(&server, &environment, &arguments).await;
            assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        }
        for (ca_file, told) in [("nowhere.pem", "nowhere.pem"), ("rows.csv", "no certificate")] {
            let ended = command(&server, &[], &[&arguments[..], &["--ca-file", ca_file]].concat()).await;
            assert!(ended.code == Some(1) && ended.err.contains(told), "{ended:?}");
        }
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let ended = with_tls("other-key.pem").run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("key.pem") || ended.err.contains("ssl-keyfile"), "{}", ended.err);
}
