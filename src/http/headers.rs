//! What every response carries, and the limits of every request.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;

use super::metrics::{Server, measure};

/// The largest request body, in bytes: forms are small.
const BODY: usize = 16 * 1024;

/// The longest that a request may take. Nothing here computes: longer means that the cache hangs.
const TIME: Duration = Duration::from_secs(15);

/// Pages load their own files and nothing else; nothing inline runs; nobody frames them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An SVG file has its style in it, and may be embedded by others as an image.
const SVG_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// Wraps all routes of a server.
pub(crate) fn layers<S: Clone + Send + Sync + 'static>(router: Router<S>, server: Server) -> Router<S> {
    let id = HeaderName::from_static("x-request-id");
    // Streams of events would wait in the compressor.
    let compressible = SizeAbove::new(512).and(NotForContentType::IMAGES).and(NotForContentType::SSE);
    router
        .layer(from_fn(move |request, next| measure(server, request, next)))
        .layer(from_fn(policies))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIME))
        .layer(CompressionLayer::new().gzip(true).compress_when(compressible))
        .layer(CatchPanicLayer::new())
        .layer(PropagateRequestIdLayer::new(id.clone()))
        .layer(SetRequestIdLayer::new(id, MakeRequestUuid))
}

async fn policies(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let svg = headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"image/svg"));
    let policy = if svg { SVG_POLICY } else { POLICY };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Addresses of details hold what attackers typed: other sites need not know.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
