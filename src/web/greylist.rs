//! The greylist: its page, its files and its archive. All of it comes from the database, because the worker that makes the list may be on
//! another host. No path names a file of this one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use chrono::{Datelike as _, NaiveDate, NaiveTime};
use sview_model::greylist::{Entry, Form, LICENSE, Points, Stamp, license};
use sview_store::ListVersion;
use sview_views::pages::{self, GREYLIST, GreylistState, Greylisted};
use tokio::sync::Mutex;

use super::download::Download;
use super::{App, schemas};
use crate::http::own_pages::OWN;
use crate::http::problem::Problem;
use crate::http::query::page_period;

/// For how long a page waits for a row of the list.
const PATIENCE: Duration = Duration::from_secs(2);

/// The latest list changes every quarter of an hour; a day's never.
const LATEST: &str = "public, max-age=60";
const FOR_GOOD: &str = "public, max-age=86400";

/// For how long a file waits for the whole list, of 100,000 addresses at the most.
const READING: Duration = Duration::from_secs(10);

/// How many bytes the kept files of the archive take at the most: of some hundred days, or of 20 days of the longest lists.
const DAYS: usize = 64 << 20;

/// The kept lists. All entries of the latest one are kept, so that each form can be had while the database is away.
#[derive(Default)]
pub(super) struct Files {
    latest: RwLock<Option<Arc<Latest>>>,
    /// Held while the next list is read.
    reading: Mutex<()>,
    /// Held while a day's list is read.
    reading_day: Mutex<()>,
    days: StdMutex<Days>,
    license: OnceLock<Download>,
    least: Mutex<Option<(u64, Option<Points>)>>,
    /// Whether the database did not answer when it was asked last.
    away: AtomicBool,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Files")
    }
}

impl Files {
    fn known(&self) -> Option<Arc<Latest>> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, away: bool) {
        if self.away.swap(away, Ordering::Relaxed) != away {
            if away {
                tracing::warn!("the database does not respond; serving the last known files of the greylist");
            } else {
                tracing::info!("the database responds again; reading the greylist's files from it");
            }
        }
    }
}

/// The latest list, and its files: each is made when it is first asked for.
struct Latest {
    standing: ListVersion,
    /// Without evidence, which no file has.
    entries: Vec<Entry>,
    files: [OnceLock<Download>; Form::ALL.len()],
}

impl Latest {
    fn file(&self, form: Form, license: String) -> &Download {
        self.files[form as usize].get_or_init(|| {
            let stamp = Stamp { as_of: self.standing.as_of, license };
            let file = Download::new(form.write(&stamp, &self.entries), stamp.as_of, form.content_type(), LATEST);
            file.compress();
            file
        })
    }
}

/// Files of the archive, the one asked for last at the end. Days are hundreds, so they are looked for one after the other.
#[derive(Default)]
struct Days {
    files: Vec<Day>,
    bytes: usize,
}

struct Day {
    of: (NaiveDate, Form),
    /// The time when the list was made, in microseconds since 1970: a list that was deleted and made again is another one.
    made: i64,
    file: Arc<Download>,
}

impl Days {
    /// The file of a day, made at this moment, or at any.
    fn get(&mut self, of: (NaiveDate, Form), made: Option<i64>) -> Option<Arc<Download>> {
        let at = self.files.iter().position(|day| day.of == of)?;
        let day = self.files.remove(at);
        if made.is_some_and(|made| made != day.made) {
            self.bytes -= day.file.bytes();
            return None;
        }
        let file = Arc::clone(&day.file);
        self.files.push(day);
        Some(file)
    }

    /// Keeps a file, and lets those go that were not asked for the longest.
    fn keep(&mut self, day: Day, most: usize) {
        let bytes = day.file.bytes();
        if bytes > most || self.get(day.of, Some(day.made)).is_some() {
            return;
        }
        while self.bytes + bytes > most && !self.files.is_empty() {
            self.bytes -= self.files.remove(0).file.bytes();
        }
        self.bytes += bytes;
        self.files.push(day);
    }
}

/// Returns the database's answer, unless it takes too long.
async fn within<T>(time: Duration, read: impl Future<Output = sview_store::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(time, read).await {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("the database did not answer in time".to_owned()),
    }
}

impl App {
    /// The latest list; `None` before the first was made. While the database does not answer it is the one that was read last.
    async fn latest(&self) -> Result<Option<Arc<Latest>>, String> {
        let (files, reports) = (&self.parts.greylist, &self.parts.services.reports);
        let known = |error: String| {
            files.note(true);
            files.known().map(Some).ok_or(error)
        };
        let standing = match within(PATIENCE, reports.greylist().standing()).await {
            Ok(Some(standing)) => standing,
            Ok(None) => return Ok(None),
            Err(error) => return known(error),
        };
        let current = || files.known().filter(|known| known.standing == standing);
        if let Some(current) = current() {
            files.note(false);
            return Ok(Some(current));
        }
        // One reads the list. The others go on with the one before, and wait only where there is none.
        let _reading = match (files.reading.try_lock(), files.known()) {
            (Ok(reading), _) => reading,
            (Err(_), Some(known)) => return Ok(Some(known)),
            (Err(_), None) => files.reading.lock().await,
        };
        if let Some(current) = current() {
            return Ok(Some(current));
        }
        let listed = match within(READING, reports.greylist().listed()).await {
            Ok(listed) => listed,
            Err(error) => return known(error),
        };
        files.note(false);
        let Some(standing) = listed.standing else { return Ok(None) };
        let mut entries = listed.entries;
        entries.iter_mut().for_each(|entry| entry.evidence = Vec::new());
        let latest = Arc::new(Latest { standing, entries, files: Default::default() });
        *files.latest.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&latest));
        Ok(Some(latest))
    }

    /// Returns the list of a day as a file; `None` where there is none. While the database does not answer it is the kept one.
    async fn day(&self, day: NaiveDate, form: Form) -> Result<Option<Arc<Download>>, String> {
        let (files, reports) = (&self.parts.greylist, &self.parts.services.reports);
        let kept = |made| files.days.lock().unwrap_or_else(PoisonError::into_inner).get((day, form), made);
        let made = match within(PATIENCE, reports.greylist().day_made(day)).await {
            Ok(Some(made)) => made,
            Ok(None) => return Ok(None),
            Err(error) => {
                files.note(true);
                return kept(None).map(Some).ok_or(error);
            }
        };
        if let Some(file) = kept(Some(made)) {
            return Ok(Some(file));
        }
        // Held while the file is made: many who ask at once have it made once.
        let _reading = files.reading_day.lock().await;
        if let Some(file) = kept(Some(made)) {
            return Ok(Some(file));
        }
        let Some(rows) = within(READING, reports.greylist().day(day)).await? else { return Ok(None) };
        let stamp = Stamp { as_of: day.and_time(NaiveTime::MIN).and_utc(), license: self.license() };
        let write = move || {
            let file = Download::new(form.write_day(&stamp, &rows)?, stamp.as_of, form.content_type(), FOR_GOOD);
            file.compress();
            Some(Arc::new(file))
        };
        let written = tokio::task::spawn_blocking(write).await.map_err(|error| error.to_string())?;
        let Some(file) = written else { return Ok(None) };
        let day = Day { of: (day, form), made, file: Arc::clone(&file) };
        files.days.lock().unwrap_or_else(PoisonError::into_inner).keep(day, DAYS);
        Ok(Some(file))
    }

    fn license(&self) -> String {
        self.parts.services.jobs.greylist.settings.license.clone()
    }

    /// The lowest score on the list where it is full.
    async fn least(&self, generation: u64) -> sview_store::Result<Option<Points>> {
        let mut known = self.parts.greylist.least.lock().await;
        match *known {
            Some((of, least)) if of == generation => Ok(least),
            _ => {
                let least = self.parts.services.reports.greylist().least().await?;
                *known = Some((generation, least));
                Ok(least)
            }
        }
    }

    fn terms(&self) -> &str {
        &self.parts.services.jobs.greylist.settings.terms
    }

    /// Returns the list's answer about an address. A database that does not answer at once is no reason to keep a page waiting.
    pub(super) async fn greylisted(&self, ip: std::net::IpAddr) -> Greylisted {
        if let Some(never) = self.parts.services.jobs.greylist.settings.rules.never(ip) {
            return Greylisted::Never(never);
        }
        let read = async {
            let listed = self.parts.services.reports.greylist().entry(ip).await?;
            Ok::<_, sview_store::Error>(match (listed.standing, listed.entries.into_iter().next()) {
                (None, _) => Greylisted::NotMade,
                (Some(standing), Some(entry)) => Greylisted::Listed(Box::new(entry), standing.as_of),
                (Some(ListVersion { as_of, generation }), None) => {
                    Greylisted::NotListed { as_of, least: self.least(generation).await? }
                }
            })
        };
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(greylisted)) => greylisted,
            Ok(Err(error)) => {
                tracing::warn!(%error, "could not read the greylist");
                Greylisted::Unknown
            }
            Err(_) => Greylisted::Unknown,
        }
    }
}

/// The page about the list.
pub(super) async fn index(State(app): State<App>, headers: HeaderMap, uri: Uri) -> Response {
    let period = page_period(&uri).unwrap_or_default();
    let read = async {
        let reports = &app.parts.services.reports;
        let (standing, days) = (reports.greylist().standing().await?, reports.greylist().days().await?);
        Ok::<_, sview_store::Error>((standing, reports.greylist().size().await?, days))
    };
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok((standing, addresses, days))) => {
            let site = format!("{}{}", app.parts.own_pages.address(&headers), GREYLIST.trim_end_matches('/'));
            let as_of = standing.map(|standing| standing.as_of);
            let state = GreylistState { as_of, addresses, days: &days, site: &site, terms: app.terms() };
            (OWN, super::html(pages::greylist(&app.context(period), &state))).into_response()
        }
        Ok(Err(error)) => Problem::unavailable(&error).page(&app.plain()),
        Err(_) => Problem::unavailable(&"the database did not answer in time").page(&app.plain()),
    }
}

/// The page of a year's lists.
pub(super) async fn year(State(app): State<App>, path: Result<Path<String>, PathRejection>, uri: Uri) -> Response {
    let year = path.ok().and_then(|Path(text)| year_of(&text));
    let period = page_period(&uri).unwrap_or_default();
    let Some(year) = year else { return Problem::not_found().page(&app.plain()) };
    match tokio::time::timeout(PATIENCE, app.parts.services.reports.greylist().days()).await {
        Ok(Ok(mut days)) => {
            days.retain(|(day, _)| day.year() == year);
            if days.is_empty() {
                return Problem::not_found().page(&app.plain());
            }
            super::html(pages::greylist_year(&app.context(period), year, &days))
        }
        Ok(Err(error)) => Problem::unavailable(&error).page(&app.plain()),
        Err(_) => Problem::unavailable(&"the database did not answer in time").page(&app.plain()),
    }
}

/// The greylist as a file
///
/// The addresses that attacked lately and often, made again every quarter of an hour. Forms are the published CSV, text (also of one
/// address family), JSON lines, and sets for ipset and nftables whose entries time out. LICENSE.txt holds the terms of use. While the
/// database is away the list is the last one that was read, as Last-Modified tells. If-None-Match or If-Modified-Since spare what you have,
/// Accept-Encoding: gzip makes the rest small, Range fetches a part.
#[utoipa::path(
    get,
    path = "/greylist-data/{file}",
    tag = "Greylist",
    operation_id = "greylist",
    params(("file" = schemas::GreylistFile, Path, description = "Which form.")),
    responses(
        (status = 200, description = "The list.",
            content((String = "text/csv"), (String = "text/plain"), (schemas::GreylistLines = "application/jsonl")),
            headers(("ETag" = String), ("Last-Modified" = String), ("Cache-Control" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "The part that Range asked for.",
            content((String = "text/csv"), (String = "text/plain"), (schemas::GreylistLines = "application/jsonl")),
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
    if name == LICENSE {
        let now = app.parts.services.jobs.clock.now();
        let text = || Download::new(license(app.terms()), now, Form::Text.content_type(), LATEST);
        return app.parts.greylist.license.get_or_init(text).respond(&headers);
    }
    let Some(form) = Form::ALL.iter().copied().find(|form| form.file() == name) else {
        return Problem::not_found().page(&app.plain());
    };
    match app.latest().await {
        Ok(Some(latest)) => {
            if let Some(file) = latest.files[form as usize].get() {
                return file.respond(&headers);
            }
            let license = app.license();
            let made = tokio::task::spawn_blocking(move || latest.file(form, license).respond(&headers)).await;
            made.unwrap_or_else(|error| Problem::unavailable(&error).page(&app.plain()))
        }
        Ok(None) => Problem::not_yet().page(&app.plain()),
        Err(error) => Problem::unavailable(&error).page(&app.plain()),
    }
}

/// The greylist of a day as a file
///
/// The list as of a day's beginning, in the published CSV or as text of one address family; it never changes. ETag, date and ranges are as with the latest list.
#[utoipa::path(
    get,
    path = "/greylist-data/archive/{year}/{file}",
    tag = "Greylist",
    operation_id = "greylist_of_day",
    params(
        ("year" = schemas::Year, Path, description = "The year, as in the file's name."),
        ("file" = schemas::DayFile, Path, description = "The file of a day; the pages of the archive list all."),
    ),
    responses(
        (status = 200, description = "The list.", content((String = "text/csv"), (String = "text/plain")),
            headers(("ETag" = String), ("Last-Modified" = String), ("Cache-Control" = String), ("Accept-Ranges" = String))),
        (status = 206, description = "The part that Range asked for.", content((String = "text/csv"), (String = "text/plain")),
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
    let file = path.ok().and_then(|Path((year, name))| day_of(&year, &name));
    let Some((day, form)) = file else { return Problem::not_found().page(&app.plain()) };
    match app.day(day, form).await {
        Ok(Some(file)) => file.respond(&headers),
        Ok(None) => Problem::not_found().page(&app.plain()),
        Err(error) => Problem::unavailable(&error).page(&app.plain()),
    }
}

fn year_of(text: &str) -> Option<i32> {
    let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// The day and form of a file of the archive, written in the one way in which it is linked.
fn day_of(year: &str, name: &str) -> Option<(NaiveDate, Form)> {
    let text = name.strip_prefix("greylist-")?.get(..10)?;
    let day: NaiveDate = text.parse().ok()?;
    let form = Form::ARCHIVED.into_iter().find(|form| form.day_file(day) == name)?;
    (year_of(year) == Some(day.year())).then_some((day, form))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn only_the_one_address_of_a_day_leads_to_it() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 15).unwrap();
        for (name, form) in [
            ("greylist-2026-03-15.csv", Form::Csv),
            ("greylist-2026-03-15-ipv4.txt", Form::Ipv4),
            ("greylist-2026-03-15-ipv6.txt", Form::Ipv6),
        ] {
            assert_eq!(day_of("2026", name), Some((day, form)));
        }
        for (year, name) in [
            ("2025", "greylist-2026-03-15.csv"),
            ("2026", "greylist-2026-3-15.csv"),
            ("2026", "greylist-2026-02-30.csv"),
            ("2026", "greylist-+2026-03-15.csv"),
            ("2026", "greylist-2026-03-15-ipv5.txt"),
            ("2026", "greylist-2026-03-1é.csv"),
            ("02026", "greylist-2026-03-15.csv"),
            ("..", "greylist-2026-03-15.csv"),
            ("2026", "../../secret"),
            ("2026", "greylist-2026-03-15.csv.gz"),
        ] {
            assert_eq!(day_of(year, name), None, "{year}/{name}");
        }
    }

    #[test]
    fn kept_days_stay_within_their_bound_and_the_least_recently_used_goes() {
        let day = |n: u32| (NaiveDate::from_ymd_opt(2026, 3, n).unwrap(), Form::Csv);
        let made = |n: u32, made: i64| Day {
            of: day(n),
            made,
            file: Arc::new(Download::new("x".repeat(100), DateTime::UNIX_EPOCH, "text/csv", FOR_GOOD)),
        };
        let mut days = Days::default();
        for n in 1..=3 {
            days.keep(made(n, 7), 300);
        }
        assert!(days.get(day(1), Some(7)).is_some());
        days.keep(made(4, 7), 300);
        assert!(days.get(day(2), None).is_none() && days.get(day(1), None).is_some());
        assert_eq!((days.files.len(), days.bytes), (3, 300));
        assert!(days.get(day(4), Some(8)).is_none(), "another list of the same day");
        assert_eq!((days.files.len(), days.bytes), (2, 200));
        days.keep(made(5, 7), 99);
        assert!(days.get(day(5), None).is_none(), "a file over the bound is not kept");
    }
}
