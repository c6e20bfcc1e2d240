//! The metrics of requests, and of what pages found in the cache, for Prometheus.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use sview_store::Entry;

/// Upper bounds of response times, in seconds: a cached page takes a millisecond, and a request is ended after 15 s.
const RESPONSE: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0];

/// Upper bounds of how long values were overdue when they were shown, in seconds.
const OVERDUE: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0];

/// A server of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    Public,
    Admin,
}

impl Server {
    /// Its name in metrics and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

/// The reasons of refused connections: all places are taken, the client has too many, the system has no more files or memory.
const REFUSALS: [&str; 3] = ["all", "client", "system"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    server: &'static str,
    method: &'static str,
    /// The pattern of the route, never the path of a request.
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    server: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    server: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    server: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    result: &'static str,
}

struct Metrics {
    requests: Family<Answer, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    connections: Family<Of, Gauge>,
    refusals: Family<Refusal, Counter>,
    reads: Family<Found, Counter>,
    overdue: Histogram,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let reads = Family::<Found, Counter>::default();
    for result in ["fresh", "stale", "missing"] {
        drop(reads.get_or_create(&Found { result }));
    }
    let (connections, refusals) = (Family::<Of, Gauge>::default(), Family::<Refusal, Counter>::default());
    for server in [Server::Public, Server::Admin].map(Server::as_str) {
        drop(connections.get_or_create(&Of { server }));
        for reason in REFUSALS {
            drop(refusals.get_or_create(&Refusal { server, reason }));
        }
    }
    Metrics {
        requests: Family::default(),
        durations: Family::new_with_constructor(|| Histogram::new(RESPONSE)),
        connections,
        refusals,
        reads,
        overdue: Histogram::new(OVERDUE),
    }
});

/// Adds these metrics to a registry.
pub(crate) fn register(registry: &mut Registry) {
    let help = "Requests that were answered, by server, method, route and status";
    registry.register("sview_http_requests", help, METRICS.requests.clone());
    let help = "How long answers took until their head was sent, by server and route";
    registry.register_with_unit("sview_http_response", help, Unit::Seconds, METRICS.durations.clone());
    let help = "Open connections, by server";
    registry.register("sview_http_connections", help, METRICS.connections.clone());
    let help = "Connections that were refused, by server and reason";
    registry.register("sview_http_refused_connections", help, METRICS.refusals.clone());
    let help = "Cached values that pages and the API looked for, by what they found";
    registry.register("sview_cache_reads", help, METRICS.reads.clone());
    let help = "For how long the stale values that were shown had been due for refresh";
    registry.register_with_unit("sview_cache_stale_age", help, Unit::Seconds, METRICS.overdue.clone());
}

/// Notes how many connections a server has open.
pub(crate) fn connections(server: Server, open: usize) {
    METRICS.connections.get_or_create(&Of { server: server.as_str() }).set(i64::try_from(open).unwrap_or(i64::MAX));
}

/// Notes that a server refused a connection, for one of [`REFUSALS`].
pub(crate) fn refused(server: Server, reason: &'static str) {
    METRICS.refusals.get_or_create(&Refusal { server: server.as_str(), reason }).inc();
}

/// Measures a request. Must be a layer of the routes, so that it sees which one matched.
pub(crate) async fn measure(server: Server, request: Request, next: Next) -> Response {
    let server = server.as_str();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    // The names of files change with their content.
    let route = if route.starts_with("/assets/") { "/assets/{file}" } else { route }.to_owned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    };
    let begun = Instant::now();
    let response = next.run(request).await;
    let answer = Answer { server, method, route: route.clone(), status: response.status().as_u16() };
    METRICS.requests.get_or_create(&answer).inc();
    METRICS.durations.get_or_create(&Route { server, route }).observe(begun.elapsed().as_secs_f64());
    response
}

/// Notes whether a page found a value in the cache.
pub(crate) fn found(entry: Option<&Entry>, now: DateTime<Utc>) {
    let result = match entry {
        None => "missing",
        Some(entry) if entry.refresh_at <= now => {
            // A value that an operator made due at once says so by the year 1970.
            let since = entry.refresh_at.max(entry.computed_at);
            METRICS.overdue.observe((now - since).to_std().unwrap_or(Duration::ZERO).as_secs_f64());
            "stale"
        }
        Some(_) => "fresh",
    };
    METRICS.reads.get_or_create(&Found { result }).inc();
}
