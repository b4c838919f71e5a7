//! In which form the answer goes out.

use std::path::PathBuf;

use bytes::Bytes;
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use futures::{Stream, StreamExt};

use super::{OutputFormat, QueryError};
use crate::batch::BatchStream;
use crate::cli::output::{OutputError, Target};

/// Rows that a table shows at the most: all of them are held, to find the width of the columns.
const TABLE_ROWS: usize = 10_000;

/// The target of an answer.
pub(super) struct Output {
    format: OutputFormat,
    target: Target,
}

impl Output {
    /// Decides on the form; bytes that a terminal cannot show are refused.
    pub fn new(format: Option<OutputFormat>, file: Option<PathBuf>) -> Result<Self, QueryError> {
        let target = Target::new(file);
        let usual = || match target.file() {
            Some(path) => OutputFormat::of_file(path).unwrap_or(OutputFormat::Json),
            None if target.is_terminal() => OutputFormat::Table,
            None => OutputFormat::Json,
        };
        let format = format.unwrap_or_else(usual);
        match format {
            OutputFormat::Arrow if target.is_terminal() => Err(OutputError::BinaryOnTerminal("Arrow").into()),
            OutputFormat::Parquet if target.is_terminal() => Err(OutputError::BinaryOnTerminal("Parquet").into()),
            _ => Ok(Self { format, target }),
        }
    }

    /// The form of the answer.
    pub fn format(&self) -> OutputFormat {
        self.format
    }

    /// Writes encoded bytes as they come.
    pub async fn write<E>(self, bytes: impl Stream<Item = Result<Bytes, E>>) -> Result<(), QueryError>
    where
        QueryError: From<E>,
    {
        let ends_line = !matches!(self.format, OutputFormat::Arrow | OutputFormat::Parquet);
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
