//! What the machine gives, and who may draw how much of it.
//!
//! Memory is divided once, at startup, by [`MemoryShares`]. Whoever holds memory (or another countable resource) on behalf of
//! a client takes a [`Reservation`] from the [`Budget`] of that purpose before it allocates, and gives it back by dropping it.
//! What a budget cannot give is refused: at once, or after a bounded wait. Descriptors are divided in the same way, by
//! [`DescriptorShares`]: between the connections of clients and everything else.

mod allowance;
mod arrival;
mod arrivals;
mod descriptors;
pub mod freed;
mod holders;
mod readers;
mod reservation;
mod responses;
mod result;
mod turn;

pub use allowance::Allowance;
pub use arrival::Arrival;
pub use arrivals::{Arrivals, BodyRoom};
pub use descriptors::DescriptorShares;
pub use holders::Holding;
pub use readers::ReaderShares;
pub use reservation::{Budget, Exhausted, Reservation};
pub use responses::{GRACE, Responses};
pub use result::{BatchRoom, ResultRoom};
pub use turn::{Turn, Turns};

/// A connection for each so many bytes of the memory limit.
const CONNECTION: u64 = 128 << 10;
/// So many there may be however little memory there is.
const LEAST_CONNECTIONS: u64 = 64;

/// How `--memory-limit` is divided. The shares add up to the whole.
///
/// | share | part | who draws on it |
/// |---|---|---|
/// | `engine` | 1/2 | DuckDB: `queries` of it for what clients read, the rest for the writer and its checkpoints |
/// | `sql` | 3/16 | users' SQL, all of it together |
/// | `ingest` | 1/8 | request bodies and what they unfold to, until the writer's queue has them |
/// | `queue` | 1/16 | batches that wait for the writer |
/// | `labels` | 1/32 | watermarks of the series that are written to |
/// | `gathered` | 1/64 | rows of history while they are put in order |
/// | `results` | 1/32 | batches of results until they are encoded |
/// | `responses` | 1/32 | encoded bytes until a socket has them, and requests under way |
/// | `heads` | 1/128 | heads of requests that have not ended |
/// | rest | 1/128 | frames, the program itself |
///
/// What connections hold between two requests comes from no share: their number is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryShares {
    /// What the database engine may take, in bytes.
    pub engine: u64,
    /// The part of `engine` that queries may take together, in bytes.
    pub queries: u64,
    /// What users' SQL may take outside of the engine, in bytes.
    pub sql: u64,
    /// Request bodies while they are received and decoded, in bytes.
    pub ingest: u64,
    /// Batches that wait for the writer, in bytes.
    pub queue: u64,
    /// Watermarks of series, in bytes.
    pub labels: u64,
    /// Rows of history while they are put in order, in bytes.
    pub gathered: u64,
    /// Batches of results until they are encoded, in bytes.
    pub results: u64,
    /// Encoded bytes until a socket has them, and requests under way, in bytes.
    pub responses: u64,
    /// Heads of requests that have not ended, in bytes.
    pub heads: u64,
    /// How many connections there may be.
    pub connections: u64,
}

impl MemoryShares {
    /// The shares of a server that may take `limit` bytes.
    pub fn of(limit: u64) -> Self {
        let engine = limit / 2;
        Self {
            engine,
            queries: engine / 8 * 5,
            sql: limit / 16 * 3,
            ingest: limit / 8,
            queue: limit / 16,
            labels: limit / 32,
            gathered: limit / 64,
            results: limit / 32,
            responses: limit / 32,
            heads: limit / 128,
            connections: (limit / CONNECTION).max(LEAST_CONNECTIONS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_never_exceed_the_limit() {
        for limit in [0, 1, 64 << 20, 1 << 30, u64::MAX] {
            let shares = MemoryShares::of(limit);
            let drawn = [shares.engine, shares.sql, shares.ingest, shares.queue, shares.labels];
            let drawn = drawn.into_iter().chain([shares.gathered, shares.results, shares.responses, shares.heads]);
            assert!(drawn.map(u128::from).sum::<u128>() <= u128::from(limit));
            assert!(shares.queries <= shares.engine);
        }
    }
}
