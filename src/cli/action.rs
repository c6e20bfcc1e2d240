//! Writes operators' commands to the log of actions, like actions on the operators' pages.

use sview_jobs::{NewAction, Queues};

/// Logs the action that a command begins. An action that cannot be logged is not done.
pub(super) async fn note(queues: &Queues, what: String) -> anyhow::Result<()> {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let who = user.map_or_else(|_| "command".to_owned(), |user| format!("command by {user}"));
    Ok(queues.ledger().note_action(&NewAction { who, peer: sview_jobs::host(), what }).await?)
}
