//! Opening a deployment for commands.

use super::{Settings, output};
use crate::{Missing, Services};

/// Opens a deployment for a command that reads or changes an existing one. Creates nothing.
///
/// # Errors
/// When there is no store yet, or database or queues cannot be reached.
pub(super) async fn existing(settings: &Settings) -> anyhow::Result<Services> {
    existing_for(settings, 0).await
}

/// The same, with connections to the database for workers with this number of slots in all.
pub(super) async fn existing_for(settings: &Settings, slots: usize) -> anyhow::Result<Services> {
    let services = Services::open_for(&settings.places, slots, Missing::Refuse).await?;
    services.reach_queues().await?;
    Ok(services)
}

/// Opens a deployment for a command that fills it, and says where it is.
pub(super) async fn made(settings: &Settings) -> anyhow::Result<Services> {
    let services = Services::open(&settings.places).await?;
    let place = sview_jobs::sanitise_line(&services.reports.place(), 500);
    output::note(if services.is_new {
        format!("created a new, empty store in {place}")
    } else {
        format!("using the store in {place}")
    });
    Ok(services)
}
