//! The program's own log: to the terminal, to a file, and the newest entries for whoever asks over HTTP.

mod file;
mod recent;

use std::io::IsTerminal;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

pub use recent::{LogEntry, RecentLogs};

use crate::config::LogSettings;

/// The name of the crate as a log target; [`start`] widens it for `debug` and `trace`.
const OWN_TARGET: &str = "observability_api";

/// Lines that may wait for the disk; the queue is allocated whole.
const WAITING_LINES: usize = 8_192;

/// A log that runs. Keep it as long as the program: dropping it writes what is still on its way to the file.
#[derive(Debug)]
#[must_use]
pub struct Log {
    /// The newest entries.
    pub recent: RecentLogs,
    _file: Option<WorkerGuard>,
}

/// A log that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is no filter.
    #[error("the log level {level} is not understood: {reason}")]
    Level {
        /// The level.
        level: String,
        /// Why not.
        reason: String,
    },
    /// The process logs already.
    #[error("the process has a log already: {0}")]
    Started(String),
}

/// Starts logging for the whole process. A directory that cannot be written is a warning on the terminal.
pub fn start(settings: &LogSettings) -> Result<Log, LogError> {
    let filter = filter(&settings.level)?;
    let recent = RecentLogs::default();
    let (file, unwritable) = match settings.directory.as_deref().map(file::open).transpose() {
        Ok(file) => (file, None),
        Err(error) => (None, Some(error)),
    };
    let queue = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES);
    let (writer, guard) = file.map(|file| queue.finish(file)).unzip();
    // A line that cannot be written is lost: to say so where it should have gone would end the thread that has said it.
    let terminal = fmt::layer().log_internal_errors(false).compact().with_writer(std::io::stderr);
    let terminal = terminal.with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry()
        .with(filter)
        .with(terminal)
        .with(writer.map(|writer| fmt::layer().log_internal_errors(false).with_writer(writer).with_ansi(false)))
        .with(recent.layer())
        .try_init()
        .map_err(|error| LogError::Started(error.to_string()))?;
    if let (Some(error), Some(directory)) = (unwritable, &settings.directory) {
        tracing::warn!(
            "no log file: cannot write in {} ({error}); make the directory writable or choose another with --log-directory",
            directory.display()
        );
    }
    Ok(Log { recent, _file: guard })
}

/// A plain word more talkative than `info` is meant for this program, not for every library in it.
fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let directives = match level {
        "debug" | "trace" => format!("info,{OWN_TARGET}={level}"),
        other => other.to_owned(),
    };
    EnvFilter::try_new(&directives)
        .map_err(|error| LogError::Level { level: level.to_owned(), reason: error.to_string() })
}
