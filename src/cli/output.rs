//! Where what a command gives out goes: the standard output, or a file.

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Why it cannot go there.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The answer could not be written.
    #[error("the answer cannot be written to {target}: {source}")]
    Unwritable {
        /// Where it should go.
        target: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Bytes are no use on a terminal.
    #[error("{0} is not for reading: add --output FILE, or send it to another program")]
    BinaryOnTerminal(&'static str),
}

/// A file, or the standard output.
pub(super) struct Target {
    file: Option<PathBuf>,
}

impl Target {
    /// A file; `-` and none are the standard output.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file: file.filter(|path| path.as_os_str() != "-") }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// Whether somebody reads along.
    pub fn is_terminal(&self) -> bool {
        self.file.is_none() && stdout().is_terminal()
    }

    /// Writes bytes as they come; on the standard output, text `ends_line`. A file that could not be finished is removed.
    pub async fn write<E>(&self, bytes: impl Stream<Item = Result<Bytes, E>>, ends_line: bool) -> Result<(), E>
    where
        E: From<OutputError>,
    {
        let Some(path) = &self.file else {
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

    async fn copy<E>(
        &self,
        bytes: impl Stream<Item = Result<Bytes, E>>,
        mut target: impl AsyncWrite + Unpin,
        ends_line: bool,
    ) -> Result<(), E>
    where
        E: From<OutputError>,
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
                Err(error) => return Err(self.unwritable(error).into()),
            }
        }
        if ends_line && last != b'\n' {
            target.write_all(b"\n").await.map_err(|source| self.unwritable(source))?;
        }
        Ok(target.flush().await.map_err(|source| self.unwritable(source))?)
    }

    fn unwritable(&self, source: std::io::Error) -> OutputError {
        let target = self.file.as_ref().map_or_else(|| "the terminal".to_owned(), |path| path.display().to_string());
        OutputError::Unwritable { target, source }
    }
}
