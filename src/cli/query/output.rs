//! Where the answer goes, and in which form.

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;

use bytes::Bytes;
use datafusion::arrow::util::pretty::pretty_format_batches_with_schema;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{OutputFormat, QueryError};
use crate::batch::BatchStream;

/// Rows that a table shows at the most: all of them are held, to find the width of the columns.
const TABLE_ROWS: usize = 10_000;

/// The target of an answer.
pub(super) struct Output {
    format: OutputFormat,
    file: Option<PathBuf>,
}

impl Output {
    /// Decides on the form; bytes that a terminal cannot show are refused.
    pub fn new(format: Option<OutputFormat>, file: Option<PathBuf>) -> Result<Self, QueryError> {
        let on_terminal = file.is_none() && stdout().is_terminal();
        let usual = || match &file {
            Some(path) => OutputFormat::of_file(path).unwrap_or(OutputFormat::Json),
            None if on_terminal => OutputFormat::Table,
            None => OutputFormat::Json,
        };
        let format = format.unwrap_or_else(usual);
        match format {
            OutputFormat::Arrow if on_terminal => Err(QueryError::BinaryOnTerminal("Arrow")),
            OutputFormat::Parquet if on_terminal => Err(QueryError::BinaryOnTerminal("Parquet")),
            _ => Ok(Self { format, file }),
        }
    }

    /// The form of the answer.
    pub fn format(&self) -> OutputFormat {
        self.format
    }

    /// Writes encoded bytes as they come. A file that could not be finished is removed.
    pub async fn write<E>(self, bytes: impl Stream<Item = Result<Bytes, E>>) -> Result<(), QueryError>
    where
        QueryError: From<E>,
    {
        let Some(path) = &self.file else {
            let ends_line = !matches!(self.format, OutputFormat::Arrow | OutputFormat::Parquet);
            return self.copy(bytes, tokio::io::stdout(), ends_line).await;
        };
        let file = tokio::fs::File::create(path).await.map_err(|source| self.unwritable(source))?;
        let written = self.copy(bytes, file, false).await;
        if written.is_err() {
            // The first error is the one to tell.
            let _ = tokio::fs::remove_file(path).await;
        }
        written
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

    async fn copy<E>(
        &self,
        bytes: impl Stream<Item = Result<Bytes, E>>,
        mut target: impl AsyncWrite + Unpin,
        ends_line: bool,
    ) -> Result<(), QueryError>
    where
        QueryError: From<E>,
    {
        let mut bytes = std::pin::pin!(bytes);
        let mut last = b'\n';
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk?;
            last = chunk.last().copied().unwrap_or(last);
            match target.write_all(&chunk).await {
                Ok(()) => {}
                // `| head` has seen enough.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(self.unwritable(error)),
            }
        }
        if ends_line && last != b'\n' {
            target.write_all(b"\n").await.map_err(|source| self.unwritable(source))?;
        }
        target.flush().await.map_err(|source| self.unwritable(source))
    }

    fn unwritable(&self, source: std::io::Error) -> QueryError {
        let target = self.file.as_ref().map_or_else(|| "the terminal".to_owned(), |path| path.display().to_string());
        QueryError::Unwritable { target, source }
    }
}
