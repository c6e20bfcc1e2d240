//! `sview migrate`: the schema, brought up to date.

use std::process::ExitCode;

use super::{Settings, output, store};

pub(super) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    // Opening does it: every command may meet an older database.
    store::made(settings).await?;
    output::line("The schema is up to date.");
    Ok(ExitCode::SUCCESS)
}
