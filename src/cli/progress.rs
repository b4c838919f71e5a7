//! What a long command says while it works and when it is done. All of it goes to the standard error, and the bar only to
//! a terminal.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// How often a bar without news shows that it is alive.
const TICK: Duration = Duration::from_millis(200);

/// A bar on the terminal.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Over so many bytes, or over an unknown number of them.
    pub fn bytes(total: Option<u64>, title: &str) -> Self {
        match total {
            Some(total) => {
                let style = "{prefix} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {msg}, {eta} left";
                Self::new(ProgressBar::new(total), style, title)
            }
            None => Self::new(ProgressBar::no_length(), "{spinner} {prefix} {bytes} {bytes_per_sec} {msg}", title),
        }
    }

    /// Over a whole of any unit.
    pub fn part(total: u64, title: &str) -> Self {
        Self::new(ProgressBar::new(total), "{prefix} [{bar:30}] {percent}%, {msg}, {eta} left", title)
    }

    fn new(bar: ProgressBar, style: &str, title: &str) -> Self {
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(title.to_owned());
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar }
    }

    /// Stands at `position` now.
    pub fn at(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// Has done so many rows.
    pub fn rows(&self, rows: u64) {
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{} ({}/s)", Rows(rows), HumanCount((rows as f64 / seconds) as u64)));
    }

    /// Takes the bar off the terminal.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A number of rows, to be read.
pub(super) struct Rows(pub u64);

impl Display for Rows {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} row{}", HumanCount(self.0), if self.0 == 1 { "" } else { "s" })
    }
}

/// A line beside the output.
pub(super) fn say(text: impl Display) {
    // Nothing is left to be done when the terminal is gone.
    let _ = writeln!(std::io::stderr(), "{text}");
}
