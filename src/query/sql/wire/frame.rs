//! A message and its rows, with their lengths before them.

use std::io::{self, ErrorKind, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The two lengths.
const PREFIX_BYTES: usize = 8;
/// The longest message: a query with its values, each character of them escaped.
const MESSAGE_BYTES: usize = 4 << 20;

/// Writes a frame and waits for it.
pub fn write(output: &mut impl Write, message: &impl Serialize, rows: &[u8]) -> io::Result<()> {
    output.write_all(&head(message, rows)?)?;
    output.write_all(rows)
}

/// Writes a frame.
pub async fn send(output: &mut (impl AsyncWrite + Unpin), message: &impl Serialize, rows: &[u8]) -> io::Result<()> {
    output.write_all(&head(message, rows)?).await?;
    output.write_all(rows).await
}

/// Reads a frame and waits for it; `None` at the end of the stream.
pub fn read<M: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<(M, Vec<u8>)>> {
    let mut prefix = [0; PREFIX_BYTES];
    match input.read_exact(&mut prefix) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let (message, rows) = lengths(prefix, usize::MAX)?;
    let (mut message, mut rows) = (vec![0; message], vec![0; rows]);
    input.read_exact(&mut message)?;
    input.read_exact(&mut rows)?;
    Ok(Some((serde_json::from_slice(&message)?, rows)))
}

/// What follows in a frame, for which nothing has been allocated yet.
pub struct Announced {
    message: usize,
    /// Bytes of its rows.
    pub rows: usize,
}

/// Reads how long the next frame is, whose rows take at most `most` bytes.
pub async fn announced(input: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Announced> {
    let mut prefix = [0; PREFIX_BYTES];
    input.read_exact(&mut prefix).await?;
    let (message, rows) = lengths(prefix, most)?;
    Ok(Announced { message, rows })
}

/// Reads a frame whose rows take at most `most` bytes.
pub async fn receive<M: DeserializeOwned>(
    input: &mut (impl AsyncRead + Unpin),
    most: usize,
) -> io::Result<(M, Vec<u8>)> {
    let announced = announced(input, most).await?;
    receive_rest(input, announced).await
}

/// Reads the rest of a frame.
pub async fn receive_rest<M: DeserializeOwned>(
    input: &mut (impl AsyncRead + Unpin),
    Announced { message, rows }: Announced,
) -> io::Result<(M, Vec<u8>)> {
    let (mut message, mut rows) = (vec![0; message], vec![0; rows]);
    input.read_exact(&mut message).await?;
    input.read_exact(&mut rows).await?;
    Ok((serde_json::from_slice(&message)?, rows))
}

fn head(message: &impl Serialize, rows: &[u8]) -> io::Result<Vec<u8>> {
    let mut head = vec![0; PREFIX_BYTES];
    serde_json::to_writer(&mut head, message)?;
    let message = u32::try_from(head.len() - PREFIX_BYTES).map_err(io::Error::other)?;
    let rows = u32::try_from(rows.len()).map_err(io::Error::other)?;
    let prefix = message.to_le_bytes().into_iter().chain(rows.to_le_bytes());
    head.iter_mut().zip(prefix).for_each(|(byte, length)| *byte = length);
    Ok(head)
}

fn lengths(prefix: [u8; PREFIX_BYTES], most_rows: usize) -> io::Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = prefix;
    let length = |bytes| usize::try_from(u32::from_le_bytes(bytes)).map_err(io::Error::other);
    let (message, rows) = (length([a, b, c, d])?, length([e, f, g, h])?);
    if message > MESSAGE_BYTES || rows > most_rows {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame of {message} and {rows} bytes")));
    }
    Ok((message, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_arrives_as_it_was_sent() {
        let mut bytes = Vec::new();
        write(&mut bytes, &("text", 1), b"rows").unwrap();
        send(&mut bytes, &("more", 2), b"").await.unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(read::<(String, u32)>(&mut input).unwrap(), Some((("text".into(), 1), b"rows".to_vec())));
        assert_eq!(receive::<(String, u32)>(&mut input, 0).await.unwrap(), (("more".into(), 2), Vec::new()));
        assert_eq!(read::<(String, u32)>(&mut input).unwrap(), None);
    }

    #[tokio::test]
    async fn a_frame_that_is_too_long_is_refused_before_there_is_room_for_it() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"text", &[0; 100]).unwrap();
        assert!(receive::<String>(&mut bytes.as_slice(), 99).await.is_err());
        let endless = [0xff; PREFIX_BYTES];
        assert!(read::<String>(&mut endless.as_slice()).is_err());
    }
}
