//! For whatever watches over the process: is it alive, and can it do its work?

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use sview_jobs::in_words;

use super::App;

/// Whether the process lives
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "This server",
    responses((status = 200, description = "It does.", content_type = "text/plain"))
)]
pub(super) async fn alive() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

/// Whether everything that the process needs answers
///
/// What does not is named; why is in the log. The process' own parts are its background loops, and where it has them its pools of workers
/// and its schedule.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "This server",
    responses(
        (status = 200, description = "All of it does.", content_type = "application/json"),
        (status = 503, description = "Something does not.", content_type = "application/json"),
    )
)]
pub(super) async fn ready(State(app): State<App>) -> Response {
    let mut checks = app.services.check().await;
    let own = sview_jobs::health().into_iter();
    checks.extend(
        own.map(|(component, is)| (component.as_str(), is.map_err(|why| anyhow::anyhow!("{}", in_words(&why, 300))))),
    );
    let good = checks.iter().all(|(_, result)| result.is_ok());
    let report: Map<String, Value> = checks
        .into_iter()
        .map(|(name, result)| {
            let word = match result {
                Ok(()) => "ok",
                Err(error) => {
                    tracing::warn!(%error, "{name} is not ready");
                    "failing"
                }
            };
            (name.to_owned(), Value::from(word))
        })
        .collect();
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}
