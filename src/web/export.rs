//! A resource as a file: `/resource/{name}.csv`, `.json` and `.svg`.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use sview_model::{Data, MultiSeries, Request, Subject, label};
use sview_store::Entry;
use sview_views::chart::standalone_svg;

use super::App;
use super::query::ResourceQuery;
use super::schemas::{self, FORMS, Form, ResourceName};
use super::session::Session;
use crate::http::answer::Answer;
use crate::http::client::Client;
use crate::http::problem::{Error, Problem};

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

/// A resource as a file: CSV, JSON or SVG
///
/// The data alone, cacheable. It has more than `/api/resource`: a row of a ranking has its share of the whole in `percent`. A point of
/// series that are parts of a whole has the rest of it in `other`. In CSV, an apostrophe precedes text that a spreadsheet would take for a
/// formula, also after a semicolon or tab in it. Control characters are replaced by visible ones. JSON has texts as they are.
#[utoipa::path(
    get,
    path = "/resource/{name}.{form}",
    tag = "Statistics",
    params(
        ("name" = ResourceName, Path, description = "Which resource."),
        ("form" = Form, Path, description = "In which form."),
        ResourceQuery
    ),
    responses(
        (status = 200, description = "The data.",
            content((schemas::Data = "application/json"), (String = "text/csv"), (String = "image/svg+xml")),
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The data is what If-None-Match names."),
        (status = 400, description = "Something is wrong with the address; error says what was expected.", body = Error),
        (status = 429, description = "Too much was asked for; Retry-After says when to ask again.", body = Error),
        (status = 503, description = "Not computed yet, or not to be had at the moment: ask again after Retry-After seconds.", body = Error),
    )
)]
pub(super) async fn file(
    State(app): State<App>,
    client: Client,
    session: Session,
    file: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Response {
    answer(&app, client, &session, file, &headers, query).await.unwrap_or_else(Problem::json)
}

async fn answer(
    app: &App,
    client: Client,
    session: &Session,
    file: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Path(file) = file.map_err(|e| Problem::expected("The address cannot be read", e.body_text()))?;
    let Query(query) = query.map_err(|e| Problem::expected("The query cannot be read", e.body_text()))?;
    let (name, form) = file.rsplit_once('.').filter(|(_, form)| FORMS.contains(form)).ok_or_else(|| {
        Problem::expected("There is no such file", format!("a resource's name and one of .{}", FORMS.join(", .")))
    })?;
    let request = query.request(name, session)?;
    respond(app, client, headers, &request, form, |entry| {
        let Some(entry) = entry else { return Err(Problem::not_yet()) };
        let data = entry.data(&request.resource()).map_err(|e| Problem::unavailable(&e))?;
        Ok(match form {
            "json" => Body::json(json(&data)),
            "csv" => Body { text: csv(&data), content_type: "text/csv; charset=utf-8" },
            _ => Body { text: standalone_svg(&request, &data, entry.reported.as_ref()), content_type: "image/svg+xml" },
        })
    })
    .await
}

/// Returns the answer with a value that everybody may have, for as long as a browser may keep it. Nobody keeps an answer without a value.
pub(super) fn public(body: Body, request: &Request, entry: Option<&Entry>) -> Answer {
    let cache = match entry {
        None => "no-store".to_owned(),
        Some(_) => format!("public, max-age={}", request.period().scale().browser_ttl.as_secs()),
    };
    Answer::new(body.text, body.content_type, &cache)
}

/// Returns the answer to a request for a value. Nobody ever keeps values of a session's devices. Precached values are the same for
/// everybody, and are asked for the most, so their answer is made once a second.
pub(super) async fn respond(
    app: &App,
    client: Client,
    headers: &HeaderMap,
    request: &Request,
    form: &str,
    make: impl Fn(Option<&Entry>) -> Result<Body, Problem>,
) -> Result<Response, Problem> {
    match request.resource().subject {
        Subject::Everything => {
            let address = format!("{form} {}", request.key());
            let answer = app.parts.recent.get(&address, async {
                let entry = app.parts.slots.entry(client, request).await?;
                let body = make(entry.as_ref())?;
                Ok::<_, Problem>((public(body, request, entry.as_ref()), entry.is_some()))
            });
            Ok(answer.await?.respond(headers))
        }
        Subject::Devices => {
            let entry = app.parts.slots.entry(client, request).await?;
            let body = make(entry.as_ref())?;
            let head = [(header::CACHE_CONTROL, "private, no-store"), (header::CONTENT_TYPE, body.content_type)];
            Ok((head, body.text).into_response())
        }
        Subject::Attacker | Subject::Password => {
            let entry = app.parts.slots.entry(client, request).await?;
            let body = make(entry.as_ref())?;
            Ok(public(body, request, entry.as_ref()).respond(headers))
        }
    }
}

/// Returns data as JSON, as the API serves it, with two additions. Each row of a ranking has its share of the whole. Each point of a
/// multi-series has the part that belongs to no label. So it has points where there is no label, too.
fn json(data: &Data) -> String {
    let mut value = serde_json::to_value(data).unwrap_or_default();
    match data {
        Data::Ranking(ranking) => {
            let lines = value.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut);
            for (line, row) in lines.zip(&ranking.rows) {
                let percent = ranking.permille(row).map(|permille| (permille as f64 / 10.0).into());
                line.extend(percent.map(|percent| ("percent".to_owned(), percent)));
            }
        }
        Data::MultiSeries(MultiSeries { points, others: Some(others), .. }) => {
            let line = |((end, counts), other): (&(_, Vec<u64>), &u64)| {
                let counts = counts.iter().enumerate().map(|(i, count)| (i.to_string(), Value::from(*count)));
                let bucket = ("bucket".to_owned(), Value::from(label(*end)));
                let other = ("other".to_owned(), Value::from(*other));
                [bucket].into_iter().chain(counts).chain([other]).collect::<Value>()
            };
            value["data"] = points.iter().zip(others).map(line).collect();
        }
        _ => {}
    }
    value.to_string()
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
            let other = multi.others.as_ref().map(|_| "other".to_owned());
            let head = std::iter::once("time".to_owned()).chain(multi.labels.iter().map(|l| neutral(l)));
            row(head.chain(other).collect());
            for (i, (end, counts)) in multi.points.iter().enumerate() {
                let other = multi.others.as_ref().and_then(|others| others.get(i));
                row(std::iter::once(label(*end)).chain(counts.iter().chain(other).map(u64::to_string)).collect());
            }
        }
        Data::Ranking(ranking) => {
            let head = ranking.columns.iter().map(|c| (*c).to_owned());
            let percent = ranking.whole.map(|_| "percent".to_owned());
            row(head.chain(["count".to_owned()]).chain(percent).collect());
            for r in &ranking.rows {
                let labels = r.labels.iter().map(|l| neutral(l.as_deref().unwrap_or_default()));
                let percent = ranking.permille(r).map(tenths);
                row(labels.chain([r.count.to_string()]).chain(percent).collect());
            }
        }
        Data::Map(map) => {
            row(vec!["country".to_owned(), "count".to_owned()]);
            map.iter().for_each(|(country, count)| row(vec![neutral(country), count.to_string()]));
        }
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// Tenths as a decimal number: `12.3`.
fn tenths(number: u64) -> String {
    format!("{}.{}", number / 10, number % 10)
}

/// Returns a cell that is only text to spreadsheets and terminals. An apostrophe precedes what would begin a formula, and control
/// characters become visible.
fn neutral(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    // Spreadsheets split at these too: at semicolons wherever the comma is the decimal sign. Each piece may be a cell of its own.
    for piece in text.split_inclusive([';', '\t', '\n', '\r']) {
        if begins_formula(piece) {
            cell.push('\'');
        }
        cell.extend(piece.chars().map(visible));
    }
    cell
}

/// Whether a spreadsheet could run this. Quotes around a formula do not keep it from that.
fn begins_formula(text: &str) -> bool {
    // The wide ones are taken for the others by some.
    text.trim_start_matches(|c: char| c.is_whitespace() || c == '"')
        .starts_with(['=', '+', '-', '@', '|', '＝', '＋', '－', '＠'])
}

/// A character that no terminal acts on: `␛` for an escape, U+FFFD for a control character that has no such picture.
fn visible(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '␡',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sview_model::{Ranking, Row};

    #[test]
    fn a_spreadsheet_runs_no_cell() {
        for (label, cell) in [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            (";=1+6", ";'=1+6"),
            ("a; \"=1+6;-2", "a;' \"=1+6;'-2"),
            ("\t=1", "␉'=1"),
            ("a\n=1\r+2", "a␊'=1␍'+2"),
            ("a\"b,c\nd", "a\"b,c␊d"),
            ("\x1b]0;title\x07\x1b[31m\0\x7f\u{9b}", "␛]0;title␇␛[31m␀␡\u{fffd}"),
            ("plain; text-1", "plain; text-1"),
        ] {
            let row = Row { labels: vec![Some(label.to_owned())], count: 1 };
            let text = csv(&Data::Ranking(Ranking { columns: vec!["password"], rows: vec![row], whole: None }));
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let cells: Vec<String> = reader.records().map(|r| r.unwrap()[0].to_owned()).collect();
            assert_eq!(cells, [cell], "{label:?}");
        }
    }

    #[test]
    fn labels_of_a_series_are_cells_too() {
        let multi = MultiSeries { labels: vec!["a;=1\x1b".to_owned()], points: Vec::new(), others: None };
        assert_eq!(csv(&Data::MultiSeries(multi)), "time,a;'=1␛\n");
    }
}
