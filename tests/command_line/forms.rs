//! What `--output` is to hold follows its name, whoever has the database; and which rows are meant.

use std::fs::{self, File};

use arrow::ipc::reader::{FileReader, StreamReader};
use serde_json::json;

use crate::common::{Ended, Launch, Server};

async fn command(server: &Server, arguments: &[&str]) -> Ended {
    let launch = Launch::new().directory(&server.directory).arguments(arguments);
    tokio::task::spawn_blocking(move || launch.run()).await.unwrap()
}

/// Two rows of one symbol and one of another; with them running or closed.
async fn desk(is_running: bool) -> Server {
    let mut server = Server::start().await;
    let row = |second: u32, symbol: &str| json!({"timestamp": format!("2025-10-21T12:00:{second:02}"), "symbol": symbol, "last_price": 1.5});
    server.ingest("market_data", &json!([row(1, "A"), row(2, "A"), row(3, "B")])).await;
    if !is_running {
        assert_eq!(server.terminate().await, Some(0));
    }
    server
}

const COMMANDS: [&[&str]; 2] = [&["export", "market_data"], &["query", "SELECT * FROM market_data"]];

#[tokio::test]
async fn a_file_holds_what_its_name_says() {
    for is_running in [true, false] {
        let server = desk(is_running).await;
        for command_line in COMMANDS {
            let written = async |file: &str, more: &[&str]| {
                let ended = command(&server, &[command_line, &["--output", file], more].concat()).await;
                assert_eq!(ended.code, Some(0), "{command_line:?} {file}: {ended:?}");
                server.path().join(file)
            };
            for (file, more) in
                [("a.arrow", &[][..]), ("a.feather", &[]), ("a.IPC", &[]), ("b.feather", &["--format", "arrow"])]
            {
                let file = File::open(written(file, more).await).unwrap();
                let reader = FileReader::try_new(file, None).expect("a file with a table of contents");
                assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3, "{is_running}");
            }
            for (file, more) in [("a.arrows", &[][..]), ("a.bin", &["--format", "arrow"])] {
                let file = File::open(written(file, more).await).unwrap();
                let reader = StreamReader::try_new(file, None).expect("a stream");
                assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3);
            }
            assert!(fs::read_to_string(written("a.json", &[]).await).unwrap().starts_with("[{\"timestamp\""));
            assert!(fs::read_to_string(written("a.csv", &[]).await).unwrap().starts_with("timestamp,symbol"));
            assert_eq!(fs::read_to_string(written("a.jsonl", &[]).await).unwrap().lines().count(), 3);
            assert!(fs::read(written("a.pq", &[]).await).unwrap().ends_with(b"PAR1"));
            for file in ["a.xlsx", "a.csv.gz"] {
                let ended = command(&server, &[command_line, &["--output", file]].concat()).await;
                assert_eq!(ended.code, Some(1), "{ended:?}");
                assert!(ended.err.contains(file) && ended.err.contains(".parquet, "), "{}", ended.err);
                assert!(!server.path().join(file).exists());
            }
        }
        // What was written comes back in.
        let ended = command(&server, &["import", "market_data", "a.feather"]).await;
        assert!(ended.code == Some(0) && ended.err.contains("3 rows stored"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_label_is_one_or_refused() {
    for is_running in [true, false] {
        let server = desk(is_running).await;
        let of_a = command(&server, &["export", "market_data", "--label", "A"]).await;
        assert_eq!((of_a.code, of_a.out.lines().count()), (Some(0), 3), "{of_a:?}");
        let empty = command(&server, &["export", "market_data", "--label", ""]).await;
        assert_eq!((empty.code, empty.out.as_str()), (Some(2), ""), "{empty:?}");
        assert!(empty.err.contains("--label") && empty.err.contains("leave"), "{}", empty.err);
    }
}

#[tokio::test]
async fn a_server_is_named_by_its_address() {
    for address in ["127.0.0.1:8000", "ftp://127.0.0.1", "http://"] {
        let ended = Launch::new().arguments(["query", "SELECT 1", "--server", address]).run();
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("--server") && ended.err.contains("https://"), "{}", ended.err);
    }
}
