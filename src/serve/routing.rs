//! What holds for every path: methods it does not take, a slash too many or too few, and how it may be spelled.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::header::{ALLOW, HOST, LOCATION};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter, any};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::error::detail;

/// Paths as they are declared, each with its twin: the same with a slash at the end, or without, redirects to it.
pub struct Routes<S> {
    router: Router<S>,
    scheme: &'static str,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No paths yet; redirects lead to URLs of this scheme.
    pub fn new(scheme: &'static str) -> Self {
        Self { router: Router::new(), scheme }
    }

    /// One more path.
    pub fn add(mut self, path: &str, methods: MethodRouter<S>) -> Self {
        self.router = self.router.route(path, methods);
        self.twin(path)
    }

    /// The paths of another router, of which `twins` have a twin.
    pub fn merge(mut self, other: Router<S>, twins: &[&str]) -> Self {
        self.router = self.router.merge(other);
        twins.iter().fold(self, |routes, path| routes.twin(path))
    }

    /// Every path, and what answers where there is none.
    pub fn into_router(self) -> Router<S> {
        // Paths declared above refuse methods themselves; this is for those of other routers.
        let refuse = || async { detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed") };
        self.router.method_not_allowed_fallback(refuse).fallback(not_found)
    }

    fn twin(mut self, path: &str) -> Self {
        let twin = toggle_slash(path);
        if !twin.is_empty() {
            self.router = self.router.route(&twin, any(redirect).with_state(self.scheme));
        }
        self
    }
}

/// A path that takes GET and nothing else, HEAD included.
pub fn get<H: Handler<T, S>, T: 'static, S: Clone + Send + Sync + 'static>(handler: H) -> MethodRouter<S> {
    let refuse = || async { method_not_allowed("GET") };
    routing::get(handler).head(refuse).fallback(refuse)
}

/// A path that takes POST and nothing else.
pub fn post<H: Handler<T, S>, T: 'static, S: Clone + Send + Sync + 'static>(handler: H) -> MethodRouter<S> {
    routing::post(handler).fallback(|| async { method_not_allowed("POST") })
}

fn method_not_allowed(allowed: &'static str) -> Response {
    let mut response = detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

async fn not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Not Found")
}

async fn redirect(State(scheme): State<&'static str>, uri: Uri, headers: HeaderMap) -> Response {
    let path = toggle_slash(uri.path());
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let host = match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST).and_then(|host| host.to_str().ok()),
    };
    let location = match host {
        Some(host) => format!("{scheme}://{host}{path}{query}"),
        None => format!("{path}{query}"),
    };
    match HeaderValue::from_str(&location) {
        Ok(location) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)], Body::empty()).into_response(),
        Err(_) => detail(StatusCode::NOT_FOUND, "Not Found"),
    }
}

fn toggle_slash(path: &str) -> String {
    match path.strip_suffix('/') {
        Some(shorter) => shorter.to_owned(),
        None => format!("{path}/"),
    }
}

/// What a path cannot hold as it is. The slash is not among it: an encoded one separates like any other.
const ESCAPED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// Undoes every percent escape of the path that it does not need, so that a path is looked up as what it means.
pub fn with_plain_path(mut request: Request) -> Request {
    let path = request.uri().path();
    if path.contains('%') {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let mut plain = utf8_percent_encode(&decoded, ESCAPED).to_string();
        if let Some(query) = request.uri().query() {
            plain.push('?');
            plain.push_str(query);
        }
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(plain).ok().or(parts.path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use tower::ServiceExt;

    use super::*;

    fn plain(path: &str) -> String {
        let request = Request::get(path).body(Body::empty()).unwrap();
        with_plain_path(request).uri().to_string()
    }

    async fn answer(method: Method, path: &str) -> (StatusCode, HeaderMap) {
        let routes = Routes::new("http")
            .add("/", get(|| async { "root" }))
            .add("/health", get(|| async { "health" }))
            .add("/trades/", get(|| async { "list" }))
            .add("/trades/{id}", get(|| async { "one" }))
            .add("/trades/stats/summary", get(|| async { "statistics" }))
            .add("/history", post(|| async { "history" }));
        let request =
            Request::builder().method(method).uri(path).header(HOST, "desk:8000").body(Body::empty()).unwrap();
        let response = routes.into_router().oneshot(with_plain_path(request)).await.unwrap();
        (response.status(), response.headers().clone())
    }

    #[tokio::test]
    async fn a_method_that_is_not_taken_is_told_the_one_that_is() {
        for (method, path, allowed) in [
            (Method::HEAD, "/health", "GET"),
            (Method::POST, "/health", "GET"),
            (Method::OPTIONS, "/health", "GET"),
            (Method::TRACE, "/", "GET"),
            (Method::DELETE, "/trades/abc", "GET"),
            (Method::GET, "/history", "POST"),
            (Method::PUT, "/history", "POST"),
        ] {
            let (status, headers) = answer(method.clone(), path).await;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(headers[ALLOW], allowed, "{method} {path}");
        }
    }

    #[tokio::test]
    async fn a_slash_too_many_or_too_few_leads_to_the_path() {
        for (method, path, location) in [
            (Method::GET, "/health/", "http://desk:8000/health"),
            (Method::GET, "/trades?limit=10&symbol=A%26B", "http://desk:8000/trades/?limit=10&symbol=A%26B"),
            (Method::POST, "/trades", "http://desk:8000/trades/"),
            (Method::POST, "/history/", "http://desk:8000/history"),
            (Method::GET, "/trades/stats/", "http://desk:8000/trades/stats"),
            (Method::GET, "/trades/a%20b/", "http://desk:8000/trades/a%20b"),
        ] {
            let (status, headers) = answer(method, path).await;
            assert_eq!(status, StatusCode::TEMPORARY_REDIRECT, "{path}");
            assert_eq!(headers[LOCATION], location, "{path}");
        }
    }

    #[tokio::test]
    async fn any_other_path_is_not_found() {
        for path in ["/nope", "//health", "/HEALTH", "/health//", "/trades/a%2Fb", "/trades/stats/summary/more"] {
            assert_eq!(answer(Method::GET, path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn a_path_is_spelled_in_one_way() {
        assert_eq!(plain("/api/tr%61des/a%20b?x=%61"), "/api/trades/a%20b?x=%61");
        assert_eq!(plain("/api/trades/a%2Fb"), "/api/trades/a/b");
        assert_eq!(plain("/acknowledge/a%20b%C3%A9"), "/acknowledge/a%20b%C3%A9");
        assert_eq!(plain("/a%3Fb%25"), "/a%3Fb%25");
    }
}
