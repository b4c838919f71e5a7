//! Puts the parts together, in the order of the data, and takes them apart in the same order.

use std::convert::Infallible;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use axum::response::Response;
use axum_server::tls_rustls::RustlsConfig;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tower::make::Shared;

use crate::backup::Backups;
use crate::batch::{Gate, ReadError};
use crate::collect::{self, Restored};
use crate::config::Settings;
use crate::live::Live;
use crate::log::RecentLogs;
use crate::query::{NamedQueries, Queries, QueryFileError};
use crate::serve::{self, AppState, traffic::Traffic, ws};
use crate::store::{Failure, Store, StoreError};
use crate::time;
use crate::upkeep::Upkeep;

/// How long clients may take to finish what they have begun when the server stops.
const GOODBYE: Duration = Duration::from_secs(5);
/// How often `--dev` looks at the files of queries.
const LOOK_FOR_CHANGES: Duration = Duration::from_millis(500);
/// Where `--dev` finds the files of queries when no directory is set.
const QUERIES_DIRECTORY: &str = "queries";

/// Why the server could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A question asked at the start.
    #[error("the database could not be asked where the desk stood: {0}")]
    Restore(#[from] ReadError),
    /// A file of queries.
    #[error(transparent)]
    Queries(#[from] QueryFileError),
    /// The certificate or its key.
    #[error("cannot use the certificate {} with the key {}: {source}", .certificate.display(), .key.display())]
    Tls {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The engine gave up.
    #[error(
        "the database engine failed and has to be opened again: start the server again, acknowledged rows are safe"
    )]
    Failed,
    /// The socket.
    #[error("the server cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

/// Runs until `shutdown` is cancelled, then stops in this order: no new requests, collectors hand over their last
/// rows, clients finish, the writer stores everything and checkpoints.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    logs: RecentLogs,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    // Uptime counts from here.
    time::monotonic_seconds();
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let tls = match &settings.server.tls {
        Some(tls) => Some(certificate(&tls.certificate, &tls.key).await?),
        None => None,
    };

    let store = Store::open(&settings.store)?;
    let named = Arc::new(NamedQueries::new(queries_directory(&settings)));
    let queries = Queries::new(store.reader(), named, &settings.query);
    queries.reload().await?;
    let restored =
        Restored { execution: queries.last_execution().await?, strategies: queries.last_strategies().await? };
    let live = Arc::new(Live::new());

    let now = time::now();
    for loss in store.losses().iter().filter(|loss| loss.reason.is_some()) {
        live.alerts.set("database_log_damaged", "critical", Some(loss.to_string()), now);
    }
    tokio::spawn(alert_while_disk_is_full(store.batches().gate(), live.clone()));

    let collecting = CancellationToken::new();
    let mut collectors =
        collect::spawn(&settings.collect, &settings.store, live.clone(), store.batches(), restored, collecting.clone());
    let websockets = Arc::new(ws::Clients::new(settings.server.max_websocket_clients));
    let frames = ws::spawn_frames(live.clone(), websockets.clone(), shutdown.clone());
    if settings.server.dev {
        tokio::spawn(reload_when_changed(queries.clone(), shutdown.clone()));
    }

    let backups = Backups::new(&store, settings.backup_location(), shutdown.child_token());
    if let Some(every) = settings.backup.every {
        backups.schedule(every, settings.backup.keep);
    }

    let upkeep = Upkeep::new(&store, &settings, shutdown.child_token());
    let daily = upkeep.spawn();

    let clients = websockets.clone();
    let service = serve::service(AppState {
        live,
        queries,
        batches: store.batches(),
        store: store.monitor(),
        backups: backups.clone(),
        operator_token: store.operator_token(),
        settings: Arc::new(settings),
        logs,
        websockets,
        upkeep: upkeep.clone(),
        traffic: Arc::new(Traffic::default()),
        shutdown: shutdown.clone(),
    });
    let failure = store.failure();
    tokio::spawn(stop_on_failure(failure.clone(), shutdown.clone()));
    store.announce(address, tls.is_some());
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{address}");
    let served = listen(listener, tls, Shared::new(service), shutdown).await;

    collecting.cancel();
    while collectors.join_next().await.is_some() {}
    // An error means that the clock has stopped already.
    let _ = frames.await;
    clients.left(GOODBYE).await;
    backups.close(GOODBYE).await;
    // An error means that it has ended already.
    let _ = daily.await;
    upkeep.ended().await;
    store.close().await?;
    if failure.is_raised() {
        return Err(ServerError::Failed);
    }
    tracing::info!("stopped: everything is stored");
    Ok(served?)
}

/// A server that cannot read or write any more is of no use: it ends, so that its supervisor starts it again.
async fn stop_on_failure(failure: Failure, shutdown: CancellationToken) {
    failure.raised().await;
    shutdown.cancel();
}

/// An alert that holds as long as rows are refused for want of space.
async fn alert_while_disk_is_full(gate: Gate, live: Arc<Live>) {
    let mut shortage = gate.watch();
    while shortage.changed().await.is_ok() {
        let condition = shortage.borrow_and_update().map(|shortage| shortage.to_string());
        live.alerts.set("disk_full", "critical", condition, time::now());
    }
}

async fn listen<S>(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    service: Shared<S>,
    shutdown: CancellationToken,
) -> std::io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let handle = axum_server::Handle::new();
    tokio::spawn({
        let handle = handle.clone();
        async move {
            shutdown.cancelled().await;
            handle.graceful_shutdown(Some(GOODBYE));
        }
    });
    match tls {
        Some(tls) => axum_server::from_tcp_rustls(listener, tls)?.handle(handle).serve(service).await,
        None => {
            let acceptor = axum_server::accept::NoDelayAcceptor::new();
            axum_server::from_tcp(listener)?.acceptor(acceptor).handle(handle).serve(service).await
        }
    }
}

async fn certificate(certificate: &Path, key: &Path) -> Result<RustlsConfig, ServerError> {
    // An error means that a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    RustlsConfig::from_pem_file(certificate, key).await.map_err(|source| ServerError::Tls {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })
}

fn queries_directory(settings: &Settings) -> Option<PathBuf> {
    let in_working_directory = || Some(PathBuf::from(QUERIES_DIRECTORY)).filter(|path| path.is_dir());
    settings.query.directory.clone().or_else(|| settings.server.dev.then(in_working_directory).flatten())
}

/// Reads the files of queries again whenever one of them was changed.
async fn reload_when_changed(queries: Queries, shutdown: CancellationToken) {
    let mut seen = queries.last_change();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_FOR_CHANGES) => {}
        }
        let now = queries.last_change();
        if now == seen {
            continue;
        }
        seen = now;
        match queries.reload().await {
            Ok(()) => tracing::info!("queries read again"),
            Err(error) => tracing::error!(%error, "the queries stay as they were"),
        }
    }
}
