//! `serve`: from settings to a running server, and back down on a signal.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::signal;
use tokio_util::sync::CancellationToken;

use super::error::Failure;
use crate::budget::freed;
use crate::config::Settings;
use crate::{log, server};

/// Connections that may wait to be accepted: a desk's clients all come back at once after a restart.
const BACKLOG: u32 = 4096;

/// How long threads may take to end after the server has.
const GOODBYE: Duration = Duration::from_secs(2);

/// The exit code of a program that was interrupted, as shells count it.
const INTERRUPTED: i32 = 130;

/// A socket that cannot be listened on.
#[derive(Debug, thiserror::Error)]
enum ListenError {
    #[error("port {} of {} is in use: stop the program that uses it, or choose another port with --port", .0.port(), .0.ip())]
    InUse(SocketAddr),
    #[error("port {} needs privileges that this user does not have: choose one above 1023 with --port", .0.port())]
    Forbidden(SocketAddr),
    #[error("this machine has no address {}: choose another with --host, for example 127.0.0.1 or 0.0.0.0", .0.ip())]
    NoSuchAddress(SocketAddr),
    #[error("cannot listen on {address}: {error}")]
    Other { address: SocketAddr, error: std::io::Error },
}

/// Runs the server until it is told to stop or cannot go on.
pub fn serve(settings: Settings) -> Result<(), Failure> {
    // Dropped last: what is still on its way to the log file is written then.
    let log = log::start(&settings.log).map_err(Failure::new)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.server.workers)
        .thread_name("serve")
        .enable_all()
        .on_thread_park(freed::give_back_near_limit)
        .build()
        .map_err(Failure::new)?;
    let ended = runtime.block_on(async {
        survive_limits_of_files();
        let listener = listen(SocketAddr::new(settings.server.host, settings.server.port)).map_err(Failure::logged)?;
        say_what_starts(&settings);
        let shutdown = CancellationToken::new();
        tokio::spawn(stop_on_signal(shutdown.clone()));
        server::run(settings, listener, log.recent.clone(), shutdown).await.map_err(Failure::logged)
    });
    // Everything is stored by now; a thread that is still busy computes for a client that has gone.
    runtime.shutdown_timeout(GOODBYE);
    ended
}

fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart must not wait for the old connections' last minute. Elsewhere the option means port sharing.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    bound().map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => ListenError::InUse(address),
        std::io::ErrorKind::PermissionDenied => ListenError::Forbidden(address),
        std::io::ErrorKind::AddrNotAvailable => ListenError::NoSuchAddress(address),
        _ => ListenError::Other { address, error },
    })
}

/// What whoever starts the server has to know; `server` itself says where it listens, `collect` what it plays or asks.
fn say_what_starts(settings: &Settings) {
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(version, database = %settings.store.path.display(), workers = settings.server.workers, "starting");
    if !settings.server.host.is_loopback() {
        tracing::warn!("other machines can reach this server, and it asks nobody who they are: guard its port");
    }
}

/// The first signal asks for an orderly end, the second one ends the program at once.
async fn stop_on_signal(shutdown: CancellationToken) {
    signalled().await;
    tracing::info!("stopping: rows on their way are written first; a second signal stops at once");
    shutdown.cancel();
    signalled().await;
    std::process::exit(INTERRUPTED);
}

/// Where files may not become larger (`ulimit -f`, `LimitFSIZE=`), a write that goes beyond that is an error, which the store
/// knows how to end with. By default it is a signal that ends the program without a word.
#[cfg(target_os = "linux")]
fn survive_limits_of_files() {
    // Handled from here on, for good. An error leaves the default.
    let _ = signal::unix::signal(signal::unix::SignalKind::from_raw(libc::SIGXFSZ));
}

#[cfg(not(target_os = "linux"))]
fn survive_limits_of_files() {}

#[cfg(unix)]
async fn signalled() {
    use signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the system's own behaviour stays: a signal ends the program.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signalled() {
    if signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named_with_the_way_out() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let refused = listen(address).unwrap_err().to_string();
        assert!(refused.contains(&format!("port {} of 127.0.0.1 is in use", address.port())), "{refused}");
        assert!(refused.contains("--port"), "{refused}");
    }
}
