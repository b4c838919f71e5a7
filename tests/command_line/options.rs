//! Settings: documented names, precedence, and values that are refused.

use crate::common::{Launch, eventually};

#[test]
fn help_names_every_documented_option_and_variable() {
    let help = Launch::new().arguments(["--help"]).run();
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    for option in [
        "--host",
        "--port",
        "--workers",
        "--dev",
        "--log-level",
        "--ssl-keyfile",
        "--ssl-certfile",
        "--access-log",
        "--demo",
        "--config",
        "--database",
        "--batch-size",
        "--write-interval",
        "--market-data-url",
        "--execution-url",
        "--risk-url",
        "DUCKDB_PATH",
        "BATCH_SIZE",
        "WRITE_INTERVAL",
        "LOG_LEVEL",
        "query",
        "127.0.0.1",
        "8000",
        "data/observability.duckdb",
    ] {
        assert!(help.out.contains(option), "{option} is not in\n{}", help.out);
    }
    assert!(help.out.lines().all(|line| line.chars().count() <= 120), "no line is too long for a terminal");
    let query = Launch::new().arguments(["query", "--help"]).run();
    assert!(query.code == Some(0) && query.out.contains("--format"), "{query:?}");
}

#[test]
fn version_is_one_line() {
    let version = Launch::new().arguments(["--version"]).run();
    assert_eq!(version.code, Some(0));
    assert_eq!(version.out.trim_end(), concat!("observability-api ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn values_that_cannot_be_used_are_refused_with_the_name_of_the_setting() {
    for (arguments, variable, named) in [
        (vec!["--port", "70000"], None, "--port"),
        (vec!["--port", "http"], None, "--port"),
        (vec!["--host", "not an address"], None, "--host"),
        (vec!["--workers", "0"], None, "--workers"),
        (vec!["--log-level", "loud"], None, "--log-level"),
        (vec!["--batch-size", "0"], None, "--batch-size"),
        (vec!["--write-interval", "soon"], None, "--write-interval"),
        (vec!["--market-data-url", "nowhere"], None, "--market-data-url"),
        (vec!["--demo-rate=-1"], None, "--demo-rate"),
        (vec!["--ssl-keyfile", "key.pem"], None, "ssl-certfile"),
        (vec!["--ssl-certfile", "none.pem", "--ssl-keyfile", "none.pem"], None, "none.pem"),
        (vec!["--no-such-option"], None, "--no-such-option"),
        (vec!["--memory-limit", "1MB"], None, "--memory-limit"),
        (vec!["query", "SELECT 1", "--memory-limit", "63MiB"], None, "--memory-limit"),
        (vec!["--retain", "market_data=400d,market_data=5d"], None, "--retain"),
        (vec!["--retain", "trades=400d", "--retain", "trades=5d"], None, "--retain"),
        (vec!["retention", "--dry-run", "--retain", "rollup_1m=9d,rollup_1m=9d"], None, "rollup_1m is there twice"),
        (vec![], Some(("OBSERVABILITY_RETAIN", "trades=5d,trades=400d")), "OBSERVABILITY_RETAIN"),
        (vec!["query", "SELECT 1", "--params", "x"], None, "--params"),
        (vec!["query", "SELECT 1", "--format", "xml"], None, "--format"),
        (vec![], Some(("BATCH_SIZE", "many")), "BATCH_SIZE"),
        (vec![], Some(("WRITE_INTERVAL", "-3")), "WRITE_INTERVAL"),
        (vec![], Some(("LOG_LEVEL", "loud")), "LOG_LEVEL"),
    ] {
        let mut launch = Launch::new().arguments(&arguments);
        if let Some((name, value)) = variable {
            launch = launch.environment(name, value);
        }
        let path = launch.path();
        let ended = launch.run();
        assert_eq!(ended.code, Some(2), "{arguments:?} {variable:?}: {ended:?}");
        assert!(ended.err.contains(named), "{named} is not named: {}", ended.err);
        assert!(!path.join("data").exists(), "nothing was begun");
    }
}

#[test]
fn a_settings_file_is_refused_where_it_is_wrong() {
    for (text, named) in [
        ("[server]\nport = 70000\n", "port"),
        ("[server]\nprot = 8000\n", "prot"),
        ("[store]\nbatch_size = \"many\"\n", "batch_size"),
        ("[nonsense]\n", "nonsense"),
        ("[retention]\ntrades = 400\ntrades = 5\n", "trades"),
        ("[retention]\ntrades = 400\n'trades' = 5\n", "trades"),
        ("[server\n", "line"),
    ] {
        let launch = Launch::new().arguments(["--config", "settings.toml"]);
        std::fs::write(launch.path().join("settings.toml"), text).unwrap();
        let ended = launch.run();
        assert_eq!(ended.code, Some(2), "{text}: {ended:?}");
        assert!(ended.err.contains(named) && ended.err.contains("settings.toml"), "{text}: {}", ended.err);
    }
    let missing = Launch::new().arguments(["--config", "missing.toml"]).run();
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("missing.toml"), "{}", missing.err);
}

#[tokio::test]
async fn flags_win_over_the_environment_the_environment_over_the_file() {
    // The database file that appears tells whose setting won.
    for (flag, variable, file, expected) in [
        (true, true, true, "flag.duckdb"),
        (false, true, true, "variable.duckdb"),
        (false, false, true, "file.duckdb"),
        (false, false, false, "data/observability.duckdb"),
    ] {
        let mut launch = Launch::new();
        if flag {
            launch = launch.arguments(["--database", "flag.duckdb"]);
        }
        if variable {
            launch = launch.environment("DUCKDB_PATH", "variable.duckdb");
        }
        if file {
            std::fs::write(launch.path().join("given.toml"), "[store]\ndatabase = \"file.duckdb\"\n").unwrap();
            launch = launch.arguments(["--config", "given.toml"]);
        }
        let server = launch.start().await;
        server.get("/health/ready").await;
        eventually(expected, async || server.path().join(expected).exists().then_some(())).await;
        for other in ["flag.duckdb", "variable.duckdb", "file.duckdb", "data/observability.duckdb"] {
            assert_eq!(server.path().join(other).exists(), other == expected, "{other}, not {expected}");
        }
    }
}

#[tokio::test]
async fn a_settings_file_in_the_working_directory_is_found() {
    let launch = Launch::new().without_address();
    let text = "[server]\nhost = \"127.0.0.1\"\nport = 0\nmax_websocket_clients = 123\n\
                [store]\ndatabase = \"here.duckdb\"\n";
    std::fs::write(launch.path().join("observability.toml"), text).unwrap();
    let server = launch.start().await;
    let components = server.get("/api/system/components").await.expect(200).json();
    assert_eq!(components["components"]["websocket"]["stats"]["max_connections"], 123);
    assert!(server.path().join("here.duckdb").exists());
}

#[tokio::test]
async fn the_loopback_is_the_default_and_serve_is_the_default_command() {
    for arguments in [vec!["--port", "0"], vec!["serve", "--port", "0"]] {
        let server = Launch::new().without_address().arguments(arguments).start().await;
        assert!(server.address.ip().is_loopback());
        server.get("/health").await.expect(200);
    }
}
