//! `observability-api archive` and `retention`.
//!
//! A server that has the database does the work, as it does once a day by itself; otherwise the file is opened here.

use clap::Args;
use indicatif::{HumanBytes, HumanCount};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::client::{ClientError, Remote};
use crate::archive::{ArchiveError, MovedDay};
use crate::config::Settings;
use crate::store::{Store, StoreError, lock};
use crate::upkeep::{Dropped, Order, Upkeep};

/// How days are to be archived.
#[derive(Debug, Clone, Args)]
pub struct ArchiveArguments {
    /// How the work is to be done
    #[command(flatten)]
    upkeep: UpkeepArguments,
    /// Take over an archive that belongs to another database, or to another copy of this one, which must not be used with
    /// it any more; files that this database does not list are set aside where others take their place
    #[arg(long, conflicts_with = "dry_run")]
    adopt: bool,
}

/// How the work is to be done.
#[derive(Debug, Clone, Args)]
pub struct UpkeepArguments {
    /// Change nothing; say what would be done
    #[arg(long)]
    dry_run: bool,
    /// The clock is right: go on although it is far from what it said before, as after weeks without the server
    #[arg(long)]
    confirm_clock: bool,
}

impl UpkeepArguments {
    fn order(&self) -> Order {
        Order { dry_run: self.dry_run, confirm_clock: self.confirm_clock }
    }
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Work {
    /// Move old days into the archive.
    Archive(ArchiveArguments),
    /// Drop older ones.
    Retention(UpkeepArguments),
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The work itself.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The database could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no database file.
    #[error("there is no database at {}: name it with --database", .0.display())]
    NoDatabase(std::path::PathBuf),
    /// A server has the database, which cannot be told to take over an archive.
    #[error("the database is open in process {0}: stop that server, take the archive over, and start it again")]
    StopFirst(u32),
    /// The server that has the database.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Some days stay where they were.
    #[error("{0} of the days stay in the database; the reasons are above")]
    Incomplete(usize),
}

/// Does the work with the database of `settings`, or tells the server that has it open.
pub async fn run(work: Work, settings: Settings) -> Result<(), UpkeepError> {
    match work {
        Work::Archive(ArchiveArguments { upkeep, adopt }) => {
            let order = upkeep.order();
            if let Some(holder) = lock::holder(&settings.store.path).filter(|_| adopt) {
                return Err(UpkeepError::StopFirst(holder.pid));
            }
            let moved = match Remote::with_database(&settings.store.path)? {
                Some(server) => ask(&server, "archive", order).await?,
                None => here(&settings, adopt, async |upkeep: Upkeep| upkeep.archive(order).await).await?,
            };
            tell_moved(&moved, order.dry_run)
        }
        Work::Retention(arguments) => {
            let order = arguments.order();
            let dropped = match Remote::with_database(&settings.store.path)? {
                Some(server) => ask(&server, "retention", order).await?,
                None => here(&settings, false, async |upkeep: Upkeep| upkeep.retention(order).await).await?,
            };
            tell_dropped(&dropped, order.dry_run);
            Ok(())
        }
    }
}

/// Opens the database for as long as it takes. An interrupt ends the work between two of its steps.
async fn here<T>(
    settings: &Settings,
    adopt: bool,
    work: impl AsyncFnOnce(Upkeep) -> Result<T, ArchiveError>,
) -> Result<T, UpkeepError> {
    let path = &settings.store.path;
    if !path.exists() {
        return Err(UpkeepError::NoDatabase(path.clone()));
    }
    let store = Store::open(&settings.store)?;
    let stop = CancellationToken::new();
    let upkeep = Upkeep::new(&store, settings, stop.clone());
    let ownership = store.ownership();
    let done = {
        let mut working = std::pin::pin!(async {
            if adopt {
                ownership.adopt().await?;
            }
            ownership.check().await?;
            work(upkeep).await
        });
        tokio::select! {
            done = &mut working => done,
            Ok(()) = tokio::signal::ctrl_c() => {
                stop.cancel();
                working.await
            }
        }
    };
    store.close().await?;
    Ok(done?)
}

async fn ask<T: DeserializeOwned>(server: &Remote, work: &str, order: Order) -> Result<T, UpkeepError> {
    let request = server
        .order(&format!("/api/operator/{work}"))
        .query(&[("dry_run", order.dry_run), ("confirm_clock", order.confirm_clock)]);
    let response = server.send(request).await?;
    Ok(response.json().await.map_err(server.unreachable())?)
}

fn tell_moved(days: &[MovedDay], dry_run: bool) -> Result<(), UpkeepError> {
    for day in days {
        let size = day.bytes.map_or_else(String::new, |bytes| format!("  {}", HumanBytes(bytes)));
        let error = day.error.as_deref().map_or_else(String::new, |error| format!("  stays: {error}"));
        super::say(&format!("{:18} {}  {} rows{size}{error}", day.table, day.date, HumanCount(day.rows)));
    }
    let failed = days.iter().filter(|day| day.error.is_some()).count();
    let rows: u64 = days.iter().filter(|day| day.error.is_none()).map(|day| day.rows).sum();
    let what = if dry_run { "would be archived" } else { "archived" };
    super::say(&format!("{} days with {} rows {what}", days.len() - failed, HumanCount(rows)));
    if failed > 0 { Err(UpkeepError::Incomplete(failed)) } else { Ok(()) }
}

fn tell_dropped(dropped: &[Dropped], dry_run: bool) {
    for part in dropped {
        let what = match (&part.level, part.days) {
            (Some(level), _) => format!("{} buckets of {level}", HumanCount(part.rows)),
            (None, days) => {
                let (days, bytes) = (days.unwrap_or(0), HumanBytes(part.archived_bytes));
                format!("{days} days, {} rows, {bytes} in the archive", HumanCount(part.rows))
            }
        };
        super::say(&format!("{:18} before {}  {what}", part.table, part.before));
    }
    let rows: u64 = dropped.iter().map(|part| part.rows).sum();
    let what = if dry_run { "would be dropped" } else { "dropped" };
    super::say(&format!("{} rows and buckets {what}", HumanCount(rows)));
}
