//! What every handler can reach.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::bodies::Bodies;
use super::guard::Guard;
use super::traffic::Traffic;
use super::ws;
use crate::backup::Backups;
use crate::batch::BatchSender;
use crate::config::Settings;
use crate::listen::Connections;
use crate::live::Live;
use crate::log::RecentLogs;
use crate::query::Queries;
use crate::store::Monitor;
use crate::store::lock::OperatorToken;
use crate::upkeep::Upkeep;

/// The parts that answers are made of. Cheap to clone: every field is a handle.
#[derive(Clone)]
pub struct AppState {
    /// The newest values, and what each collector is doing.
    pub live: Arc<Live>,
    /// Questions to the database.
    pub queries: Queries,
    /// The way to the writer.
    pub batches: BatchSender,
    /// How bodies of requests are received.
    pub bodies: Bodies,
    /// What the store has done and what there is in it.
    pub store: Monitor,
    /// Backups, taken when they are asked for.
    pub backups: Backups,
    /// What the operator has to show.
    pub operator_token: OperatorToken,
    /// What the program was told.
    pub settings: Arc<Settings>,
    /// The last lines of the log.
    pub logs: RecentLogs,
    /// WebSocket clients.
    pub websockets: Arc<ws::Clients>,
    /// What happens once a day.
    pub upkeep: Upkeep,
    /// Who is let in.
    pub guard: Arc<Guard>,
    /// The connections of clients.
    pub connections: Arc<Connections>,
    /// What requests took.
    pub traffic: Arc<Traffic>,
    /// Cancelled when the server begins to stop.
    pub shutdown: CancellationToken,
}

impl AppState {
    /// How long a collector may be silent before it counts as dead: ten seconds, or three of its rounds.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(10).max(self.settings.collect.interval.saturating_mul(3))
    }
}
