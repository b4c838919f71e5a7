//! Rows on their way to a client, in the format it asked for.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Query};
use axum::http::HeaderValue;
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};

use super::error::ApiError;
use super::room::{Counted, held};
use crate::batch::{BatchStream, ReadError};
use crate::budget::{Reservation, Responses};
use crate::encode::{ByteStream, Format, encode};

/// An answer up to this size is sent whole, with its length; a larger one is sent as it comes.
const WHOLE: usize = 256 << 10;
/// How long a part of a larger one waits for room.
const PATIENCE: Duration = Duration::from_secs(30);

/// The format that the request asks for: by its `format` parameter, or by its `Accept` header.
pub struct Wanted(pub Format);

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let parameter = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).ok();
        let format = parameter.and_then(|Query(pairs)| {
            pairs.into_iter().rev().find(|(name, _)| name == "format").map(|(_, format)| format)
        });
        let accept = parts.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
        Ok(Self(Format::negotiate(format.as_deref(), accept)?))
    }
}

/// Sends `batches` as `format`; `name` is the file's, without its ending.
pub async fn rows(
    responses: &Responses,
    format: Format,
    name: &str,
    batches: BatchStream,
) -> Result<Response, ApiError> {
    bytes(responses, format, name, encode(format, batches)).await
}

/// Sends what has been encoded as `format`; `name` is the file's, without its ending.
///
/// An error before much has been encoded is an answer of its own. After that the connection is cut, which is the only
/// way left to tell the client that the answer is not whole.
pub async fn bytes(
    responses: &Responses,
    format: Format,
    name: &str,
    mut encoded: ByteStream,
) -> Result<Response, ApiError> {
    let mut first = Vec::new();
    let mut reserved = Vec::new();
    let mut length = 0;
    let body = loop {
        let Some(chunk) = encoded.next().await.transpose()? else {
            break Body::from(held(joined(first, length), reserved));
        };
        length += chunk.len();
        match gather(responses, chunk.len()).filter(|_| length <= WHOLE) {
            Some(reservation) => reserved.push(reservation),
            None => {
                let begun = (!first.is_empty()).then(|| held(joined(first, length - chunk.len()), reserved));
                let rest = counted(stream::iter([Ok(chunk)]).chain(encoded).boxed(), responses.clone());
                break Body::from_stream(stream::iter(begun).map(Ok).chain(rest));
            }
        }
        first.push(chunk);
    };
    let mut response = Response::new(body);
    response.extensions_mut().insert(Counted);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    if format != Format::Json {
        let disposition = format!("attachment; filename=\"{name}.{}\"", format.extension());
        if let Ok(disposition) = HeaderValue::from_str(&disposition) {
            response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
        }
    }
    Ok(response)
}

/// JSON text that is ready to be sent.
pub fn json(text: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(text.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(Format::Json.content_type()));
    response
}

/// Room for a part of an answer that may be sent whole, if there is plenty: while others wait for room, nothing is held back
/// from the client.
fn gather(responses: &Responses, length: usize) -> Option<Reservation> {
    let bytes = responses.bytes();
    let plenty = bytes.used() < bytes.limit() / 2;
    plenty.then(|| bytes.try_reserve(length as u64).ok()).flatten()
}

/// The same bytes, each chunk of which waits until there is room for it: only clients make that, and the batch that it came from
/// is counted meanwhile.
fn counted(encoded: ByteStream, responses: Responses) -> ByteStream {
    let counted = encoded.then(move |chunk| {
        let responses = responses.clone();
        async move {
            let chunk = chunk?;
            let reserved = responses.reserve(responses.bytes(), chunk.len() as u64, PATIENCE).await;
            Ok(held(chunk, vec![reserved.map_err(|_| ReadError::NoMemory)?]))
        }
    });
    let logged = counted.inspect(|chunk: &Result<Bytes, ReadError>| {
        match chunk {
            Err(error) if error.is_fault() => tracing::error!(%error, "an answer was cut short"),
            // Somebody took nothing of it, or asked for more than there is time or room for: nobody has to look into that.
            Err(error) => tracing::info!(%error, "an answer was cut short"),
            Ok(_) => {}
        }
    });
    logged.boxed()
}

fn joined(mut chunks: Vec<Bytes>, length: usize) -> Bytes {
    if chunks.len() == 1 {
        return chunks.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(length);
    chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody;
    use axum::http::Request;
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    use super::*;

    fn chunks(number: usize, end: Option<ReadError>) -> ByteStream {
        let chunk = Bytes::from(vec![b'x'; 1_000]);
        stream::iter((0..number).map(move |_| Ok(chunk.clone())).chain(end.map(Err))).boxed()
    }

    fn plenty() -> Responses {
        Responses::new(1 << 20, 4 << 20)
    }

    #[tokio::test]
    async fn a_small_answer_has_a_length() {
        let response = bytes(&plenty(), Format::Csv, "trades", chunks(3, None)).await.unwrap();
        assert_eq!(response.headers()[CONTENT_DISPOSITION], "attachment; filename=\"trades.csv\"");
        assert_eq!(response.body().size_hint().exact(), Some(3_000));
    }

    #[tokio::test]
    async fn a_large_answer_comes_piece_by_piece_and_whole() {
        let response = bytes(&plenty(), Format::Json, "trades", chunks(1_000, None)).await.unwrap();
        assert!(!response.headers().contains_key(CONTENT_DISPOSITION));
        assert_eq!(response.body().size_hint().exact(), None);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 1_000_000);
    }

    #[tokio::test]
    async fn an_early_error_is_an_answer_and_a_late_one_cuts_it_short() {
        let early = bytes(&plenty(), Format::Json, "trades", chunks(3, Some(ReadError::Busy))).await.unwrap_err();
        assert_eq!(early.into_response().status(), 429);
        let late = bytes(&plenty(), Format::Json, "trades", chunks(1_000, Some(ReadError::Busy))).await.unwrap();
        assert_eq!(late.status(), 200);
        assert!(late.into_body().collect().await.is_err());
    }

    #[tokio::test]
    async fn every_byte_is_counted_until_it_is_gone() {
        let responses = plenty();
        let whole = bytes(&responses, Format::Json, "trades", chunks(3, None)).await.unwrap();
        assert_eq!(responses.bytes().used(), 3_000);
        let mut large = bytes(&responses, Format::Json, "trades", chunks(1_000, None)).await.unwrap().into_body();
        let begun = responses.bytes().used();
        assert!(begun > 200_000, "{begun}");
        drop(large.frame().await);
        let piece = large.frame().await;
        assert_eq!(responses.bytes().used(), 4_000);
        drop((whole, piece, large));
        assert_eq!(responses.bytes().used(), 0);
    }

    #[tokio::test]
    async fn without_room_an_answer_is_not_gathered_and_comes_as_there_is_room() {
        let responses = Responses::new(1, 5_000);
        let response = bytes(&responses, Format::Json, "trades", chunks(10, None)).await.unwrap();
        assert_eq!(response.body().size_hint().exact(), None);
        let mut body = response.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.unwrap().into_data().unwrap().len();
            assert!(responses.bytes().used() <= 2_500);
        }
        assert_eq!((length, responses.bytes().used()), (10_000, 0));
    }

    #[tokio::test]
    async fn the_last_format_parameter_wins() {
        let request = Request::get("/?format=csv&format=arrow").body(()).unwrap();
        let Wanted(format) = Wanted::from_request_parts(&mut request.into_parts().0, &()).await.unwrap();
        assert_eq!(format, Format::Arrow);
    }
}
