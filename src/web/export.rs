//! A resource as a file: `/resource/{name}.csv`, `.json` and `.svg`.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use sview_model::{Data, Request, Subject, hex, label};
use sview_store::Entry;
use sview_views::chart::standalone_svg;

use super::App;
use super::error::Problem;
use super::query::ResourceQuery;
use super::session::Session;

/// The content of a response, and its media type.
pub(super) struct Body {
    text: String,
    content_type: &'static str,
}

impl Body {
    pub(super) fn json(text: String) -> Self {
        Self { text, content_type: "application/json" }
    }
}

/// A resource in the form that the file's ending names.
pub(super) async fn file(
    State(app): State<App>,
    session: Session,
    Path(file): Path<String>,
    headers: HeaderMap,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Response {
    answer(&app, &session, &file, &headers, query).await.unwrap_or_else(Problem::json)
}

async fn answer(
    app: &App,
    session: &Session,
    file: &str,
    headers: &HeaderMap,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|e| Problem::expected("The query cannot be read", e.body_text()))?;
    let forms = "a resource's name and .csv, .json or .svg";
    let (name, form) = file.rsplit_once('.').ok_or_else(|| Problem::expected("There is no such file", forms))?;
    if !["csv", "json", "svg"].contains(&form) {
        return Err(Problem::expected("There is no such file", forms));
    }
    let request = query.request(name, session)?;
    let Some(entry) = app.slots.entry(&request).await.map_err(|e| Problem::unavailable(&e))? else {
        return Ok(not_yet());
    };
    let body = match form {
        "json" => Body::json(entry.json.to_string()),
        _ => {
            let data = Data::from_json(&request.resource(), &entry.json).map_err(|e| Problem::unavailable(&e))?;
            if form == "csv" {
                Body { text: csv(&data), content_type: "text/csv; charset=utf-8" }
            } else {
                Body { text: standalone_svg(&request, &data), content_type: "image/svg+xml" }
            }
        }
    };
    Ok(respond(headers, body, &request, Some(&entry)))
}

/// Nothing is cached yet: the value is on its way.
fn not_yet() -> Response {
    let body = axum::Json(serde_json::json!({ "error": "not computed yet: try again in a few seconds" }));
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "2"), (header::CACHE_CONTROL, "no-store")], body)
        .into_response()
}

/// A body with what caches need: an ETag of its content, and how long it may be kept.
///
/// What belongs to a session's devices is never kept by anybody; nor is an answer that tells of nothing yet.
pub(super) fn respond(headers: &HeaderMap, body: Body, request: &Request, entry: Option<&Entry>) -> Response {
    let private = request.resource().subject == Subject::Devices;
    let cache = match entry {
        _ if private => "private, no-store".to_owned(),
        None => "no-store".to_owned(),
        Some(_) => format!("public, max-age={}", request.period().scale().browser_ttl.as_secs()),
    };
    let etag = format!("\"{}\"", &hex(&Sha256::digest(body.text.as_bytes()))[..20]);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let same = known.is_some_and(|list| {
        list.split(',').any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.trim_start_matches("W/") == etag
        })
    });
    // SVG may be embedded as an image anywhere; it loads and runs nothing.
    let head = [(header::CACHE_CONTROL, cache), (header::ETAG, etag)];
    if same && !private {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, [(header::CONTENT_TYPE, body.content_type)], body.text).into_response()
}

/// Data as CSV, with a header line. Times are UTC, a row's time is the end of its window.
fn csv(data: &Data) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let mut row = |cells: Vec<String>| {
        let _ = writer.write_record(cells); // writing to memory cannot fail
    };
    match data {
        Data::Series(points) => {
            row(vec!["time".to_owned(), "count".to_owned()]);
            points.iter().for_each(|p| row(vec![label(p.end), p.count.to_string()]));
        }
        Data::MultiSeries(multi) => {
            let head = std::iter::once("time".to_owned()).chain(multi.labels.iter().map(|l| neutral(l)));
            row(head.collect());
            for (end, counts) in &multi.points {
                row(std::iter::once(label(*end)).chain(counts.iter().map(u64::to_string)).collect());
            }
        }
        Data::Ranking(ranking) => {
            let head = ranking.columns.iter().map(|c| (*c).to_owned());
            row(head.chain(["count".to_owned()]).collect());
            for r in &ranking.rows {
                let labels = r.labels.iter().map(|l| neutral(l.as_deref().unwrap_or_default()));
                row(labels.chain([r.count.to_string()]).collect());
            }
        }
        Data::Map(map) => {
            row(vec!["country".to_owned(), "count".to_owned()]);
            map.iter().for_each(|(country, count)| row(vec![neutral(country), count.to_string()]));
        }
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// A cell that a spreadsheet takes for text: what would begin a formula gets an apostrophe before it.
fn neutral(text: &str) -> String {
    match text.trim_start().chars().next() {
        Some('=' | '+' | '-' | '@') => format!("'{text}"),
        _ if text.starts_with(['\t', '\r', '\n']) => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sview_model::{Ranking, Row};

    #[test]
    fn a_spreadsheet_runs_no_cell() {
        let labels = ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", " =1", "a\"b,c\nd", "plain"];
        let rows = labels.iter().map(|l| Row { labels: vec![Some((*l).to_owned())], count: 1 }).collect();
        let text = csv(&Data::Ranking(Ranking { columns: vec!["password"], rows }));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let cells: Vec<String> = reader.records().map(|r| r.unwrap()[0].to_owned()).collect();
        assert_eq!(cells, ["'=1+1", "'+cmd|' /C calc'!A0", "'-2", "'@SUM(A1)", "'\t=1", "' =1", "a\"b,c\nd", "plain"]);
    }
}
