//! What runs beside the server, from its start to its end.

use std::sync::Arc;

use tokio::task::{JoinHandle, JoinSet};

use crate::live::Live;
use crate::time;

/// Tasks that belong to the server: it waits for their end, and one that fails is told of.
pub(super) struct Tasks {
    watched: JoinSet<()>,
    live: Arc<Live>,
}

impl Tasks {
    /// None yet.
    pub(super) fn new(live: Arc<Live>) -> Self {
        Self { watched: JoinSet::new(), live }
    }

    /// Runs `task`.
    pub(super) fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.watch(name, tokio::spawn(task));
    }

    /// Takes over a task that runs already. If it panics, an alert says so as long as the server runs: what it did is not
    /// done any more.
    pub(super) fn watch(&mut self, name: &'static str, task: JoinHandle<()>) {
        let live = Arc::clone(&self.live);
        self.watched.spawn(async move {
            let Err(error) = task.await else { return };
            tracing::error!(task = name, %error, "a part of the server has failed; start the server again");
            let condition = format!("{name} has failed and does not run any more: start the server again");
            live.alerts.set("task_failed", "critical", Some(condition), time::now());
        });
    }

    /// Waits until all of them have ended.
    pub(super) async fn ended(mut self) {
        while self.watched.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_an_alert() {
        let live = Arc::new(Live::new());
        let mut tasks = Tasks::new(Arc::clone(&live));
        tasks.spawn("the good part", async {});
        tasks.spawn("the bad part", async { panic!("on purpose") });
        tasks.ended().await;
        let alerts = live.alerts.list();
        assert_eq!(alerts.len(), 1);
        assert_eq!((alerts[0].id, alerts[0].severity), ("task_failed", "critical"));
        assert!(alerts[0].message.starts_with("the bad part"), "{}", alerts[0].message);
    }
}
