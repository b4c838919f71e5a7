//! The form in which rows are written: what was asked for, else what the end of the file's name stands for.

use std::path::Path;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};

use super::arrow::batches;
use super::database::DatabaseError;
use super::output::{OutputError, Target};
use crate::batch::BatchStream;
use crate::encode::{self, ByteStream, Format};

/// Ends of names, and what they stand for. Those of Arrow IPC files, which have a table of contents, are marked.
const ENDINGS: [(&str, Format, bool); 10] = [
    ("csv", Format::Csv, false),
    ("json", Format::Json, false),
    ("ndjson", Format::Ndjson, false),
    ("jsonl", Format::Ndjson, false),
    ("parquet", Format::Parquet, false),
    ("pq", Format::Parquet, false),
    ("arrow", Format::Arrow, true),
    ("feather", Format::Arrow, true),
    ("ipc", Format::Arrow, true),
    ("arrows", Format::Arrow, false),
];

/// A form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    format: Format,
    /// Arrow IPC as a file, which readers of `.arrow` and `.feather` expect, and not as a stream.
    is_arrow_file: bool,
}

impl Form {
    /// `format`, else what the name of the file says, else the `usual` one. A name whose end says nothing is refused.
    pub fn of(format: Option<Format>, target: &Target, usual: Format) -> Result<Self, OutputError> {
        let plain = |format| Self { format, is_arrow_file: false };
        let Some(file) = target.file() else { return Ok(plain(format.unwrap_or(usual))) };
        let by_name = Self::of_name(file);
        match (format, by_name) {
            // That rows would be lost is to be said first.
            (None, Err(unknown)) => target.check().and(Err(unknown)),
            (None, Ok(by_name)) => Ok(by_name.unwrap_or(plain(usual))),
            (Some(format), Ok(Some(by_name))) if by_name.format == format => Ok(by_name),
            (Some(format), _) => Ok(plain(format)),
        }
    }

    /// What the end of a name stands for; `None` for a name without one.
    fn of_name(file: &Path) -> Result<Option<Self>, OutputError> {
        let Some(ending) = file.extension() else { return Ok(None) };
        let is = |known: &&(&str, Format, bool)| ending.eq_ignore_ascii_case(known.0);
        let unknown = || OutputError::UnknownEnding {
            file: file.to_owned(),
            known: ENDINGS.map(|(ending, ..)| format!(".{ending}")).join(", "),
        };
        let (_, format, is_arrow_file) = *ENDINGS.iter().find(is).ok_or_else(unknown)?;
        Ok(Some(Self { format, is_arrow_file }))
    }

    /// What a server is asked for.
    pub fn format(self) -> Format {
        self.format
    }

    /// Encodes rows.
    pub fn encode(self, rows: BatchStream) -> ByteStream {
        if self.is_arrow_file { encode::arrow_file(rows) } else { encode::encode(self.format, rows) }
    }

    /// Makes this form of what a server has sent as [`Form::format`].
    pub async fn take<S>(self, bytes: S) -> Result<BoxStream<'static, Result<Bytes, DatabaseError>>, DatabaseError>
    where
        S: Stream<Item = Result<Bytes, DatabaseError>> + Send + Unpin + 'static,
    {
        match self.is_arrow_file {
            true => Ok(self.encode(batches(bytes).await?).map_err(DatabaseError::from).boxed()),
            false => Ok(bytes.boxed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(format: Option<Format>, file: &str) -> Result<(Format, bool), String> {
        let form = Form::of(format, &Target::new(Some(file.into())), Format::Csv);
        form.map(|form| (form.format, form.is_arrow_file)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_name_decides_unless_a_form_was_asked_for() {
        for (file, format, is_arrow_file) in [
            ("rows.csv", Format::Csv, false),
            ("rows.JSON", Format::Json, false),
            ("a.b/rows.jsonl", Format::Ndjson, false),
            ("rows.feather", Format::Arrow, true),
            ("rows.arrow", Format::Arrow, true),
            ("rows.arrows", Format::Arrow, false),
            ("rows.parquet", Format::Parquet, false),
            ("a.feather/rows", Format::Csv, false),
            ("-", Format::Csv, false),
        ] {
            assert_eq!(of(None, file), Ok((format, is_arrow_file)), "{file}");
        }
        assert_eq!(of(Some(Format::Arrow), "rows.feather"), Ok((Format::Arrow, true)));
        assert_eq!(of(Some(Format::Arrow), "rows.bin"), Ok((Format::Arrow, false)));
        assert_eq!(of(Some(Format::Csv), "rows.feather"), Ok((Format::Csv, false)));
        for file in ["rows.xlsx", "rows.csv.gz", "rows.txt"] {
            let told = of(None, file).unwrap_err();
            assert!(told.contains(".feather, ") && told.contains("--format") && told.contains(file), "{told}");
        }
    }
}
