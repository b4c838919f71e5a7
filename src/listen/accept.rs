//! Connections are taken in until the server stops, and then seen off.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::admission::Connections;
use super::conversation::Shared;
use super::outgoing::{Outgoing, TurnedAway};

/// Time between two attempts when the system cannot give a socket.
const PAUSE: Duration = Duration::from_millis(50);
/// Time between two lines of the log about it.
const COMPLAINT: Duration = Duration::from_secs(60);

/// Where clients come in.
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// Who encrypts, if anybody.
    pub tls: Option<TlsAcceptor>,
    /// Those who are in.
    pub connections: Arc<Connections>,
}

/// Serves until `shutdown` is cancelled; clients may then finish what they have begun, within `patience`.
pub async fn serve<S>(listener: Listener, service: S, shutdown: CancellationToken, patience: Duration)
where
    S: Service<Request<Incoming>, Response = Response<Outgoing>, Error = TurnedAway, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    let Listener { socket, tls, connections } = listener;
    let shared = Arc::new(Shared::new(service, tls, shutdown.clone()));
    let conversations = TaskTracker::new();
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            // Who is not admitted is hung up on.
            Ok((stream, peer)) => {
                if let Ok(place) = connections.admit(peer.ip()).await {
                    let shared = Arc::clone(&shared);
                    conversations.spawn(async move { shared.converse(stream, place).await });
                }
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                connections.out_of_descriptors();
                if complained.is_none_or(|before| before.elapsed() > COMPLAINT) {
                    complained = Some(Instant::now());
                    tracing::error!(%error, "the system has no socket for a client, which has to wait");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // From here on newcomers are refused by the system, and do not wait for nothing.
    drop(socket);
    conversations.close();
    if tokio::time::timeout(patience, conversations.wait()).await.is_err() {
        shared.stopped.cancel();
        conversations.wait().await;
    }
}

/// Whether a connection failed before it was accepted: that is nothing to pause for.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}
