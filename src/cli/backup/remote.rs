//! A backup that a running server takes.

use futures::TryStreamExt;
use tokio::io::AsyncBufReadExt;
use tokio_util::io::StreamReader;

use super::CommandError;
use super::bar::Bar;
use crate::backup::{Report, Taken};
use crate::location::Location;
use crate::store::lock::Holder;

/// Tells the server to take a backup, and shows how far it is. Ending this command stops the backup.
pub(super) async fn take(holder: &Holder, to: Option<Location>, keep: Option<u32>) -> Result<Taken, CommandError> {
    let server = holder.address.as_deref().ok_or(CommandError::NotListening(holder.pid))?;
    let unreachable = |source| CommandError::Unreachable { server: server.to_owned(), source };
    // The server is the process that holds the lock, and listens on this machine. That is what tells who it is; its
    // certificate is for the names that other machines know it by.
    let client = reqwest::Client::builder().no_proxy().danger_accept_invalid_certs(true).build();
    let mut request = client.map_err(unreachable)?.post(format!("{server}/api/operator/backup"));
    if let Some(to) = to {
        request = request.query(&[("to", absolute(to)?.to_string())]);
    }
    if let Some(keep) = keep {
        request = request.query(&[("keep", keep)]);
    }
    let response = request.bearer_auth(holder.token.as_str()).send().await.map_err(unreachable)?;
    let status = response.status();
    if !status.is_success() {
        let text = response.text().await.map_err(unreachable)?;
        return Err(CommandError::Refused(format!("{server} answered {status}: {text}")));
    }
    let bytes = response.bytes_stream().map_err(std::io::Error::other);
    let mut lines = StreamReader::new(bytes).lines();
    let broken = |error: &dyn std::fmt::Display| CommandError::BrokenOff(error.to_string());
    let bar = Bar::default();
    while let Some(line) = lines.next_line().await.map_err(|error| broken(&error))? {
        match serde_json::from_str(&line).map_err(|error| broken(&error))? {
            Report::Progress(progress) => bar.show(&progress),
            Report::Taken(taken) => return Ok(taken),
            Report::Failed { error } => return Err(CommandError::Refused(error)),
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
