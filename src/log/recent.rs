//! The newest log entries, kept in memory for the API.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::time;

/// Entries that are kept; the oldest gives way.
const KEPT: usize = 1_000;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// When, naive UTC.
    pub timestamp: String,
    /// `TRACE`, `DEBUG`, `INFO`, `WARNING` or `ERROR`.
    #[serde(serialize_with = "level_name")]
    pub level: Level,
    /// The part of the program that speaks.
    pub target: String,
    /// What it says; the event's other fields follow as `name=value`.
    pub message: String,
}

/// The newest entries of the log. Cheap to clone; all clones see the same entries.
#[derive(Debug, Clone, Default)]
pub struct RecentLogs {
    entries: Arc<Mutex<VecDeque<LogEntry>>>,
}

impl RecentLogs {
    /// The newest `limit` entries at or above `level`, newest last.
    pub fn recent(&self, level: Level, limit: usize) -> Vec<LogEntry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest: Vec<LogEntry> =
            entries.iter().rev().filter(|entry| entry.level <= level).take(limit).cloned().collect();
        newest.reverse();
        newest
    }

    /// What feeds the entries.
    pub(super) fn layer(&self) -> RecentLayer {
        RecentLayer { logs: self.clone() }
    }

    fn push(&self, entry: LogEntry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }
}

pub(super) struct RecentLayer {
    logs: RecentLogs,
}

impl<S: Subscriber> Layer<S> for RecentLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = EventText::default();
        event.record(&mut text);
        let EventText { mut message, fields } = text;
        message.push_str(&fields);
        self.logs.push(LogEntry {
            timestamp: time::format_naive(time::now()),
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            message,
        });
    }
}

#[derive(Default)]
struct EventText {
    message: String,
    fields: String,
}

impl Visit for EventText {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Text stands without the quotes of its Debug form.
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// The names that clients of the API know.
fn level_name<S: serde::Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match *level {
        Level::WARN => "WARNING",
        _ => level.as_str(),
    })
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn logged(speak: impl FnOnce()) -> RecentLogs {
        let logs = RecentLogs::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(logs.layer()), speak);
        logs
    }

    #[test]
    fn entries_at_or_above_the_level_come_newest_last() {
        let logs = logged(|| {
            tracing::error!("first");
            tracing::debug!("second");
            tracing::warn!(symbol = "AAPL", rows = 3, "third");
        });
        let messages = |level, limit| -> Vec<String> {
            logs.recent(level, limit).into_iter().map(|entry| entry.message).collect()
        };
        assert_eq!(messages(Level::INFO, 10), ["first", "third symbol=AAPL rows=3"]);
        assert_eq!(messages(Level::DEBUG, 2), ["second", "third symbol=AAPL rows=3"]);
        assert_eq!(messages(Level::ERROR, 0), [""; 0]);
    }

    #[test]
    fn a_warning_is_called_warning_on_the_wire() {
        let entry = logged(|| tracing::warn!("beware")).recent(Level::TRACE, 1).pop().unwrap();
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!(json["level"], "WARNING");
        assert_eq!(json["message"], "beware");
        assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["timestamp", "level", "target", "message"]);
    }

    #[test]
    fn the_oldest_gives_way() {
        let logs = logged(|| (0..KEPT + 5).for_each(|number| tracing::info!("{number}")));
        let kept = logs.recent(Level::INFO, usize::MAX);
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept.first().unwrap().message, "5");
        assert_eq!(kept.last().unwrap().message, (KEPT + 4).to_string());
    }
}
