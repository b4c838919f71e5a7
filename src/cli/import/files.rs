//! The rows of files.

use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use tokio::sync::mpsc;

use super::outcome::Outcome;
use super::sink::Sink;
use super::{ImportArguments, ImportError};
use crate::cli::progress::{Progress, say};
use crate::config::Settings;
use crate::tables::Table;
use crate::transfer::{Converter, FileFormat, Mapping, Plan, Reader, Rejects, open};

/// Batches between the thread that reads and the database.
const BATCHES_IN_FLIGHT: usize = 2;

/// Rows on their way, and how far the file is read.
struct Piece {
    rows: Option<RecordBatch>,
    position: u64,
    /// Columns that are not taken and were not known of at the start.
    late: Vec<String>,
}

/// What is known of a file once it is open.
struct Opened {
    size: Option<u64>,
    ignored: Vec<String>,
}

/// Imports every file, one after the other.
pub async fn run(arguments: ImportArguments, settings: Settings) -> Result<(), ImportError> {
    let Some(table) = arguments.table else { return Ok(()) };
    let mapping = arguments.mapping();
    mapping.check(table)?;
    let mut outcome = Outcome::new(arguments.common.clone())?;
    let sink = Sink::open(arguments.common.server.clone(), &settings, arguments.common.dry_run)?;
    let mut imported = Ok(());
    for path in &arguments.files {
        imported = import(&arguments, table, &mapping, path, &sink, &mut outcome).await;
        if imported.is_err() {
            break;
        }
    }
    sink.close().await?;
    imported?;
    outcome.finish()
}

async fn import(
    arguments: &ImportArguments,
    table: &'static Table,
    mapping: &Mapping,
    path: &Path,
    sink: &Sink,
    outcome: &mut Outcome,
) -> Result<(), ImportError> {
    let (opened, opening) = tokio::sync::oneshot::channel();
    let (pieces, mut received) = mpsc::channel(BATCHES_IN_FLIGHT);
    let job = Job {
        table,
        mapping: mapping.clone(),
        path: path.to_owned(),
        format: arguments.format,
        batch_rows: arguments.common.batch_rows as usize,
        rejects: std::mem::take(outcome.rejects()),
    };
    let reading = tokio::task::spawn_blocking(move || job.run(opened, &pieces));
    let name = path.display().to_string();
    let (mut stored, mut of_dropped_days) = (0, 0);
    let mut written = Ok(());
    if let Ok(opened) = opening.await {
        if !opened.ignored.is_empty() {
            say(format_args!("{name}: not taken: {}; --map COLUMN=NAME takes a column", opened.ignored.join(", ")));
        }
        let mut late = Vec::new();
        let progress = Progress::bytes(opened.size, &name);
        while let Some(piece) = received.recv().await {
            if let Some(rows) = piece.rows {
                let count = rows.num_rows() as u64;
                match sink.store(table, rows).await {
                    Ok(outcome) => of_dropped_days += outcome.of_dropped_days as u64,
                    Err(error) => {
                        written = Err(error);
                        break;
                    }
                }
                stored += count;
            }
            late = piece.late;
            progress.at(piece.position);
            progress.rows(stored);
        }
        progress.end();
        if !late.is_empty() {
            say(format_args!("{name}: not taken, in later rows: {}", late.join(", ")));
        }
    }
    // Whoever reads finds out that nobody listens.
    drop(received);
    let (rejects, read) = reading.await?;
    *outcome.rejects() = rejects;
    if of_dropped_days > 0 {
        outcome.came_too_late(&name, of_dropped_days);
    }
    let ended = written.map_err(ImportError::from).and(read);
    match ended {
        Ok(()) => outcome.done(&name, table.name, stored),
        Err(cause) if stored > 0 => {
            return Err(ImportError::BrokeOff { source_name: name, stored, cause: Box::new(cause) });
        }
        Err(cause) => return Err(cause),
    }
    Ok(())
}

/// Reads and converts a file, on a thread for blocking work.
struct Job {
    table: &'static Table,
    mapping: Mapping,
    path: PathBuf,
    format: Option<FileFormat>,
    batch_rows: usize,
    rejects: Rejects,
}

impl Job {
    fn run(
        mut self,
        opened: tokio::sync::oneshot::Sender<Opened>,
        pieces: &mpsc::Sender<Piece>,
    ) -> (Rejects, Result<(), ImportError>) {
        let outcome = self.read(opened, pieces);
        (self.rejects, outcome)
    }

    fn read(
        &mut self,
        opened: tokio::sync::oneshot::Sender<Opened>,
        pieces: &mpsc::Sender<Piece>,
    ) -> Result<(), ImportError> {
        let mut reader = open(&self.path, self.format, &self.mapping.wanted(self.table))?;
        let name = self.path.display().to_string();
        let plan = Plan::new(self.table, &self.mapping, &name, reader.columns())?;
        // Whoever asked may have gone; sending the first piece will tell.
        let _ = opened.send(Opened { size: reader.size(), ignored: plan.ignored().to_vec() });
        let mut converter = Converter::new(plan, name, self.batch_rows);
        while let Some(rows) = reader.read()? {
            converter.push(rows.as_ref(), &mut self.rejects)?;
            if converter.length() >= self.batch_rows && !send(&mut converter, &reader, pieces)? {
                return Ok(());
            }
        }
        send(&mut converter, &reader, pieces).map(drop)
    }
}

/// Hands on what is converted; false when nobody takes it any more.
fn send(converter: &mut Converter, reader: &Reader, pieces: &mpsc::Sender<Piece>) -> Result<bool, ImportError> {
    let piece = Piece { rows: converter.finish()?, position: reader.position(), late: reader.late_columns().to_vec() };
    Ok(pieces.blocking_send(piece).is_ok())
}
