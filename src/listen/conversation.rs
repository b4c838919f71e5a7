//! HTTP on one connection, until one of the two has enough.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::activity::{Activity, Closed};
use super::admission::{Connections, Place};
use super::exchange::Exchange;
use super::outgoing::{Outgoing, TurnedAway};
use super::socket::Socket;
use super::{HANDSHAKE, Multiplexed, Overloaded, PATIENCE, SHORT_PATIENCE};

/// The longest head of a request, and what is read or written in one piece.
const BUFFER: usize = 16 << 10;
/// Requests that one HTTP/2 connection may have under way.
const STREAMS: u32 = 32;
/// The headers of one of them.
const HEADERS: u32 = 16 << 10;
/// What may wait to be sent for one of them.
const SEND_BUFFER: usize = 64 << 10;
/// What a client may send of the bodies of all its requests before they are read, which is not counted: enough for an upload
/// at the pace of a local network, and little where thousands of connections do it.
const WINDOW: u32 = 256 << 10;
/// HTTP/2 pings: a peer that is gone is noticed.
const PING: Duration = Duration::from_secs(20);
/// How long a connection that is to be closed may take for its farewell.
const FAREWELL: Duration = Duration::from_secs(1);
/// The same when somebody waits for its place.
const SHORT_FAREWELL: Duration = Duration::from_millis(20);

/// What all connections share.
pub(super) struct Shared<S> {
    protocol: Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    service: S,
    /// Cancelled when the server begins to stop.
    pub(super) stopping: CancellationToken,
    /// Cancelled when nobody waits for what is still under way.
    pub(super) stopped: CancellationToken,
}

impl<S> Shared<S>
where
    S: Service<Request<Incoming>, Response = Response<Outgoing>, Error = TurnedAway, Future: Send>
        + Clone
        + Send
        + 'static,
{
    pub(super) fn new(service: S, tls: Option<TlsAcceptor>, stopping: CancellationToken) -> Self {
        Self { protocol: protocol(), tls, service, stopping, stopped: CancellationToken::new() }
    }

    /// Talks to a client until one of the two has enough.
    pub(super) async fn converse(&self, stream: TcpStream, place: Place) {
        let (connections, activity) = (Arc::clone(place.connections()), Arc::clone(&place.activity));
        let overloaded = place.overloaded;
        let socket = Socket::new(stream, place, self.tls.is_some());
        let Some(tls) = &self.tls else {
            return self.speak(socket, &connections, &activity, overloaded).await;
        };
        let encrypted = tokio::select! {
            handshake = tokio::time::timeout(HANDSHAKE, tls.accept(socket)) => handshake.ok().and_then(Result::ok),
            reason = activity.overdue(if overloaded { SHORT_PATIENCE } else { PATIENCE }) => {
                return connections.close(reason);
            }
            () = self.stopping.cancelled() => return,
        };
        match encrypted {
            Some(socket) => self.speak(socket, &connections, &activity, overloaded).await,
            None => connections.close_handshake(),
        }
    }

    async fn speak<I>(&self, socket: I, connections: &Connections, activity: &Arc<Activity>, overloaded: bool)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|mut request: Request<Incoming>| {
            let exchange = Exchange::begin(activity);
            if exchange.multiplexed {
                request.extensions_mut().insert(Multiplexed);
            }
            if overloaded {
                request.extensions_mut().insert(Overloaded);
                // One answer, in HTTP/2 as well, which has no header to say so.
                activity.displace();
            }
            let responses = (request.version() == Version::HTTP_2).then(|| connections.responses().clone());
            let answer = self.service.clone().oneshot(request);
            // A connection has room for this from its beginning to its end: so what is large of it is somewhere else.
            Box::pin(async move {
                Ok::<_, TurnedAway>(answer.await?.map(|outgoing| match responses {
                    Some(responses) => exchange.answer_among_others(outgoing, &responses),
                    None => exchange.answer(outgoing),
                }))
            })
        });
        let connection = self.protocol.serve_connection_with_upgrades(TokioIo::new(socket), service);
        tokio::pin!(connection);
        let patience = if overloaded { SHORT_PATIENCE } else { PATIENCE };
        let farewell = loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    match ended {
                        // What is left of it is a WebSocket, if anything is.
                        Ok(()) => activity.upgrade(),
                        Err(error) => tracing::debug!(%error, "a connection broke"),
                    }
                    return;
                }
                reason = activity.overdue(patience) => {
                    if !overloaded {
                        connections.close(reason);
                    }
                    break if overloaded || reason == Closed::Idle { FAREWELL } else { SHORT_FAREWELL };
                }
                // It takes no more requests, and is closed when it is overdue.
                () = activity.retired() => connection.as_mut().graceful_shutdown(),
                // A request may come to its end; half of a head is none.
                () = self.stopping.cancelled() => {
                    break if activity.idle().is_some() { FAREWELL } else { Duration::MAX };
                }
            }
        };
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection.as_mut() => activity.upgrade(),
            () = tokio::time::sleep(farewell) => {}
            () = self.stopped.cancelled() => {}
        }
    }
}

/// HTTP/1 and HTTP/2, within bounds. That a client takes too long is noticed by its [`Activity`], without a timer for each
/// request.
fn protocol() -> Builder<TokioExecutor> {
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol.http1().header_read_timeout(None).max_buf_size(BUFFER);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    protocol
}
