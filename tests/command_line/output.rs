//! What `--output` names: it is replaced by the whole result, or stays what it was.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread::JoinHandle;

use serde_json::json;

use crate::common::{Ended, Launch};

/// A server that answers one request with some rows, and then to the end or not.
fn server(whole: bool) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = [0; 4_096];
        assert!(client.read(&mut request).unwrap() > 0);
        let end = if whole { "0\r\n\r\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nrows\n\r\n{end}");
        client.write_all(answer.as_bytes()).unwrap();
    });
    (address, answering)
}

/// Both commands that write a file, in a directory.
fn commands(launch: impl Fn() -> Launch, output: &str, whole: bool) -> [Ended; 2] {
    [&["export", "market_data", "--format", "csv"][..], &["query", "SELECT 1", "--format", "csv"]].map(|command| {
        let (address, answering) = server(whole);
        let launch = launch().arguments(command).arguments(["--output", output, "--server", &address]);
        let ended = launch.environment("NO_PROXY", "*").run();
        answering.join().unwrap();
        ended
    })
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_stays_what_it_was_when_the_result_breaks_off() {
    let directory = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let launch = || Launch::new().directory(&directory);
    let file = directory.path().join("rows.csv");
    fs::write(&file, "yesterday\n").unwrap();
    for output in ["rows.csv", "new.csv"] {
        for ended in commands(launch, output, false) {
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.err.contains("broke off") && ended.err.contains("--query-max-rows"), "{ended:?}");
            assert_eq!(names(directory.path()), ["rows.csv"], "nothing is left of what broke off");
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "yesterday\n");
    for ended in commands(launch, "rows.csv", true) {
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "rows\n");
    }
    assert_eq!(names(directory.path()), ["rows.csv"]);
}

#[cfg(unix)]
#[test]
fn links_pipes_devices_and_permissions_stay() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    let directory = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let launch = || Launch::new().directory(&directory);
    let at = |name: &str| directory.path().join(name);
    fs::write(at("rows.csv"), "yesterday\n").unwrap();
    fs::set_permissions(at("rows.csv"), fs::Permissions::from_mode(0o604)).unwrap();
    symlink("rows.csv", at("link")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    symlink("pipe", at("link-to-pipe")).unwrap();
    for whole in [false, true] {
        let code = Some(i32::from(!whole));
        let expected = if whole { "rows\n" } else { "yesterday\n" };
        for ended in commands(launch, "link", whole) {
            assert_eq!(ended.code, code, "{ended:?}");
            assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(at("rows.csv")).unwrap(), expected);
            assert_eq!(fs::metadata(at("rows.csv")).unwrap().permissions().mode() & 0o777, 0o604);
        }
        for pipe in ["pipe", "link-to-pipe"] {
            // Opened for both, it never ends, and no command waits for a reader.
            let reader = fs::OpenOptions::new().read(true).write(true).open(at(pipe)).unwrap();
            for ended in commands(launch, pipe, whole) {
                assert_eq!(ended.code, code, "{ended:?}");
                let mut read = [0; 5];
                (&reader).read_exact(&mut read).unwrap();
                assert_eq!(&read, b"rows\n");
            }
        }
        assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
        assert!(fs::symlink_metadata(at("link-to-pipe")).unwrap().is_symlink());
        for ended in commands(launch, "/dev/null", whole) {
            assert_eq!(ended.code, code, "{ended:?}");
            assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        }
        for ended in commands(launch, "/dev/stdout", whole) {
            assert_eq!((ended.code, ended.out.as_str()), (code, "rows\n"), "{ended:?}");
        }
    }
    assert_eq!(names(directory.path()), ["link", "link-to-pipe", "pipe", "rows.csv"]);
}

/// A file is written over by a rename, so what has it open would go on writing to one that nobody finds again.
#[cfg(unix)]
#[tokio::test]
async fn what_belongs_to_a_database_is_never_written_over() {
    let mut server = Launch::new().arguments(["--archive-location", "kept"]).start().await;
    let directory = server.directory.clone();
    let launch = || Launch::new().directory(&directory);
    let rows: Vec<_> =
        (0..50).map(|second| json!({"timestamp": format!("2025-10-21T12:00:{second:02}"), "symbol": "A"})).collect();
    server.ingest("market_data", &json!(rows)).await;
    let backup = launch().arguments(["backup"]).run();
    assert_eq!(backup.code, Some(0), "{backup:?}");
    let backups = directory.path().join("data/observability.backups");
    let backup = fs::read_dir(&backups).unwrap().next().unwrap().unwrap().path();
    std::os::unix::fs::symlink("data/observability.duckdb.lock", directory.path().join("link")).unwrap();
    std::os::unix::fs::symlink("data", directory.path().join("elsewhere")).unwrap();
    for output in [
        "data/observability.duckdb",
        "data/observability.duckdb.wal",
        "data/observability.duckdb.lock",
        "data/observability.duckdb.wal.checkpoint",
        "elsewhere/observability.duckdb.wal",
        "link",
        "kept/rows.csv",
        "kept/identity.json",
        backup.join("rows.csv").to_str().unwrap(),
        backup.join("manifest.json").to_str().unwrap(),
    ] {
        for command in [&["export", "market_data"][..], &["query", "SELECT 1 AS n"]] {
            let ended = launch().arguments(command).arguments(["--format", "csv", "--output", output]).run();
            assert_eq!(ended.code, Some(1), "{output}: {ended:?}");
            assert!(ended.err.contains("database") && ended.err.contains("give another"), "{output}: {ended:?}");
        }
        // Before what is wrong with the end of the name.
        let ended = launch().arguments(["export", "market_data", "--output", output]).run();
        assert_eq!(ended.code, Some(1), "{output}: {ended:?}");
        assert!(ended.err.contains("give another") && !ended.err.contains("--format"), "{output}: {ended:?}");
    }
    server.ingest("market_data", &json!({"timestamp": "2025-10-21T12:01:00", "symbol": "A"})).await;
    server.kill();
    drop(server);
    let server = launch().arguments(["--archive-location", "kept"]).start().await;
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, 51);
}
