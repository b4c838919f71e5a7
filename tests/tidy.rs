//! The invariants of ARCHITECTURE.md that can be seen in the sources.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// A source file of the program, without its tests.
struct Source {
    /// Relative to `src/`, with forward slashes.
    path: String,
    /// Lines of code with their numbers: no comments, and nothing from the test module on.
    code: Vec<(usize, String)>,
    lines: usize,
}

impl Source {
    fn is_in(&self, module: &str) -> bool {
        self.path.starts_with(&format!("{module}/")) || self.path == format!("{module}.rs")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut files = Vec::new();
    files_below(&src, "rs", &mut files);
    assert!(files.len() > 20, "the sources are not where this test looks");
    let is_test = |path: &str| path.ends_with("/tests.rs") || path.contains("/tests/");
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let path = file.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
            let code = match is_test(&path) {
                true => Vec::new(),
                false => text
                    .lines()
                    .enumerate()
                    .map(|(index, line)| (index + 1, line.trim().to_owned()))
                    .take_while(|(_, line)| line != "#[cfg(test)]")
                    .filter(|(_, line)| !line.starts_with("//"))
                    .collect(),
            };
            Source { path, code, lines: text.lines().count() }
        })
        .collect()
}

/// Every line of code that `offends`, in the sources that `applies` to.
fn offences(applies: impl Fn(&Source) -> bool, offends: impl Fn(&str) -> bool) -> Vec<String> {
    sources()
        .iter()
        .filter(|source| applies(source))
        .flat_map(|source| source.code.iter().map(move |(number, line)| (&source.path, number, line)))
        .filter(|(_, _, line)| offends(line))
        .map(|(path, number, line)| format!("src/{path}:{number}: {line}"))
        .collect()
}

fn assert_none(offences: &[String], rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

/// The string literals of a line, well enough for what is asked here.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

#[test]
fn only_store_names_duckdb() {
    let found = offences(|source| !source.is_in("store"), |line| line.contains("duckdb::"));
    assert_none(&found, "the database library is named outside src/store");
}

#[test]
fn the_database_is_opened_in_one_place() {
    let opened = offences(|_| true, |line| line.contains("Connection::open"));
    assert_eq!(opened.len(), 1, "one place opens the database, all else clones its connection: {opened:#?}");
    assert!(opened.iter().all(|place| place.starts_with("src/store/")), "{opened:#?}");
}

#[test]
fn only_encode_names_media_types() {
    // None is a form of rows: the pages of the API's description, the text of metrics, and what exporters are asked for.
    let others = ["serve/docs.rs", "serve/scrape/mod.rs", "collect/source/prometheus/endpoint.rs"];
    let media_type = |text: &str| ["application/", "text/"].iter().any(|start| text.starts_with(start));
    let found = offences(
        |source| !source.is_in("encode") && !others.contains(&source.path.as_str()),
        |line| literals(line).any(media_type),
    );
    assert_none(&found, "a media type is written outside src/encode");
}

#[test]
fn statements_live_in_queries() {
    // Settings and transactions are the store's own housekeeping; what DataFusion hands down has to be put into words.
    let put_into_words = "query/sql/store_sql.rs";
    let statements = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "MERGE ", "CREATE ", "ALTER ", "WITH ", "COPY "];
    let found = offences(
        |source| source.path != put_into_words,
        |line| literals(line).any(|text| statements.iter().any(|word| text.trim_start().starts_with(word))),
    );
    assert_none(&found, "SQL is written in Rust; put it into queries/");
}

#[test]
fn what_makes_batches_cannot_see_the_store() {
    let found = offences(
        |source| ["collect", "ingest", "transfer"].iter().any(|module| source.is_in(module)),
        |line| line.contains("store::"),
    );
    assert_none(&found, "batches travel over the channel of src/batch; the store is not seen from here");
}

#[test]
fn there_is_one_arrow() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for package in ["arrow", "arrow-array", "arrow-schema", "parquet", "libduckdb-sys"] {
        let name = format!("name = \"{package}\"");
        let versions: Vec<&str> =
            lock.split("[[package]]").filter(|entry| entry.lines().any(|line| line == name)).collect();
        assert_eq!(versions.len(), 1, "{package} must be in Cargo.lock in one version: {versions:#?}");
    }
}

#[test]
fn files_stay_small() {
    let large: Vec<String> = sources()
        .iter()
        .filter(|source| source.lines >= 500)
        .map(|source| format!("src/{}: {} lines", source.path, source.lines))
        .collect();
    assert_none(&large, "a file has grown past one subject");
}

#[test]
fn the_documents_name_only_files_that_exist() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let named = text.split('`').skip(1).step_by(2).filter(|word| {
            ["src/", "queries/", "tests/", "scripts/", "benches/"].iter().any(|start| word.starts_with(start))
                && !word.contains(['*', ' ', '<', '{'])
        });
        for name in named {
            assert!(root().join(name).exists(), "{document} names `{name}`, which does not exist");
        }
    }
}
