//! Headers of every response, and limits of every request.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tracing::Instrument as _;

use super::metrics::{Server, measure};
use super::time::within;

/// The largest request body, in bytes: forms are small.
const BODY: usize = 16 * 1024;

/// The longest that a request may take. Nothing here computes: longer means that the cache hangs.
pub(crate) const TIME: Duration = Duration::from_secs(15);

/// The header with the id of a request, in logs and answers.
const ID: HeaderName = HeaderName::from_static("x-request-id");

/// Pages load their own files and nothing else; nothing inline runs; nobody frames them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An SVG file has its style in it, and may be embedded by others as an image.
const SVG_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// Wraps all routes of a server.
pub(crate) fn layers<S: Clone + Send + Sync + 'static>(router: Router<S>, server: Server) -> Router<S> {
    wrapped(router, server, TIME)
}

fn wrapped<S: Clone + Send + Sync + 'static>(router: Router<S>, server: Server, time: Duration) -> Router<S> {
    // Streams of events would wait in the compressor.
    let compressible = SizeAbove::new(512).and(NotForContentType::IMAGES).and(NotForContentType::SSE);
    router
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn(move |request, next| within(time, request, next)))
        .layer(CompressionLayer::new().gzip(true).compress_when(compressible))
        .layer(from_fn(recorded))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(of_one_host))
        // Answers of a timeout or a panic are measured and carry the policies too.
        .layer(from_fn(move |request, next| measure(server, request, next)))
        .layer(from_fn(policies))
        .layer(PropagateRequestIdLayer::new(ID))
        .layer(SetRequestIdLayer::new(ID, Ids))
        .layer(from_fn(identified))
}

/// Makes ids of requests: 32 hex digits by chance, without asking the operating system for each.
#[derive(Clone, Copy)]
struct Ids;

impl MakeRequestId for Ids {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&format!("{:032x}", rand::random::<u128>())).ok().map(RequestId::new)
    }
}

/// Takes off an id that could be anything else: it comes from outside, and ends in logs and in the answer.
async fn identified(mut request: Request, next: Next) -> Response {
    let fit = |id: &HeaderValue| {
        let id = id.as_bytes();
        (1..=64).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    if !request.headers().get(&ID).is_some_and(fit) {
        request.headers_mut().remove(&ID);
    }
    next.run(request).await
}

/// Adds the request's id to its log lines.
async fn recorded(request: Request, next: Next) -> Response {
    let id = request.headers().get(&ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let span = tracing::info_span!("request", id);
    next.run(request).instrument(span).await
}

/// Answers 400 to a request that does not say for which host it is, or says it twice. Before HTTP/1.1 nobody had to.
async fn of_one_host(request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let good = match (hosts.next(), hosts.next()) {
        (Some(host), None) => !host.is_empty() && host.to_str().is_ok(),
        (None, _) => request.version() < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    };
    if good {
        next.run(request).await
    } else {
        (StatusCode::BAD_REQUEST, "One Host header is needed\n").into_response()
    }
}

async fn policies(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let redirects = response.status().is_redirection();
    let headers = response.headers_mut();
    let svg = headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"image/svg"));
    let policy = if svg { SVG_POLICY } else { POLICY };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Addresses of details hold what attackers typed: other sites need not know.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // Answers without their own caching header must not be kept.
    if !redirects {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use axum::routing::{get, post};
    use sview_testing::http;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_panic_or_a_timeout_answers_carries_the_policies_and_the_id() {
        async fn panics() {
            panic!("this test asks for it");
        }
        async fn hangs() {
            std::future::pending::<()>().await;
        }
        async fn reads(_: String) {}
        let router = Router::new().route("/panic", get(panics)).route("/hang", get(hangs)).route("/read", post(reads));
        let router = wrapped(router, Server::Public, Duration::from_millis(50));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await });
        for (path, status) in [("panic", 500), ("hang", 503)] {
            let answer = http::get_with(&format!("http://{address}/{path}"), &[("x-request-id", "mine")]);
            assert_eq!((answer.status, answer.header("x-request-id")), (status, "mine"), "{path}");
            assert_eq!(answer.header("content-security-policy"), POLICY, "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert!(!answer.body.contains("asks for it"), "what went wrong is for the log");
        }
        // A client that does not send its whole body is the slow one.
        let answer = tokio::task::spawn_blocking(move || {
            let mut slow = std::net::TcpStream::connect(address).unwrap();
            slow.write_all(b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nx").unwrap();
            let mut answer = String::new();
            slow.read_to_string(&mut answer).unwrap(); // to the end: the connection is closed
            answer.to_lowercase()
        });
        let answer = answer.await.unwrap();
        assert!(answer.starts_with("http/1.1 408 ") && answer.contains("content-security-policy: "), "{answer}");
    }
}
