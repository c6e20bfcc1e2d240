//! `/dynfw/` and its data.

use std::collections::BTreeMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sview_dynfw::{Change, Topic, Why};
use sview_views::PageContext;
use sview_views::pages::{LISTED, Listed, LiveChange, LiveEvent, LiveState, dynfw, no_dynfw};
use utoipa::ToSchema;

use super::{Desk, Live};
use crate::http::html;
use crate::http::problem::Error;

/// The longest text that is searched for, in characters: no address is longer.
const LONGEST: usize = 45;

/// The query of the list.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// The text that addresses must contain.
    #[serde(default)]
    q: String,
    /// The page, from 1.
    page: Option<String>,
    /// Kept in links.
    period: Option<String>,
}

const LIVE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-cache")];

/// Shows the live page. Unknown parts of the query are left out, because they only narrow a list.
pub(super) async fn show(State(desk): State<Desk>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let now = desk.clock.now();
    let period = asked.period.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default();
    let context = PageContext { site: &desk.site, period, now };
    match desk.live.clone() {
        // The list may be long.
        Some(live) => match tokio::task::spawn_blocking(move || live.look(&asked, now)).await {
            Ok(state) => (LIVE, html(dynfw(&context, &state))).into_response(),
            Err(error) => {
                tracing::error!(%error, "could not render the live page");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        },
        None => (StatusCode::NOT_FOUND, LIVE, html(no_dynfw(&context))).into_response(),
    }
}

fn time(ts: u64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(i64::try_from(ts).ok()?, 0)
}

impl Live {
    fn look(&self, asked: &Asked, now: DateTime<Utc>) -> LiveState {
        let search: String = asked.q.trim().to_lowercase().chars().take(LONGEST).collect();
        let page: usize = asked.page.as_deref().and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, 1_000_000);
        let (found, addresses) = self.searchable().find(&search, (page - 1) * LISTED, LISTED);
        let feed = self.feed();
        let list = feed.follower.list();
        LiveState {
            connected: feed.connected,
            since: feed.since,
            heard_at: feed.heard_at,
            updated: list.and_then(|list| time(list.ts)),
            version: list.map(|list| list.version),
            serial: list.map(|list| list.serial),
            addresses: list.map(|list| list.addresses.len()),
            catching_up: list.is_some() && feed.wants_list(),
            knows_countries: feed.knows_countries(),
            countries: feed.countries.sums(now),
            events: feed
                .events
                .iter()
                .filter_map(|(event, geo)| {
                    Some(LiveEvent {
                        name: event.name.as_str().to_owned(),
                        ip: event.ip,
                        at: time(event.ts)?,
                        country: geo.map(|code| code.to_string()),
                    })
                })
                .collect(),
            changes: feed
                .changes
                .iter()
                .filter_map(|delta| {
                    Some(LiveChange { added: delta.change == Change::Added, ip: delta.ip, at: time(delta.ts)? })
                })
                .collect(),
            listed: Listed { search, page, found, addresses },
        }
    }
}

/// The state of the live feed, and counts of its messages. Times are RFC 3339 in UTC, null where that is not known.
#[derive(Serialize, ToSchema)]
pub(crate) struct FeedState {
    /// Whether the publisher is connected.
    connected: bool,
    /// The time since when it is, or is not, connected.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// The time when something was heard last.
    #[schema(format = DateTime)]
    heard_at: Option<String>,
    /// The list's version, as the publisher counts them.
    version: Option<u64>,
    /// The serial number of the last change.
    serial: Option<u64>,
    /// How many addresses are on the list.
    addresses: Option<usize>,
    /// The time when the list changed last.
    #[schema(format = DateTime)]
    updated: Option<String>,
    /// Whether changes were missed, and the whole list is waited for.
    catching_up: bool,
    /// Events of the last hour by country.
    countries: BTreeMap<String, u64>,
    /// Messages that were taken, by their topic.
    messages: BTreeMap<&'static str, u64>,
    /// Messages that were dropped, by fault.
    dropped: BTreeMap<&'static str, u64>,
    /// How often the whole list was asked for, by why.
    list_asked_again: BTreeMap<&'static str, u64>,
    connections: Connections,
    viewers: Viewers,
}

/// Connections to the publisher.
#[derive(Serialize, ToSchema)]
struct Connections {
    made: u64,
    /// That could not be made, or were lost.
    failed: u64,
}

/// Viewers of the live feed.
#[derive(Serialize, ToSchema)]
struct Viewers {
    connected: usize,
    /// Messages that were sent to them.
    sent: u64,
    /// Those who were dropped for being too slow.
    lagged: u64,
    /// Messages that came too fast to be sent one by one.
    held_back: u64,
}

/// The state of the live feed
///
/// The state of the publisher's list, and the dropped messages; the list itself comes over the WebSocket.
#[utoipa::path(
    get,
    path = "/dynfw/state.json",
    tag = "Live feed",
    operation_id = "live_state",
    responses(
        (status = 200, description = "The state.", body = FeedState),
        (status = 404, description = "No publisher is followed here.", body = Error),
    )
)]
pub(crate) async fn state(State(desk): State<Desk>) -> Response {
    let Some(live) = &desk.live else {
        let error = "There is no live feed here: the operator has named no publisher";
        return (StatusCode::NOT_FOUND, LIVE, axum::Json(serde_json::json!({ "error": error }))).into_response();
    };
    let now = desk.clock.now();
    let iso = |time: DateTime<Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let feed = live.feed();
    let list = feed.follower.list();
    let state = FeedState {
        connected: feed.connected,
        since: feed.since.map(iso),
        heard_at: feed.heard_at.map(iso),
        version: list.map(|list| list.version),
        serial: list.map(|list| list.serial),
        addresses: list.map(|list| list.addresses.len()),
        updated: list.and_then(|list| time(list.ts)).map(iso),
        catching_up: list.is_some() && feed.wants_list(),
        countries: feed.countries.sums(now),
        messages: Topic::ALL.iter().map(|topic| (topic.as_str(), live.counters.messages(*topic))).collect(),
        dropped: live.counters.faults().collect(),
        list_asked_again: Why::ALL.iter().map(|why| (why.as_str(), feed.follower.asked_again(*why))).collect(),
        connections: Connections { made: live.counters.connected(), failed: live.counters.failed() },
        viewers: Viewers {
            connected: feed.hub.viewers(),
            sent: feed.hub.sent,
            lagged: feed.hub.lagged,
            held_back: feed.held_back,
        },
    };
    drop(feed);
    (LIVE, axum::Json(state)).into_response()
}
