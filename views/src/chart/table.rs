//! The values of a chart as a table, folded away.

use std::collections::BTreeMap;

use maud::{Markup, html};
use sview_model::{MultiSeries, Point, Request, label};

use super::multi::Drawn;
use crate::{number::grouped, text::capitalised, words};

/// The values of one series.
pub(super) fn series(request: &Request, points: &[Point]) -> Markup {
    let unit = capitalised(words::unit(&request.resource()));
    folded(
        request,
        &html! {
            thead { tr { th scope="col" { "Window’s end (UTC)" } th.number scope="col" { (unit) } } }
            tbody {
                @for point in points.iter().rev() {
                    tr { th scope="row" { (label(point.end)) } td.number { (grouped(point.count)) } }
                }
            }
        },
    )
}

/// The values of several series.
pub(super) fn multi(request: &Request, multi: &MultiSeries, series: &[Drawn<'_>]) -> Markup {
    folded(
        request,
        &html! {
            thead {
                tr {
                    th scope="col" { "Window’s end (UTC)" }
                    @for one in series { th.number scope="col" { (one.marked()) } }
                }
            }
            tbody {
                @for (i, (end, _)) in multi.points.iter().enumerate().rev() {
                    tr {
                        th scope="row" { (label(*end)) }
                        @for count in series.iter().map(|one| one.counts[i]) { td.number { (grouped(count)) } }
                    }
                }
            }
        },
    )
}

/// The values of a map, most first.
pub(super) fn countries(request: &Request, counts: &BTreeMap<String, u64>) -> Markup {
    let mut rows: Vec<_> = counts.iter().collect();
    rows.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let unit = capitalised(words::unit(&request.resource()));
    folded(
        request,
        &html! {
            thead { tr { th scope="col" { "Country" } th.number scope="col" { (unit) } } }
            tbody {
                @for (code, count) in rows {
                    tr { th scope="row" { (words::marked("country", Some(code))) } td.number { (grouped(*count)) } }
                }
            }
        },
    )
}

fn folded(request: &Request, rows: &Markup) -> Markup {
    html! {
        details.values {
            summary { "Show as table" }
            div.scroll tabindex="0" { table { caption { (request.resource().title) } (rows) } }
        }
    }
}
