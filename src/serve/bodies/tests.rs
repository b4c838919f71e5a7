use axum::body::Body;
use axum::extract::{FromRequest, Request};

use super::*;

fn bodies(ingest_memory: u64, upload_timeout: Duration) -> Bodies {
    let mut settings = Settings::default();
    settings.server.ingest_memory_bytes = Some(ingest_memory);
    settings.server.upload_timeout = upload_timeout;
    Bodies::new(&settings)
}

/// A body of `size` bytes that never ends.
fn stalled(size: usize) -> Body {
    let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; size]))]);
    Body::from_stream(futures::StreamExt::chain(first, futures::stream::pending()))
}

async fn receive(bodies: &Bodies, body: Body) -> Result<usize, ApiError> {
    let Ok(upload) = Upload::from_request(Request::new(body), &()).await;
    let received = bodies.receive_rows(upload).await?;
    Ok(received.bytes.len())
}

#[tokio::test]
async fn a_body_that_stands_still_gives_its_room_to_others() {
    let bodies = bodies(32 << 20, Duration::from_secs(3_600));
    let stalling = receive(&bodies, stalled(10 << 20));
    // It waits for the first one's room, and a small one does not.
    let waiting = receive(&bodies, Body::from(vec![b' '; 8 << 20]));
    let small = receive(&bodies, Body::from(vec![b' '; 10_000]));
    let (given_up, waited, small) = tokio::join!(stalling, waiting, small);
    assert!(matches!(given_up, Err(ApiError::UploadDisplaced)), "{given_up:?}");
    assert_eq!((waited.unwrap(), small.unwrap(), bodies.cut()), (8 << 20, 10_000, 1));
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up_even_if_nobody_needs_its_room() {
    let bodies = bodies(32 << 20, Duration::from_millis(50));
    let given_up = receive(&bodies, stalled(10 << 20)).await;
    assert!(matches!(given_up, Err(ApiError::UploadStalled(_))), "{given_up:?}");
    assert_eq!(receive(&bodies, Body::from(vec![b' '; 16 << 20])).await.unwrap(), 16 << 20);
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_as_well() {
    let bodies = bodies(32 << 20, Duration::from_millis(100));
    let trickle = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
    });
    let given_up = receive(&bodies, Body::from_stream(trickle)).await.unwrap_err();
    assert!(matches!(given_up, ApiError::UploadStalled(_)), "{given_up:?}");
}

#[tokio::test]
async fn a_body_that_never_fits_is_told_so() {
    let bodies = bodies(32 << 20, Duration::from_secs(30));
    let refused = receive(&bodies, Body::from(vec![b' '; (16 << 20) + 1])).await.unwrap_err();
    assert!(matches!(refused, ApiError::BodyTooLarge(_)), "{refused:?}");
}
