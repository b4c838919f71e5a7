//! Puts the parts together, in the order of the data, and takes them apart in the same order.

mod tasks;

use std::convert::Infallible;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::tasks::Tasks;
use crate::archive::ArchiveError;
use crate::backup::Backups;
use crate::batch::{Gate, ReadError};
use crate::budget::DescriptorShares;
use crate::collect::{self, Restored};
use crate::config::{Settings, TlsError};
use crate::listen::{self, Connections, Limits, Listener};
use crate::live::Live;
use crate::log::RecentLogs;
use crate::query::{NamedQueries, Queries, QueryFileError};
use crate::serve::{self, AppState, bodies::Bodies, guard::Guard, traffic::Traffic, ws};
use crate::store::{Failure, Store, StoreError};
use crate::time;
use crate::upkeep::{Implausible, ReplacedRows, Upkeep};

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
    /// The archive is another database's.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A question asked at the start.
    #[error("the database could not be asked where the desk stood: {0}")]
    Restore(#[from] ReadError),
    /// A file of queries.
    #[error(transparent)]
    Queries(#[from] QueryFileError),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
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
    let socket = tokio::net::TcpListener::from_std(listener)?;
    let tls = settings.server.tls.as_ref().map(|tls| tls.load()).transpose()?;
    let limits = limits(&settings);

    let store = Store::open(&settings.store)?;
    let heads = settings.store.memory().heads;
    let connections = Arc::new(Connections::new(limits, heads, store.responses()));
    store.ownership().check().await?;
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
    let mut tasks = Tasks::new(live.clone());
    let gate = store.batches().gate();
    let stalled = listen::cut_stalled(store.responses(), shutdown.clone());
    tasks.spawn("the watch over clients that take nothing", stalled);
    tasks.spawn("the watch over the disk", alert_while_disk_is_full(gate, live.clone(), shutdown.clone()));

    let collecting = CancellationToken::new();
    let mut collectors =
        collect::spawn(&settings.collect, &settings.store, live.clone(), store.batches(), restored, collecting.clone());
    let most = connections.limits().websockets();
    let websockets = Arc::new(ws::Clients::new(settings.server.max_websocket_clients.min(most)));
    tasks.watch("the clock of the WebSocket", ws::spawn_frames(live.clone(), websockets.clone(), shutdown.clone()));
    if settings.server.dev {
        tasks.spawn("the watch over queries", reload_when_changed(queries.clone(), shutdown.clone()));
    }

    let backups = Backups::new(&store, settings.backup_location(), shutdown.child_token());
    if let Some(every) = settings.backup.every {
        backups.schedule(every, settings.backup.keep);
    }

    let upkeep = Upkeep::new(&store, &settings, shutdown.child_token());
    let doubt = alert_while_clock_is_doubted(upkeep.doubt(), live.clone(), shutdown.clone());
    tasks.spawn("the watch over the clock", doubt);
    let mut daily = Tasks::new(live.clone());
    daily.watch("the daily run", upkeep.spawn());
    daily.spawn("the look for replaced rows", ReplacedRows::new(&store, shutdown.child_token()).run());

    let clients = websockets.clone();
    let service = serve::service(AppState {
        live,
        queries,
        batches: store.batches(),
        bodies: Bodies::new(&settings),
        store: store.monitor(),
        backups: backups.clone(),
        operator_token: store.operator_token(),
        guard: Arc::new(Guard::new(address, &settings.server)),
        connections: connections.clone(),
        settings: Arc::new(settings),
        logs,
        websockets,
        upkeep: upkeep.clone(),
        traffic: Arc::new(Traffic::default()),
        shutdown: shutdown.clone(),
    });
    let failure = store.failure();
    store.announce(address, tls.is_some());
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{address}");
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let listener = Listener { socket, tls, connections };
    tokio::select! {
        () = listen::serve(listener, service, shutdown.clone(), GOODBYE) => {}
        never = stop_on_failure(failure.clone(), shutdown) => match never {},
    }

    collecting.cancel();
    while collectors.join_next().await.is_some() {}
    tasks.ended().await;
    clients.left(GOODBYE).await;
    backups.close(GOODBYE).await;
    daily.ended().await;
    upkeep.ended().await;
    store.close().await?;
    if failure.is_raised() {
        return Err(ServerError::Failed);
    }
    tracing::info!("stopped: everything is stored");
    Ok(())
}

/// A server that cannot read or write any more is of no use: it ends, so that its supervisor starts it again.
async fn stop_on_failure(failure: Failure, shutdown: CancellationToken) -> Infallible {
    failure.raised().await;
    shutdown.cancel();
    std::future::pending().await
}

/// How many connections there may be, after the system has given all the descriptors that it gives.
fn limits(settings: &Settings) -> Limits {
    let (server, memory, descriptors) = (&settings.server, settings.store.memory(), DescriptorShares::claim());
    let limits = Limits::new(server.max_connections, server.max_connections_per_address, &memory, &descriptors);
    if limits.all == memory.connections && limits.all < server.max_connections as u64 {
        tracing::info!(
            connections = limits.all,
            "fewer connections than --max-connections says: there is one for each 128 KiB of --memory-limit"
        );
    } else if limits.all < server.max_connections as u64 {
        tracing::warn!(
            connections = limits.all,
            open_files = descriptors.limit,
            "fewer connections than --max-connections says: raise the limit of open files (ulimit -n, LimitNOFILE=)"
        );
    }
    limits
}

/// An alert that holds as long as rows are refused for want of space.
async fn alert_while_disk_is_full(gate: Gate, live: Arc<Live>, shutdown: CancellationToken) {
    let mut shortage = gate.watch();
    while let Some(Ok(())) = shutdown.run_until_cancelled(shortage.changed()).await {
        let condition = shortage.borrow_and_update().map(|shortage| shortage.to_string());
        live.alerts.set("disk_full", "critical", condition, time::now());
    }
}

/// An alert that holds as long as the clock is not believed.
async fn alert_while_clock_is_doubted(
    mut doubt: watch::Receiver<Option<Implausible>>,
    live: Arc<Live>,
    shutdown: CancellationToken,
) {
    while let Some(Ok(())) = shutdown.run_until_cancelled(doubt.changed()).await {
        let condition = doubt.borrow_and_update().map(|doubt| doubt.to_string());
        live.alerts.set("clock_implausible", "critical", condition, time::now());
    }
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
