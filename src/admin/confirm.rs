//! The page that asks before something is destroyed: it says which jobs are meant, how many, in which states and since when.

use axum::extract::{Query, State as Extract};
use axum::http::Uri;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use sview_jobs::{Filter, Record, Search, State, Steering, matching, sanitise_line};
use sview_model::counted;
use sview_views::admin::{self, Ask, Confirm};

use super::Admin;
use super::context::{Right, Viewer};
use super::order::{AT_ONCE, Asked, Order, name};
use super::problem::Problem;
use crate::http::html;

/// How many of the jobs are named.
const EXAMPLES: usize = 10;

/// The page. It changes nothing.
pub(super) async fn page(
    Extract(admin): Extract<Admin>,
    viewer: Viewer,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Response {
    let page = async {
        if viewer.right != Right::Full {
            return Err(Problem::forbidden("This token only lets look", "Sign in with the full token to act."));
        }
        question(&admin, asked.order()?).await
    };
    match page.await {
        Ok(page) => html(admin::confirm(&viewer.context(), &page)),
        Err(problem) => problem.respond(&viewer.context(), &uri),
    }
}

/// Returns what an action does to jobs, for people.
fn consequence(steering: Steering) -> &'static str {
    match steering {
        Steering::Retry => {
            "Ended jobs are queued again with all their attempts before them; scheduled ones run at once."
        }
        Steering::Cancel => {
            "Waiting jobs will not run; running ones are stopped at their worker's next sign of life. The next refresh may \
             queue the same again, if it is due."
        }
        Steering::Delete => "Their records are gone for good, with the errors in them. Waiting ones will not run.",
    }
}

const fn verb(steering: Steering) -> (&'static str, &'static str) {
    match steering {
        Steering::Retry => ("Retry", "Retry them"),
        Steering::Cancel => ("Cancel", "Cancel them"),
        Steering::Delete => ("Delete", "Delete them"),
    }
}

fn exact(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Words in a row: `done, dead and cancelled`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Describes the jobs that a filter selects, by its fields.
fn meant(search: &Search) -> String {
    let filter = &search.filter;
    let states: Vec<_> = filter.states.iter().map(ToString::to_string).collect();
    let states = if states.is_empty() { None } else { Some(format!("in state {}", states.join(" or "))) };
    let parts = [
        states,
        filter.queue.map(|queue| format!("in queue {queue}")),
        filter.name.as_ref().map(|name| format!("of kind {}", sanitise_line(name, 60))),
        filter.text.as_ref().map(|text| format!("with “{}” in their words", sanitise_line(text, 200))),
        filter.from.map(|from| format!("queued at or after {}", exact(from))),
        filter.until.map(|until| format!("queued before {}", exact(until))),
        search.error.as_ref().map(|error| format!("of those whose last error is like “{}”", sanitise_line(error, 200))),
        Some(&search.ids).filter(|ids| !ids.is_empty()).map(|ids| format!("of {} named ones", ids.len())),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return "No filter is set: all jobs are meant, of every queue and kind.".to_owned();
    }
    format!("All jobs are meant that are {}.", parts.join(", "))
}

/// Describes how many jobs there are in each state, since when, and which are left alone.
fn found(steering: Steering, filter: &Filter, records: &[Record]) -> Vec<String> {
    let number = |state: &State| records.iter().filter(|record| record.state == *state).count();
    let states: Vec<String> =
        State::ALL.iter().filter(|s| number(s) > 0).map(|state| format!("{} {state}", number(state))).collect();
    let mut sentences = Vec::new();
    if let (Some(newest), Some(oldest)) = (records.first(), records.last()) {
        let since = match records.len() {
            1 => format!("queued at {}", exact(oldest.created_at)),
            _ => format!("queued from {} to {}", exact(oldest.created_at), exact(newest.created_at)),
        };
        sentences.push(format!("These are {}, {since}.", listed(&states)));
    }
    let asked = |state: &&State| filter.states.is_empty() || filter.states.contains(state);
    let spared: Vec<String> = State::ALL
        .iter()
        .filter(asked)
        .filter(|state| !steering.applies_to().contains(state))
        .map(ToString::to_string)
        .collect();
    if !spared.is_empty() {
        sentences.push(format!("Jobs that are {} are left as they are.", listed(&spared)));
    }
    sentences
}

async fn question(admin: &Admin, order: Order) -> Result<Confirm, Problem> {
    let (queues, back) = (&admin.services.jobs.queues, order.back());
    match order {
        Order::One(steering, id) => {
            let record = queues.ledger().get(id).await?.ok_or_else(|| admin.no_such_job())?;
            let (verb, action) = (verb(steering).0, name(steering));
            Ok(Confirm {
                question: format!("{verb} this {} job?", record.state),
                consequences: vec![consequence(steering).to_owned()],
                examples: vec![record.words],
                more: 0,
                ask: Ask::one(verb, action, false, ("id", id.to_string())),
                back: format!("/jobs/{id}"),
                any: true,
            })
        }
        Order::Matching { steering, mut search, mut typed } => {
            let mut consequences = vec![meant(&search)];
            // Jobs that are queued after this page was made are not selected.
            if typed.until.is_empty() {
                // By the clock that jobs are queued by, which may not be this host's.
                let now = queues.ledger().time().await?;
                typed.until = now.to_rfc3339_opts(SecondsFormat::Millis, true);
                search.filter.until = Some(now);
            }
            let records = matching(queues, steering, &search).await?;
            consequences.extend(found(steering, &search.filter, &records));
            consequences.push(match records.len() {
                0 => "No job is in a state to which this does anything.".to_owned(),
                _ => consequence(steering).to_owned(),
            });
            if records.len() == AT_ONCE {
                consequences.push(format!("At most {AT_ONCE} are done at once, the newest; ask again for the rest."));
            }
            let (verb, button) = verb(steering);
            let example = |record: &Record| format!("{}: {}", record.state, record.words);
            let mut fields = vec![("action", name(steering).to_owned()), ("all", "yes".to_owned())];
            fields.extend(typed.fields());
            Ok(Confirm {
                question: format!("{verb} {}?", counted(records.len() as u64, "job")),
                consequences,
                examples: records.iter().take(EXAMPLES).map(example).collect(),
                more: records.len().saturating_sub(EXAMPLES),
                ask: Ask { label: button, asks: false, fields },
                back,
                any: !records.is_empty(),
            })
        }
        Order::Pause(..) | Order::Run(_) => {
            Err(Problem::expected("Nothing is destroyed by that", "the action itself, as a POST to /act"))
        }
    }
}
