//! Places where a database cannot be, or is not yet.

use crate::common::{Ended, Launch};
use crate::small_disk::SmallDisk;
use crate::{bodies, quotes};

fn refused(launch: Launch, database: &str) -> Ended {
    let ended = launch.arguments(["--port", "0", "--database", database]).run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains(database), "the place is named: {}", ended.err);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    ended
}

#[tokio::test]
async fn a_missing_directory_is_made() {
    let server = Launch::new().arguments(["--database", "a/b/c/desk.duckdb"]).start().await;
    server.ingest("market_data", &quotes(1, 10)).await;
    assert!(server.path().join("a/b/c/desk.duckdb").is_file());
}

#[test]
fn a_directory_is_no_database() {
    let launch = Launch::new();
    std::fs::create_dir(launch.path().join("here")).unwrap();
    let ended = refused(launch, "here");
    assert!(ended.err.contains("here/observability.duckdb"), "what to write instead: {}", ended.err);
}

#[test]
fn a_name_that_the_engine_cannot_tell_from_a_schema_is_refused() {
    for name in ["archive.duckdb", "Rollup.db"] {
        let launch = Launch::new();
        let path = launch.path().join(name);
        let ended = refused(launch, name);
        assert!(ended.err.contains("another name") && !path.exists(), "{}", ended.err);
    }
}

#[test]
fn a_file_is_no_directory() {
    let launch = Launch::new();
    std::fs::write(launch.path().join("notes"), "mine").unwrap();
    refused(launch, "notes/desk.duckdb");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named_and_what_is_in_it_stays() {
    let Some(disk) = SmallDisk::mount(32) else { return };
    let database = disk.database();
    let database = database.to_str().unwrap();
    let mut server = Launch::new().arguments(["--database", database]).start().await;
    server.ingest("market_data", &quotes(1, 10)).await;
    assert_eq!(server.terminate().await, Some(0));
    disk.make_read_only();
    for database in [database, disk.path().join("new.duckdb").to_str().unwrap()] {
        let ended = refused(Launch::new(), database);
        assert!(ended.err.contains("Read-only file system") && ended.err.contains("written"), "{}", ended.err);
    }
    let copy = Launch::new();
    std::fs::copy(disk.database(), copy.path().join("copy.duckdb")).unwrap();
    assert_eq!(bodies(&copy.arguments(["--database", "copy.duckdb"]).start().await).await, [(1, 10)]);
}

#[tokio::test]
async fn a_database_that_is_damaged_is_left_alone_and_the_way_back_is_named() {
    let mut server = Launch::new().start().await;
    server.ingest("market_data", &quotes(1, 10)).await;
    assert_eq!(server.terminate().await, Some(0));
    let path = server.path().join("data/observability.duckdb");
    let mut bytes = std::fs::read(&path).unwrap();
    // Past the headers, where the catalogue and the rows are.
    bytes[12_288..].iter_mut().step_by(64).for_each(|byte| *byte ^= 0x55);
    std::fs::write(&path, &bytes).unwrap();
    let ended = refused(Launch::new().directory(&server.directory), "data/observability.duckdb");
    assert!(ended.err.contains("observability-api restore"), "{}", ended.err);
    assert!(std::fs::read(&path).unwrap() == bytes, "the file was left as it was");
}
