//! `sview scheduler`: queues due jobs, every minute. Any number may run; of each tick one acts.

use std::process::ExitCode;

use super::{Settings, process};
use crate::config::AdminListen;

pub(super) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let Some((services, stop)) = process::open(settings, &[]).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let admin = process::start_admin(settings, &services, &stop, AdminListen::Off).await?;
    let announced = process::announce(settings, &services, "scheduler", &stop);
    let scheduler = process::start_scheduler(&services, &stop);
    tracing::info!("the scheduler queues what is due every minute");
    scheduler.stopped().await;
    process::admin_stopped(admin).await;
    let _ = announced.await; // a panic in it was logged
    Ok(ExitCode::SUCCESS)
}
