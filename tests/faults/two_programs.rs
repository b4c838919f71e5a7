//! More than one program that wants the same file.

use std::os::unix::fs::symlink;

use crate::common::{Launch, Server};
use crate::{bodies, quotes};

#[tokio::test]
async fn a_second_server_is_sent_away_however_it_names_the_file() {
    let server = Server::start().await;
    server.ingest("market_data", &quotes(1, 100)).await;
    let data = server.path().join("data");
    symlink(data.join("observability.duckdb"), data.join("link.duckdb")).unwrap();
    for database in ["data/observability.duckdb", "data/../data/observability.duckdb", "data/link.duckdb"] {
        let second =
            Launch::new().directory(&server.directory).arguments(["--port", "0", "--database", database]).run();
        assert_eq!(second.code, Some(1), "{second:?}");
        assert!(second.err.contains("duckdb"), "the file is named: {}", second.err);
        assert!(second.err.contains(&server.pid().to_string()), "so is who has it: {}", second.err);
    }
    server.ingest("market_data", &quotes(2, 100)).await;
    assert_eq!(bodies(&server).await, [(1, 100), (2, 100)]);
}

#[tokio::test]
async fn a_command_asks_the_server_that_has_the_file() {
    let server = Server::start().await;
    server.ingest("market_data", &quotes(1, 100)).await;
    let question = ["query", "SELECT count(*) AS n FROM market_data", "--format", "csv"];
    let answer = Launch::new().directory(&server.directory).arguments(question).run();
    assert_eq!((answer.code, answer.out.as_str()), (Some(0), "n\n100\n"), "{}", answer.err);
    server.get("/health/ready").await.expect(200);
}

#[tokio::test]
async fn a_file_that_is_open_in_another_program_is_left_to_it() {
    let launch = Launch::new();
    let path = launch.path().join("desk.duckdb");
    let lock = crate::legacy_file::hold(&path);
    let refused = launch.arguments(["--port", "0", "--database", "desk.duckdb"]).run();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("desk.duckdb is open in another program"), "{}", refused.err);
    assert!(refused.err.contains(&std::process::id().to_string()), "{}", refused.err);
    drop(lock);
}
