//! How the arguments of commands are written.

use chrono_tz::Tz;
use reqwest::Url;

use crate::ingest::timestamp;
use crate::tables::{self, TABLES, Table};
use crate::time::{DAY, Micros};
use crate::transfer::Translation;

/// How long a date without a time of day is.
const DATE_LENGTH: usize = "2025-10-21".len();

/// A table by its name.
pub(super) fn table(name: &str) -> Result<&'static Table, String> {
    tables::find(name).ok_or_else(|| format!("the tables are {}", TABLES.map(|table| table.name).join(", ")))
}

/// The symbol or strategy whose rows are wanted. An empty one names none, over HTTP neither.
pub(super) fn label(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty: name a symbol or strategy, or leave --label out for the rows of all".to_owned()),
        label => Ok(label.to_owned()),
    }
}

/// The address of a server.
pub(super) fn server(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let expected = || "expected an address such as http://127.0.0.1:8000 or https://desk.example".to_owned();
    url.filter(|url| url.query().is_none() && url.fragment().is_none()).ok_or_else(expected)
}

/// The first instant of a span.
pub(super) fn first_instant(text: &str) -> Result<Micros, String> {
    timestamp::parse(text).map_err(|reason| format!("it {reason}"))
}

/// The last instant of a span: of a date alone, the last of that day.
pub(super) fn last_instant(text: &str) -> Result<Micros, String> {
    let instant = first_instant(text)?;
    Ok(if text.len() == DATE_LENGTH { instant + DAY - 1 } else { instant })
}

/// `COLUMN=TEXT`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => Ok((column.to_owned(), value.to_owned())),
        _ => Err("expected COLUMN=…, with the column of the table on the left".to_owned()),
    }
}

/// `COLUMN:WORD=VALUE,WORD=VALUE`.
pub(super) fn translation(text: &str) -> Result<Translation, String> {
    let expected = || "expected COLUMN:WORD=VALUE,WORD=VALUE, such as side:True=sell,False=buy".to_owned();
    let (column, words) = text.split_once(':').filter(|(column, _)| !column.is_empty()).ok_or_else(expected)?;
    let words = words.split(',').map(|word| word.split_once('=').ok_or_else(expected));
    let words = words.map(|pair| pair.map(|(word, value)| (word.to_owned(), value.to_owned())));
    Ok(Translation { column: column.to_owned(), words: words.collect::<Result<_, _>>()? })
}

/// A time zone by its name.
pub(super) fn zone(name: &str) -> Result<Tz, String> {
    name.parse()
        .map_err(|_| "expected a name of the IANA database, such as Europe/Berlin or America/New_York".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::format_naive;

    #[test]
    fn a_date_alone_ends_with_its_day() {
        let last = |text: &str| last_instant(text).map(format_naive);
        assert_eq!(last("2022-01-31").as_deref(), Ok("2022-01-31T23:59:59.999999"));
        assert_eq!(last("2022-01-31T12:00:00+01:00").as_deref(), Ok("2022-01-31T11:00:00"));
        assert!(last("yesterday").is_err());
    }

    #[test]
    fn an_address_says_whether_it_is_secure_in_any_spelling() {
        assert_eq!(server("HTTPS://Desk.example:8000/").map(String::from).as_deref(), Ok("https://desk.example:8000/"));
        assert_eq!(server("http://127.0.0.1:8000/desk").map(|url| url.scheme().to_owned()).as_deref(), Ok("http"));
        for refused in ["", "127.0.0.1:8000", "localhost:8000", "ftp://desk", "http://", "http://desk/?a=b", "//desk"] {
            assert!(server(refused).is_err(), "{refused}");
        }
        assert_eq!(label("AAPL").as_deref(), Ok("AAPL"));
        assert!(label("").is_err());
    }

    #[test]
    fn words_and_what_they_stand_for() {
        let found = translation("side:True=sell,False=buy").unwrap();
        assert_eq!(found.column, "side");
        assert_eq!(found.words, [("True".into(), "sell".into()), ("False".into(), "buy".into())]);
        for refused in ["side", "side:True", ":True=sell", ""] {
            assert!(translation(refused).is_err(), "{refused}");
        }
        assert_eq!(pair("symbol=A=B"), Ok(("symbol".into(), "A=B".into())));
        assert!(pair("symbol").is_err() && pair("=x").is_err());
        assert!(zone("Europe/Berlin").is_ok() && zone("Berlin").is_err());
    }
}
