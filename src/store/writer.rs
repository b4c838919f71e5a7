//! The one writer: a thread that owns the connection through which rows go in. `queue` says in which order, `transact` stores
//! a group of writes, and `large` one that is stored `beside` the others.

mod beside;
mod large;
mod queue;
mod transact;

use std::time::Duration;

use duckdb::Connection;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::beside::{Beside, Large, Stored};
use self::queue::Queue;
use super::archive::archive_end;
use super::checkpoint::Checkpoints;
use super::error::StoreError;
use super::maintenance::{Hands, Task, Tasks, TouchedDays};
use super::reader::Shared;
use super::rollup::{Bounds, Reach, Roller, Stepped, Worker};
use super::space::Space;
use super::table_writer::TableWriter;
use crate::batch::{self, BatchReceiver, Shortage, Write, WriteError};
use crate::tables::{TABLES, Table};

/// Writes that one transaction takes at the most: enough to share a sync, few enough to keep it short.
const GROUP: usize = 256;
/// Rows after which a transaction takes no further write.
const GROUP_ROWS: usize = 100_000;
/// A write of more rows is stored beside the others, which need not wait for it.
const LARGE_ROWS: usize = 50_000;

/// How often a full disk is looked at again.
const LOOK_FOR_SPACE: Duration = Duration::from_secs(1);

/// When collected rows are written at the latest, and what is kept in memory for it.
pub struct Pace {
    /// When there are this many of them.
    pub batch_size: usize,
    /// When the oldest has waited this long.
    pub write_interval: Duration,
    /// How long complete buckets of roll-ups wait to be made.
    pub rollup_interval: Duration,
    /// What the watermarks of one table may take.
    pub watermark_bytes: usize,
}

/// Why the writer goes on.
enum Woken {
    /// Writes have come, or it is time.
    Open,
    /// No more writes can come.
    Closed,
    /// There is something else to do.
    Task(Task),
    /// A step of a rollup has ended.
    Rolled(Stepped),
    /// The rows of a large write are in their transaction, or cannot be.
    Stored(Box<(Large, Option<Stored>)>),
}

/// Gathers, groups and stores what arrives on the channel.
pub struct Writer {
    connection: Connection,
    tables: Vec<(TableWriter, Roller)>,
    worker: Worker,
    receiver: BatchReceiver,
    /// Whether no more writes can come.
    ended: bool,
    tasks: Tasks,
    touched: TouchedDays,
    pace: Pace,
    shared: Shared,
    space: Space,
    checkpoints: Checkpoints,
    queue: Queue,
    beside: Beside,
    /// Collected rows that nobody waits for, oldest first.
    gathered: Vec<Write>,
    /// When the oldest of them arrived.
    gathering_since: Option<Instant>,
}

impl Writer {
    /// Prepares the writer; reads the watermarks of every table.
    pub fn new(
        connection: Connection,
        receiver: BatchReceiver,
        tasks: Tasks,
        pace: Pace,
        shared: Shared,
        space: Space,
        checkpoints: Checkpoints,
    ) -> Result<Self, StoreError> {
        let worker = Worker::start(connection.try_clone()?, shared.clone())
            .map_err(|error| StoreError::Writer(error.to_string()))?;
        let writers = |table| {
            begin_bounds(&connection, table, &shared.bounds)?;
            let context = (shared.files.clone(), shared.bounds.clone(), worker.arrivals());
            Ok::<_, duckdb::Error>((
                TableWriter::new(&connection, table, pace.watermark_bytes)?,
                Roller::new(&connection, table, pace.rollup_interval, context)?,
            ))
        };
        let tables = TABLES.into_iter().map(writers).collect::<Result<_, _>>()?;
        let (gathered, gathering_since) = (Vec::new(), None);
        let touched = TouchedDays::default();
        Ok(Self {
            connection,
            tables,
            worker,
            receiver,
            ended: false,
            tasks,
            touched,
            pace,
            shared,
            space,
            checkpoints,
            queue: Queue::default(),
            beside: Beside::default(),
            gathered,
            gathering_since,
        })
    }

    /// Runs until `stop` is cancelled or every sender is gone, then stores what is left and checkpoints.
    pub fn run(mut self, runtime: &Handle, stop: &CancellationToken) {
        let mut arrived = Vec::with_capacity(GROUP);
        loop {
            match runtime.block_on(self.wait(&mut arrived, stop)) {
                Woken::Open => {}
                Woken::Closed => self.ended = true,
                Woken::Rolled(stepped) => self.rolled(stepped),
                Woken::Stored(stored) => self.finish(stored.0, stored.1),
                Woken::Task(task) => {
                    self.settle();
                    // Tasks ask the gate.
                    let _told = self.space.check(0);
                    task(&Hands {
                        connection: &self.connection,
                        touched: &self.touched,
                        tables: &self.tables,
                        bounds: &self.shared.bounds,
                        shared: &self.shared,
                    });
                    for (writer, roller) in &mut self.tables {
                        writer.archive_changed();
                        roller.maintained(&self.connection);
                    }
                    self.keep_log_short();
                    // A step may have ended while the task waited for it, and perhaps nothing is left to do.
                    self.report();
                    continue;
                }
            }
            // Here too, so that senders are told by themselves when there is room again.
            let has_space = self.space.check(0).is_ok();
            self.sort_in(&mut arrived);
            if self.queue.has_small() || self.ended || self.is_due() {
                self.store_next();
            }
            if self.ended && !self.queue.has_small() && !self.queue.has_large() && !self.beside.is_busy() {
                break;
            }
            // First, as buckets that are being made are in the way of a checkpoint, and a large write of both.
            self.keep_log_short();
            if has_space {
                self.roll_up();
            }
            self.begin_large();
        }
        self.settle();
        let lost: usize = self.gathered.iter().map(Write::rows).sum();
        if lost > 0 {
            tracing::error!(rows = lost, "collected rows could not be stored before the end");
        }
        if self.shared.failure.is_raised() {
            tracing::warn!("the file stays as it is, and the log is replayed at the next start");
        } else if !self.space.has_room_for_checkpoint() {
            tracing::warn!("there is no room on the disk for a last checkpoint; the log is replayed at the next start");
        } else if let Err(error) = self.checkpoints.checkpoint(&self.connection, &self.shared.memory) {
            tracing::warn!(%error, "the last checkpoint failed; the log is replayed at the next start");
        }
    }

    /// Waits for writes, for a task or for the time to flush.
    async fn wait(&mut self, arrived: &mut Vec<Write>, stop: &CancellationToken) -> Woken {
        let is_large_one_next = self.queue.has_large() && !self.beside.is_busy();
        if self.ended && !self.beside.is_busy() {
            return Woken::Closed;
        }
        let gathered = self.gathering_since.map(|since| since + self.pace.write_interval);
        // While buckets are being made or a large write is stored, neither others nor a checkpoint can begin.
        let is_busy = self.worker.is_busy() || self.beside.is_busy();
        let rolling = self.tables.iter().filter_map(|(_, roller)| roller.due()).min();
        let rolling = rolling.filter(|_| !is_busy).map(Instant::from_std);
        let checkpoint = self.checkpoints.due().filter(|_| !is_busy).map(Instant::from_std);
        // Without space there is nothing to do before there is some.
        let space = self.space.is_short().then(|| Instant::now() + LOOK_FOR_SPACE);
        let due = space.or_else(|| gathered.into_iter().chain(rolling).chain(checkpoint).min());
        // In no order, so that neither writes nor tasks can hold up the other for ever.
        tokio::select! {
            count = self.receiver.recv_many(arrived, GROUP), if !self.ended && !self.queue.is_full() => {
                if count > 0 { Woken::Open } else { Woken::Closed }
            }
            Some(task) = self.tasks.recv(), if !self.receiver.is_closed() && !self.beside.is_busy() => Woken::Task(task),
            () = std::future::ready(()), if self.queue.has_small() || is_large_one_next => Woken::Open,
            stored = self.beside.stored() => Woken::Stored(Box::new(stored)),
            () = stop.cancelled(), if !self.receiver.is_closed() => {
                // Whoever still sends is told so; what was sent before is received first.
                self.receiver.close();
                self.tasks.close();
                Woken::Open
            }
            reported = self.worker.reported() => reported.map_or(Woken::Open, Woken::Rolled),
            () = sleep_until(due) => Woken::Open,
        }
    }

    fn is_due(&self) -> bool {
        let rows: usize = self.gathered.iter().map(Write::rows).sum();
        rows >= self.pace.batch_size
            || self.gathering_since.is_some_and(|since| since.elapsed() >= self.pace.write_interval)
    }

    /// Takes in what has arrived, and what has come meanwhile: a small write among it may be stored before the others.
    fn sort_in(&mut self, arrived: &mut Vec<Write>) {
        let now = std::time::Instant::now();
        loop {
            for write in arrived.drain(..) {
                if write.acknowledge.is_none() {
                    self.gathering_since.get_or_insert_with(Instant::now);
                    self.gathered.push(write);
                } else if self.is_large(&write) {
                    self.queue.push_large(write);
                } else {
                    self.queue.push(write, now);
                }
            }
            if self.queue.is_full() {
                return;
            }
            match self.receiver.try_recv() {
                Ok(write) => arrived.push(write),
                Err(_) => return,
            }
        }
    }

    /// Stores collected rows and, with the last of them, the writes that are due first.
    fn store_next(&mut self) {
        if let Err(shortage) = self.space.check(0) {
            return self.hold_back(&shortage);
        }
        // They stay in their order.
        let are_held_up = self.gathered.iter().any(|write| self.beside.is_in_the_way_of(write));
        self.gathering_since = are_held_up.then(Instant::now);
        let collected = if are_held_up { Vec::new() } else { std::mem::take(&mut self.gathered) };
        let mut collected = collected.into_iter().peekable();
        loop {
            let mut group = Group::default();
            while let Some(write) = collected.next_if(|write| group.has_room_for(write)) {
                group.add(write);
            }
            let is_last = collected.peek().is_none();
            while is_last
                && let Some(write) =
                    self.queue.next_if(|write| self.beside.is_in_the_way_of(write), |write| group.has_room_for(write))
            {
                group.add(write);
            }
            if !group.writes.is_empty() {
                self.store(group.writes);
            }
            if is_last {
                return;
            }
        }
    }

    /// Without space nothing is tried: whoever waits is told, and collected rows wait.
    fn hold_back(&mut self, shortage: &Shortage) {
        let gathered = std::mem::take(&mut self.gathered);
        for write in gathered.into_iter().chain(self.queue.take_all()) {
            self.keep_or_refuse(write, shortage);
        }
    }

    fn keep_or_refuse(&mut self, write: Write, shortage: &Shortage) {
        if write.acknowledge.is_some() {
            answer(write, Err(WriteError::NoSpace(*shortage)));
        } else {
            self.gathered.push(write);
            self.gathering_since.get_or_insert_with(Instant::now);
        }
    }

    /// Checkpoints when it is time. What does not succeed is tried again. Without room for it nothing is tried: a
    /// checkpoint that runs out of space is the end of the engine. Nor after that end: the log is right, and what the
    /// engine holds in memory would take its place.
    pub fn keep_log_short(&mut self) {
        let is_busy = self.worker.is_busy() || self.beside.is_busy();
        if self.shared.failure.is_raised() || is_busy || !self.space.has_room_for_checkpoint() {
            return;
        }
        let held_up = self.checkpoints.is_held_up();
        if let Err(error) = self.checkpoints.keep_short(&self.connection, &self.shared.memory) {
            self.shared.failure.notice(&error.to_string());
            // An old question may be in the way for long: said once.
            if !held_up {
                tracing::warn!(%error, "the log of the database was not worked off; it is tried again until it is");
            }
        } else if held_up && !self.checkpoints.is_held_up() {
            tracing::info!("the log of the database is worked off again");
        }
    }

    /// Begins the next step of a rollup, for the table that waits longest, if none is under way.
    fn roll_up(&mut self) {
        if !self.worker.is_busy() && !self.beside.is_busy() {
            let due = self.tables.iter_mut().filter(|(_, roller)| roller.is_due());
            if let Some((_, roller)) = due.min_by_key(|(_, roller)| roller.due())
                && let Some(step) = roller.step(&self.connection)
            {
                self.worker.begin(step);
            }
        }
        self.report();
    }

    /// Tells how far rollups are.
    fn report(&self) {
        for (writer, roller) in &self.tables {
            self.shared.rollups.report(roller, writer.labels());
        }
    }

    /// Waits until no step of a rollup is under way: what follows would get in its way. No step waits for anything but the
    /// engine.
    fn settle(&mut self) {
        if let Some(stepped) = self.worker.wait() {
            self.rolled(stepped);
        }
    }

    fn rolled(&mut self, stepped: Stepped) {
        let mut rollers = self.tables.iter_mut().map(|(_, roller)| roller);
        let Some(roller) = rollers.find(|roller| std::ptr::eq(roller.table(), stepped.table)) else { return };
        match roller.stepped(stepped) {
            Ok(Some(until)) => self.shared.bounds.made_until(roller.table(), until),
            Ok(None) => {}
            Err(error) if error.is_want_of_memory() => drop(self.shared.memory.reclaim()),
            Err(error) => self.shared.failure.notice(&error.to_string()),
        }
    }
}

/// Tells questions, before there are any, what the database says of a table.
fn begin_bounds(connection: &Connection, table: &Table, bounds: &Bounds) -> Result<(), duckdb::Error> {
    bounds.begin(table, &Reach::read(connection, table)?, archive_end(connection, table)?);
    Ok(())
}

/// Writes that share a transaction.
#[derive(Default)]
struct Group {
    writes: Vec<Write>,
    rows: usize,
}

impl Group {
    fn has_room_for(&self, write: &Write) -> bool {
        self.writes.is_empty() || self.writes.len() < GROUP && self.rows + write.rows() <= GROUP_ROWS
    }

    fn add(&mut self, write: Write) {
        self.rows += write.rows();
        self.writes.push(write);
    }
}

fn answer(write: Write, outcome: Result<batch::Stored, WriteError>) {
    if let Some(acknowledge) = write.acknowledge {
        // Whoever waited may have gone; the rows stay.
        let _ = acknowledge.send(outcome);
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
