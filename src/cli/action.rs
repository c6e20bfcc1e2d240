//! What somebody does by a command is written to the log of actions, as what they do on the operators' pages is.

use sview_jobs::{NewAction, Queues};

/// Writes down what a command is about to do. What cannot be written down is not done.
pub(super) async fn note(queues: &Queues, what: String) -> anyhow::Result<()> {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let who = user.map_or_else(|_| "command".to_owned(), |user| format!("command by {user}"));
    Ok(queues.ledger().note_action(&NewAction { who, peer: sview_jobs::host(), what }).await?)
}
