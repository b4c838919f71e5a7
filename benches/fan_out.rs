//! How the live stream reaches many clients: frames a client and second, time from send to receive, memory a client.
//!
//! ```text
//! cargo bench --bench fan_out -- --clients 5000 --seconds 30
//! ```
//!
//! Without `--address` the program starts a server of its own with simulated data. Clients and server share the
//! machine and its clock, so the latency is exact, and the clients' work is part of the load. 5,000 clients need
//! `ulimit -n 16384` or more.
#![allow(clippy::print_stdout, reason = "a benchmark talks on the terminal")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use futures::StreamExt;
use futures::stream;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

type Failure = Box<dyn Error + Send + Sync>;
type Client = WebSocketStream<TcpStream>;

/// Clients that shake hands at one time.
const HANDSHAKES: usize = 64;
/// Time for the server to start, and for each handshake.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time before the server's idle memory is looked at.
const WARM_UP: Duration = Duration::from_secs(5);
/// Time between the last handshake and the first frame that counts.
const SETTLE: Duration = Duration::from_secs(2);

#[derive(Parser)]
struct Arguments {
    /// Clients that listen.
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// Seconds to measure.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=120))]
    seconds: u64,
    /// A server that runs already; otherwise one is started.
    #[arg(long)]
    address: Option<SocketAddr>,
    /// Process id of that server, for its memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Said by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    match arguments.address {
        Some(address) => measure(&arguments, address, arguments.pid).await,
        None => {
            let directory = tempfile::tempdir()?;
            let (mut server, address) = start_server(directory.path()).await?;
            let outcome = measure(&arguments, address, server.id()).await;
            server.kill().await?;
            outcome
        }
    }
}

async fn start_server(directory: &std::path::Path) -> Result<(Child, SocketAddr), Failure> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?;
    let server = Command::new(env!("CARGO_BIN_EXE_observability-api"))
        .args(["--demo", "--host", "127.0.0.1", "--port", &address.port().to_string()])
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let started = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, started).await.map_err(|_| "the server did not start")?;
    Ok((server, address))
}

async fn measure(arguments: &Arguments, address: SocketAddr, pid: Option<u32>) -> Result<(), Failure> {
    // A server that has just started still fills its caches, which no client should be charged for.
    tokio::time::sleep(WARM_UP).await;
    let idle = pid.and_then(resident_kib);
    let handshakes = stream::iter(0..arguments.clients).map(|_| connect(address)).buffer_unordered(HANDSHAKES);
    let clients: Vec<Client> = handshakes.collect::<Vec<_>>().await.into_iter().collect::<Result<_, _>>()?;

    let start = Instant::now() + SETTLE;
    let end = start + Duration::from_secs(arguments.seconds);
    let listeners: Vec<_> = clients.into_iter().map(|client| tokio::spawn(listen(client, start, end))).collect();
    sleep_until(start).await;
    let busy_before = pid.and_then(processor_seconds);
    sleep_until(end).await;
    let busy_after = pid.and_then(processor_seconds);
    let loaded = pid.and_then(resident_kib);
    let mut latencies = Vec::new();
    for listener in listeners {
        latencies.extend(listener.await??);
    }
    latencies.sort_unstable_by(f64::total_cmp);

    let count = |number: usize| number as f64;
    let percentile = |share: f64| latencies.get((count(latencies.len()) * share) as usize).copied().unwrap_or(f64::NAN);
    println!("clients                    {}", arguments.clients);
    println!(
        "frames a client and second {:.2}",
        count(latencies.len()) / count(arguments.clients) / arguments.seconds as f64
    );
    println!("send to receive, ms        p50 {:.1}  p99 {:.1}", percentile(0.5) * 1e3, percentile(0.99) * 1e3);
    println!("slowest frame, ms          {:.1}", latencies.last().copied().unwrap_or(f64::NAN) * 1e3);
    if let (Some(idle), Some(loaded)) = (idle, loaded) {
        println!("server's memory, MiB       {:.1} idle, {:.1} loaded", idle / 1024.0, loaded / 1024.0);
        println!("memory a client, KiB       {:.1}", (loaded - idle) / count(arguments.clients));
    }
    if let (Some(before), Some(after)) = (busy_before, busy_after) {
        println!("server's work a frame, µs  {:.1}", (after - before) * 1e6 / count(latencies.len()));
    }
    Ok(())
}

async fn connect(address: SocketAddr) -> Result<Client, Failure> {
    let handshake = async {
        let socket = TcpStream::connect(address).await?;
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        let url = format!("ws://{address}/ws/metrics");
        let (client, _) = tokio_tungstenite::client_async_with_config(url, socket, Some(config)).await?;
        Ok(client)
    };
    timeout(PATIENCE, handshake).await?
}

/// Seconds from send to receive of every frame that came between `start` and `end`.
async fn listen(mut client: Client, start: Instant, end: Instant) -> Result<Vec<f64>, Failure> {
    let mut latencies = Vec::new();
    while let Ok(message) = timeout_at(end, client.next()).await {
        let Message::Text(text) = message.ok_or("the server closed the connection")?? else { continue };
        if let Some(sent) = server_time(&text)
            && Instant::now() >= start
        {
            latencies.push(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() - sent);
        }
    }
    Ok(latencies)
}

/// The last member of a frame; `None` for anything else.
fn server_time(text: &str) -> Option<f64> {
    let (_, number) = text.strip_suffix('}')?.rsplit_once("\"server_time\":")?;
    number.parse().ok()
}

/// What a process holds in memory; `None` where the system has no `/proc`.
fn resident_kib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time that a process has used; `None` where the system has no `/proc`.
fn processor_seconds(pid: u32) -> Option<f64> {
    /// Ticks in a second, as Linux counts them for programs on every architecture that matters here.
    const TICKS: f64 = 100.0;
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold blanks; what follows it is numbers, user and system time the 12th and 13th.
    let (_, numbers) = status.rsplit_once(')')?;
    let mut times = numbers.split_whitespace().skip(11).map(str::parse::<f64>);
    Some((times.next()?.ok()? + times.next()?.ok()?) / TICKS)
}
