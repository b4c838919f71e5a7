//! Where what a command gives out goes: the standard output, or a file.

use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::output_file::OutputFile;

/// Names of the standard output. Opened by one of them, a file that it goes to would be written from its beginning.
const STANDARD_OUTPUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

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
    /// The name of the file does not say what is to be in it.
    #[error("what {} is to hold cannot be told from its name: it ends with one of {known}, or --format says it", .file.display())]
    UnknownEnding {
        /// The file.
        file: PathBuf,
        /// Ends that are known.
        known: String,
    },
    /// A signal ended the command.
    #[error("interrupted: {} is as it was before", .0.display())]
    Interrupted(PathBuf),
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
        Self { file: file.filter(|path| !STANDARD_OUTPUT.iter().any(|name| path == Path::new(name))) }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// Refuses a file that belongs to a database.
    pub fn check(&self) -> Result<(), OutputError> {
        self.file.as_ref().map_or(Ok(()), |file| OutputFile::check(file)).map_err(|source| self.unwritable(source))
    }

    /// Whether somebody reads along.
    pub fn is_terminal(&self) -> bool {
        self.file.is_none() && stdout().is_terminal()
    }

    /// Writes bytes as they come; on the standard output, text `ends_line`. A file gets its name when it is complete, and
    /// until then stays what it was.
    pub async fn write<E>(&self, bytes: impl Stream<Item = Result<Bytes, E>>, ends_line: bool) -> Result<(), E>
    where
        E: From<OutputError>,
    {
        let Some(path) = &self.file else {
            return self.copy(bytes, tokio::io::stdout(), ends_line).await;
        };
        let begin = path.clone();
        let output = self.blocking(move || OutputFile::begin(&begin)).await?;
        let file = output.file().try_clone().map_err(|source| self.unwritable(source))?;
        tokio::select! {
            written = self.copy(bytes, tokio::fs::File::from_std(file), false) => written?,
            () = interrupted() => return Err(OutputError::Interrupted(path.clone()).into()),
        }
        Ok(self.blocking(move || output.complete()).await?)
    }

    /// Does what waits for the disk, or for who reads a pipe, where nobody else waits.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, OutputError> {
        let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other);
        done.flatten().map_err(|source| self.unwritable(source))
    }

    /// Also writes what came before an error.
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
        let mut broken_off = Ok(());
        let written = async {
            let mut last = b'\n';
            while let Some(chunk) = bytes.next().await {
                match chunk {
                    Ok(chunk) => {
                        last = chunk.last().copied().unwrap_or(last);
                        target.write_all(&chunk).await?;
                    }
                    Err(error) => {
                        broken_off = Err(error);
                        break;
                    }
                }
            }
            if broken_off.is_ok() && ends_line && last != b'\n' {
                target.write_all(b"\n").await?;
            }
            target.flush().await
        };
        let written = written.await;
        broken_off?;
        match written {
            // `| head` has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written.map_err(|source| self.unwritable(source))?),
        }
    }

    fn unwritable(&self, source: std::io::Error) -> OutputError {
        let target = self.file.as_ref().map_or_else(|| "the terminal".to_owned(), |path| path.display().to_string());
        OutputError::Unwritable { target, source }
    }
}

/// Returns when the user wants no more of it.
async fn interrupted() {
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = terminated => {}
        // Without handlers the system's own behaviour stays: a signal ends the program.
        else => std::future::pending().await,
    }
}
