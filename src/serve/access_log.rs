//! One line of the log for every request.

use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{Method, Uri};
use axum::response::Response;
use http_body_util::BodyExt;

/// A line that is written when it is dropped: when the answer is ready, or if that comes piece by piece, when the
/// last piece is on its way or the client has gone.
pub struct Line {
    method: Method,
    uri: Uri,
    started: Instant,
    status: u16,
    bytes: u64,
}

impl Line {
    /// Begins the line of `request`.
    pub fn begin(request: &Request, started: Instant) -> Self {
        Self { method: request.method().clone(), uri: request.uri().clone(), started, status: 0, bytes: 0 }
    }

    /// Notes what is sent of `response`, and writes the line when all of it is known.
    pub fn follow(mut self, response: Response) -> Response {
        self.status = response.status().as_u16();
        // A body of known length is left as it is, so that its length is told to the client.
        if let Some(bytes) = response.body().size_hint().exact() {
            self.count(bytes);
            return response;
        }
        response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                self.count(frame.data_ref().map_or(0, |data| data.len() as u64));
                frame
            }))
        })
    }

    fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        tracing::info!(
            target: "access",
            method = %self.method,
            path = %self.uri,
            status = self.status,
            duration_ms = self.started.elapsed().as_secs_f64() * 1e3,
            bytes = self.bytes,
            "request"
        );
    }
}
