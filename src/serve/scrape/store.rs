//! The database, its archive, its roll-ups and its backups.

use std::sync::atomic::Ordering;

use super::{AppState, truth};
use crate::metrics::{Exposition, one};
use crate::store::Measured;
use crate::time::seconds;

/// The families of the store. What is `measured` in the database is left out while it is not known.
pub fn describe(state: &AppState, measured: Option<&Measured>, text: &mut Exposition) {
    files(state, text);
    writer(state, text);
    contents(measured, text);
    rollups(state, text);
    readers(state, measured, text);
    upkeep(state, text);
}

fn files(state: &AppState, text: &mut Exposition) {
    let files = state.store.figures.files();
    let number = |count: Option<u64>| one(count.map(|count| count as f64));
    text.gauge("observability_database_file_bytes", "Size of the database file.", number(files.database));
    text.gauge("observability_database_wal_bytes", "Size of its write-ahead log.", number(files.log));
    text.gauge("observability_disk_free_bytes", "What is free on its disk.", number(files.free));
    let floor = number(Some(files.floor));
    text.gauge("observability_disk_floor_bytes", "What stays free: with less, no rows are taken.", floor);
}

fn writer(state: &AppState, text: &mut Exposition) {
    let (figures, batches) = (&state.store.figures, &state.batches);
    let counts = figures.counts();
    text.histogram(
        "observability_flush_duration_seconds",
        "Time of a transaction of writes, from its begin until it is committed and synced.",
        [([], &counts.commits)],
    );
    text.histogram("observability_flush_rows", "Rows of a transaction of writes.", [([], &counts.commit_rows)]);
    let failed = counts.failed_commits.load(Ordering::Relaxed) as f64;
    text.counter("observability_flush_failures_total", "Transactions of writes that were undone.", one(failed));
    text.histogram("observability_checkpoint_duration_seconds", "Time of a checkpoint.", [([], &counts.checkpoints)]);
    let failed = counts.failed_checkpoints.load(Ordering::Relaxed) as f64;
    text.counter("observability_checkpoint_failures_total", "Checkpoints that did not succeed.", one(failed));
    text.counter(
        "observability_rows_stored_total",
        "Rows stored since the start, those that replaced others included.",
        figures.rows().map(|(table, rows)| ([("table", table.name)], rows as f64)),
    );
    text.counter(
        "observability_rows_of_dropped_days_total",
        "Those of them that are of days whose rows retention had dropped: no roll-up counts them.",
        figures.of_dropped_days().map(|(table, rows)| ([("table", table.name)], rows as f64)),
    );
    text.gauge("observability_queue_writes", "Writes that wait for the writer.", one(batches.depth() as f64));
    text.gauge("observability_queue_writes_limit", "How many may wait.", one(batches.most_writes() as f64));
    let waiting = batches.waiting_bytes() as f64;
    text.gauge("observability_queue_bytes", "Rows that wait for the writer or that it works on.", one(waiting));
    text.gauge("observability_queue_bytes_limit", "How many bytes of them may wait.", one(batches.most_bytes() as f64));
}

fn contents(measured: Option<&Measured>, text: &mut Exposition) {
    let amounts = || measured.iter().flat_map(|measured| &measured.amounts);
    text.gauge(
        "observability_table_rows",
        "Rows, or buckets of a roll-up, by tier; deleted ones count until a checkpoint.",
        amounts().map(|amount| ([("table", amount.table.name), ("tier", amount.tier.name())], amount.rows as f64)),
    );
    text.gauge(
        "observability_table_bytes",
        "Bytes on disk by tier. What is still in the log does not count. Of the database whole blocks, once a minute.",
        amounts().filter_map(|amount| {
            Some(([("table", amount.table.name), ("tier", amount.tier.name())], amount.bytes? as f64))
        }),
    );
}

fn rollups(state: &AppState, text: &mut Exposition) {
    let tables = state.store.rollups.watch().borrow().clone();
    text.gauge(
        "observability_rollup_lag_seconds",
        "Time of complete buckets that are not made yet; rows answer for them.",
        tables.iter().map(|(table, progress)| ([("table", *table)], seconds(progress.lag))),
    );
    text.gauge(
        "observability_rollup_share_ratio",
        "The part of the complete buckets that is made, 0 to 1.",
        tables.iter().map(|(table, progress)| ([("table", *table)], progress.share)),
    );
}

fn readers(state: &AppState, measured: Option<&Measured>, text: &mut Exposition) {
    let usage = state.store.reader.usage();
    text.gauge("observability_readers_in_use", "Questions that are being answered.", one(usage.used as f64));
    text.gauge("observability_readers_limit", "How many may be at one time.", one(usage.all as f64));
    let displaced = state.store.reader.displaced() as f64;
    text.counter(
        "observability_readers_displaced_total",
        "Requests that lost their readers: their clients took nothing while others waited.",
        one(displaced),
    );
    let results = state.store.responses.batches();
    text.gauge("observability_results_bytes", "Results that are not encoded yet.", one(results.used() as f64));
    text.gauge(
        "observability_results_bytes_limit",
        "How many bytes of them there may be.",
        one(results.limit() as f64),
    );
    let memory = measured.map(|measured| measured.memory_bytes as f64);
    text.gauge("observability_database_memory_bytes", "Memory of the database for its buffers.", one(memory));
    let limit = state.settings.store.memory().engine as f64;
    text.gauge("observability_database_memory_limit_bytes", "What it may take.", one(limit));
    let spilled = measured.map(|measured| measured.spilled_bytes as f64);
    text.gauge("observability_database_spilled_bytes", "What it has put aside on disk meanwhile.", one(spilled));
}

fn upkeep(state: &AppState, text: &mut Exposition) {
    let (archive, retention) = (state.upkeep.last(), state.upkeep.last_retention());
    let backup = state.backups.last();
    let attempted = backup.taken_at.is_some() || backup.error.is_some();
    let outcomes = [
        ("archive", archive.ended_at.map(|_| archive.last_error.is_none())),
        ("backup", attempted.then_some(backup.error.is_none())),
        ("retention", retention.ended_at.map(|_| !retention.failed)),
    ];
    let times = [("archive", archive.ended_at), ("backup", backup.taken_at), ("retention", retention.ended_at)];
    text.gauge(
        "observability_upkeep_last_timestamp_seconds",
        "When the last run ended; of backups, the last one that succeeded.",
        times.into_iter().filter_map(|(what, at)| Some(([("run", what)], seconds(at?)))),
    );
    text.gauge(
        "observability_upkeep_last_success",
        "Whether the last run succeeded.",
        outcomes.into_iter().filter_map(|(what, succeeded)| Some(([("run", what)], truth(succeeded?)))),
    );
    text.counter("observability_backup_failures_total", "Backups that failed.", one(backup.errors as f64));
    let days = archive.days_archived as f64;
    text.counter("observability_archived_days_total", "Days moved into the archive since the start.", one(days));
    let dropped = retention.rows_dropped as f64;
    text.counter("observability_retention_rows_total", "Rows and buckets dropped since the start.", one(dropped));
}
