//! The document as one page to read, without a script.

use std::fmt::Write;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::tables::{TABLES, Table};

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let document = serde_json::to_value(super::document()).unwrap_or_default();
    let mut page = String::from(HEAD);
    // Writing to a string does not fail.
    let _ = write(&document, &mut page);
    page
});

/// The page, as HTML; it is made when it is first asked for.
pub fn page() -> &'static str {
    &PAGE
}

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Trading Observability API: reference</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; }
code, pre { font: 13px/1.5 ui-monospace, monospace; background: #f3f4f6; }
table { border-collapse: collapse; width: 100%; margin: .5em 0 1.5em; }
th, td { text-align: left; vertical-align: top; border-bottom: 1px solid #ddd; padding: .25em .5em; }
h3 code { font-size: 15px; }
.about { white-space: pre-line; }
</style>
</head>
<body>
";

fn write(document: &Value, page: &mut String) -> std::fmt::Result {
    let info = at(document, "info");
    writeln!(page, "<h1>{}</h1>\n<p class=\"about\">{}</p>", text(at(info, "title")), prose(at(info, "description")))?;
    writeln!(page, "<p>The same for programs: <a href=\"/openapi.json\">/openapi.json</a>; to try it out: ")?;
    writeln!(page, "<a href=\"/docs\">/docs</a>.</p>\n<h2>Paths</h2>")?;
    for (path, item) in members(at(document, "paths")) {
        for (method, operation) in members(item) {
            write_operation(&method.to_uppercase(), path, operation, page)?;
        }
    }
    writeln!(page, "<h2>Tables</h2>")?;
    for table in TABLES {
        write_table(table, page)?;
    }
    writeln!(page, "<h2>Objects</h2>")?;
    for (name, schema) in members(at(document, "components/schemas")) {
        if crate::tables::find(name).is_none() {
            write_schema(name, schema, page)?;
        }
    }
    writeln!(page, "</body>\n</html>")
}

fn write_operation(method: &str, path: &str, operation: &Value, page: &mut String) -> std::fmt::Result {
    writeln!(page, "<h3><code>{method} {}</code></h3>\n<p>{}.</p>", escaped(path), prose(at(operation, "summary")))?;
    if at(operation, "description").is_string() {
        writeln!(page, "<p>{}</p>", prose(at(operation, "description")))?;
    }
    writeln!(page, "<table>\n<tr><th>Part</th><th>Type</th><th>Meaning</th></tr>")?;
    for parameter in at(operation, "parameters").as_array().into_iter().flatten() {
        let (name, about) = (text(at(parameter, "name")), prose(at(parameter, "description")));
        writeln!(
            page,
            "<tr><td><code>{name}</code></td><td>{}</td><td>{about}</td></tr>",
            kind(at(parameter, "schema"))
        )?;
    }
    let body = at(operation, "requestBody");
    for (media_type, content) in members(at(body, "content")) {
        let (media_type, about) = (escaped(media_type), prose(at(body, "description")));
        writeln!(page, "<tr><td>body, {media_type}</td><td>{}</td><td>{about}</td></tr>", kind(at(content, "schema")))?;
    }
    for (status, response) in members(at(operation, "responses")) {
        let about = prose(at(response, "description"));
        for (media_type, content) in members(at(response, "content")) {
            let (media_type, kind) = (escaped(media_type), kind(at(content, "schema")));
            writeln!(page, "<tr><td>{status}, {media_type}</td><td>{kind}</td><td>{about}</td></tr>")?;
        }
    }
    writeln!(page, "</table>")
}

fn write_table(table: &Table, page: &mut String) -> std::fmt::Result {
    writeln!(page, "<h3 id=\"{0}\"><code>{0}</code></h3>\n<p>{1}</p>", table.name, escaped(table.about))?;
    writeln!(page, "<table>\n<tr><th>Column</th><th>Type</th><th>Null</th><th>Meaning</th></tr>")?;
    for column in table.columns {
        let null = if column.nullable { "yes" } else { "no" };
        let key = if table.key.contains(&column.name) { ", key" } else { "" };
        let (name, sql, about) = (column.name, column.kind.sql(), escaped(column.about));
        writeln!(page, "<tr><td><code>{name}</code>{key}</td><td>{sql}</td><td>{null}</td><td>{about}</td></tr>")?;
    }
    writeln!(page, "</table>")
}

fn write_schema(name: &str, schema: &Value, page: &mut String) -> std::fmt::Result {
    writeln!(
        page,
        "<h3 id=\"{0}\"><code>{0}</code></h3>\n<p>{1}</p>",
        escaped(name),
        prose(at(schema, "description"))
    )?;
    if at(schema, "enum").is_array() {
        writeln!(page, "<p>{}</p>", kind(schema))?;
    }
    if at(schema, "properties").is_object() {
        writeln!(page, "<table>\n<tr><th>Member</th><th>Type</th><th>Meaning</th></tr>")?;
        for (member, value) in members(at(schema, "properties")) {
            let (member, about) = (escaped(member), prose(at(value, "description")));
            writeln!(page, "<tr><td><code>{member}</code></td><td>{}</td><td>{about}</td></tr>", kind(value))?;
        }
        writeln!(page, "</table>")?;
    }
    Ok(())
}

/// A schema in a few words, with links to the named ones.
fn kind(schema: &Value) -> String {
    if let Some(name) = at(schema, "$ref").as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escaped(name));
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = at(schema, choice).as_array() {
            return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(words) = at(schema, "enum").as_array() {
        return words.iter().map(|word| format!("<code>{}</code>", text(word))).collect::<Vec<_>>().join(", ");
    }
    let name = match at(schema, "type") {
        Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
        name => text(name),
    };
    for inside in ["items", "additionalProperties"] {
        if at(schema, inside).is_object() {
            return format!("{name} of {}", kind(at(schema, inside)));
        }
    }
    let inside: Vec<_> =
        members(at(schema, "properties")).map(|(name, _)| format!("<code>{}</code>", escaped(name))).collect();
    if inside.is_empty() { name } else { format!("{name} of {}", inside.join(", ")) }
}

/// A member, by its path; null when it is not there.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('/').try_fold(value, |value, name| value.get(name)).unwrap_or(&Value::Null)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

/// Text in which backquotes enclose code.
fn prose(value: &Value) -> String {
    let text = text(value);
    let pieces = text.split('`').enumerate();
    pieces
        .map(|(index, piece)| if index % 2 == 1 { format!("<code>{piece}</code>") } else { piece.to_owned() })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_path_and_every_column() {
        let document = serde_json::to_value(super::super::document()).unwrap();
        for (path, _) in members(&document["paths"]) {
            assert!(page().contains(&format!(" {path}</code>")), "{path}");
        }
        for column in TABLES.into_iter().flat_map(|table| table.columns) {
            assert!(page().contains(&format!("<code>{}</code>", column.name)), "{}", column.name);
        }
    }

    #[test]
    fn the_page_asks_nothing_of_the_network() {
        assert!(!page().contains("://"));
        assert!(!page().contains("<script"));
    }

    #[test]
    fn text_cannot_break_out_of_the_page() {
        assert_eq!(escaped("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
