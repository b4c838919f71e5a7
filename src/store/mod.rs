//! The database: the only place that names DuckDB.
//!
//! [`Store::open`] takes the lock file and the only connection the program opens; every other connection is a clone of
//! it. `writer` is the one thread that changes the file: `table_writer` stores a table's rows so that the last write
//! of a key wins, with the help of `high_water`. [`Reader`] streams answers from a pool of connections and `interrupt`
//! stops those that take too long or that nobody waits for. `archive` makes the days in the database and those in the
//! archive one table. `schema` brings the file to the declared tables.

mod archive;
mod error;
mod failure;
mod high_water;
mod interrupt;
mod load;
pub mod lock;
mod maintenance;
mod reader;
mod rollup;
pub mod schema;
mod snapshot;
mod table_writer;
mod text;
mod transaction;
mod value;
mod writer;

use std::net::SocketAddr;
use std::path::Path;

use duckdb::{Config, Connection};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub use archive::{FiledDay, HotDay};
pub use error::StoreError;
pub use failure::Failure;
pub use maintenance::{Maintenance, MaintenanceError};
pub use reader::Reader;
pub use rollup::{LEVELS, Level};
pub use snapshot::{ArchivedDay, Rolled, Snapshot, Statement};
pub use transaction::ReadTransaction;
pub use value::Value;

use crate::archive::Files;
use crate::batch::{BatchSender, channel};
use crate::config::StoreSettings;

/// Connections kept for questions about the server itself.
const RESERVED_READERS: usize = 2;
/// Connections for transactions that are held open: a backup, one at a time.
const HELD_READERS: usize = 1;

/// The open database.
pub struct Store {
    lock: lock::Lock,
    batches: BatchSender,
    reader: Reader,
    files: Files,
    maintenance: Maintenance,
    failure: Failure,
    stop: CancellationToken,
    writer: std::thread::JoinHandle<()>,
}

impl Store {
    /// Opens the database file, creating it and its directory when they are missing, and starts the writer.
    ///
    /// Must be called on a runtime. Fails when another server has the file, when the file cannot be used, or when its
    /// tables are not the declared ones.
    pub fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        if let Some(directory) = settings.path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)
                .map_err(|source| StoreError::Unusable { path: directory.to_owned(), source })?;
        }
        let lock = lock::Lock::acquire(&settings.path)?;
        let connection = connect(&settings.path, settings)?;
        schema::migrate(&connection)?;
        let clones = |count| (0..count).map(|_| connection.try_clone()).collect::<Result<Vec<_>, _>>();
        let failure = Failure::default();
        let (clients, reserve, held) =
            (clones(settings.readers.max(1))?, clones(RESERVED_READERS)?, clones(HELD_READERS)?);
        let files = Files::new(&settings.archive(), &settings.archive_cache(), settings.archive_cache_bytes)
            .map_err(Box::new)?;
        let reader = Reader::new(clients, reserve, held, files.clone(), failure.clone());
        lock_down(&connection, files.directory())?;

        let (batches, receiver) = channel(settings.queue_bytes);
        let stop = CancellationToken::new();
        let pace = writer::Pace { batch_size: settings.batch_size, write_interval: settings.write_interval };
        let (maintenance, tasks) = maintenance::channel();
        let writer = writer::Writer::new(connection, receiver, tasks, pace, failure.clone())?;
        let (runtime, stopped) = (Handle::current(), stop.clone());
        let writer = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run(&runtime, &stopped))
            .map_err(|error| StoreError::Writer(error.to_string()))?;
        Ok(Self { lock, batches, reader, files, maintenance, failure, stop, writer })
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

    /// The files of archived days.
    pub fn files(&self) -> Files {
        self.files.clone()
    }

    /// Raised when the engine cannot go on: the program has to end and be started again.
    pub fn failure(&self) -> Failure {
        self.failure.clone()
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
    connection.execute_batch("SET enable_external_access = false; SET lock_configuration = true")
}

/// The only place where the program opens a connection.
fn connect(path: &Path, settings: &StoreSettings) -> Result<Connection, duckdb::Error> {
    let config = Config::default()
        .max_memory(&format!("{}B", settings.memory_limit_bytes))?
        .threads(i64::try_from(settings.threads.max(1)).unwrap_or(i64::MAX))?
        .with("autoinstall_known_extensions", "false")?
        .with("autoload_known_extensions", "false")?
        // A checkpoint at the default 16 MiB of log is what a writer of 10,000-row batches waits for most.
        .with("checkpoint_threshold", "128MB")?;
    Connection::open_with_flags(path, config)
}

#[cfg(test)]
mod tests;
