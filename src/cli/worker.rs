//! `sview worker QUEUE…`: works off queues.

use std::process::ExitCode;

use sview_model::Queue;

use super::{Settings, process};
use crate::config::AdminListen;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sview worker aggregation quick-cache --concurrency 6
  sview worker slow-cache --concurrency 6

Queues, most urgent first:
  aggregation  aggregates reports into quarters, hours and days; about a minute a job
  quick-cache  computes the values of short periods
  slow-cache   computes the values of long periods, with slots of its own

A worker takes a job of a queue only while no queue named before it has a job waiting.")]
pub struct Args {
    /// Queues to serve: aggregation, quick-cache, slow-cache
    #[arg(required = true, value_name = "QUEUE")]
    queues: Vec<Queue>,
}

pub(super) async fn run(settings: &Settings, args: &Args) -> anyhow::Result<ExitCode> {
    let mut queues = Vec::new();
    for queue in &args.queues {
        if !queues.contains(queue) {
            queues.push(*queue);
        }
    }
    let Some((services, stop)) = process::open(settings, &queues).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let admin = process::start_admin(settings, &services, &stop, AdminListen::Off).await?;
    let announced = process::announce(settings, &services, "worker", &stop);
    let workers = process::start_workers(settings, &services, &queues, &stop);
    let names: Vec<_> = queues.iter().map(|q| q.as_str()).collect();
    tracing::info!("running the jobs of {}", names.join(", "));
    workers.stopped().await;
    process::admin_stopped(admin).await;
    let _ = announced.await; // a panic in it was logged
    Ok(ExitCode::SUCCESS)
}
