//! What collectors draw from: the desk's [`prometheus`] endpoints, or the [`simulator`] in their place.

pub(super) mod prometheus;
pub(super) mod simulator;
