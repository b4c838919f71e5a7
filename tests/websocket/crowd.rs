//! Many clients at once, and one that does not read.
//!
//! `WEBSOCKET_SECONDS` says how long the crowd listens, 5 unless it is set.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::Client;
use crate::common::{Exporter, Launch, Server, eventually_within};

/// The p99 that a quiet machine keeps is 50 ms; the tests next to this one are not quiet.
const PATIENCE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hundred_clients_get_ten_frames_a_second_each() {
    const CLIENTS: usize = 100;
    let seconds = std::env::var("WEBSOCKET_SECONDS").map_or(5, |text| text.parse().unwrap());
    let frames = seconds * 10;
    let server = Server::start().await;
    let connections = (0..CLIENTS).map(|_| Client::connect(&server));
    let clients = futures::future::join_all(connections).await;
    assert_eq!(server.get("/health/live").await.json()["websocket_connections"], CLIENTS);
    let listening = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            client.frame().await;
            let began = Instant::now();
            let mut delays = Vec::with_capacity(frames);
            for _ in 0..frames {
                let sent = client.frame().await["server_time"].as_f64().unwrap();
                let received = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
                delays.push((received - sent).max(0.0));
            }
            (delays, began.elapsed())
        })
    });
    let mut delays = Vec::new();
    for listener in listening.collect::<Vec<_>>() {
        let (of_one, took) = listener.await.unwrap();
        let share = took.as_secs_f64() / seconds as f64;
        assert!((0.9..1.4).contains(&share), "{frames} frames took {took:?}");
        delays.extend(of_one);
    }
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| Duration::from_secs_f64(delays[((delays.len() - 1) as f64 * share) as usize]);
    println!(
        "{CLIENTS} clients, {} frames: sent to received p50 {:?}, p99 {:?}, max {:?}",
        delays.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert!(at(0.99) < PATIENCE, "p99 is {:?}", at(0.99));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_the_others_do_not_notice() {
    // Long frames fill the sockets of a client that does not read within seconds.
    let prices: String = (0..2_000).map(|symbol| format!("market_data_price{{symbol=\"S{symbol}\"}} 1.5\n")).collect();
    let exporter = Exporter::start(&prices).await;
    let nobody = || "http://127.0.0.1:1/metrics".to_owned();
    let server = Launch::new().desk([exporter.url(), nobody(), nobody()]).start().await;
    let mut reader = Client::connect(&server).await;
    eventually_within(Duration::from_secs(10), "the frames are long", async || {
        (reader.text().await.len() > 100_000).then_some(())
    })
    .await;

    let slow = TcpSocket::new_v4().unwrap();
    slow.set_recv_buffer_size(4_096).unwrap();
    let mut slow = slow.connect(server.address).await.unwrap();
    let handshake = format!(
        "GET /ws/metrics HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address
    );
    slow.write_all(handshake.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    slow.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 101");
    let connected = async || server.get("/health/live").await.json()["websocket_connections"].as_i64().unwrap();
    eventually_within(Duration::from_secs(5), "both are counted", async || (connected().await == 2).then_some(()))
        .await;

    let mut longest = Duration::ZERO;
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut frames = 0;
    while frames < 20 || connected().await > 1 {
        assert!(Instant::now() < deadline, "the slow client is still there");
        let began = Instant::now();
        reader.frame().await;
        longest = longest.max(began.elapsed());
        frames += 1;
    }
    assert!(longest < Duration::from_secs(5), "the reader waited {longest:?} for a frame");
}
