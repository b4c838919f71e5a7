//! `/api/ingest/{table}`: rows that others push.

use arrow::record_batch::RecordBatch;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::routing::MethodRouter;
use serde::Serialize;

use super::bodies::{Bodies, Received};
use super::incoming::Upload;
use super::routing::post;
use super::{ApiError, AppState};
use crate::batch::{BatchSender, Stored};
use crate::budget::Allowance;
use crate::ingest::{self, DecodeError, Encoding};
use crate::tables::{self, Table};

/// Plain texts up to this size are decoded at once, in a fraction of a millisecond. All else might be large or slow,
/// however small it comes, and is decoded where it holds up no other client.
const SMALL: usize = 16 << 10;
/// What such a text may unfold to.
const SMALL_UNFOLDED: u64 = 4 << 20;

/// Takes rows in.
#[derive(Clone)]
struct Intake {
    batches: BatchSender,
    bodies: Bodies,
}

/// What has been stored.
#[derive(Serialize)]
struct Answer {
    table: &'static str,
    rows: usize,
    /// Those of them that no roll-up counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows_of_dropped_days: Option<usize>,
}

/// How a body is to be read.
struct Form {
    encoding: Option<Encoding>,
    content_type: Option<String>,
}

/// Rows, and what they and their body are counted with until the writer's queue counts them.
struct Decoded {
    batches: Vec<RecordBatch>,
    counted: (Allowance, Received),
}

/// The path's only method: POST, of bodies that may be compressed.
pub fn route(state: &AppState) -> MethodRouter<AppState> {
    Intake { batches: state.batches.clone(), bodies: state.bodies.clone() }.route()
}

/// Stores the rows of the body, all or none, and answers when they are safe.
async fn take(
    State(intake): State<Intake>,
    Path(name): Path<String>,
    upload: Upload,
) -> Result<Json<Answer>, ApiError> {
    let (table, form, body) = intake.receive(name, upload).await?;
    let (rows, stored) = intake.store(table, form, body).await?;
    let rows_of_dropped_days = Some(stored.of_dropped_days).filter(|rows| *rows > 0);
    Ok(Json(Answer { table: table.name, rows, rows_of_dropped_days }))
}

impl Intake {
    fn route<S: Clone + Send + Sync + 'static>(self) -> MethodRouter<S> {
        post(take).with_state(self)
    }

    /// The table and the whole body, unless the request can be refused without it.
    async fn receive(&self, name: String, upload: Upload) -> Result<(&'static Table, Form, Received), ApiError> {
        let headers = &upload.headers;
        let table = tables::find(&name).ok_or(ApiError::TableNotFound(name))?;
        let encodings = headers.get_all(CONTENT_ENCODING).iter().map(|encoding| encoding.to_str().unwrap_or("?"));
        let encoding = match encodings.collect::<Vec<_>>().as_slice() {
            [] => None,
            several => Encoding::parse(&several.join(", ")).map_err(ApiError::UnknownEncoding)?,
        };
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let received = self.bodies.receive_rows(upload).await?;
        Ok((table, Form { encoding, content_type }, received))
    }

    /// Decodes and stores the rows of a body, and tells how many they are.
    async fn store(&self, table: &'static Table, form: Form, body: Received) -> Result<(usize, Stored), ApiError> {
        let limit = self.bodies.limit();
        let is_small = body.bytes.len() <= SMALL && form.encoding.is_none();
        let decoded = if is_small && ingest::is_plain(form.content_type.as_deref()) {
            decode(table, &form, body, limit, Allowance::alone(SMALL_UNFOLDED))
        } else {
            self.bodies.read(move |allowance| decode(table, &form, body, limit, allowance)).await?
        }?;
        let rows = decoded.batches.iter().map(RecordBatch::num_rows).sum();
        if rows == 0 {
            return Ok((0, Stored::default()));
        }
        let Decoded { batches, counted } = decoded;
        let stored = self.batches.submit(table, batches)?;
        drop(counted);
        Ok((rows, stored.committed().await?))
    }
}

fn decode(
    table: &'static Table,
    form: &Form,
    body: Received,
    limit: usize,
    allowance: Allowance,
) -> Result<Decoded, DecodeError> {
    let bytes = match form.encoding {
        Some(encoding) => ingest::decompress(encoding, &body.bytes, limit, &allowance)?,
        None => body.bytes.clone(),
    };
    let batches = ingest::decode(table, form.content_type.as_deref(), bytes, &allowance)?;
    Ok(Decoded { batches, counted: (allowance, body) })
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::GzipEncoder;
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use http_body_util::BodyExt;
    use tokio::io::AsyncReadExt;
    use tower::ServiceExt;

    use super::*;
    use crate::batch;
    use crate::config::Settings;

    const ROW: &str = r#"{"timestamp":"2025-10-21T22:00:00","symbol":"AAPL","last_price":1.5}"#;

    /// Sends a body to a server whose writer stores everything.
    async fn push(limit: usize, request: Request) -> (StatusCode, String) {
        let (batches, mut writer) = batch::channel(1 << 20);
        tokio::spawn(async move {
            while let Some(write) = writer.recv().await {
                let _ = write.acknowledge.unwrap().send(Ok(Stored::default()));
            }
        });
        let mut settings = Settings::default();
        settings.server.max_body_bytes = Some(limit);
        let intake = Intake { batches, bodies: Bodies::new(&settings) };
        let router = Router::new().route("/{table}", intake.route());
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
        assert_eq!(push(1_000, request("market_data", None, ROW)).await, stored);
        let compressed = request("market_data", Some("gzip"), gzip(ROW).await);
        assert_eq!(push(1_000, compressed).await, stored);
    }

    #[tokio::test]
    async fn an_unknown_table_is_told_the_known_ones() {
        let (status, body) = push(1_000, request("nope", None, ROW)).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("market_data, strategy_metrics"), "{body}");
    }

    #[tokio::test]
    async fn the_limit_counts_what_a_body_unfolds_to() {
        let large = format!("[{}{ROW}]", " ".repeat(10_000));
        let compressed = gzip(&large).await;
        assert!(compressed.len() < 1_000);
        let (status, _) = push(1_000, request("market_data", Some("gzip"), compressed)).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn what_cannot_be_decompressed_is_refused() {
        let (status, body) = push(1_000, request("market_data", Some("br"), ROW)).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(body.contains("gzip, zstd"), "{body}");
        let (status, _) = push(1_000, request("market_data", Some("gzip"), ROW)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
}
