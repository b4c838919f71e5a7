//! `/api/ingest/{table}`: rows that others push.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::decompression::RequestDecompressionLayer;

use super::routing::post;
use super::{ApiError, AppState};
use crate::batch::{BatchSender, WriteError};
use crate::ingest;
use crate::tables::{self, Table};

/// Bodies from this size on are decoded on a thread of their own, so that they hold up no other client.
const LARGE: usize = 64 << 10;
/// Room is counted in pages of this size, so that a 32-bit permit count reaches far enough.
const PAGE: usize = 1 << 10;

/// Takes rows in, within bounds of its own.
#[derive(Clone)]
struct Intake {
    batches: BatchSender,
    /// Largest body, in bytes after decompression.
    limit: usize,
    /// Pages that all bodies together may take while they are read, decoded and stored.
    room: Arc<Semaphore>,
    /// How many pages that are.
    pages: usize,
}

/// A body in memory, and the room that it takes.
struct Held {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// The path's only method: POST, of bodies that may be compressed.
pub fn route(state: &AppState) -> MethodRouter<AppState> {
    let settings = &state.settings;
    Intake::new(state.batches.clone(), settings.server.max_body_bytes, settings.store.queue_bytes).route()
}

/// Stores the rows of the body, all or none, and answers when they are safe.
async fn take(
    State(intake): State<Intake>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Response> {
    let (table, held) = intake.receive(name, &headers, body).await.map_err(|refusal| {
        // Some of the body may still be on its way: the connection can carry no other request, and the client is told.
        ([(CONNECTION, "close")], refusal).into_response()
    })?;
    let content_type = text(&headers, CONTENT_TYPE).map(str::to_owned);
    let rows = intake.store(table, content_type, &held).await.map_err(IntoResponse::into_response)?;
    Ok(Json(json!({ "table": table.name, "rows": rows })))
}

impl Intake {
    /// Takes bodies of at most `limit` bytes, and of all bodies at one time at most `room` bytes.
    fn new(batches: BatchSender, limit: usize, room: usize) -> Self {
        let pages = room.div_ceil(PAGE).clamp(1, Semaphore::MAX_PERMITS);
        Self { batches, limit, room: Arc::new(Semaphore::new(pages)), pages }
    }

    fn route<S: Clone + Send + Sync + 'static>(self) -> MethodRouter<S> {
        post(take).layer(RequestDecompressionLayer::new().pass_through_unaccepted(true)).with_state(self)
    }

    /// The table and the whole body, unless the request can be refused without it.
    async fn receive(&self, name: String, headers: &HeaderMap, body: Body) -> Result<(&'static Table, Held), ApiError> {
        let table = tables::find(&name).ok_or(ApiError::TableNotFound(name))?;
        if let Some(encoding) = text(headers, CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
            return Err(ApiError::UnknownEncoding(encoding.to_owned()));
        }
        let announced = text(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok());
        Ok((table, self.read(body, announced.unwrap_or(0)).await?))
    }

    /// Decodes and stores the rows of a body, and tells how many they are.
    async fn store(&self, table: &'static Table, content_type: Option<String>, held: &Held) -> Result<usize, ApiError> {
        let bytes = held.bytes.clone();
        let batches = if bytes.len() < LARGE {
            ingest::decode(table, content_type.as_deref(), bytes)?
        } else {
            let decoding = tokio::task::spawn_blocking(move || ingest::decode(table, content_type.as_deref(), bytes));
            decoding.await.map_err(|error| ApiError::Failed(format!("decoding stopped: {error}")))??
        };
        let rows = batches.iter().map(|batch| batch.num_rows()).sum();
        if rows > 0 {
            self.batches.commit(table, batches).await?;
        }
        Ok(rows)
    }

    /// The whole body. What is already here of it takes room; when there is no more, the client is to come back.
    ///
    /// A body that announces more bytes than it may have is refused before it is sent; a compressed one announces fewer
    /// than it unfolds to.
    async fn read(&self, mut body: Body, announced: usize) -> Result<Held, ApiError> {
        self.check(announced)?;
        let mut bytes = BytesMut::new();
        let mut room: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ApiError::BrokenBody(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            self.check(bytes.len() + data.len())?;
            let pages = u32::try_from(data.len().div_ceil(PAGE)).unwrap_or(u32::MAX);
            let more = Arc::clone(&self.room).try_acquire_many_owned(pages).map_err(|_| WriteError::Busy)?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: bytes.freeze(), _room: room })
    }

    /// Whether a body of this size can be taken at all, now or later.
    fn check(&self, bytes: usize) -> Result<(), ApiError> {
        if bytes > self.limit {
            return Err(ApiError::BodyTooLarge(self.limit));
        }
        if bytes.div_ceil(PAGE) > self.pages {
            return Err(WriteError::TooLarge { bytes, limit: self.pages * PAGE }.into());
        }
        Ok(())
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::GzipEncoder;
    use axum::Router;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use tokio::io::AsyncReadExt;
    use tower::ServiceExt;

    use super::*;
    use crate::batch;

    const ROW: &str = r#"{"timestamp":"2025-10-21T22:00:00","symbol":"AAPL","last_price":1.5}"#;

    /// Sends a body to a server whose writer stores everything.
    async fn push(limit: usize, room: usize, request: Request) -> (StatusCode, String) {
        let (batches, mut writer) = batch::channel(1 << 20);
        tokio::spawn(async move {
            while let Some(write) = writer.recv().await {
                let _ = write.acknowledge.unwrap().send(Ok(()));
            }
        });
        let router = Router::new().route("/{table}", Intake::new(batches, limit, room).route());
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn request(table: &str, encoding: Option<&str>, body: impl Into<Body>) -> Request {
        let request = Request::post(format!("/{table}")).header(CONTENT_TYPE, "application/json");
        let request = encoding.into_iter().fold(request, |request, name| request.header(CONTENT_ENCODING, name));
        request.body(body.into()).unwrap()
    }

    async fn gzip(text: &str) -> Vec<u8> {
        let mut compressed = Vec::new();
        GzipEncoder::new(text.as_bytes()).read_to_end(&mut compressed).await.unwrap();
        compressed
    }

    #[tokio::test]
    async fn rows_are_counted_once_they_are_stored() {
        let stored = (StatusCode::OK, r#"{"table":"market_data","rows":1}"#.to_owned());
        assert_eq!(push(1_000, 1 << 20, request("market_data", None, ROW)).await, stored);
        let compressed = request("market_data", Some("gzip"), gzip(ROW).await);
        assert_eq!(push(1_000, 1 << 20, compressed).await, stored);
    }

    #[tokio::test]
    async fn an_unknown_table_is_told_the_known_ones() {
        let (status, body) = push(1_000, 1 << 20, request("nope", None, ROW)).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("market_data, strategy_metrics"), "{body}");
    }

    #[tokio::test]
    async fn the_limit_counts_what_a_body_unfolds_to() {
        let large = format!("[{}{ROW}]", " ".repeat(10_000));
        let compressed = gzip(&large).await;
        assert!(compressed.len() < 1_000);
        let (status, _) = push(1_000, 1 << 20, request("market_data", Some("gzip"), compressed)).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn without_room_the_client_is_to_come_back_unless_there_never_is_enough() {
        let intake = Intake::new(batch::channel(1 << 20).0, 1 << 20, 4 * PAGE);
        let held = intake.read(Body::from(vec![b' '; 3 * PAGE]), 0).await.unwrap();
        let refused = intake.read(Body::from(vec![b' '; 2 * PAGE]), 0).await.err().unwrap();
        assert!(matches!(refused, ApiError::Write(WriteError::Busy)), "{refused:?}");
        drop(held);
        assert!(intake.read(Body::from(vec![b' '; 2 * PAGE]), 0).await.is_ok());
        for announced in [0, 5 * PAGE] {
            let refused = intake.read(Body::from(vec![b' '; 5 * PAGE]), announced).await.err().unwrap();
            assert!(matches!(refused, ApiError::Write(WriteError::TooLarge { .. })), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_decompressed_is_refused() {
        let (status, body) = push(1_000, 1 << 20, request("market_data", Some("br"), ROW)).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(body.contains("gzip, zstd"), "{body}");
        let (status, _) = push(1_000, 1 << 20, request("market_data", Some("gzip"), ROW)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}
