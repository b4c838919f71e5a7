//! `/docs`, `/redoc` and `/openapi.json`: everything comes out of the program itself, nothing from the network.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use utoipa_swagger_ui::{Config, SwaggerFile};

use super::AppState;
use super::error::detail;
use super::openapi::{self, reference};
use super::room::Counted;
use crate::encode::Format;

/// The documentation's paths.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/docs", get((Extension(Counted), Html(PAGE))))
        .route("/docs/assets/{file}", get(asset))
        .route("/docs/oauth2-redirect", get(oauth2_redirect))
        .route("/redoc", get(|| async { (Extension(Counted), Html(reference::page())) }))
        .route("/openapi.json", get(document))
}

/// Swagger UI over `/openapi.json`. The validator badge is off, because it would ask a public server.
const PAGE: &str = r##"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trading Observability API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  oauth2RedirectUrl: window.location.origin + "/docs/oauth2-redirect",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
</script>
<noscript>This page needs JavaScript; <a href="/redoc">/redoc</a> does not.</noscript>
</body>
</html>
"##;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| serde_json::to_string(openapi::document()).unwrap_or_default());

async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, Format::Json.content_type())], Extension(Counted), DOCUMENT.as_str())
}

async fn asset(Path(name): Path<String>) -> Response {
    match file(&name) {
        Some(file) => ([(header::CONTENT_TYPE, file.content_type)], Extension(Counted), file.bytes).into_response(),
        None => detail(StatusCode::NOT_FOUND, "Not Found"),
    }
}

async fn oauth2_redirect() -> Response {
    match file("oauth2-redirect.html") {
        Some(file) => Html(file.bytes).into_response(),
        None => detail(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// A file of Swagger UI, as it was compiled in.
fn file(name: &str) -> Option<SwaggerFile<'static>> {
    utoipa_swagger_ui::serve(name, Arc::new(Config::default())).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_nothing_of_the_network() {
        assert!(!PAGE.contains("://"));
    }

    #[test]
    fn every_file_that_the_page_names_is_compiled_in() {
        let names = PAGE.split("/docs/assets/").skip(1).filter_map(|rest| rest.split('"').next());
        let names: Vec<_> = names.collect();
        assert_eq!(names.len(), 3);
        for name in names {
            assert!(file(name).is_some(), "{name}");
        }
        assert!(file("oauth2-redirect.html").is_some());
        assert!(file("no-such-file.js").is_none());
    }
}
