//! The one writer: a thread that owns the connection through which every row goes in.

use std::sync::atomic::Ordering;
use std::time::Duration;

use duckdb::Connection;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::archive::archive_end;
use super::checkpoint::Checkpoints;
use super::commit::{self, CommitError};
use super::error::StoreError;
use super::maintenance::{Hands, Task, Tasks, TouchedDays};
use super::reader::Shared;
use super::rollup::{Bounds, Past, Reach, Roller, Stepped, Worker};
use super::space::Space;
use super::table_writer::{TableWriteError, TableWriter};
use crate::batch::{BatchReceiver, Shortage, Stored, Write, WriteError};
use crate::tables::{TABLES, Table};

/// Writes that one transaction takes at the most: enough to share a sync, few enough to keep it short.
const GROUP: usize = 256;
/// Rows after which a transaction takes no further write.
const GROUP_ROWS: usize = 200_000;

/// How long rows wait for memory that queries hold.
const PATIENCE_FOR_MEMORY: Duration = Duration::from_secs(5);

/// Failures after which collected rows are given up.
const PATIENCE: u32 = 60;

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
}

/// Gathers, groups and stores what arrives on the channel.
pub struct Writer {
    connection: Connection,
    tables: Vec<(TableWriter, Roller)>,
    worker: Worker,
    receiver: BatchReceiver,
    tasks: Tasks,
    touched: TouchedDays,
    pace: Pace,
    shared: Shared,
    space: Space,
    checkpoints: Checkpoints,
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
            tasks,
            touched,
            pace,
            shared,
            space,
            checkpoints,
            gathered,
            gathering_since,
        })
    }

    /// Runs until `stop` is cancelled or every sender is gone, then stores what is left and checkpoints.
    pub fn run(mut self, runtime: &Handle, stop: &CancellationToken) {
        let mut arrived = Vec::with_capacity(GROUP);
        loop {
            let open = match runtime.block_on(self.wait(&mut arrived, stop)) {
                Woken::Open => true,
                Woken::Closed => false,
                Woken::Rolled(stepped) => {
                    self.rolled(stepped);
                    true
                }
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
            };
            // Here too, so that senders are told by themselves when there is room again.
            let has_space = self.space.check(0).is_ok();
            let acknowledged = arrived.iter().any(|write| write.acknowledge.is_some());
            if !arrived.is_empty() {
                self.gathering_since.get_or_insert_with(Instant::now);
                self.gathered.append(&mut arrived);
            }
            if acknowledged || !open || self.is_due() {
                self.gathering_since = None;
                self.store_gathered();
            }
            if !open {
                break;
            }
            // First, as buckets that are being made are in the way of a checkpoint.
            self.keep_log_short();
            if has_space {
                self.roll_up();
            }
        }
        self.settle();
        let lost: usize = self.gathered.iter().map(rows).sum();
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
        let gathered = self.gathering_since.map(|since| since + self.pace.write_interval);
        // While buckets are being made, neither others nor a checkpoint can begin.
        let rolling = self.tables.iter().filter_map(|(_, roller)| roller.due()).min();
        let rolling = rolling.filter(|_| !self.worker.is_busy()).map(Instant::from_std);
        let checkpoint = self.checkpoints.due().filter(|_| !self.worker.is_busy()).map(Instant::from_std);
        // Without space there is nothing to do before there is some.
        let space = self.space.is_short().then(|| Instant::now() + LOOK_FOR_SPACE);
        let due = space.or_else(|| gathered.into_iter().chain(rolling).chain(checkpoint).min());
        // In no order, so that neither writes nor tasks can hold up the other for ever.
        tokio::select! {
            count = self.receiver.recv_many(arrived, GROUP) => if count > 0 { Woken::Open } else { Woken::Closed },
            Some(task) = self.tasks.recv(), if !self.receiver.is_closed() => Woken::Task(task),
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
        let rows: usize = self.gathered.iter().map(rows).sum();
        rows >= self.pace.batch_size
            || self.gathering_since.is_some_and(|since| since.elapsed() >= self.pace.write_interval)
    }

    fn store_gathered(&mut self) {
        if let Err(shortage) = self.space.check(0) {
            return self.hold_back(&shortage);
        }
        let mut waiting = std::mem::take(&mut self.gathered).into_iter().peekable();
        while waiting.peek().is_some() {
            let mut group_rows = 0;
            let mut group = Vec::new();
            while let Some(write) = waiting.next_if(|write| group.is_empty() || group_rows + rows(write) <= GROUP_ROWS)
            {
                group_rows += rows(&write);
                group.push(write);
            }
            self.store(group);
        }
    }

    /// Without space nothing is tried: whoever waits is told, and collected rows wait.
    fn hold_back(&mut self, shortage: &Shortage) {
        for write in std::mem::take(&mut self.gathered) {
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

    /// Stores a group in one transaction; when it fails, each write in one of its own, so that only the bad one fails.
    fn store(&mut self, group: Vec<Write>) {
        match self.transact_with_patience(&group) {
            Ok(stored) => group.into_iter().zip(stored).for_each(|(write, stored)| answer(write, Ok(stored))),
            Err(_) if group.len() > 1 => group.into_iter().for_each(|write| self.store(vec![write])),
            Err(error) => group.into_iter().for_each(|write| self.fail(write, &error)),
        }
    }

    /// Rows that somebody waits for are that client's to send again. Collected rows exist nowhere else: they are tried
    /// again with the next ones, so that a passing fault costs nothing; the room that they keep holds up collectors.
    fn fail(&mut self, mut write: Write, error: &TableWriteError) {
        if let TableWriteError::NoSpace(shortage) = error {
            return self.keep_or_refuse(write, shortage);
        }
        let (table, rows) = (write.table.name, rows(&write));
        write.failures += 1;
        if self.shared.failure.is_raised() {
            // Whether these rows are stored is known after the restart.
            return answer(write, Err(WriteError::EngineFailed));
        }
        if write.acknowledge.is_none() && write.failures < PATIENCE {
            tracing::warn!(table, rows, failures = write.failures, %error, "collected rows were not stored, trying again");
            self.gathered.push(write);
            self.gathering_since.get_or_insert_with(Instant::now);
        } else {
            tracing::error!(table, rows, %error, "rows were not stored");
            let want_of_memory = error.is_want_of_memory();
            answer(
                write,
                Err(if want_of_memory { WriteError::NoMemory } else { WriteError::Rejected(error.to_string()) }),
            );
        }
    }

    /// Stores a group. Where there is too little memory for it, queries are stopped, those first that hold most, until there
    /// is enough or some seconds have passed.
    fn transact_with_patience(&mut self, group: &[Write]) -> Result<Vec<Stored>, TableWriteError> {
        let until = Instant::now() + PATIENCE_FOR_MEMORY;
        let mut outcome = self.transact(group);
        while outcome.as_ref().is_err_and(TableWriteError::is_want_of_memory) && !self.shared.failure.is_raised() {
            let stopped = self.shared.memory.reclaim();
            let Ok(_reserve) = self.shared.memory.take() else { break };
            outcome = self.transact(group);
            if !stopped || Instant::now() >= until {
                break;
            }
        }
        outcome
    }

    fn transact(&mut self, group: &[Write]) -> Result<Vec<Stored>, TableWriteError> {
        if self.shared.failure.is_raised() {
            return Err(TableWriteError::Commit(CommitError::Refused));
        }
        self.space.check(group.iter().map(Write::bytes).sum())?;
        let started = Instant::now();
        commit::begin(&self.connection, &self.shared)?;
        let mut pasts: Vec<Past> = self.tables.iter().map(|(_, roller)| roller.past()).collect();
        let stored =
            self.store_tables(group, &mut pasts).and_then(|()| Ok(commit::commit(&self.connection, &self.shared)?));
        let stored = stored.map_err(|error| self.name(error));
        let counts = self.shared.figures.counts();
        match stored {
            Ok(()) => {
                counts.commits.record_duration(started.elapsed());
                counts.commit_rows.record(group.iter().map(rows).sum::<usize>() as f64);
                let outcomes = group.iter().map(|write| self.stored(write, &pasts)).collect();
                for ((_, roller), past) in self.tables.iter_mut().zip(&mut pasts) {
                    roller.committed(past);
                    past.days().iter().for_each(|day| self.touched.touch(roller.table(), *day));
                    if self.shared.bounds.has_archive(roller.table()) {
                        self.shared.new_keys.add(roller.table(), past.take_keys());
                    }
                }
                Ok(outcomes)
            }
            Err(error) => {
                counts.failed_commits.fetch_add(1, Ordering::Relaxed);
                self.tables.iter_mut().for_each(|(_, roller)| roller.rolled_back());
                // A commit that failed has ended the transaction already.
                commit::roll_back(&self.connection, &self.shared);
                Err(error)
            }
        }
    }

    /// Counts a write that is committed. Says so where nothing but its rows will tell of it.
    fn stored(&mut self, write: &Write, pasts: &[Past]) -> Stored {
        let of_table = self.tables.iter_mut().zip(pasts);
        let of_table = of_table.map(|((_, roller), past)| (roller, past));
        let mut of_table = of_table.filter(|(roller, _)| std::ptr::eq(roller.table(), write.table));
        let of_dropped_days = of_table.next().map_or(0, |(roller, past)| {
            let days = past.of_dropped_days(&write.batches);
            roller.came_too_late(&days);
            days.values().sum()
        });
        self.shared.figures.stored(write.table, rows(write), of_dropped_days);
        Stored { of_dropped_days }
    }

    /// Tells a full disk from what is wrong with the rows, and both from the end of the engine.
    fn name(&self, error: TableWriteError) -> TableWriteError {
        let text = error.to_string();
        self.shared.failure.notice(&text);
        if self.shared.failure.is_raised() {
            return error;
        }
        self.space.ran_out(&text).map_or(error, Into::into)
    }

    fn store_tables(&mut self, group: &[Write], pasts: &mut [Past]) -> Result<(), TableWriteError> {
        for ((writer, roller), past) in self.tables.iter_mut().zip(pasts) {
            let of_table = |table: &'static Table| move |write: &&Write| std::ptr::eq(write.table, table);
            let writes = group.iter().filter(of_table(writer.table()));
            writer.store(&self.connection, writes.flat_map(|write| &write.batches), past)?;
            if past.has_keys() && self.shared.bounds.has_archive(roller.table()) {
                self.shared.new_keys.note(&self.connection, roller.table())?;
            }
            // After the rows: what is computed again is made of them.
            roller.keep_exact(&self.connection, past)?;
        }
        Ok(())
    }

    /// Checkpoints when it is time. What does not succeed is tried again. Without room for it nothing is tried: a
    /// checkpoint that runs out of space is the end of the engine. Nor after that end: the log is right, and what the
    /// engine holds in memory would take its place.
    fn keep_log_short(&mut self) {
        if self.shared.failure.is_raised() || self.worker.is_busy() || !self.space.has_room_for_checkpoint() {
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
        if !self.worker.is_busy() {
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

fn rows(write: &Write) -> usize {
    write.batches.iter().map(|batch| batch.num_rows()).sum()
}

fn answer(write: Write, outcome: Result<Stored, WriteError>) {
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
