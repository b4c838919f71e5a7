//! Every setting, once: its name, its default, and what makes it valid.
//!
//! [`Settings`] is what the program runs with. It is made by `cli` from flags, environment variables, a TOML file and
//! these defaults, in that order of precedence, and checked once; nothing downstream checks again.

mod ages;
mod authority;
pub mod mapping;
mod memory;
mod tls;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use self::mapping::Mapping;
use crate::budget::{MemoryShares, ReaderShares};
use crate::location::Location;
pub use ages::{ArchiveSettings, RetentionSettings, level_name, table_name};
pub use authority::{Authority, Host, Origin};
pub use memory::MemoryError;
pub use tls::TlsError;

/// Everything the server can be told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// Sockets and clients.
    pub server: ServerSettings,
    /// The database file and its writer.
    pub store: StoreSettings,
    /// When days leave the database for the archive.
    pub archive: ArchiveSettings,
    /// When days are dropped.
    pub retention: RetentionSettings,
    /// Where values come from.
    pub collect: CollectSettings,
    /// Bounds of a query.
    pub query: QuerySettings,
    /// Where backups go, and when.
    pub backup: BackupSettings,
    /// How commands ask a server.
    pub client: ClientSettings,
    /// What is logged, and where.
    pub log: LogSettings,
}

/// Sockets and clients.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSettings {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// Threads that serve sockets.
    pub workers: usize,
    /// Read `queries/` from disk again when a file changes.
    pub dev: bool,
    /// Certificate and key for HTTPS.
    pub tls: Option<TlsSettings>,
    /// Log every request.
    pub access_log: bool,
    /// Origins that a browser may call from, with credentials.
    pub cors_origins: Vec<String>,
    /// What the server is called, beside what it listens as.
    pub allowed_hosts: AllowedHosts,
    /// Connections at one time, as far as there are memory and descriptors for them.
    pub max_connections: usize,
    /// Connections of one address at one time, other than this machine's own; a quarter of all unless it is set.
    pub max_connections_per_address: Option<usize>,
    /// WebSocket clients at one time; one more is refused at the handshake.
    pub max_websocket_clients: usize,
    /// Largest request body, in bytes after decompression; see [`Settings::max_body_bytes`].
    pub max_body_bytes: Option<usize>,
    /// What bodies may take while they arrive and are decoded, all together, in bytes; see [`Settings::ingest_memory`].
    pub ingest_memory_bytes: Option<u64>,
    /// Time that a body may stand still while it arrives, if nobody needs its room.
    pub upload_timeout: Duration,
}

/// Names and addresses of a server, beside those that it knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedHosts {
    /// These.
    Named(Vec<Host>),
    /// Whatever a request says.
    Any,
}

impl Default for AllowedHosts {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// Certificate and key, PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The database file and its writer.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSettings {
    /// The DuckDB file; its directory is created.
    pub path: PathBuf,
    /// Collected rows of a table that are written at the latest when there are this many.
    pub batch_size: usize,
    /// Collected rows are written at the latest after this time.
    pub write_interval: Duration,
    /// Complete buckets of roll-ups are made at the latest after this time.
    pub rollup_interval: Duration,
    /// What the server may take, in bytes; see [`StoreSettings::memory`].
    pub memory_limit_bytes: u64,
    /// Threads that the database computes with.
    pub threads: usize,
    /// Connections for the API's own queries; see [`StoreSettings::reader_shares`].
    pub readers: usize,
    /// Batches that may wait for the writer, in bytes; see [`StoreSettings::queue_bytes`].
    pub queue_bytes: Option<usize>,
    /// What stays free on the database's disk, in bytes, though never more than a sixth of the disk.
    pub min_free_bytes: u64,
    /// Where days leave the database for; without it, a directory beside the database.
    pub archive: Option<Location>,
    /// Local copies of archived days of a bucket, in bytes.
    pub archive_cache_bytes: u64,
}

impl StoreSettings {
    /// Who may take how much of the memory limit.
    pub fn memory(&self) -> MemoryShares {
        MemoryShares::of(self.memory_limit_bytes)
    }

    /// How many connections each kind of query has.
    pub fn reader_shares(&self) -> ReaderShares {
        ReaderShares::of(self.readers)
    }

    /// Batches that may wait for the writer, in bytes: their share of the memory limit unless another size is set.
    pub fn queue_bytes(&self) -> usize {
        self.queue_bytes.unwrap_or_else(|| usize::try_from(self.memory().queue).unwrap_or(usize::MAX))
    }

    /// Where archived days are: `archive/observability` beside `observability.duckdb` unless a place is named.
    pub fn archive(&self) -> Location {
        self.archive.clone().unwrap_or_else(|| Location::Directory(self.beside("archive")))
    }

    /// Where copies of archived days are, when the archive is a bucket.
    pub fn archive_cache(&self) -> PathBuf {
        self.beside("archive-cache")
    }

    /// A directory of this database's own beside it: there may be several databases in one directory.
    fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name).join(self.path.file_stem().unwrap_or_default())
    }
}

/// Where values come from.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectSettings {
    /// Time between two rounds of a collector.
    pub interval: Duration,
    /// The simulator in place of the desk.
    pub demo: Option<DemoSettings>,
    /// Prometheus endpoint of the market data service.
    pub market_data_url: String,
    /// Prometheus endpoint of the execution service.
    pub execution_url: String,
    /// Prometheus endpoint of the risk service.
    pub risk_url: String,
    /// Time that a scrape may take.
    pub scrape_timeout: Duration,
    /// After this time a symbol or strategy that no scrape speaks of is not among the newest values any more.
    pub label_expiry: Duration,
    /// Which metric serves which column.
    pub mapping: Mapping,
}

/// What the simulator plays.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoSettings {
    /// The same seed gives the same market.
    pub seed: u64,
    /// Number of symbols.
    pub symbols: usize,
    /// Market data rows of each symbol a second.
    pub rate: f64,
}

/// Bounds of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct QuerySettings {
    /// Time that a query may run.
    pub time_limit: Duration,
    /// Rows that an answer to users' SQL may have.
    pub max_rows: usize,
    /// Memory that users' SQL may take outside of the database, all of it together, in bytes.
    pub memory_limit_bytes: usize,
    /// Users' SQL queries that may run at one time; fewer where the memory is too little for so many.
    pub concurrency: usize,
    /// A directory whose `.sql` files replace the built-in ones of the same path.
    pub directory: Option<PathBuf>,
    /// The program that runs users' SQL in a process of its own: this one.
    pub program: PathBuf,
}

/// Where backups go, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupSettings {
    /// Where they go; `None` is a directory beside the database.
    pub location: Option<Location>,
    /// Time between two of them; `None` takes none unless told to.
    pub every: Option<Duration>,
    /// Complete ones that stay of those that are taken at an interval, at least one.
    pub keep: usize,
}

/// How commands ask a server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClientSettings {
    /// The certificates to trust, a PEM file; without it, those that this machine trusts.
    pub ca_file: Option<PathBuf>,
}

/// What is logged, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter in the syntax of `RUST_LOG`.
    pub level: String,
    /// Where `observability_api.log` goes; `None` writes no file.
    pub directory: Option<PathBuf>,
}

/// The database of the desk, relative to the working directory.
pub const DEFAULT_DATABASE: &str = "data/observability.duckdb";
/// The database of `--demo`, so that simulated rows never mix with real ones.
pub const DEMO_DATABASE: &str = "data/demo.duckdb";

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8000,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            dev: false,
            tls: None,
            access_log: false,
            cors_origins: vec!["http://localhost:3000".into(), "http://localhost:5173".into()],
            allowed_hosts: AllowedHosts::default(),
            max_connections: 16_384,
            max_connections_per_address: None,
            max_websocket_clients: 10_000,
            max_body_bytes: None,
            ingest_memory_bytes: None,
            upload_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::from(DEFAULT_DATABASE),
            batch_size: 100,
            write_interval: Duration::from_secs(1),
            rollup_interval: Duration::from_secs(10),
            memory_limit_bytes: 2 << 30,
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            readers: 32,
            queue_bytes: None,
            min_free_bytes: 512 << 20,
            archive: None,
            archive_cache_bytes: 4 << 30,
        }
    }
}

impl Default for CollectSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            demo: None,
            market_data_url: "http://127.0.0.1:9091/metrics".into(),
            execution_url: "http://127.0.0.1:9092/metrics".into(),
            risk_url: "http://127.0.0.1:9093/metrics".into(),
            scrape_timeout: Duration::from_secs(5),
            label_expiry: Duration::from_secs(300),
            mapping: Mapping::default(),
        }
    }
}

impl Default for DemoSettings {
    fn default() -> Self {
        Self { seed: 42, symbols: 8, rate: 1.0 }
    }
}

impl Default for QuerySettings {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(30),
            max_rows: 1_000_000,
            memory_limit_bytes: 384 << 20,
            concurrency: 4,
            directory: None,
            program: this_program(),
        }
    }
}

/// The running program, also when its file has been replaced since.
fn this_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        return PathBuf::from("/proc/self/exe");
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("observability-api"))
}

impl Default for BackupSettings {
    fn default() -> Self {
        Self { location: None, every: None, keep: 7 }
    }
}

impl Settings {
    /// Where backups go: `data/observability.backups` for `data/observability.duckdb`, unless a place is named.
    pub fn backup_location(&self) -> Location {
        let beside = || Location::Directory(self.store.path.with_extension("backups"));
        self.backup.location.clone().unwrap_or_else(beside)
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".into(), directory: Some(PathBuf::from("logs")) }
    }
}
