//! `sview serve`: pages and the API; workers run elsewhere.

use std::process::ExitCode;

use super::{Settings, process};

pub(super) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let Some((services, stop)) = process::open(settings, &[]).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let (_, server) = process::start_server(settings, &services, &stop).await?;
    let admin = process::start_admin(settings, &services, &stop, process::HERE).await?;
    let announced = process::announce(settings, &services, "serve", &stop);
    let served = server.await;
    stop.cancel();
    process::admin_stopped(admin).await;
    let _ = announced.await; // a panic in it was logged
    served??;
    Ok(ExitCode::SUCCESS)
}
