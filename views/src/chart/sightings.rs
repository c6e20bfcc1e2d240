//! The card of an address: the facts, and its activity in a table.

use chrono::NaiveDateTime;
use maud::{Markup, html};
use sview_model::{LABEL_FORMAT, Period, Precision, Ranking, Request};

use crate::{number::grouped, text, words};

/// The columns of the table: those of the ranking, whose names it does not repeat.
const HEADS: [&str; 5] = ["Trap", "Action", "Country", "First seen", "Last seen"];

/// The facts and the table of a ranking by [`sview_model::Dimension::Sighting`].
pub(super) fn sightings(request: &Request, ranking: &Ranking) -> Markup {
    let of = |column: usize| ranking.rows.iter().filter_map(move |row| row.labels.get(column));
    let unique = |column: usize| {
        let mut labels: Vec<Option<&str>> = Vec::new();
        for label in of(column).map(Option::as_deref) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    };
    // Labels of times are in the order of the times.
    let (first, last) = (of(3).flatten().min(), of(4).flatten().max());
    let period = request.period();
    html! {
        dl.facts {
            div { dt { "First seen" } dd { @if let Some(at) = first { (when(at, period)) } } }
            div { dt { "Last seen" } dd { @if let Some(at) = last { (when(at, period)) } } }
            div { dt { "Country" } dd { (listed("country", &unique(2))) } }
            div { dt { "Traps" } dd { (listed("source", &unique(0))) } }
        }
        div.values { div.scroll tabindex="0" { table id={ "d-" (request.resource().name) } aria-labelledby={ "h-" (request.resource().name) } {
            thead { tr {
                @for head in HEADS { th scope="col" { (head) } }
                th.number scope="col" { "Incidents" }
            } }
            tbody {
                @for row in &ranking.rows {
                    tr {
                        @for (i, (column, label)) in ranking.columns.iter().zip(&row.labels).enumerate() {
                            @match (i, label) {
                                (0, _) => { th scope="row" { (words::marked(column, label.as_deref())) } },
                                (3 | 4, Some(at)) => { td { (when(at, period)) } },
                                _ => { td { (words::marked(column, label.as_deref())) } },
                            }
                        }
                        td.number { (grouped(row.count)) }
                    }
                }
            }
        } } }
    }
}

/// Labels one after another.
fn listed(column: &str, labels: &[Option<&str>]) -> Markup {
    html! {
        @for (i, label) in labels.iter().enumerate() {
            @if i > 0 { ", " }
            (words::marked(column, *label))
        }
    }
}

/// Renders the label of a time for people: a day, if the period has no more.
fn when(label: &str, period: Period) -> Markup {
    let Ok(time) = NaiveDateTime::parse_from_str(label, LABEL_FORMAT) else { return text::label(label) };
    let is_day = period.scale().source == Precision::Daily;
    let shown = time.format(if is_day { "%-d %b %Y" } else { "%-d %b %Y %H:%M UTC" });
    html! { time datetime=(time.format(if is_day { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%MZ" })) { (shown) } }
}
