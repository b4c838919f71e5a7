//! Every setting as the user names it: flag, environment variable and, in the section of its heading, key of the file.
//!
//! An option that is absent here is decided by what lies below it: the file, then the default in `config`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use serde::Deserialize;

use super::days::{Days, Retain, TableDays};
use super::value::{
    Address, Every, Host, Hosts, Level, OptionalDirectory, Origins, Rate, ServiceUrl, Size, Span, Whole, from_file,
};
use crate::config::mapping::Mapping;
use crate::config::{
    ArchiveSettings, BackupSettings, ClientSettings, CollectSettings, LogSettings, QuerySettings, RetentionSettings,
    ServerSettings, Settings, StoreSettings,
};

/// All of them; in the file, one section each.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Options {
    #[command(flatten)]
    pub(super) server: ServerOptions,
    #[command(flatten)]
    pub(super) store: StoreOptions,
    #[command(flatten)]
    pub(super) archive: ArchiveOptions,
    #[command(flatten)]
    pub(super) retention: RetentionOptions,
    #[command(flatten)]
    pub(super) collect: CollectOptions,
    #[command(flatten)]
    pub(super) query: QueryOptions,
    #[command(flatten)]
    pub(super) backup: BackupOptions,
    /// Of the commands, and in the file: the server asks nobody by them.
    #[arg(skip)]
    pub(super) client: ClientOptions,
    #[command(flatten)]
    pub(super) log: LogOptions,
}

#[derive(Debug, Clone, Default, Args, Deserialize)]
#[command(next_help_heading = "Server")]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServerOptions {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, env = "OBSERVABILITY_HOST", value_name = "ADDRESS")]
    #[serde(deserialize_with = "from_file")]
    host: Option<Host>,

    /// Port to listen on; 0 lets the system choose a free one [default: 8000]
    #[arg(long, env = "OBSERVABILITY_PORT", value_name = "PORT")]
    #[serde(deserialize_with = "from_file")]
    port: Option<Whole<0, 65_535>>,

    /// Threads that serve clients [default: one for each CPU]
    #[arg(long, env = "OBSERVABILITY_WORKERS", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    workers: Option<Whole<1, 1024>>,

    /// Read queries from disk again when their files change [default: false]
    #[arg(long, env = "OBSERVABILITY_DEV", value_name = "BOOL", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(deserialize_with = "from_file")]
    dev: Option<bool>,

    /// Private key for HTTPS, a PEM file; needs --ssl-certfile
    #[arg(long, env = "OBSERVABILITY_SSL_KEYFILE", value_name = "FILE")]
    #[serde(deserialize_with = "from_file")]
    pub(super) ssl_keyfile: Option<PathBuf>,

    /// Certificate chain for HTTPS, a PEM file; needs --ssl-keyfile
    #[arg(long, env = "OBSERVABILITY_SSL_CERTFILE", value_name = "FILE")]
    #[serde(deserialize_with = "from_file")]
    pub(super) ssl_certfile: Option<PathBuf>,

    /// Log every request [default: false]
    #[arg(long, env = "OBSERVABILITY_ACCESS_LOG", value_name = "BOOL", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(deserialize_with = "from_file")]
    access_log: Option<bool>,

    /// Web pages that may call from a browser, with commas between
    /// [default: http://localhost:3000,http://localhost:5173]
    #[arg(long, env = "OBSERVABILITY_CORS_ORIGINS", value_name = "ORIGINS")]
    #[serde(deserialize_with = "from_file")]
    cors_origins: Option<Origins>,

    /// Names and addresses that requests may call this server by, beside those that it listens as, with commas between: that
    /// of a proxy in front of it, for instance; * takes any, and with it pages that pretend to be this server
    #[arg(long, env = "OBSERVABILITY_ALLOWED_HOSTS", value_name = "HOSTS")]
    #[serde(deserialize_with = "from_file")]
    allowed_hosts: Option<Hosts>,

    /// Connections at one time, as far as --memory-limit (one for each 128 KiB) and the limit of open files allow; those that
    /// have waited longest for their clients make room for new ones [default: 16384]
    #[arg(long, env = "OBSERVABILITY_MAX_CONNECTIONS", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    max_connections: Option<Whole<1, 1_000_000>>,

    /// Connections of one address other than this machine's at one time; a proxy may need more [default: a quarter of all]
    #[arg(long, env = "OBSERVABILITY_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    max_connections_per_address: Option<Whole<1, 1_000_000>>,

    /// WebSocket clients at one time, and never more than three quarters of all connections; the next one is refused [default: 10000]
    #[arg(long, env = "OBSERVABILITY_MAX_WEBSOCKET_CLIENTS", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    max_websocket_clients: Option<Whole<1, 1_000_000>>,

    /// Memory that bodies of requests may take while they arrive and are decoded, all together; half of it while they
    /// arrive [default: an eighth of --memory-limit]
    #[arg(long, env = "OBSERVABILITY_INGEST_MEMORY", value_name = "SIZE")]
    #[serde(deserialize_with = "from_file")]
    ingest_memory: Option<Size>,

    /// Time that the body of a request may stand still while it arrives; then it is given up, or earlier if others need its
    /// room [default: 30s]
    #[arg(long, env = "OBSERVABILITY_UPLOAD_TIMEOUT", value_name = "TIME")]
    #[serde(deserialize_with = "from_file")]
    upload_timeout: Option<Span>,

    /// Largest body of a request, after decompression [default: 64MiB, or half of --ingest-memory]
    #[arg(long, env = "OBSERVABILITY_MAX_BODY_SIZE", value_name = "SIZE")]
    #[serde(deserialize_with = "from_file")]
    max_body_size: Option<Size>,
}

#[derive(Debug, Clone, Default, Args, Deserialize)]
#[command(next_help_heading = "Store")]
#[serde(default, deny_unknown_fields)]
pub(super) struct StoreOptions {
    /// The DuckDB file; with --demo, data/demo.duckdb unless one is named here [default: data/observability.duckdb]
    #[arg(long, env = "DUCKDB_PATH", value_name = "FILE")]
    #[serde(deserialize_with = "from_file")]
    pub(super) database: Option<PathBuf>,

    /// Collected rows that are written at the latest when there are this many [default: 100]
    #[arg(long, env = "BATCH_SIZE", value_name = "ROWS")]
    #[serde(deserialize_with = "from_file")]
    batch_size: Option<Whole<1, 1_000_000>>,

    /// Time after which collected rows are written at the latest, in seconds or with a unit [default: 1s]
    #[arg(long, env = "WRITE_INTERVAL", value_name = "TIME")]
    #[serde(deserialize_with = "from_file")]
    write_interval: Option<Span>,

    /// Time after which complete buckets of roll-ups are made at the latest [default: 10s]
    #[arg(long, env = "OBSERVABILITY_ROLLUP_INTERVAL", value_name = "TIME")]
    #[serde(deserialize_with = "from_file")]
    rollup_interval: Option<Span>,

    /// Memory that the server may take while rows come in, half of it for the buffers of the database; at least
    /// 64MiB [default: 2GiB]
    #[arg(long, env = "OBSERVABILITY_MEMORY_LIMIT", value_name = "SIZE")]
    #[serde(deserialize_with = "from_file")]
    memory_limit: Option<Size>,

    /// Threads that the database computes with [default: one for each CPU]
    #[arg(long, env = "OBSERVABILITY_THREADS", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    threads: Option<Whole<1, 1024>>,

    /// Database connections for named queries; exports have a quarter as many, users' SQL half as many [default: 32]
    #[arg(long, env = "OBSERVABILITY_READERS", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    readers: Option<Whole<1, 1024>>,

    /// Rows that may wait to be written, by size; beyond it, ingest is told to come back later
    /// [default: a sixteenth of --memory-limit]
    #[arg(long, env = "OBSERVABILITY_QUEUE_SIZE", value_name = "SIZE")]
    #[serde(deserialize_with = "from_file")]
    queue_size: Option<Size>,

    /// Space that stays free on the database's disk, but never more than a sixth of it; below that no rows are stored,
    /// and ingest is told so [default: 512MiB]
    #[arg(long, env = "OBSERVABILITY_MIN_FREE_SPACE", value_name = "SIZE")]
    #[serde(deserialize_with = "from_file")]
    min_free_space: Option<Size>,
}

#[derive(Debug, Clone, Default, Args, Deserialize)]
#[command(next_help_heading = "Archive")]
#[serde(default, deny_unknown_fields)]
pub(super) struct ArchiveOptions {
    /// Directory or s3://bucket/prefix for old days of this database [default: archive/NAME beside NAME.duckdb]
    #[arg(long, env = "OBSERVABILITY_ARCHIVE_LOCATION", value_name = "LOCATION")]
    #[serde(deserialize_with = "from_file")]
    pub(super) archive_location: Option<Address>,

    /// Local copies of old days that are in a bucket [default: 4GiB]
    #[arg(long, env = "OBSERVABILITY_ARCHIVE_CACHE_SIZE", value_name = "SIZE")]
    #[serde(deserialize_with = "from_file")]
    archive_cache_size: Option<Size>,

    /// Whole days that stay in the database besides today; older ones are archived; never archives none [default: 30]
    #[arg(long, env = "OBSERVABILITY_HOT_DAYS", value_name = "DAYS")]
    #[serde(deserialize_with = "from_file")]
    hot_days: Option<Days>,

    /// The same for single tables: in the file only.
    #[arg(skip)]
    tables: Option<TableDays>,
}

#[derive(Debug, Clone, Default, Args, Deserialize)]
#[command(next_help_heading = "Retention")]
#[serde(from = "Retain")]
pub(super) struct RetentionOptions {
    /// Days after which rows of tables and buckets of roll-ups are dropped, market_data=400d,rollup_1m=90d for
    /// instance; what is not named is kept
    #[arg(long, env = "OBSERVABILITY_RETAIN", value_name = "NAME=DAYS,...")]
    retain: Option<Retain>,
}

#[derive(Debug, Clone, Default, Args, Deserialize)]
#[command(next_help_heading = "Collect")]
#[serde(default, deny_unknown_fields)]
pub(super) struct CollectOptions {
    /// Play a simulated market in place of the desk's services [default: false]
    #[arg(long, env = "OBSERVABILITY_DEMO", value_name = "BOOL", value_parser = BoolishValueParser::new(),
          num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(deserialize_with = "from_file")]
    pub(super) demo: Option<bool>,

    /// Seed of the simulated market; the same seed gives the same market [default: 42]
    #[arg(long, env = "OBSERVABILITY_DEMO_SEED", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    demo_seed: Option<Whole<0, { usize::MAX }>>,

    /// Symbols of the simulated market [default: 8]
    #[arg(long, env = "OBSERVABILITY_DEMO_SYMBOLS", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    demo_symbols: Option<Whole<1, 100_000>>,

    /// Market data rows a second of each simulated symbol [default: 1]
    #[arg(long, env = "OBSERVABILITY_DEMO_RATE", value_name = "ROWS")]
    #[serde(deserialize_with = "from_file")]
    demo_rate: Option<Rate>,

    /// Time between two rounds of a collector [default: 1s]
    #[arg(long, env = "OBSERVABILITY_COLLECT_INTERVAL", value_name = "TIME")]
    #[serde(deserialize_with = "from_file")]
    collect_interval: Option<Span>,

    /// Prometheus endpoint of the market data service [default: http://127.0.0.1:9091/metrics]
    #[arg(long, env = "OBSERVABILITY_MARKET_DATA_URL", value_name = "URL")]
    #[serde(deserialize_with = "from_file")]
    market_data_url: Option<ServiceUrl>,

    /// Prometheus endpoint of the execution service [default: http://127.0.0.1:9092/metrics]
    #[arg(long, env = "OBSERVABILITY_EXECUTION_URL", value_name = "URL")]
    #[serde(deserialize_with = "from_file")]
    execution_url: Option<ServiceUrl>,

    /// Prometheus endpoint of the risk service [default: http://127.0.0.1:9093/metrics]
    #[arg(long, env = "OBSERVABILITY_RISK_URL", value_name = "URL")]
    #[serde(deserialize_with = "from_file")]
    risk_url: Option<ServiceUrl>,

    /// Time that a service may take to answer [default: 5s]
    #[arg(long, env = "OBSERVABILITY_SCRAPE_TIMEOUT", value_name = "TIME")]
    #[serde(deserialize_with = "from_file")]
    scrape_timeout: Option<Span>,

    /// Time after which a symbol or strategy that its service no longer speaks of leaves the newest values [default: 5m]
    #[arg(long, env = "OBSERVABILITY_LABEL_EXPIRY", value_name = "TIME")]
    #[serde(deserialize_with = "from_file")]
    label_expiry: Option<Span>,

    /// Which metric serves which column: too much for a flag, so in the file only.
    #[arg(skip)]
    mapping: Option<Mapping>,
}

#[derive(Debug, Clone, Default, Args, Deserialize)]
#[command(next_help_heading = "Query")]
#[serde(default, deny_unknown_fields)]
pub(super) struct QueryOptions {
    /// Time that a query may run [default: 30s]
    #[arg(long, env = "OBSERVABILITY_QUERY_TIME_LIMIT", value_name = "TIME")]
    #[serde(deserialize_with = "from_file")]
    query_time_limit: Option<Span>,

    /// Rows that the answer to users' SQL may have [default: 1000000]
    #[arg(long, env = "OBSERVABILITY_QUERY_MAX_ROWS", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    query_max_rows: Option<Whole<1, 1_000_000_000>>,

    /// Memory that users' SQL may take outside of the database, all of it together [default and most: 3/16 of the
    /// memory limit]
    #[arg(long, env = "OBSERVABILITY_QUERY_MEMORY_LIMIT", value_name = "SIZE")]
    #[serde(deserialize_with = "from_file")]
    pub(super) query_memory_limit: Option<Size>,

    /// Users' SQL queries that may run at one time [default: 4]
    #[arg(long, env = "OBSERVABILITY_QUERY_CONCURRENCY", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    query_concurrency: Option<Whole<1, 1024>>,

    /// Directory whose .sql files replace the built-in queries of the same path; with --dev, queries if there is one
    #[arg(long, env = "OBSERVABILITY_QUERY_DIRECTORY", value_name = "DIRECTORY")]
    #[serde(deserialize_with = "from_file")]
    query_directory: Option<PathBuf>,
}

/// The variable that says where backups are, to the server and to the commands.
pub(super) const BACKUP_LOCATION: &str = "OBSERVABILITY_BACKUP_LOCATION";

#[derive(Debug, Clone, Default, Args, Deserialize)]
#[command(next_help_heading = "Backup")]
#[serde(default, deny_unknown_fields)]
pub(super) struct BackupOptions {
    /// Directory or s3://bucket/prefix for backups of this database [default: NAME.backups beside NAME.duckdb]
    #[arg(long, env = BACKUP_LOCATION, value_name = "LOCATION")]
    #[serde(deserialize_with = "from_file")]
    pub(super) backup_location: Option<Address>,

    /// Time after which the newest backup is followed by another one, 24h for instance; off takes none by itself
    /// [default: off]
    #[arg(long, env = "OBSERVABILITY_BACKUP_EVERY", value_name = "TIME")]
    #[serde(deserialize_with = "from_file")]
    backup_every: Option<Every>,

    /// Complete backups that are kept by --backup-every; the oldest are removed [default: 7]
    #[arg(long, env = "OBSERVABILITY_BACKUP_KEEP", value_name = "N")]
    #[serde(deserialize_with = "from_file")]
    backup_keep: Option<Whole<1, 1_000_000>>,
}

#[derive(Debug, Clone, Default, Args, Deserialize)]
#[command(next_help_heading = "Client")]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClientOptions {
    /// PEM file with the certificates to trust where a server is asked by https [default: those of this machine]
    #[arg(long, env = "OBSERVABILITY_CA_FILE", value_name = "FILE")]
    #[serde(deserialize_with = "from_file")]
    ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Args, Deserialize)]
#[command(next_help_heading = "Log")]
#[serde(default, deny_unknown_fields)]
pub(super) struct LogOptions {
    /// critical, error, warning, info, debug or trace, or a filter such as info,observability_api::store=debug
    /// [default: info]
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL")]
    #[serde(deserialize_with = "from_file")]
    log_level: Option<Level>,

    /// Directory of observability_api.log, which starts anew every day or at 100 MB, 10 kept; none writes no file
    /// [default: logs]
    #[arg(long, env = "OBSERVABILITY_LOG_DIRECTORY", value_name = "DIRECTORY")]
    #[serde(deserialize_with = "from_file")]
    log_directory: Option<OptionalDirectory>,
}

impl Options {
    /// Writes what is given over `settings`. What needs both layers at once, TLS and `--demo`, is done in `resolve`.
    pub(super) fn apply(self, settings: &mut Settings) {
        self.server.apply(&mut settings.server);
        self.store.apply(&mut settings.store);
        self.archive.apply(&mut settings.store, &mut settings.archive);
        self.retention.apply(&mut settings.retention);
        self.collect.apply(&mut settings.collect);
        self.query.apply(&mut settings.query);
        self.backup.apply(&mut settings.backup);
        self.client.apply(&mut settings.client);
        self.log.apply(&mut settings.log);
    }
}

impl ServerOptions {
    fn apply(self, server: &mut ServerSettings) {
        set(&mut server.host, self.host);
        set(&mut server.port, self.port);
        set(&mut server.workers, self.workers);
        set(&mut server.dev, self.dev);
        set(&mut server.access_log, self.access_log);
        set(&mut server.cors_origins, self.cors_origins);
        set(&mut server.allowed_hosts, self.allowed_hosts);
        set(&mut server.max_connections, self.max_connections);
        if let Some(connections) = self.max_connections_per_address {
            server.max_connections_per_address = Some(connections.into());
        }
        set(&mut server.max_websocket_clients, self.max_websocket_clients);
        server.max_body_bytes = self.max_body_size.map(Into::into).or(server.max_body_bytes);
        server.ingest_memory_bytes = self.ingest_memory.map(Into::into).or(server.ingest_memory_bytes);
        set(&mut server.upload_timeout, self.upload_timeout);
    }
}

impl StoreOptions {
    fn apply(self, store: &mut StoreSettings) {
        set(&mut store.path, self.database);
        set(&mut store.batch_size, self.batch_size);
        set(&mut store.write_interval, self.write_interval);
        set(&mut store.rollup_interval, self.rollup_interval);
        set(&mut store.memory_limit_bytes, self.memory_limit);
        set(&mut store.threads, self.threads);
        set(&mut store.readers, self.readers);
        store.queue_bytes = self.queue_size.map(Into::into).or(store.queue_bytes);
        set(&mut store.min_free_bytes, self.min_free_space);
    }
}

impl ArchiveOptions {
    fn apply(self, store: &mut StoreSettings, archive: &mut ArchiveSettings) {
        if let Some(location) = self.archive_location {
            store.archive = Some(location.into());
        }
        set(&mut store.archive_cache_bytes, self.archive_cache_size);
        set(&mut archive.hot_days, self.hot_days);
        set(&mut archive.tables, self.tables);
    }
}

impl RetentionOptions {
    fn apply(self, retention: &mut RetentionSettings) {
        set(retention, self.retain);
    }
}

impl From<Retain> for RetentionOptions {
    fn from(retain: Retain) -> Self {
        Self { retain: Some(retain) }
    }
}

impl CollectOptions {
    fn apply(self, collect: &mut CollectSettings) {
        if let Some(demo) = &mut collect.demo {
            set(&mut demo.seed, self.demo_seed);
            set(&mut demo.symbols, self.demo_symbols);
            set(&mut demo.rate, self.demo_rate);
        }
        set(&mut collect.interval, self.collect_interval);
        set(&mut collect.market_data_url, self.market_data_url);
        set(&mut collect.execution_url, self.execution_url);
        set(&mut collect.risk_url, self.risk_url);
        set(&mut collect.scrape_timeout, self.scrape_timeout);
        set(&mut collect.label_expiry, self.label_expiry);
        set(&mut collect.mapping, self.mapping);
    }
}

impl QueryOptions {
    fn apply(self, query: &mut QuerySettings) {
        set(&mut query.time_limit, self.query_time_limit);
        set(&mut query.max_rows, self.query_max_rows);
        set(&mut query.concurrency, self.query_concurrency);
        set(&mut query.directory, self.query_directory);
    }
}

impl BackupOptions {
    fn apply(self, backup: &mut BackupSettings) {
        if let Some(location) = self.backup_location {
            backup.location = Some(location.into());
        }
        set(&mut backup.every, self.backup_every);
        set(&mut backup.keep, self.backup_keep);
    }
}

impl ClientOptions {
    fn apply(self, client: &mut ClientSettings) {
        client.ca_file = self.ca_file.or(client.ca_file.take());
    }
}

impl LogOptions {
    fn apply(self, log: &mut LogSettings) {
        set(&mut log.level, self.log_level);
        set(&mut log.directory, self.log_directory);
    }
}

fn set<T>(setting: &mut T, given: Option<impl Into<T>>) {
    if let Some(given) = given {
        *setting = given.into();
    }
}
