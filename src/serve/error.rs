//! Every way in which a request can fail, and what the client is told: a status and `{"detail": …}`.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::validation::Problem;
use crate::batch::{ReadError, WriteError};
use crate::encode::UnknownFormat;
use crate::ingest::{DecodeError, Fault};
use crate::tables::TABLES;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No trade of that id.
    #[error("Trade not found")]
    TradeNotFound,
    /// No table of that name.
    #[error("there is no table '{0}': the tables are {names}", names = table_names())]
    TableNotFound(String),
    /// Parameters or a body that do not fit, each with its place.
    #[error("the request does not fit")]
    Validation(Vec<Problem>),
    /// A JSON body that is no text, or that did not arrive whole.
    #[error("There was an error parsing the body")]
    UnreadableBody,
    /// A body that could not be decompressed, or that did not arrive whole.
    #[error("the body could not be read to its end: {0}")]
    BrokenBody(String),
    /// A body larger than the limit, counted after decompression.
    #[error("the body has more than {0} bytes: send it in parts")]
    BodyTooLarge(usize),
    /// A body that stopped arriving.
    #[error(
        "the body was given up: nothing of it came for {0} seconds, or too little in all; send it again, or raise \
         --upload-timeout"
    )]
    UploadStalled(f64),
    /// A body that came slowly while others needed the room that it took.
    #[error(
        "the body was given up: it came slowly, and others needed the room that it took; send it again when there is \
         less to do, or faster"
    )]
    UploadDisplaced,
    /// A query with more values than anybody asks with.
    #[error("the body has more than {0} values: ask for less at a time")]
    TooManyValues(usize),
    /// A compression that is not known here.
    #[error("the content encoding '{0}' is not known: send gzip, zstd, or none")]
    UnknownEncoding(String),
    /// A format that is not known here.
    #[error(transparent)]
    UnknownFormat(#[from] UnknownFormat),
    /// A query gave no answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Rows were not stored.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Rows could not be read from the body.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Something that only the operator may do.
    #[error(
        "only the operator may do this: use the command of observability-api as a user who can read the lock file \
         beside the database, or send the token in that file as Authorization: Bearer"
    )]
    NotOperator,
    /// A body where everything is said in the query of the address.
    #[error("an order takes no body: give its parameters in the address, such as ?dry_run=true")]
    UnexpectedBody,
    /// A fault of ours; the text is for the log.
    #[error("{0}")]
    Failed(String),
}

/// What a client is told when the fault is ours; the cause is in the log.
const INTERNAL: &str = "Internal server error";

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::TradeNotFound | Self::TableNotFound(_) => StatusCode::NOT_FOUND,
            Self::Validation(_) | Self::UnexpectedBody => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotOperator => StatusCode::FORBIDDEN,
            Self::UnreadableBody | Self::BrokenBody(_) => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge(_) | Self::TooManyValues(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UploadStalled(_) | Self::UploadDisplaced => StatusCode::REQUEST_TIMEOUT,
            Self::UnknownEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::UnknownFormat(_) => StatusCode::NOT_ACCEPTABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Decode(error) => match error.fault() {
                Fault::Malformed => StatusCode::BAD_REQUEST,
                Fault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                Fault::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Fault::Busy => StatusCode::TOO_MANY_REQUESTS,
                Fault::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            },
            Self::Read(error) => match error {
                ReadError::Invalid(_) | ReadError::Refused(_) => StatusCode::BAD_REQUEST,
                ReadError::TimedOut(_) | ReadError::Stalled(_) => StatusCode::REQUEST_TIMEOUT,
                ReadError::Busy => StatusCode::TOO_MANY_REQUESTS,
                // The answer would be too large; the text says how to ask for less.
                ReadError::OutOfMemory(_) | ReadError::TooManyRows(_) => StatusCode::PAYLOAD_TOO_LARGE,
                ReadError::Unavailable(_) | ReadError::Stopping | ReadError::NoMemory => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                ReadError::Archive(_) | ReadError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Write(error) => match error {
                WriteError::Busy => StatusCode::TOO_MANY_REQUESTS,
                WriteError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                WriteError::NoSpace(_) => StatusCode::INSUFFICIENT_STORAGE,
                WriteError::Stopping | WriteError::NoMemory | WriteError::EngineFailed => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                // The rows passed every check, so that what the database has against them is no fault of the client.
                WriteError::Rejected(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %self, "a request failed");
            return match self {
                // The operator can do something about it, and whoever asks can leave the day out.
                Self::Read(ReadError::Archive(text)) => detail(status, &text),
                _ => detail(status, INTERNAL),
            };
        }
        let mut response = match self {
            Self::Validation(problems) => (status, Json(json!({ "detail": problems }))).into_response(),
            other => detail(status, &other.to_string()),
        };
        let seconds = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "1",
            // Somebody has to make room first.
            StatusCode::INSUFFICIENT_STORAGE => "10",
            _ => return response,
        };
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        response
    }
}

/// `{"detail": text}` with `status`.
pub(super) fn detail(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "detail": text }))).into_response()
}

fn table_names() -> String {
    TABLES.map(|table| table.name).join(", ")
}
