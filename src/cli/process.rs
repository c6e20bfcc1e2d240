//! Long-running processes: what `up`, `demo`, `serve`, `worker` and `scheduler` are made of, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sview_jobs::{
    Pool, Registry, Scheduler, Unfailing, WorkerSettings, Workers, log_activity, sanitise_line, spawn_forever,
    this_process,
};
use sview_model::Queue;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Settings;
use crate::admin::{self, Admin};
use crate::causes::causes;
use crate::config::{ADMIN_DEFAULT, AdminListen, Secret};
use crate::http::bind::bind;
use crate::live::Live;
use crate::telemetry;
use crate::web::{self, App};
use crate::{Missing, Services};

/// A token that is cancelled by SIGTERM or an interrupt from the keyboard. A second one ends the process at once.
pub(super) fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (token, signals) = (stop.clone(), Arc::new(Mutex::new(signals)));
    spawn_forever("signals", &CancellationToken::new(), move || {
        let (token, signals) = (token.clone(), Arc::clone(&signals));
        async move { handle_signals(&mut *signals.lock().await, &token).await }
    });
    Ok(stop)
}

/// Has the process stop at the first signal, and end at the second.
async fn handle_signals((terminate, interrupt): &mut (Signal, Signal), stop: &CancellationToken) -> Unfailing {
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if stop.is_cancelled() {
            telemetry::flush();
            std::process::exit(130);
        }
        stop.cancel();
        tracing::info!("stopping; jobs in progress are finished or handed back");
    }
}

/// Opens a deployment for a process that serves these queues until it receives a signal. `None` where it received one meanwhile.
pub(super) async fn open(
    settings: &Settings,
    queues: &[Queue],
) -> anyhow::Result<Option<(Services, CancellationToken)>> {
    // Before anything is logged: a supervisor may take the first line for the sign that signals are handled. Opening may wait for a
    // migration or a lock of another process, so it gives way to a signal.
    let stop = stop_on_signal()?;
    let pools = Pool::for_queues(queues, settings.workers.concurrency.into());
    let slots = pools.iter().map(|pool| pool.concurrency).sum();
    let services = tokio::select! {
        services = Services::open_for(&settings.places, slots, Missing::Make) => services?,
        () = stop.cancelled() => return Ok(None),
    };
    let place = sanitise_line(&services.reports.place(), 500);
    if services.is_new {
        tracing::info!("created a new, empty store in {place}");
    } else {
        tracing::info!("using the store in {place}");
    }
    let looking = services.clone();
    // Not waited for: a process starts while a part is away.
    tokio::spawn(async move {
        for warning in &looking.check().await.warnings {
            tracing::warn!("{warning}");
        }
    });
    Ok(Some((services, stop)))
}

/// Announces the process to the ledger, with its command and settings, until `stop` is cancelled. Wait for the task at the end. Start it
/// after all that can fail at the start: a process that ends without waiting stays on the list for two minutes.
pub(super) fn announce(
    settings: &Settings,
    services: &Services,
    role: &str,
    stop: &CancellationToken,
) -> JoinHandle<()> {
    let process = this_process(role, env!("CARGO_PKG_VERSION"), settings.places.agreed());
    sview_jobs::announce(&services.jobs.queues, process, stop)
}

/// Starts the pools of these queues.
pub(super) fn start_workers(
    settings: &Settings,
    services: &Services,
    queues: &[Queue],
    stop: &CancellationToken,
) -> Workers {
    let workers = WorkerSettings {
        grace: Duration::from_secs(settings.workers.grace_seconds.into()),
        ..WorkerSettings::default()
    };
    let pools = Pool::for_queues(queues, settings.workers.concurrency.into());
    log_activity(sview_store::metrics::rows, stop);
    Workers::start(&services.jobs.queues, Registry::of(&services.jobs), &pools, &workers, stop)
}

/// Starts the schedule.
pub(super) fn start_scheduler(services: &Services, stop: &CancellationToken) -> Scheduler {
    Scheduler::start(&services.jobs, stop)
}

/// Starts the HTTP server; returns where it listens.
pub(super) async fn start_server(
    settings: &Settings,
    services: &Services,
    stop: &CancellationToken,
) -> anyhow::Result<(SocketAddr, JoinHandle<std::io::Result<()>>)> {
    let secret = Secret::load(settings.web.secret.as_deref(), &settings.places.data_dir)?;
    let listener = bind("SVIEW_LISTEN", settings.web.listen).await?;
    let address = listener.local_addr()?;
    let clock = services.jobs.clock;
    let (live, hearing) = Live::start(&settings.dynfw, &settings.places.data_dir, clock, stop).await?.unzip();
    let app = App::new(services.clone(), &settings.web, &secret, live);
    tracing::info!("listening on http://{address}/");
    let (stop, connections) = (stop.clone(), settings.web.connections.clone());
    let serving = async move {
        let served = web::serve(listener, app, &connections, stop.clone()).await;
        stop.cancel();
        if let Some(hearing) = hearing {
            let _ = hearing.await; // it ends by itself once told to, and a panic in it was logged
        }
        served
    };
    Ok((address, tokio::spawn(serving)))
}

/// The operators' server.
pub(super) struct AdminServer {
    /// The address that it listens on.
    pub(super) address: SocketAddr,
    task: JoinHandle<std::io::Result<()>>,
}

/// Starts the operators' server where the settings say, or else at `default`; `None` where it is off. Where another process has the
/// default address already, as a second `sview serve` on one machine does, this one goes on without.
pub(super) async fn start_admin(
    settings: &Settings,
    services: &Services,
    stop: &CancellationToken,
    default: AdminListen,
) -> anyhow::Result<Option<AdminServer>> {
    let asked = settings.admin.admin_listen;
    let AdminListen::At(wanted) = asked.unwrap_or(default) else { return Ok(None) };
    let listener = match bind("SVIEW_ADMIN_LISTEN", wanted).await {
        Ok(listener) => listener,
        Err(error) if asked.is_none() => {
            let error = causes(&error);
            tracing::warn!(
                error,
                "could not serve operators' pages: set SVIEW_ADMIN_LISTEN to another address, or to off"
            );
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let secret = Secret::load(settings.web.secret.as_deref(), &settings.places.data_dir)?;
    let address = listener.local_addr()?;
    let (proxies, ledger) = (&settings.web.limit.trusted_proxies, &settings.places.ledger);
    let admin = Admin::new(services.clone(), &settings.admin, address, proxies, ledger, &secret, stop.clone());
    tracing::info!("operators' pages on http://{address}/");
    Ok(Some(AdminServer { address, task: tokio::spawn(admin::serve(listener, admin)) }))
}

/// Waits for the operators' server to end after it was stopped. An error at its end does not make the process fail.
pub(super) async fn admin_stopped(server: Option<AdminServer>) {
    let Some(server) = server else { return };
    match server.task.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the server of the operators' pages stopped"),
        Err(error) => tracing::warn!(%error, "the server of the operators' pages stopped"),
    }
}

/// The default address of operators' pages, for processes that serve pages.
pub(super) const HERE: AdminListen = AdminListen::At(ADMIN_DEFAULT);
