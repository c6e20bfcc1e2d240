//! `sview up`: web, workers and scheduler in one process.

use std::process::ExitCode;

use sview_model::Queue;

use super::{Settings, process};

pub(super) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let Some((services, stop)) = process::open(settings, Queue::ALL).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let (_, server) = process::start_server(settings, &services, &stop).await?;
    let admin = process::start_admin(settings, &services, &stop, process::HERE).await?;
    let announced = process::announce(settings, &services, "up", &stop);
    let workers = process::start_workers(settings, &services, Queue::ALL, &stop);
    let scheduler = process::start_scheduler(&services, &stop);
    // A server that ends by itself ends all: a process that looks alive and is not helps nobody.
    let served = server.await;
    stop.cancel();
    scheduler.stopped().await;
    workers.stopped().await;
    process::admin_stopped(admin).await;
    let _ = announced.await; // a panic in it was logged
    served??;
    Ok(ExitCode::SUCCESS)
}
