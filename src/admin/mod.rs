//! Operators' pages, their JSON, and metrics, on a listener of their own.
//!
//! One place, `access`, decides on rights. It stands before every route but the login form and the files that pages load. Requests that
//! change state also pass its guard against foreign sites. Each action is written to the log of actions first.

mod access;
mod act;
mod answers;
mod api;
mod confirm;
mod context;
mod events;
mod jobs;
mod login;
mod metrics;
mod openapi;
mod order;
mod pages;
mod problem;
mod query;
mod rows;
mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{FromRef, Request};
use axum::http::Uri;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum_extra::extract::cookie::Key;
use prometheus_client::registry::Registry;
use sview_jobs::{DeadGroup, Figures, KindOfRuns, kinds_of_runs};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::access::Access;
use self::context::Viewer;
use self::problem::{EVENTS, Problem};
use crate::Services;
use crate::config::{AdminSettings, LedgerSettings, Secret, TrustedProxies};
use crate::http::metrics::Server;
use crate::http::routes::Routes;
use crate::http::serve::Bounds;
use crate::http::{self, asset, headers, query as http_query};
use crate::status::Status;

/// How many pages may follow events at once.
const STREAMS: usize = 64;

/// How long figures of queues are shown again: they are read from thousands of records.
const FIGURES: Duration = Duration::from_secs(5);

/// How long dead jobs by their errors are shown again: they are read from thousands of records too, and pages follow every event.
const DEAD: Duration = Duration::from_secs(5);

/// How long a status is shown again: every look asks the database and the ledger a dozen questions.
const STATUS: Duration = Duration::from_secs(15);

/// The value that was read last, and when.
type Kept<T> = Arc<tokio::sync::Mutex<Option<(Instant, Arc<T>)>>>;

/// Dead jobs by their errors.
#[derive(Debug)]
struct AllDead {
    groups: Vec<DeadGroup>,
    /// How many jobs were looked through.
    looked: usize,
}

/// Figures of the last 24 hours.
#[derive(Debug)]
struct AllFigures {
    queues: Vec<Figures>,
    /// By kind of job.
    kinds: Vec<KindOfRuns>,
}

/// The state that every handler needs. Cheap to clone.
#[derive(Clone)]
pub struct Admin {
    services: Services,
    access: Arc<Access>,
    /// The proxies that are believed when they say that a request came over TLS.
    proxies: Arc<TrustedProxies>,
    /// Signs cookies; another one whenever a token changes.
    key: Key,
    registry: Arc<Registry>,
    streams: Arc<Semaphore>,
    gathered: Kept<AllFigures>,
    looked: Kept<Status>,
    dead: Kept<AllDead>,
    /// How long ended jobs are kept.
    ledger: LedgerSettings,
    stop: CancellationToken,
}

impl FromRef<Admin> for Key {
    fn from_ref(admin: &Admin) -> Self {
        admin.key.clone()
    }
}

impl FromRef<Admin> for Arc<TrustedProxies> {
    fn from_ref(admin: &Admin) -> Self {
        admin.proxies.clone()
    }
}

impl Admin {
    /// Returns the application over open services, to be served at `here`. `proxies` are believed about TLS and about their clients.
    /// `ledger` has the time for which ended jobs are kept. `stop` ends streams of events.
    #[must_use]
    pub fn new(
        services: Services,
        settings: &AdminSettings,
        here: SocketAddr,
        proxies: &TrustedProxies,
        ledger: &LedgerSettings,
        secret: &Secret,
        stop: CancellationToken,
    ) -> Self {
        let access = Access::new(settings, here);
        let mut registry = Registry::default();
        metrics::register(&mut registry);
        Self {
            services,
            key: access.key(secret),
            access: Arc::new(access),
            proxies: Arc::new(proxies.clone()),
            registry: Arc::new(registry),
            streams: Arc::new(Semaphore::new(STREAMS)),
            gathered: Arc::default(),
            looked: Arc::default(),
            dead: Arc::default(),
            ledger: ledger.clone(),
            stop,
        }
    }

    /// Returns the answer about a job that is unknown.
    fn no_such_job(&self) -> Problem {
        Problem::no_such_job(&self.ledger)
    }

    /// The status of the deployment; at most [`STATUS`] old.
    async fn status(&self) -> Arc<Status> {
        // Held while it is read: of many that ask at once, one reads.
        let mut looked = self.looked.lock().await;
        if let Some((at, status)) = &*looked
            && at.elapsed() < STATUS
        {
            return status.clone();
        }
        let status = Arc::new(Status::gather(&self.services).await);
        *looked = Some((Instant::now(), status.clone()));
        status
    }

    /// Dead jobs by their errors; at most [`DEAD`] old, and never older than the last action on jobs by this process.
    async fn dead(&self) -> sview_jobs::Result<Arc<AllDead>> {
        // Held while it is read: of many that ask at once, one reads.
        let mut dead = self.dead.lock().await;
        if let Some((at, all)) = &*dead
            && at.elapsed() < DEAD
        {
            return Ok(all.clone());
        }
        let begun = Instant::now();
        let (groups, looked) = sview_jobs::dead_groups(&self.services.jobs.queues).await?;
        let all = Arc::new(AllDead { groups, looked });
        *dead = Some((begun, all.clone()));
        Ok(all)
    }

    /// Drops the kept list of dead jobs, because an action changed jobs.
    async fn forget_dead(&self) {
        *self.dead.lock().await = None;
    }

    /// Figures of queues and kinds of jobs; at most a few seconds old.
    async fn figures(&self) -> sview_jobs::Result<Arc<AllFigures>> {
        // Held while it is read: of many that ask at once, one reads.
        let mut gathered = self.gathered.lock().await;
        if let Some((at, figures)) = &*gathered
            && at.elapsed() < FIGURES
        {
            return Ok(figures.clone());
        }
        let queues = &self.services.jobs.queues;
        let (of_queues, of_kinds) = (Figures::gather(queues).await?, kinds_of_runs(&**queues.ledger()).await?);
        let figures = Arc::new(AllFigures { queues: of_queues, kinds: of_kinds });
        *gathered = Some((Instant::now(), figures.clone()));
        Ok(figures)
    }
}

/// All addresses.
fn router(admin: Admin) -> Router {
    let strict_routes = programs().get(EVENTS, events::stream).into_router().route_layer(from_fn(strict));
    let guarded = people()
        .into_router()
        .merge(strict_routes)
        .fallback(not_found)
        .layer(from_fn_with_state(admin.clone(), access::guard));
    let open = asset::routes().get("/login", login::page).post("/login", login::sign_in);
    headers::layers(open.into_router().merge(guarded), Server::Admin).with_state(admin)
}

/// Stands before every address for programs, behind the guard: refuses parameters that it does not have.
async fn strict(request: Request, next: Next) -> Response {
    http_query::strict(&openapi::ACCEPTED, request, next, |request, refusal| {
        let problem = Problem::expected(refusal.heading, refusal.expected);
        match request.extensions().get::<Viewer>() {
            Some(viewer) => problem.respond(&viewer.context(), request.uri()),
            None => problem.alone(request.uri()),
        }
    })
    .await
}

/// Addresses for people: pages and their forms. All others are for programs.
fn people() -> Routes<Admin> {
    Routes::new()
        .get("/", pages::overview)
        .get("/status", status::page)
        .get("/jobs", jobs::list)
        .get("/jobs/{id}", jobs::one)
        .get("/dead", jobs::dead)
        .get("/workers", pages::workers)
        .get("/schedule", pages::schedule)
        .get("/due", pages::due)
        .get("/cache", pages::cache)
        .get("/actions", pages::actions)
        .get("/confirm", confirm::page)
        .post("/act", act::form)
        .post("/logout", login::out)
}

/// Addresses for programs; [`openapi`] describes each.
fn programs() -> Routes<Admin> {
    Routes::new()
        .get("/api/status", status::json)
        .get("/api/jobs", api::list)
        .get("/api/jobs/{id}", api::one)
        .get("/api/jobs/counts", api::counts)
        .get("/api/jobs/workers", api::workers)
        .get("/api/jobs/dead", api::dead)
        .get("/api/jobs/schedule", api::schedule)
        .get("/api/jobs/actions", api::actions)
        .post("/api/jobs/actions", act::json)
        .get("/api/openapi.json", openapi::document)
        .get("/metrics", metrics::scrape)
}

async fn not_found(viewer: Viewer, uri: Uri) -> Response {
    Problem::not_found().respond(&viewer.context(), &uri)
}

/// Serves until the stop that [`Admin::new`] got is cancelled; then open requests are finished.
///
/// # Errors
/// None so far: if the system refuses a connection, it is tried again.
pub async fn serve(listener: TcpListener, admin: Admin) -> std::io::Result<()> {
    let stop = admin.stop.clone();
    http::serve::serve(listener, router(admin), Server::Admin, Bounds::for_operators(), stop).await
}
