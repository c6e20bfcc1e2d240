//! The files that pages load, and the icon. Names of files change with their content, so browsers keep them for good.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sview_views::assets::{Asset, FAVICON, assets};

use super::routes::Routes;

/// The addresses of all of them.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S> {
    let favicon = Routes::new().get("/favicon.ico", favicon);
    assets().iter().fold(favicon, |routes, asset| {
        routes.get(&asset.path, move |headers: HeaderMap| async move { serve(&headers, asset) })
    })
}

/// The icon at the address that browsers and feed readers ask for by themselves. It has no hash in its name, so it is kept for a day.
async fn favicon() -> Response {
    let head = [(header::CACHE_CONTROL, "public, max-age=86400"), (header::CONTENT_TYPE, "image/vnd.microsoft.icon")];
    (head, FAVICON).into_response()
}

/// Serves a file.
fn serve(headers: &HeaderMap, asset: &'static Asset) -> Response {
    let cache = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    let etag = (header::ETAG, format!("\"{}\"", asset.path));
    if headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()) == Some(&etag.1) {
        return (StatusCode::NOT_MODIFIED, [cache], [etag]).into_response();
    }
    ([cache], [etag], [(header::CONTENT_TYPE, asset.content_type)], asset.bytes).into_response()
}
