//! Which database this is. Its archive says the same, so that no other database changes what is there.

use duckdb::{Connection, OptionalExt, params};

use super::maintenance::{Maintenance, MaintenanceError};

/// What tells a database, and the one copy of it that goes on, from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The database.
    pub database: String,
    /// What it wrote into its archive last. A new database has written nothing yet.
    pub claim: String,
    /// What it is about to write: the archive may say so already.
    pub next_claim: Option<String>,
}

impl Identity {
    /// The identity of an open database, which is given one when it has none.
    pub(super) fn of(connection: &Connection) -> Result<Self, duckdb::Error> {
        let read = include_str!("../../queries/archive/identity.sql");
        let found = connection
            .query_row(read, [], |row| Ok(Self { database: row.get(0)?, claim: row.get(1)?, next_claim: row.get(2)? }))
            .optional()?;
        if let Some(found) = found {
            return Ok(found);
        }
        let new = Self { database: random(), claim: random(), next_claim: None };
        connection.execute(include_str!("../../queries/archive/identify.sql"), params![new.database, new.claim])?;
        Ok(new)
    }

    /// What the archive is to say next.
    pub fn new_claim(&self) -> Self {
        Self { next_claim: Some(random()), ..self.clone() }
    }
}

impl Maintenance {
    /// Keeps what was written into the archive, and what is about to be.
    pub async fn set_claim(&self, identity: Identity) -> Result<(), MaintenanceError> {
        self.transact(move |hands| {
            let sql = include_str!("../../queries/archive/claim.sql");
            hands.connection.execute(sql, params![identity.claim, identity.next_claim])?;
            Ok(())
        })
        .await
    }
}

fn random() -> String {
    uuid::Uuid::new_v4().to_string()
}
