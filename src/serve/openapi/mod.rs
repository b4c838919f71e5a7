//! The OpenAPI document, one file a topic.
//!
//! `schema` and `operation` are the words in which the topics are written;
//! `tables` comes from the declarations of the tables, so that a column is described once;
//! [`reference`] is the same document as a page to read.

mod export;
mod ingest;
mod metrics;
mod operation;
mod operator;
pub mod reference;
mod schema;
mod service;
mod sql;
mod system;
mod tables;
mod trades;

use std::sync::LazyLock;

use utoipa::openapi::path::PathsBuilder;
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};

/// Paths and schemas of the document while it is being put together.
struct Draft {
    paths: PathsBuilder,
    components: ComponentsBuilder,
}

static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(build);

/// The document; it is made when it is first asked for.
pub fn document() -> &'static OpenApi {
    &DOCUMENT
}

fn build() -> OpenApi {
    let draft = Draft { paths: PathsBuilder::new(), components: ComponentsBuilder::new() };
    let draft = service::describe(draft);
    let draft = metrics::describe(draft);
    let draft = trades::describe(draft);
    let draft = system::describe(draft);
    let draft = ingest::describe(draft);
    let draft = export::describe(draft);
    let draft = sql::describe(draft);
    let draft = operator::describe(draft);
    let draft = tables::describe(draft);
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Trading Observability API").version("1.0.0").description(Some(ABOUT)).build())
        .tags(Some([
            tag("metrics", "Newest values, and their history in time buckets."),
            tag("trades", "Fills, their statistics, and the quality of execution."),
            tag("system", "The machine, the collectors, the WebSocket clients, the log."),
            tag("ingest", "Pushing rows into the tables."),
            tag("export", "Whole rows of the tables."),
            tag("sql", "Users' own read-only SQL."),
            tag("operator", "Backups, the archive and retention."),
        ]))
        .paths(draft.paths)
        .components(Some(draft.components.build()))
        .build()
}

fn tag(name: &str, about: &str) -> Tag {
    TagBuilder::new().name(name).description(Some(about)).build()
}

const ABOUT: &str = "\
Observability server of an algorithmic trading desk.

Times in answers are naive UTC, `2026-11-23T09:35:11.315292`, without fraction when it is zero. Times in requests may \
carry an offset; without one they are UTC. Rows come as JSON unless `format` or the `Accept` header asks for \
something else; `format` wins. Errors are `{\"detail\": …}`.

WebSocket `/ws/metrics`: a welcome (`type` = `connected`, `client_id`, `server_time`, `update_frequency_hz`), then \
ten frames a second with `timestamp` (monotonic seconds), the four sections of `/api/metrics/current`, and \
`server_time` (Unix seconds). Every 15 seconds the bare text `ping` comes between the frames and needs no answer; the \
text `ping` from a client is answered `pong`. `subscribe:market_data` (or `strategy`, `execution`, `system`) narrows \
the frames to the sections named so far, the others are `{}`; `subscribe:all` restores them. A client that cannot \
keep up skips frames; one that takes nothing for five seconds is disconnected.";

#[cfg(test)]
mod tests {
    use serde_json::Value;

    fn document() -> Value {
        serde_json::to_value(super::document()).unwrap()
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    members.values().for_each(|member| references(member, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_path_parameter_is_described() {
        let document = document();
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let described: Vec<_> = operation["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|parameter| parameter["in"] == "path")
                    .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
                    .collect();
                let named: Vec<_> = path.split('/').filter(|segment| segment.starts_with('{')).collect();
                assert_eq!(described, named, "{path}");
            }
        }
    }

    #[test]
    fn operations_have_a_summary_and_an_id_of_their_own() {
        let document = document();
        let mut ids = std::collections::BTreeSet::new();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                assert!(!operation["summary"].as_str().unwrap().is_empty());
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()));
            }
        }
    }

    #[test]
    fn the_document_is_openapi_3_1() {
        assert_eq!(document()["openapi"], "3.1.0");
    }
}
