//! Everything that is to be known of the store from outside, in one hand.

use std::sync::Arc;

use super::new_keys::NewKeys;
use super::{Contents, Failure, Figures, Reader, Rollups};
use crate::budget::Responses;

/// Clones share what they know.
#[derive(Clone)]
pub struct Monitor {
    /// Which database it is.
    pub identity: Arc<str>,
    /// What the writer has done.
    pub figures: Figures,
    /// How much is stored where.
    pub contents: Contents,
    /// How far the roll-ups are.
    pub rollups: Rollups,
    /// Whether the engine cannot go on.
    pub failure: Failure,
    /// Keys of rows that archived rows may have, too.
    pub new_keys: NewKeys,
    /// The connections for questions.
    pub reader: Reader,
    /// What responses hold on their way to clients.
    pub responses: Responses,
}
