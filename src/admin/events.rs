//! Notifies open pages of changes, by server-sent events. Pages then ask for the changes themselves.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use sview_jobs::State as JobState;
use tokio::time::MissedTickBehavior;

use super::Admin;
use super::context::Viewer;
use super::problem::Problem;

/// How often a stream looks whether something changed.
const LOOK: Duration = Duration::from_secs(1);

/// Returns a digest of everything that would change a page: jobs by state, and paused queues.
async fn digest(admin: &Admin) -> Option<u64> {
    let counts = admin.services.jobs.queues.ledger().counts().await.ok()?;
    let mut hasher = DefaultHasher::new();
    for queue in &counts {
        queue.paused.hash(&mut hasher);
        JobState::ALL.iter().for_each(|state| queue.of(*state).hash(&mut hasher));
        queue.oldest_waiting.hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// The stream of changes, until the client leaves or the process ends.
pub(super) async fn stream(State(admin): State<Admin>, viewer: Viewer, uri: Uri) -> Response {
    let Ok(permit) = admin.streams.clone().try_acquire_owned() else {
        return Problem::busy().respond(&viewer.context(), &uri);
    };
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let last = digest(&admin).await;
    let changes = stream::unfold((admin, permit, looks, last), |(admin, permit, mut looks, mut last)| async move {
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = admin.stop.cancelled() => return None,
            }
            let now = digest(&admin).await;
            if now.is_some() && now != last {
                last = now;
                return Some((Ok::<_, Infallible>(Event::default().data("changed")), (admin, permit, looks, last)));
            }
        }
    });
    Sse::new(changes).keep_alive(KeepAlive::default()).into_response()
}
