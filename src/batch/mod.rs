//! Batches on the move: towards the store through [`channel`], and from a query towards a client as a [`BatchStream`].
//!
//! [`Checksum`] tells whether rows that went far are still the same.
//!
//! `collect`, `ingest`, `transfer` and `encode` know only this and cannot see the store. `serve` sees of it what it tells of the
//! store itself: its figures, and who its operator is.

mod channel;
mod checksum;
mod order;
mod shortage;
mod stream;

pub use channel::{Acknowledge, BatchReceiver, BatchSender, Stored, Submitted, Write, WriteError, channel};
pub use checksum::Checksum;
pub use order::newest_first;
pub use shortage::{Gate, Shortage};
pub use stream::{BatchStream, ReadError};
