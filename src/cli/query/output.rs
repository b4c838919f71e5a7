//! In which form the answer goes out.

use std::path::PathBuf;

use bytes::Bytes;
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use futures::{Stream, StreamExt};

use super::{OutputFormat, QueryError};
use crate::batch::BatchStream;
use crate::cli::form::Form;
use crate::cli::output::{OutputError, Target};
use crate::encode::Format;

/// Rows that a table shows at the most: all of them are held, to find the width of the columns.
const TABLE_ROWS: usize = 10_000;

/// The target of an answer.
pub(super) struct Output {
    /// `None` for a table.
    form: Option<Form>,
    target: Target,
}

impl Output {
    /// Decides on the form; bytes that a terminal cannot show are refused.
    pub fn new(format: Option<OutputFormat>, file: Option<PathBuf>) -> Result<Self, QueryError> {
        let target = Target::new(file);
        let is_table = match format {
            Some(format) => format == OutputFormat::Table,
            None => target.is_terminal(),
        };
        if is_table {
            return Ok(Self { form: None, target });
        }
        let form = Form::of(format.and_then(OutputFormat::encoding), &target, Format::Json)?;
        match form.format() {
            Format::Arrow if target.is_terminal() => Err(OutputError::BinaryOnTerminal("Arrow").into()),
            Format::Parquet if target.is_terminal() => Err(OutputError::BinaryOnTerminal("Parquet").into()),
            _ => Ok(Self { form: Some(form), target }),
        }
    }

    /// The form of the answer; `None` for a table.
    pub fn form(&self) -> Option<Form> {
        self.form
    }

    /// Writes encoded bytes as they come.
    pub async fn write<E>(self, bytes: impl Stream<Item = Result<Bytes, E>>) -> Result<(), QueryError>
    where
        QueryError: From<E>,
    {
        let format = self.form.map(Form::format);
        let ends_line = !matches!(format, Some(Format::Arrow | Format::Parquet));
        self.target.write(bytes.map(|chunk| chunk.map_err(QueryError::from)), ends_line).await
    }

    /// Writes aligned columns.
    pub async fn table(self, mut answer: BatchStream) -> Result<(), QueryError> {
        let schema = answer.schema().clone();
        let (mut batches, mut rows) = (Vec::new(), 0);
        let mut cut = false;
        while let Some(batch) = answer.next().await {
            let batch = batch?;
            let shown = batch.num_rows().min(TABLE_ROWS - rows);
            cut = shown < batch.num_rows();
            rows += shown;
            batches.push(batch.slice(0, shown));
            if cut {
                break;
            }
        }
        let failed = |error| crate::batch::ReadError::Failed(format!("the table could not be laid out: {error}"));
        let table = pretty_format_batches_with_schema(schema, &batches).map_err(failed)?;
        let end = match (cut, rows) {
            (true, _) => format!("the first {rows} rows; add LIMIT, or --format csv for all"),
            (false, 1) => "1 row".to_owned(),
            (false, _) => format!("{rows} rows"),
        };
        let text = Bytes::from(format!("{table}\n{end}\n"));
        self.write(futures::stream::iter([Ok::<_, QueryError>(text)])).await
    }
}
