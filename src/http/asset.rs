//! The files that pages load. Their names change with their content, so browsers keep them for good.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sview_views::assets::{Asset, assets};

use super::routes::Routes;

/// The addresses of all of them.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S> {
    assets().iter().fold(Routes::new(), |routes, asset| {
        routes.get(&asset.path, move |headers: HeaderMap| async move { serve(&headers, asset) })
    })
}

/// A file.
fn serve(headers: &HeaderMap, asset: &'static Asset) -> Response {
    let cache = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    let etag = (header::ETAG, format!("\"{}\"", asset.path));
    if headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()) == Some(&etag.1) {
        return (StatusCode::NOT_MODIFIED, [cache], [etag]).into_response();
    }
    ([cache], [etag], [(header::CONTENT_TYPE, asset.content_type)], asset.bytes).into_response()
}
