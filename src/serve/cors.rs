//! Calls from browsers: which origins may read an answer, and what a browser is told before it sends a request.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::config::Origin;

/// The methods that a page may use, in the order in which they are told.
const METHODS: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
/// Seconds that a browser may remember a preflight's answer.
const MAX_AGE: &str = "600";

/// The origins whose pages may call, as text and as what it means.
pub struct Origins(Vec<(String, Option<Origin>)>);

/// A page that calls, or anything else that sends an `Origin`.
pub struct Caller {
    origin: HeaderValue,
    /// Whether the request names no other.
    is_only: bool,
    allowed: bool,
}

impl Origins {
    /// Reads them once.
    pub fn new(origins: &[String]) -> Self {
        Self(origins.iter().map(|text| (text.clone(), Origin::parse(text))).collect())
    }

    /// Browsers have one spelling; whoever has another one means the same.
    fn contain(&self, text: &HeaderValue) -> bool {
        self.0.iter().any(|(allowed, _)| allowed.as_bytes() == text.as_bytes())
            || parse(text).is_some_and(|origin| self.0.iter().any(|(_, allowed)| allowed.as_ref() == Some(&origin)))
    }
}

impl Caller {
    /// Who calls, if the request says so; it is allowed if its origin is the only one and among `origins`.
    pub fn of(headers: &HeaderMap, origins: &Origins) -> Option<Self> {
        let mut named = headers.get_all(ORIGIN).iter();
        let origin = named.next()?.clone();
        let is_only = named.next().is_none();
        let allowed = is_only && origins.contain(&origin);
        Some(Self { origin, is_only, allowed })
    }

    /// Whether its pages may call.
    pub fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Its origin, unless it is one that cannot be told, such as `null`, or one of several.
    pub fn origin(&self) -> Option<Origin> {
        parse(&self.origin).filter(|_| self.is_only)
    }

    /// The answer to a preflight; `None` if the request is none.
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let wanted = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD)?;
        if request.method() != Method::OPTIONS {
            return None;
        }
        let method_allowed = METHODS.split(", ").any(|method| method.as_bytes() == wanted.as_bytes());
        let mut response = match (self.allowed, method_allowed) {
            (true, true) => (StatusCode::OK, "OK"),
            (false, true) => (StatusCode::BAD_REQUEST, "Disallowed CORS origin"),
            (true, false) => (StatusCode::BAD_REQUEST, "Disallowed CORS method"),
            (false, false) => (StatusCode::BAD_REQUEST, "Disallowed CORS origin, method"),
        }
        .into_response();
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        headers.insert(VARY, HeaderValue::from_static("Origin"));
        if let Some(wanted) = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        Some(response)
    }

    /// Tells the browser whether the page may read the answer.
    pub fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if self.allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
            headers.insert(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

fn parse(text: &HeaderValue) -> Option<Origin> {
    text.to_str().ok().and_then(Origin::parse)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn preflight(origin: &str, method: &str) -> (StatusCode, HeaderMap) {
        let request = Request::options("/nope")
            .header(ORIGIN, origin)
            .header(ACCESS_CONTROL_REQUEST_METHOD, method)
            .header(ACCESS_CONTROL_REQUEST_HEADERS, "content-type, x-custom")
            .body(Body::empty())
            .unwrap();
        let caller = Caller::of(request.headers(), &Origins::new(&["http://localhost:3000".to_owned()])).unwrap();
        let mut response = caller.preflight(&request).unwrap();
        caller.mark(response.headers_mut());
        (response.status(), response.headers().clone())
    }

    #[test]
    fn an_allowed_page_is_told_what_it_may_do() {
        let (status, headers) = preflight("http://localhost:3000", "POST");
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "http://localhost:3000");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], "content-type, x-custom");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], METHODS);
    }

    #[test]
    fn another_page_or_method_is_refused() {
        let (status, headers) = preflight("http://elsewhere.example", "POST");
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert_eq!(preflight("http://localhost:3000", "FROBNICATE").0, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn options_without_a_method_is_no_preflight() {
        let request = Request::options("/health").header(ORIGIN, "http://localhost:3000").body(Body::empty()).unwrap();
        let caller = Caller::of(request.headers(), &Origins::new(&[])).unwrap();
        assert!(caller.preflight(&request).is_none());
    }
}
