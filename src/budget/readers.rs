//! The database connections that read, and what each is for.

/// How the connections of `--readers` are divided by what they serve. A kind of query that takes all of its own leaves the
/// others alone.
///
/// | share | connections | who draws on it |
/// |---|---|---|
/// | `named` | `--readers` | the API's own queries: history, trades, summaries |
/// | `exports` | 1/4 of that, 2 to 8 | exports, which last as long as the client's line makes them |
/// | `sql` | 1/2 of that, 4 to 16 | users' SQL |
/// | `reserved` | 2 | queries about the server itself: readiness, figures |
/// | `held` | 1 | backups |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderShares {
    /// For the API's own queries.
    pub named: usize,
    /// For exports.
    pub exports: usize,
    /// For users' SQL.
    pub sql: usize,
    /// For queries about the server itself.
    pub reserved: usize,
    /// For backups.
    pub held: usize,
}

impl ReaderShares {
    /// The shares of a server with `readers` connections for the API's own queries.
    pub fn of(readers: usize) -> Self {
        let named = readers.max(1);
        Self { named, exports: (named / 4).clamp(2, 8), sql: (named / 2).clamp(4, 16), reserved: 2, held: 1 }
    }
}
