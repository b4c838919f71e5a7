//! The progress bar: one a table, on a terminal only.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::backup::{Progress, Step};

const TEMPLATE: &str = "{prefix:<32} {wide_bar} {human_pos}/{human_len} rows  {eta}";

/// Shows how far a table is.
#[derive(Default)]
pub(super) struct Bar {
    current: Mutex<Option<(Step, String, ProgressBar)>>,
}

impl Bar {
    /// Moves the bar of the table, or begins it. Off a terminal nothing is drawn.
    pub fn show(&self, progress: &Progress) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let same = current.as_ref().is_some_and(|(step, table, _)| (*step, table) == (progress.step, &progress.table));
        if !same {
            if let Some((.., bar)) = current.take() {
                bar.finish();
            }
            let bar = ProgressBar::new(progress.of).with_prefix(format!("{} {}", word(progress.step), progress.table));
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            *current = Some((progress.step, progress.table.clone(), bar));
        }
        if let Some((.., bar)) = &*current {
            bar.set_position(progress.rows);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some((.., bar)) = self.current.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.abandon();
        }
    }
}

fn word(step: Step) -> &'static str {
    match step {
        Step::Saving => "saving",
        Step::Checking => "checking",
        Step::Restoring => "restoring",
        Step::Copying => "copying days of",
    }
}
