//! Bytes on their way into a place.

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStoreExt, WriteMultipart};

use super::{BackupError, Place};
use crate::archive::Digest;

/// Bytes that go to the place at once. Object stores want 5 MiB at the least.
const UPLOAD_BYTES: usize = 8 << 20;
/// Uploads of one file at a time.
const UPLOADS: usize = 3;

/// Writes a file in bounded memory and returns when it is durable. What was written of it is taken back when the bytes
/// end with an error.
pub(super) async fn upload(
    place: &Place,
    name: &str,
    chunks: impl Stream<Item = Result<Bytes, BackupError>>,
) -> Result<Digest, BackupError> {
    let upload = place.store().put_multipart(&Path::from(name)).await.map_err(place.refused(name))?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, UPLOAD_BYTES);
    let filled = async {
        let mut chunks = std::pin::pin!(chunks);
        let mut digest = Digest::default();
        while let Some(chunk) = chunks.try_next().await? {
            digest.add(&chunk);
            upload.wait_for_capacity(UPLOADS).await.map_err(place.refused(name))?;
            upload.put(chunk);
        }
        Ok(digest)
    };
    let digest = match filled.await {
        Ok(digest) => digest,
        Err(error) => {
            // The first error is the one to tell.
            let _ = upload.abort().await;
            return Err(error);
        }
    };
    upload.finish().await.map_err(place.refused(name))?;
    place.make_durable(name).await?;
    Ok(digest)
}
