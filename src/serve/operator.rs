//! Who may tell the server to do something: its operator, who can read the lock file beside the database.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::request::Parts;

use super::{ApiError, AppState};

/// A request that comes from the operator: it carries `Authorization: Bearer` and the token of the lock file.
pub struct Operator;

fn has_body(parts: &Parts) -> bool {
    let length = parts.headers.get(CONTENT_LENGTH);
    length.is_some_and(|length| length.as_bytes() != b"0") || parts.headers.contains_key(TRANSFER_ENCODING)
}

impl FromRequestParts<AppState> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let given = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        match token {
            Some((_, token)) if state.operator_token.is(token.trim()) => match has_body(parts) {
                // An order that stands in a body must not be taken for one without conditions.
                true => Err(ApiError::UnexpectedBody),
                false => Ok(Self),
            },
            _ => Err(ApiError::NotOperator),
        }
    }
}
