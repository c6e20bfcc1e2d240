//! The greylist: its page, its files and its archive. All of it comes from the database, for the worker that makes the list may be
//! on another host; no path names a file of this one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use chrono::{Datelike as _, NaiveDate, NaiveTime};
use sview_model::greylist::{Form, Points, Stamp, csv_of};
use sview_store::Standing;
use sview_views::pages::{self, GREYLIST, GreylistState, Greylisted};
use tokio::sync::Mutex;

use super::download::Download;
use super::error::Problem;
use super::site::OWN;
use super::{App, openapi, query};

/// For how long a page waits for a row of the list.
const PATIENCE: Duration = Duration::from_secs(2);

/// The latest list changes every quarter of an hour; a day's never.
const LATEST: &str = "public, max-age=60";
const FOR_GOOD: &str = "public, max-age=86400";

/// What is kept of the latest list, each with its generation: made when it is first asked for after the list has changed.
#[derive(Default)]
pub(super) struct Files {
    forms: Mutex<HashMap<Form, (u64, Arc<Download>)>>,
    least: Mutex<Option<(u64, Option<Points>)>>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Files")
    }
}

impl App {
    /// The latest list in a form; `None` before the first was made.
    async fn latest(&self, form: Form) -> sview_store::Result<Option<Arc<Download>>> {
        let reports = &self.services.reports;
        let Some(standing) = reports.greylist_standing().await? else { return Ok(None) };
        // Held while the file is made: many who ask at once have it made once.
        let mut files = self.greylist.forms.lock().await;
        if let Some((generation, file)) = files.get(&form)
            && *generation == standing.generation
        {
            return Ok(Some(Arc::clone(file)));
        }
        let listed = reports.greylist().await?;
        let Some(standing) = listed.standing else { return Ok(None) };
        let stamp = Stamp { as_of: standing.as_of, terms: self.terms().to_owned() };
        let write = move || {
            let file = Download::new(form.write(&stamp, &listed.entries), stamp.as_of, form.content_type(), LATEST);
            file.compress();
            file
        };
        let file = tokio::task::spawn_blocking(write).await;
        let file = Arc::new(file.map_err(|error| sview_store::Error::Value(error.to_string()))?);
        files.insert(form, (standing.generation, Arc::clone(&file)));
        Ok(Some(file))
    }

    /// The lowest score on the list where it is full.
    async fn least(&self, generation: u64) -> sview_store::Result<Option<Points>> {
        let mut known = self.greylist.least.lock().await;
        match *known {
            Some((of, least)) if of == generation => Ok(least),
            _ => {
                let least = self.services.reports.greylist_least().await?;
                *known = Some((generation, least));
                Ok(least)
            }
        }
    }

    fn terms(&self) -> &str {
        &self.services.jobs.greylist.settings.terms
    }

    /// What the list says of an address. A database that does not answer at once is no reason to keep a page waiting.
    pub(super) async fn greylisted(&self, ip: std::net::IpAddr) -> Greylisted {
        if let Some(never) = self.services.jobs.greylist.settings.rules.never(ip) {
            return Greylisted::Never(never);
        }
        let read = async {
            let listed = self.services.reports.greylist_entry(ip).await?;
            Ok::<_, sview_store::Error>(match (listed.standing, listed.entries.into_iter().next()) {
                (None, _) => Greylisted::NotMade,
                (Some(standing), Some(entry)) => Greylisted::Listed(Box::new(entry), standing.as_of),
                (Some(Standing { as_of, generation }), None) => {
                    Greylisted::NotListed { as_of, least: self.least(generation).await? }
                }
            })
        };
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(greylisted)) => greylisted,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the greylist cannot be read");
                Greylisted::Unknown
            }
            Err(_) => Greylisted::Unknown,
        }
    }
}

/// The page about the list.
pub(super) async fn index(State(app): State<App>, headers: HeaderMap, uri: Uri) -> Response {
    let period = query::page_period(&uri).unwrap_or_default();
    let read = async {
        let reports = &app.services.reports;
        let (standing, days) = (reports.greylist_standing().await?, reports.greylist_days().await?);
        Ok::<_, sview_store::Error>((standing, reports.greylist_size().await?, days))
    };
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok((standing, addresses, days))) => {
            let site = format!("{}{}", app.address(&headers), GREYLIST.trim_end_matches('/'));
            let as_of = standing.map(|standing| standing.as_of);
            let state = GreylistState { as_of, addresses, days: &days, site: &site, terms: app.terms() };
            (OWN, super::html(pages::greylist(&app.context(period), &state))).into_response()
        }
        Ok(Err(error)) => Problem::unavailable(&error).page(&app),
        Err(_) => Problem::unavailable(&"the database did not answer in time").page(&app),
    }
}

/// The page of a year's lists.
pub(super) async fn year(State(app): State<App>, path: Result<Path<String>, PathRejection>, uri: Uri) -> Response {
    let year = path.ok().and_then(|Path(text)| year_of(&text));
    let period = query::page_period(&uri).unwrap_or_default();
    let Some(year) = year else { return Problem::not_found().page(&app) };
    match tokio::time::timeout(PATIENCE, app.services.reports.greylist_days()).await {
        Ok(Ok(mut days)) => {
            days.retain(|(day, _)| day.year() == year);
            if days.is_empty() {
                return Problem::not_found().page(&app);
            }
            super::html(pages::greylist_year(&app.context(period), year, &days))
        }
        Ok(Err(error)) => Problem::unavailable(&error).page(&app),
        Err(_) => Problem::unavailable(&"the database did not answer in time").page(&app),
    }
}

/// The greylist as a file
///
/// Who attacked lately and often, made anew every quarter of an hour: in the published CSV, as text, as JSON lines, or as sets for ipset
/// and nftables whose entries time out. If-None-Match or If-Modified-Since spare what you have, Accept-Encoding: gzip makes the rest
/// small, Range fetches a part.
#[utoipa::path(
    get,
    path = "/greylist-data/{file}",
    tag = "Greylist",
    operation_id = "greylist",
    params(("file" = openapi::GreylistFile, Path, description = "Which form.")),
    responses(
        (status = 200, description = "The list.",
            content((String = "text/csv"), (String = "text/plain"), (openapi::GreylistLines = "application/jsonl")),
            headers(("ETag" = String), ("Last-Modified" = String), ("Cache-Control" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "The part that Range asked for.",
            content((String = "text/csv"), (String = "text/plain"), (openapi::GreylistLines = "application/jsonl")),
            headers(("ETag" = String), ("Content-Range" = String))),
        (status = 304, description = "You have it already."),
        (status = 404, description = "There is no such form.", content_type = "text/html"),
        (status = 416, description = "It has no such part."),
        (status = 503, description = "The first list has not been made yet, or cannot be read: ask again.", content_type = "text/html"),
    )
)]
pub(super) async fn latest(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let name = path.map(|Path(name)| name).unwrap_or_default();
    let Some(form) = Form::ALL.iter().find(|form| form.file() == name) else {
        return Problem::not_found().page(&app);
    };
    match app.latest(*form).await {
        Ok(Some(file)) => file.respond(&headers),
        Ok(None) => Problem::not_yet().page(&app),
        Err(error) => Problem::unavailable(&error).page(&app),
    }
}

/// The greylist of a day as a file
///
/// The list as of a day's beginning, in the published CSV; it never changes. ETag, date and ranges are as with the latest list.
#[utoipa::path(
    get,
    path = "/greylist-data/archive/{year}/{file}",
    tag = "Greylist",
    operation_id = "greylist_of_day",
    params(
        ("year" = openapi::Year, Path, description = "The year, as in the file's name."),
        ("file" = openapi::DayFile, Path, description = "The file of a day; the pages of the archive list all."),
    ),
    responses(
        (status = 200, description = "The list.", content((String = "text/csv")),
            headers(("ETag" = String), ("Last-Modified" = String), ("Cache-Control" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "The part that Range asked for.", content((String = "text/csv")),
            headers(("ETag" = String), ("Content-Range" = String))),
        (status = 304, description = "You have it already."),
        (status = 404, description = "There is no list of that day.", content_type = "text/html"),
        (status = 416, description = "It has no such part."),
        (status = 503, description = "It cannot be read at the moment.", content_type = "text/html"),
    )
)]
pub(super) async fn archive(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let day = path.ok().and_then(|Path((year, name))| day_of(&year, &name));
    let Some(day) = day else { return Problem::not_found().page(&app) };
    match app.services.reports.greylist_day(day).await {
        Ok(Some(rows)) => {
            let as_of = day.and_time(NaiveTime::MIN).and_utc();
            let stamp = Stamp { as_of, terms: app.terms().to_owned() };
            let answer = tokio::task::spawn_blocking(move || {
                Download::new(csv_of(&stamp, &rows), as_of, Form::Csv.content_type(), FOR_GOOD).respond(&headers)
            });
            answer.await.unwrap_or_else(|error| Problem::unavailable(&error).page(&app))
        }
        Ok(None) => Problem::not_found().page(&app),
        Err(error) => Problem::unavailable(&error).page(&app),
    }
}

fn year_of(text: &str) -> Option<i32> {
    let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// The day of a file of the archive, written in the one way in which it is linked.
fn day_of(year: &str, name: &str) -> Option<NaiveDate> {
    let text = name.strip_prefix("greylist-")?.strip_suffix(".csv")?;
    let day: NaiveDate = text.parse().ok()?;
    (day.to_string() == text && year_of(year) == Some(day.year())).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_address_of_a_day_leads_to_it() {
        assert_eq!(day_of("2026", "greylist-2026-03-15.csv"), NaiveDate::from_ymd_opt(2026, 3, 15));
        for (year, name) in [
            ("2025", "greylist-2026-03-15.csv"),
            ("2026", "greylist-2026-3-15.csv"),
            ("2026", "greylist-2026-02-30.csv"),
            ("2026", "greylist-+2026-03-15.csv"),
            ("02026", "greylist-2026-03-15.csv"),
            ("..", "greylist-2026-03-15.csv"),
            ("2026", "../../secret"),
            ("2026", "greylist-2026-03-15.csv.gz"),
        ] {
            assert_eq!(day_of(year, name), None, "{year}/{name}");
        }
    }
}
