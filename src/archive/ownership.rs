//! One archive belongs to one database. Before a file of it is written or removed, the archive has to say that it is this
//! database's, and nobody else's since.
//!
//! The database has an identity, and so has its archive (`owner`). What a process writes there first is a new claim, which
//! the database keeps as well, before and after: a copy of the database file has the claim that was current when it was
//! copied, and is refused once the other one has gone on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::ArchiveError;
use super::owner::{Owner, OwnerFile, Replaces};
use crate::config::StoreSettings;
use crate::store::{Identity, Maintenance, Reader};
use crate::tables::TABLES;
use crate::time::Micros;

/// How long a start waits for an object store.
const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// What a database may do with its archive. Clones share it.
#[derive(Clone)]
pub struct Ownership {
    shared: Arc<Shared>,
}

struct Shared {
    file: OwnerFile,
    database: PathBuf,
    /// Somebody chose this place; nobody else is here by chance.
    named: bool,
    reader: Reader,
    maintenance: Maintenance,
    state: Mutex<State>,
}

struct State {
    identity: Identity,
    /// Whether the claim is this process's own.
    claimed: bool,
}

impl Ownership {
    /// That of the database of `settings`. The archive is not touched.
    pub fn new(
        settings: &StoreSettings,
        identity: Identity,
        reader: Reader,
        maintenance: Maintenance,
    ) -> Result<Self, ArchiveError> {
        let shared = Shared {
            file: OwnerFile::at(&settings.archive())?,
            database: absolute(&settings.path),
            named: settings.archive.is_some(),
            reader,
            maintenance,
            state: Mutex::new(State { identity, claimed: false }),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Who the database is.
    pub async fn identity(&self) -> Identity {
        self.shared.state.lock().await.identity.clone()
    }

    /// Refuses an archive that belongs to another database. An archive that says nothing is taken when the database
    /// lists days of it, or when its place was chosen and is empty. An object store that does not answer holds nobody
    /// up: it is asked again before anything is changed.
    pub async fn check(&self) -> Result<(), ArchiveError> {
        let looked = tokio::time::timeout(CHECK_LIMIT, self.look()).await;
        match looked.unwrap_or_else(|_| Err(ArchiveError::Silent(self.shared.file.location.clone()))) {
            Err(error) if !error.is_refusal() => {
                tracing::warn!(%error, "whose the archive is could not be seen; it is looked at again before it is changed");
                Ok(())
            }
            looked => looked,
        }
    }

    async fn look(&self) -> Result<(), ArchiveError> {
        let mut state = self.shared.state.lock().await;
        match self.shared.file.read().await? {
            Some((owner, _)) => self.compare(&state, &owner).map(drop),
            None if self.shared.named || self.lists_days().await? => {
                self.unowned().await?;
                self.claim(&mut state, &Replaces::Nothing).await
            }
            None => self.unowned().await,
        }
    }

    /// Returns when the archive is this database's to change.
    pub async fn confirm(&self) -> Result<(), ArchiveError> {
        let mut state = self.shared.state.lock().await;
        match self.shared.file.read().await? {
            Some((owner, version)) => {
                state.identity.claim = self.compare(&state, &owner)?;
                if state.claimed {
                    return Ok(());
                }
                self.claim(&mut state, &Replaces::This(owner, version)).await
            }
            None => {
                self.unowned().await?;
                self.claim(&mut state, &Replaces::Nothing).await
            }
        }
    }

    /// Takes the archive over, whoever it belongs to.
    pub async fn adopt(&self) -> Result<(), ArchiveError> {
        let mut state = self.shared.state.lock().await;
        self.claim(&mut state, &Replaces::Anything).await?;
        tracing::warn!(archive = self.shared.file.location, "the archive belongs to this database from now on");
        Ok(())
    }

    /// The claim that the archive has, which must be this database's.
    fn compare(&self, state: &State, owner: &Owner) -> Result<String, ArchiveError> {
        let Identity { database, claim, next_claim } = &state.identity;
        if owner.database != *database {
            return Err(foreign(&self.shared.file, owner));
        }
        if owner.claim != *claim && next_claim.as_ref() != Some(&owner.claim) {
            return Err(ArchiveError::OfACopy {
                location: self.shared.file.location.clone(),
                database: owner.path.clone(),
            });
        }
        Ok(owner.claim.clone())
    }

    /// Refuses an archive with days that says nothing, unless the database lists days of it.
    async fn unowned(&self) -> Result<(), ArchiveError> {
        if self.lists_days().await? || !self.shared.file.has_days().await? {
            return Ok(());
        }
        Err(ArchiveError::Unowned { location: self.shared.file.location.clone() })
    }

    async fn lists_days(&self) -> Result<bool, ArchiveError> {
        for table in TABLES {
            if !self.shared.reader.archived_days(table, Micros::MIN, Micros::MAX).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes a new claim. The database knows it before the archive does, so that it knows its own after a kill.
    async fn claim(&self, state: &mut State, replaces: &Replaces) -> Result<(), ArchiveError> {
        let announced = match &state.identity.next_claim {
            // The archive may get this one yet, where it did not say whether it has.
            Some(next) if *next != state.identity.claim => state.identity.clone(),
            _ => state.identity.new_claim(),
        };
        self.shared.maintenance.set_claim(announced.clone()).await?;
        state.identity = announced;
        let claim = state.identity.next_claim.clone().unwrap_or_default();
        let owner = Owner::new(&state.identity.database, &claim, &self.shared.database);
        self.shared.file.write(&owner, replaces).await?;
        let settled = Identity { claim, next_claim: None, ..state.identity.clone() };
        self.shared.maintenance.set_claim(settled.clone()).await?;
        (state.identity, state.claimed) = (settled, true);
        Ok(())
    }
}

/// An archive for a database that is about to be made.
pub struct Vacancy {
    file: OwnerFile,
    database: PathBuf,
    replaces: Replaces,
    /// Whether the archive has to say whose it is although the new database has no days in it.
    claims: bool,
}

impl Vacancy {
    /// Looks whether a new database may have the archive of `settings`: nobody's, or with `adopt` anybody's.
    pub async fn find(settings: &StoreSettings, adopt: bool) -> Result<Self, ArchiveError> {
        let file = OwnerFile::at(&settings.archive())?;
        let found = match file.read().await {
            Err(ArchiveError::Unidentified { .. }) if adopt => None,
            found => found?.map(|(owner, _)| owner),
        };
        match found {
            Some(owner) if !adopt => return Err(foreign(&file, &owner)),
            None if !adopt && file.has_days().await? => {
                return Err(ArchiveError::Unowned { location: file.location });
            }
            _ => {}
        }
        let replaces = if adopt { Replaces::Anything } else { Replaces::Nothing };
        Ok(Self { file, database: absolute(&settings.path), replaces, claims: adopt || settings.archive.is_some() })
    }

    /// Gives the archive to the new database, which `has_days` in it or not.
    pub async fn take(&self, identity: &Identity, has_days: bool) -> Result<(), ArchiveError> {
        if !has_days && !self.claims {
            return Ok(());
        }
        let owner = Owner::new(&identity.database, &identity.claim, &self.database);
        self.file.write(&owner, &self.replaces).await
    }
}

fn foreign(file: &OwnerFile, owner: &Owner) -> ArchiveError {
    ArchiveError::Foreign { location: file.location.clone(), database: owner.path.clone() }
}

fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// Opens a database, does something, and closes it.
    async fn with<T>(settings: &StoreSettings, work: impl AsyncFnOnce(&Store) -> T) -> T {
        let store = Store::open(settings).unwrap();
        let done = work(&store).await;
        store.close().await.unwrap();
        done
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_claim_is_known_again_wherever_the_last_process_was_killed() {
        let directory = tempfile::tempdir().unwrap();
        let settings = StoreSettings { path: directory.path().join("a.duckdb"), ..StoreSettings::default() };
        let file = OwnerFile::at(&settings.archive()).unwrap();
        let stored = async || file.read().await.unwrap().unwrap().0;
        let confirmed = async |store: &Store| store.ownership().confirm().await;

        with(&settings, confirmed).await.unwrap();
        let first = stored().await;
        with(&settings, confirmed).await.unwrap();
        let second = stored().await;
        assert_eq!(first.database, second.database);
        assert_ne!(first.claim, second.claim, "each process has a claim of its own");

        let announced = with(&settings, async |store: &Store| {
            let announced = store.identity().new_claim();
            store.maintenance().set_claim(announced.clone()).await.unwrap();
            announced
        });
        let announced = announced.await;
        with(&settings, confirmed).await.expect("killed before the archive was written");

        let announced_again = Identity { claim: stored().await.claim, ..announced.new_claim() };
        with(&settings, async |store: &Store| store.maintenance().set_claim(announced_again.clone()).await.unwrap())
            .await;
        let next = announced_again.next_claim.clone().unwrap();
        file.write(&Owner::new(&announced.database, &next, &settings.path), &Replaces::Anything).await.unwrap();
        with(&settings, confirmed).await.expect("killed after the archive was written");

        file.write(&Owner::new(&announced.database, "another's", &settings.path), &Replaces::Anything).await.unwrap();
        let refused = with(&settings, confirmed).await.unwrap_err();
        assert!(matches!(refused, ArchiveError::OfACopy { .. }), "{refused}");
        let path = directory.path().join("archive/a/identity.json");
        std::fs::write(&path, "{").unwrap();
        let refused = with(&settings, confirmed).await.unwrap_err();
        assert!(refused.is_refusal() && refused.to_string().contains("archive --adopt"), "{refused}");
        with(&settings, async |store: &Store| store.ownership().adopt().await).await.unwrap();
        with(&settings, confirmed).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_writes_at_the_same_moment_comes_second_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = OwnerFile::at(&crate::location::Location::Directory(directory.path().join("archive"))).unwrap();
        let owner = |claim: &str| Owner::new("a", claim, std::path::Path::new("a.duckdb"));
        file.write(&owner("1"), &Replaces::Nothing).await.unwrap();
        let refused = file.write(&owner("2"), &Replaces::Nothing).await.unwrap_err();
        assert!(matches!(refused, ArchiveError::Contested { .. }), "{refused}");
        let (found, version) = file.read().await.unwrap().unwrap();
        file.write(&owner("3"), &Replaces::This(found.clone(), version.clone())).await.unwrap();
        let refused = file.write(&owner("4"), &Replaces::This(found, version)).await.unwrap_err();
        assert!(matches!(refused, ArchiveError::Contested { .. }), "{refused}");
        assert_eq!(file.read().await.unwrap().unwrap().0.claim, "3");
    }
}
