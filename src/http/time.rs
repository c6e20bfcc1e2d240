//! The longest that a request may take, and whose fault it is when it takes longer.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body::Frame;

/// Answers within `time`: 408 where the client has not sent its body by then, 503 where this server is too slow.
pub(super) async fn within(time: Duration, request: Request, next: Next) -> Response {
    let awaited = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| Body::new(Watched { body, awaited: Arc::clone(&awaited) }));
    match tokio::time::timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_) if awaited.load(Ordering::Relaxed) => {
            // The rest of the body may come yet, and is no other request.
            let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
            (StatusCode::REQUEST_TIMEOUT, close).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// A body, and whether somebody waits for more of it.
struct Watched {
    body: Body,
    awaited: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.awaited.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
