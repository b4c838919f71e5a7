//! A backup that a running server takes.

use futures::TryStreamExt;
use tokio::io::AsyncBufReadExt;
use tokio_util::io::StreamReader;

use super::CommandError;
use super::bar::Bar;
use crate::backup::{Report, Taken};
use crate::cli::client::{ClientError, Remote};
use crate::location::Location;

/// Tells the server to take a backup, and shows how far it is. Ending this command stops the backup.
pub(super) async fn take(server: &Remote, to: Option<Location>, keep: Option<u32>) -> Result<Taken, CommandError> {
    let mut request = server.order("/api/operator/backup");
    if let Some(to) = to {
        request = request.query(&[("to", absolute(to)?.to_string())]);
    }
    if let Some(keep) = keep {
        request = request.query(&[("keep", keep)]);
    }
    let response = server.send(request).await?;
    let bytes = response.bytes_stream().map_err(std::io::Error::other);
    let mut lines = StreamReader::new(bytes).lines();
    let broken = |error: &dyn std::fmt::Display| CommandError::BrokenOff(error.to_string());
    let bar = Bar::default();
    while let Some(line) = lines.next_line().await.map_err(|error| broken(&error))? {
        match serde_json::from_str(&line).map_err(|error| broken(&error))? {
            Report::Progress(progress) => bar.show(&progress),
            Report::Taken(taken) => return Ok(taken),
            Report::Failed { error } => return Err(ClientError::Refused(error).into()),
        }
    }
    Err(broken(&"its answer ended early"))
}

/// The server may work in another directory.
fn absolute(location: Location) -> Result<Location, CommandError> {
    match location {
        Location::Directory(path) => {
            std::path::absolute(path).map(Location::Directory).map_err(CommandError::Directory)
        }
        bucket @ Location::Bucket { .. } => Ok(bucket),
    }
}
