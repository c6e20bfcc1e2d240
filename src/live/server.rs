//! The live feed as a process of its own: `/ws`, `/dynfw/`, and the files that the page loads.

use std::sync::{Arc, LazyLock};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Redirect, Response};
use sview_model::Period;
use sview_views::pages::{API, DYNFW, ErrorPage, error};
use sview_views::{LiveFeed, PageContext, Site};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

use super::{Desk, Live, page, people, programs, socket};
use crate::config::WebSettings;
use crate::http::metrics::Server;
use crate::http::problem::refuse;
use crate::http::query::Accepted;
use crate::http::serve::Bounds;
use crate::http::{self, asset, headers, query};

/// The part of the API's description that is about the live feed.
#[derive(OpenApi)]
#[openapi(paths(page::state, socket::open))]
struct Description;

/// The parameters that every address for programs accepts in its query.
static ACCEPTED: LazyLock<Accepted> =
    LazyLock::new(|| Accepted::of(&Description::openapi()).without_parameters(HEALTHZ));

/// The path where a supervisor asks whether the process answers.
const HEALTHZ: &str = "/healthz";

/// Serves until `stop` is cancelled. Links to the pages of `sview serve` are those of `SVIEW_PUBLIC_URL`; without it there are none.
pub async fn serve(
    listener: TcpListener,
    live: Live,
    web: &WebSettings,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let formats = web.public_url.as_ref().map(|site| format!("{site}{API}"));
    let site = Site { live: LiveFeed::Alone, formats, ..web.site() };
    let proxies = Arc::new(web.limit.trusted_proxies.clone());
    let desk = Desk { clock: live.clock, live: Some(live), site: Arc::new(site), proxies: Arc::clone(&proxies) };
    let programs = programs().get(HEALTHZ, || async { "ok\n" }).into_router().route_layer(from_fn(strict));
    let people = people()
        .merge(asset::routes())
        .get("/", || async { Redirect::temporary(DYNFW) })
        .get("/dynfw", || async { Redirect::permanent(DYNFW) });
    let router = people.into_router().merge(programs).fallback(not_found);
    let router = headers::layers(router, Server::Public).with_state(desk);
    let bounds = Bounds::for_visitors(&web.connections, &proxies);
    http::serve::serve(listener, router, Server::Public, bounds, stop).await
}

/// The page of an address that leads nowhere.
async fn not_found(State(desk): State<Desk>) -> Response {
    let context = PageContext { site: &desk.site, period: Period::default(), now: desk.clock.now() };
    let page =
        ErrorPage { advice: "Only the live feed is here. Check the address.".to_owned(), ..ErrorPage::not_found() };
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], http::html(error(&context, &page))).into_response()
}

/// Stands before every address for programs: refuses parameters that it does not have.
async fn strict(request: Request, next: Next) -> Response {
    query::strict(&ACCEPTED, request, next, |_, refusal| refuse(StatusCode::BAD_REQUEST, &refusal.to_string())).await
}
