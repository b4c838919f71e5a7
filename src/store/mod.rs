//! The database: the only place that names DuckDB.
//!
//! [`Store::open`] takes the lock file and the only connection the program opens; every other connection is a clone of
//! it. `writer` is the one thread that changes the file: `table_writer` stores a table's rows so that the last write
//! of a key wins, with the help of `watermarks`. [`Reader`] streams answers from a pool of connections and `interrupt`
//! stops those that take too long or that nobody waits for. `rollup` keeps buckets, `archive` makes the days in the
//! database and those in the archive one table. `schema` brings the file to the declared tables, `legacy` before it
//! those of an older service. `recover` opens a file whose log is damaged, `checkpoint` keeps the log short, and `space` the
//! disk from running full. `figures` counts what the writer does, `contents` measures what is stored.

mod active;
mod archive;
mod checkpoint;
mod clock;
mod commit;
mod contents;
mod error;
mod failure;
mod figures;
mod files;
mod identity;
mod interrupt;
mod job;
mod last_write;
mod late;
mod legacy;
mod load;
pub mod lock;
mod maintenance;
mod memory;
mod monitor;
mod new_keys;
mod pool;
mod reader;
mod recover;
mod results;
mod rollup;
pub mod schema;
mod snapshot;
mod space;
mod stall;
mod table_writer;
mod text;
mod transaction;
mod value;
mod watermarks;
mod write_ahead_log;
mod writer;

use std::net::SocketAddr;
use std::path::Path;

use duckdb::{Config, Connection};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub use archive::{FiledDay, HotDay, Sought};
pub use clock::ClockRecord;
pub use contents::{Contents, Measured};
pub use error::StoreError;
pub use failure::Failure;
pub use figures::Figures;
pub use identity::Identity;
pub use maintenance::{Maintenance, MaintenanceError};
pub use monitor::Monitor;
pub use new_keys::{NewKeys, Unlooked};
pub use pool::{Purpose, Usage};
pub use reader::Reader;
pub use recover::Loss;
pub use rollup::dropped::Dropped;
pub use rollup::{FINEST, LEVELS, Level, Rolled, Rollups, TableRollup, ranges, text as rollup_text};
pub use snapshot::{ArchivedDay, Done, NewestFirst, Snapshot, Statement, Statements};
pub use transaction::ReadTransaction;
pub use value::Value;

use crate::archive::{Files, Ownership};
use crate::batch::{BatchSender, channel};
use crate::budget::{Budget, Responses};
use crate::config::StoreSettings;

/// Tables whose series are kept apart by a label in their key, and which share the memory for it.
const LABELLED_TABLES: u64 = 2;

/// The open database.
pub struct Store {
    lock: lock::Lock,
    batches: BatchSender,
    reader: Reader,
    files: Files,
    identity: Identity,
    ownership: Ownership,
    maintenance: Maintenance,
    new_keys: NewKeys,
    rollups: Rollups,
    failure: Failure,
    monitor: Monitor,
    losses: Vec<Loss>,
    clock: ClockRecord,
    stop: CancellationToken,
    writer: std::thread::JoinHandle<()>,
}

impl Store {
    /// Opens the database file, creating it and its directory when they are missing, and starts the writer.
    ///
    /// Must be called on a runtime. Fails when another server has the file, when the file cannot be used, or when its
    /// tables are not the declared ones.
    pub fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        files::prepare(&settings.path)?;
        let lock = lock::Lock::acquire(&settings.path)?;
        let (connection, losses) = recover::open(settings)?;
        let connection = legacy::rebuild(connection, settings)?;
        schema::migrate(&connection)?;
        recover::report(&connection, &losses)?;
        let identity = Identity::of(&connection)?;
        let clock = clock::read(&connection)?;
        let (failure, rollups) = (Failure::default(), Rollups::default());
        let files = Files::new(&settings.archive(), &settings.archive_cache(), settings.archive_cache_bytes)
            .map_err(Box::new)?;
        let figures = Figures::new(&settings.path, settings.min_free_bytes);
        let active = active::ActiveQueries::default();
        let memory = memory::EngineMemory::start(connection.try_clone()?, settings.memory(), active.clone())
            .map_err(|error| StoreError::Writer(error.to_string()))?;
        let shares = settings.memory();
        let responses = Responses::new(shares.results, shares.responses);
        let new_keys = NewKeys::read(&connection)?;
        let shared = reader::Shared {
            files: files.clone(),
            rollups: rollups.clone(),
            bounds: rollup::Bounds::default(),
            failure: failure.clone(),
            figures: figures.clone(),
            active: active.clone(),
            memory,
            commits: commit::CommitLock::default(),
            new_keys: new_keys.clone(),
            gathered: Budget::new("rows that are put in order", shares.gathered),
            responses: responses.clone(),
        };
        let pools = pool::Pools::clone_of(&connection, &settings.reader_shares())?;
        let reader = Reader::new(pools, shared.clone());
        let monitor = Monitor {
            identity: identity.database.as_str().into(),
            contents: Contents::new(reader.reserved()),
            figures: figures.clone(),
            rollups: rollups.clone(),
            failure: failure.clone(),
            new_keys: new_keys.clone(),
            reader: reader.clone(),
            responses,
        };
        lock_down(&connection, files.directory())?;

        let (batches, receiver) = channel(settings.queue_bytes());
        let stop = CancellationToken::new();
        let pace = writer::Pace {
            batch_size: settings.batch_size,
            write_interval: settings.write_interval,
            rollup_interval: settings.rollup_interval,
            watermark_bytes: usize::try_from(settings.memory().labels / LABELLED_TABLES).unwrap_or(usize::MAX),
        };
        let (maintenance, tasks) = maintenance::channel(batches.gate());
        let ownership = Ownership::new(settings, identity.clone(), reader.reserved(), maintenance.clone());
        let ownership = ownership.map_err(Box::new)?;
        let space = space::Space::new(&settings.path, settings.min_free_bytes, batches.gate());
        let threshold =
            space::checkpoint_threshold(figures.files().floor).min(memory::checkpoint_threshold(&settings.memory()));
        let checkpoints = checkpoint::Checkpoints::new(&settings.path, threshold, figures.clone());
        let mut writer = writer::Writer::new(connection, receiver, tasks, pace, shared, space, checkpoints)?;
        // What was replayed is in memory until then. The thread that has replayed it can give that back, and no query needs
        // memory beside it yet.
        writer.keep_log_short();
        let (runtime, stopped) = (Handle::current(), stop.clone());
        let failure_of_writer = failure.clone();
        let writer = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.run(&runtime, &stopped)));
                if let Err(panic) = ended {
                    failure_of_writer.raise("the writer's thread panicked");
                    std::panic::resume_unwind(panic);
                }
            })
            .map_err(|error| StoreError::Writer(error.to_string()))?;
        Ok(Self {
            lock,
            batches,
            reader,
            files,
            identity,
            ownership,
            maintenance,
            new_keys,
            rollups,
            failure,
            monitor,
            losses,
            clock,
            stop,
            writer,
        })
    }

    /// The way in.
    pub fn batches(&self) -> BatchSender {
        self.batches.clone()
    }

    /// The way out.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Work on the database beside the rows that come in.
    pub fn maintenance(&self) -> Maintenance {
        self.maintenance.clone()
    }

    /// Keys that have come in and may be those of archived rows.
    pub fn new_keys(&self) -> NewKeys {
        self.new_keys.clone()
    }

    /// How far the roll-ups are.
    pub fn rollups(&self) -> Rollups {
        self.rollups.clone()
    }

    /// What the store has done and what there is in it.
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// What responses hold on their way to clients: batches here, bytes in whoever sends them.
    pub fn responses(&self) -> Responses {
        self.monitor.responses.clone()
    }

    /// Which database this is, and what its archive said when it was opened.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the archive is this database's.
    pub fn ownership(&self) -> Ownership {
        self.ownership.clone()
    }

    /// The files of archived days.
    pub fn files(&self) -> Files {
        self.files.clone()
    }

    /// Raised when the engine cannot go on: the program has to end and be started again.
    pub fn failure(&self) -> Failure {
        self.failure.clone()
    }

    /// What could not be taken over from the log of the last run.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// What the database remembered of the wall clock when it was opened.
    pub fn clock(&self) -> ClockRecord {
        self.clock
    }

    /// Tells others where this server can be asked.
    pub fn announce(&self, address: SocketAddr, secure: bool) {
        self.lock.announce(address, secure);
    }

    /// What commands of the operator have to show.
    pub fn operator_token(&self) -> lock::OperatorToken {
        self.lock.token()
    }

    /// Stores everything that was sent, checkpoints, and closes the file.
    pub async fn close(self) -> Result<(), StoreError> {
        self.stop.cancel();
        self.reader.close();
        let writer = self.writer;
        let ended = tokio::task::spawn_blocking(move || writer.join()).await;
        match ended {
            Ok(Ok(())) => Ok(()),
            _ => Err(StoreError::Writer("its thread panicked; see the log".into())),
        }
    }
}

/// From here on no statement reaches settings, the network, or files outside of `directory`, whoever wrote it.
fn lock_down(connection: &Connection, directory: &Path) -> Result<(), duckdb::Error> {
    let directory = directory.to_string_lossy().replace('\'', "''");
    connection.execute_batch(&format!("SET allowed_directories = ['{directory}']"))?;
    // The memory limit goes up and down with the commits.
    connection.execute_batch(
        "SET allowed_configs = ['memory_limit']; SET enable_external_access = false; SET lock_configuration = true",
    )
}

/// The only place where the program opens a connection.
fn connect(path: &Path, settings: &StoreSettings) -> Result<Connection, duckdb::Error> {
    let disk = space::Disk::of(path);
    let floor = disk.map_or(settings.min_free_bytes, |disk| disk.floor(settings.min_free_bytes));
    // Half of what may be used: what a query spills must not be what the writer lacks.
    let spill = disk.map_or(1 << 50, |disk| disk.free.saturating_sub(floor) / 2);
    let config = Config::default()
        .max_memory(&format!("{}B", settings.memory().engine))?
        .threads(i64::try_from(settings.threads.max(1)).unwrap_or(i64::MAX))?
        .with("autoinstall_known_extensions", "false")?
        .with("autoload_known_extensions", "false")?
        // A transaction is of the moment at which it begins, and not of its first look at the database.
        .with("immediate_transaction_mode", "true")?
        // The writer checkpoints by itself, between transactions; this is for what is written before it runs.
        .with("checkpoint_threshold", format!("{}B", 2 * space::checkpoint_threshold(floor)))?
        .with("max_temp_directory_size", format!("{spill}B"))?;
    let connection = Connection::open_with_flags(path, config)?;
    // The writer checkpoints at the end. A start that is broken off leaves the file and its log as they are.
    connection.execute_batch("PRAGMA disable_checkpoint_on_shutdown")?;
    Ok(connection)
}

#[cfg(test)]
mod tests;
