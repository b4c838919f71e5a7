//! The worker processes that run users' SQL, as the server sees them.
//!
//! * [`Workers`] says how many there may be and what each may take, and keeps some that are idle for the next query.
//! * [`Progress`] says of a running query whether it waits for its client.
//! * `launch` and `child` start one, `resident` looks at its memory, and `end` says why one ended.

mod child;
mod end;
mod launch;
mod oom;
mod progress;
mod resident;
mod workers;

pub use child::{COMMAND, Process};
pub use launch::{Launcher, Worker};
pub use progress::Progress;
pub use workers::Workers;
