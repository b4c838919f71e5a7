//! Alerts that hold now: raised when a condition begins, gone when it ends.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::time::{self, Micros};

/// A condition that holds now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// Identifies the condition, such as `cpu_high`.
    pub id: &'static str,
    /// `warning` or `critical`.
    pub severity: &'static str,
    /// What is wrong, for a person.
    pub message: String,
    /// Since when, naive UTC.
    pub timestamp: String,
    /// Whether somebody has seen it.
    pub acknowledged: bool,
}

/// The alerts that hold now. A mutex: it is touched once a second and by a person.
#[derive(Debug, Default)]
pub struct AlertBook {
    raised: Mutex<Vec<Alert>>,
}

impl AlertBook {
    /// Says whether the condition `id` holds; the message is kept up to date while it does.
    pub fn set(&self, id: &'static str, severity: &'static str, condition: Option<String>, now: Micros) {
        let mut raised = self.lock();
        let position = raised.iter().position(|alert| alert.id == id);
        match (condition, position) {
            (Some(message), Some(position)) => {
                if let Some(alert) = raised.get_mut(position) {
                    alert.message = message;
                    alert.severity = severity;
                }
            }
            (Some(message), None) => {
                raised.push(Alert { id, severity, message, timestamp: time::format_naive(now), acknowledged: false })
            }
            (None, Some(position)) => {
                raised.remove(position);
            }
            (None, None) => {}
        }
    }

    /// Marks an alert as seen; an unknown id changes nothing.
    pub fn acknowledge(&self, id: &str) {
        if let Some(alert) = self.lock().iter_mut().find(|alert| alert.id == id) {
            alert.acknowledged = true;
        }
    }

    /// The alerts, oldest first.
    pub fn list(&self) -> Vec<Alert> {
        self.lock().clone()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Alert>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
