//! The desk's services, by their Prometheus text endpoints: [`Endpoint`] fetches, [`Exposition`] is what was said.

mod endpoint;
mod exposition;

pub(in crate::collect) use endpoint::{Endpoint, Scrape};
pub(in crate::collect) use exposition::{Exposition, Sample};
