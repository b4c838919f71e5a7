//! The command line as its users meet it.

use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use clap::builder::Resettable;

use super::*;

/// Neither the environment nor the working directory of whoever runs the tests counts.
fn settings(arguments: &[&str]) -> Result<Settings, String> {
    with_file("", arguments)
}

fn with_file(text: &str, arguments: &[&str]) -> Result<Settings, String> {
    let file = file(text);
    let mut all = vec!["observability-api"];
    all.extend(arguments);
    if !arguments.contains(&"--config") {
        all.extend(["--config", file.path().to_str().unwrap()]);
    }
    let deaf = |argument: clap::Arg| argument.env(Resettable::Reset);
    let command = definition().mut_args(deaf).mut_subcommands(|command| command.mut_args(deaf));
    outcome(read(command, all.into_iter().map(OsString::from)))
}

fn outcome(parsed: Result<Invocation, Unusable>) -> Result<Settings, String> {
    match parsed {
        Ok(
            Invocation::Serve(settings)
            | Invocation::Query(_, settings)
            | Invocation::Backup(_, settings)
            | Invocation::Restore(_, settings)
            | Invocation::Upkeep(_, settings)
            | Invocation::Export(_, settings)
            | Invocation::Import(_, settings)
            | Invocation::ImportTimescale(_, settings),
        ) => Ok(settings),
        Ok(Invocation::SqlWorker(_)) => Err("a worker of the server has no settings".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// Runs one of these tests again, in a process with `variables`, where it finds `IN_ENVIRONMENT` set.
fn again_with(test: &str, variables: &[(&str, &str)]) {
    let mut process = Process::new(std::env::current_exe().unwrap());
    process.args(["--exact", &format!("cli::tests::{test}")]).env(IN_ENVIRONMENT, "1");
    let output = process.envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

const IN_ENVIRONMENT: &str = "OBSERVABILITY_TEST_IN_ENVIRONMENT";

fn with_environment(arguments: &[&str]) -> Result<Settings, String> {
    outcome(parse(std::iter::once("observability-api").chain(arguments.iter().copied()).map(OsString::from)))
}

#[test]
fn the_environment_stands_between_command_line_and_file() {
    if std::env::var_os(IN_ENVIRONMENT).is_none() {
        let file = file("[server]\nport = 9000\n[store]\nbatch_size = 7\nwrite_interval = 7\n[collect]\ndemo = true");
        return again_with(
            "the_environment_stands_between_command_line_and_file",
            &[
                ("OBSERVABILITY_CONFIG", file.path().to_str().unwrap()),
                ("DUCKDB_PATH", "environment.duckdb"),
                ("BATCH_SIZE", "8"),
                ("WRITE_INTERVAL", "8"),
                ("LOG_LEVEL", "WARNING"),
                ("OBSERVABILITY_DEMO", "no"),
            ],
        );
    }
    let found = with_environment(&["--write-interval", "9"]).unwrap();
    assert_eq!(found.store.write_interval, Duration::from_secs(9), "the command line wins over the environment");
    assert_eq!(found.store.batch_size, 8, "the environment wins over the file");
    assert_eq!(found.collect.demo, None, "the environment switches off what the file switches on");
    assert_eq!(found.server.port, 9000, "the file wins over the default");
    assert_eq!(found.store.path, Path::new("environment.duckdb"));
    assert_eq!(found.log.level, "warn");
    assert_eq!(found.store.readers, Settings::default().store.readers);
}

#[test]
fn a_refused_variable_is_named() {
    if std::env::var_os(IN_ENVIRONMENT).is_none() {
        return again_with("a_refused_variable_is_named", &[("BATCH_SIZE", "many")]);
    }
    for arguments in [&[][..], &["serve"], &["query", "SELECT 1"]] {
        let error = with_environment(arguments).unwrap_err();
        assert!(error.contains("environment variable BATCH_SIZE"), "{error}");
        assert!(error.contains("'many'") && error.contains("from 1 to 1000000"), "{error}");
    }
}

#[test]
fn the_definition_is_sound() {
    definition().debug_assert();
}

#[test]
fn help_states_the_true_default_of_every_setting() {
    let command = definition();
    let mut stated = 0;
    for argument in command.get_arguments() {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let default = help.split_once("[default: ").and_then(|(_, rest)| rest.strip_suffix(']'));
        // Some defaults depend on the machine and are told in words.
        let Some(default) = default.filter(|default| !default.contains(' ')) else { continue };
        let flag = format!("--{}={default}", argument.get_long().unwrap());
        // What only counts with --demo is compared with --demo; both sides then have its database.
        let (mut arguments, expected) = match argument.get_long() {
            Some(name) if name.starts_with("demo-") => (vec!["--demo"], settings(&["--demo"]).unwrap()),
            _ => (vec![], Settings::default()),
        };
        arguments.push(&flag);
        assert_eq!(settings(&arguments).as_ref(), Ok(&expected), "{flag}");
        stated += 1;
    }
    assert!(stated > 20, "only {stated} settings state a default");
}

#[test]
fn the_command_line_wins_over_the_file_and_the_file_over_the_default() {
    let text = "[server]\nport = 9000\nworkers = 3\n[store]\nwrite_interval = 2.5\nmemory_limit = '300MB'";
    let found = with_file(text, &["--port", "9001"]).unwrap();
    assert_eq!(found.server.port, 9001);
    assert_eq!(found.server.workers, 3);
    assert_eq!(found.store.write_interval, Duration::from_millis(2_500));
    assert_eq!(found.store.memory_limit_bytes, 300_000_000);
    assert_eq!(found.store.batch_size, Settings::default().store.batch_size);
}

#[test]
fn a_switch_of_the_file_can_be_switched_off() {
    let text = "[server]\ndev = true\naccess_log = true\n[collect]\ndemo = true";
    let found = with_file(text, &["--access-log=false", "--demo=false"]).unwrap();
    assert!(found.server.dev);
    assert!(!found.server.access_log);
    assert_eq!(found.collect.demo, None);
}

#[test]
fn the_demo_has_a_database_of_its_own_unless_one_is_named() {
    let path = |arguments: &[&str]| settings(arguments).unwrap().store.path;
    assert_eq!(path(&[]), Path::new("data/observability.duckdb"));
    assert_eq!(path(&["--demo"]), Path::new("data/demo.duckdb"));
    assert_eq!(path(&["--demo", "--database", "x.duckdb"]), Path::new("x.duckdb"));
}

#[test]
fn serve_is_what_happens_without_a_command() {
    assert_eq!(settings(&["serve", "--port", "1234"]), settings(&["--port", "1234"]));
}

#[test]
fn refused_values_are_told_with_their_setting_and_what_is_accepted() {
    for (arguments, told) in [
        (&["--workers", "0"][..], &["--workers", "'0'", "from 1 to 1024"][..]),
        (&["--port", "70000"], &["--port", "70000"]),
        (&["--host", "nowhere"], &["--host", "'nowhere'", "127.0.0.1"]),
        (&["--write-interval", "soon"], &["--write-interval", "'soon'", "500ms"]),
        (&["--memory-limit", "much"], &["--memory-limit", "'much'", "512MB"]),
        (&["--log-level", "loud"], &["--log-level", "'loud'", "warning, info"]),
        (&["--risk-url", "ftp://desk"], &["--risk-url", "ftp://desk", "http://127.0.0.1"]),
        (&["--cors-origins", "http://a,b"], &["--cors-origins", "without a path"]),
        (&["--allowed-hosts", "desk.example:8000"], &["--allowed-hosts", "without a port"]),
        (&["--demo-rate", "-1"], &["--demo-rate", "'-1'", "0.001"]),
        (&["--ssl-keyfile", "key.pem"], &["ssl-keyfile is set but ssl-certfile is not"]),
        (&["--config", "/nowhere/at/all.toml"], &["/nowhere/at/all.toml", "--config"]),
        (&["--ssl-keyfile", "/no/key", "--ssl-certfile", "/no/cert"], &["ssl-certfile", "/no/cert"]),
    ] {
        let error = settings(arguments).unwrap_err();
        for part in told {
            assert!(error.contains(part), "{arguments:?} should tell {part:?}: {error}");
        }
    }
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_name() {
    for (text, told) in [
        ("[server]\nprot = 1", &["prot", "port"][..]),
        ("[sever]\nport = 1", &["sever", "server"]),
        ("[server]\nport = 'many'", &["port", "'many'"]),
        ("[store]\nbatch_size = 0", &["batch_size", "'0'", "from 1 to 1000000"]),
        ("[collect]\ndemo = 'perhaps'", &["demo", "'perhaps'"]),
        ("[log]\nlog_level = ''", &["log_level", "empty"]),
    ] {
        let error = with_file(text, &[]).unwrap_err();
        for part in told {
            assert!(error.contains(part), "{text:?} should tell {part:?}: {error}");
        }
    }
}

#[test]
fn the_file_maps_metrics_to_columns_and_refuses_columns_that_are_not_there() {
    let found = with_file("[collect.mapping.market_data]\nlast_price = 'desk_price'\nbid = ['a', '*b*']", &[]).unwrap();
    let default = Settings::default().collect.mapping;
    assert_ne!(found.collect.mapping.market_data.last_price, default.market_data.last_price);
    assert_eq!(found.collect.mapping.market_data.ask, default.market_data.ask);
    let error = with_file("[collect.mapping.market_data]\nlast = 'desk_price'", &[]).unwrap_err();
    assert!(error.contains("unknown field `last`") && error.contains("last_price"), "{error}");
}

#[test]
fn the_example_file_is_accepted_and_says_the_defaults() {
    let text = include_str!("../../observability.example.toml");
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| rest.starts_with(char::is_alphabetic)).unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(with_file(&uncommented, &[]), Ok(Settings::default()));
}
