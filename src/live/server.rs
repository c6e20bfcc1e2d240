//! The live feed as a process of its own: `/ws`, `/dynfw/`, and the files that the page loads.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::response::Redirect;
use sview_views::pages::DYNFW;
use sview_views::{NavEntry, Site};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Desk, Live, people, programs};
use crate::config::WebSettings;
use crate::http::metrics::Server;
use crate::http::{asset, headers};

/// Serves until told to stop. The page's links lead to the pages of `sview serve`: a proxy joins both under one name.
pub async fn serve(
    listener: TcpListener,
    live: Live,
    web: &WebSettings,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let site = Site {
        licence: web.licence.clone(),
        formats: None,
        data_links: false,
        more: vec![NavEntry { path: DYNFW, label: "Live" }],
    };
    let desk = Desk {
        clock: live.clock,
        live: Some(live),
        site: Arc::new(site),
        proxies: Arc::new(web.limit.trusted_proxies.clone()),
    };
    let routes = people()
        .merge(programs())
        .merge(asset::routes())
        .get("/healthz", || async { "ok\n" })
        .get("/", || async { Redirect::temporary(DYNFW) })
        .get("/dynfw", || async { Redirect::permanent(DYNFW) });
    let router = headers::layers(routes.into_router(), Server::Public).with_state(desk);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(headers::TIME).await;
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = overdue => Ok(()),
    }
}
