//! The worker processes that run users' SQL, as the server sees them.
//!
//! * [`Workers`] says how many there may be and what each may take, and keeps some that are idle for the next query.
//! * `launch` and `child` start one, `resident` looks at its memory, and `end` says why one ended.

mod child;
mod end;
mod launch;
mod oom;
mod resident;
mod workers;

pub use child::{COMMAND, Process};
pub use launch::{Launcher, Worker};
pub use workers::Workers;
