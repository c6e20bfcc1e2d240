//! For whatever watches over the process: is it alive, and can it do its work?

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use sview_jobs::sanitise_line;

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

/// Whether everything that the process needs answers and takes writes
///
/// Each part is `ok` or `failing`, with what is wrong where that is known: `failing: disk full`. The log has the error itself. The process'
/// own parts are its background loops, and where it has them its pools of workers and its schedule. `warnings` are settings that ought to
/// be changed; they change no status.
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
    let readiness = app.parts.services.check().await;
    let mut good = readiness.parts.iter().all(|part| part.failure.is_none());
    let states = readiness.parts.iter().map(|part| (part.name.to_owned(), Value::from(part.state())));
    let mut report: Map<String, Value> = states.collect();
    for (component, is) in sview_jobs::health() {
        let name = component.as_str();
        if let Err(why) = &is {
            // Whatever ended or restarted was logged when it did. Anybody may ask here, as often as they like.
            tracing::debug!(part = name, error = sanitise_line(why, 300), "a dependency of this process is not ready");
            good = false;
        }
        report.insert(name.to_owned(), Value::from(if is.is_ok() { "ok" } else { "failing" }));
    }
    if !readiness.warnings.is_empty() {
        report.insert("warnings".to_owned(), Value::from(readiness.warnings.clone()));
    }
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}
