//! A ranking: a table with a bar in every row.

use maud::{Markup, html};
use sview_model::{Ranking, Request, Row};

use crate::number::{self, grouped};
use crate::text::capitalised;
use crate::{links, words};

/// The table of a ranking. The bars compare every row with the first.
pub(super) fn bars(request: &Request, ranking: &Ranking) -> Markup {
    let resource = request.resource();
    let most = ranking.rows.iter().map(|r| r.count).max().unwrap_or(0);
    html! {
        table.ranking.pairs[ranking.columns.len() > 1] id={ "d-" (resource.name) } aria-labelledby={ "h-" (resource.name) } {
            thead {
                tr {
                    th scope="col" { abbr title="Rank" { "#" } }
                    @for column in &ranking.columns { th scope="col" { (words::column(column)) } }
                    th.bar aria-hidden="true" {}
                    th.number scope="col" { (capitalised(words::unit(&resource))) }
                    @if ranking.whole.is_some() { th.share scope="col" { "Share" } }
                }
            }
            tbody {
                @for (i, row) in ranking.rows.iter().enumerate() {
                    tr {
                        td.rank { (i + 1) }
                        @for (column, label) in ranking.columns.iter().zip(&row.labels) {
                            td.name {
                                @match links::details(column, label.as_deref(), request.period()) {
                                    Some(href) => { a href=(href) { (words::marked(column, label.as_deref())) } },
                                    None => { (words::marked(column, label.as_deref())) },
                                }
                            }
                        }
                        td.bar aria-hidden="true" {
                            svg width="100%" height="8" {
                                rect.track width="100%" height="8" rx="4" {}
                                rect width={ (share(row.count, most)) "%" } height="8" rx="4" {}
                            }
                        }
                        td.number { (grouped(row.count)) }
                        @if ranking.whole.is_some() { td.share { (percent(ranking, row)) } }
                    }
                }
            }
        }
    }
}

/// A row's share of the whole, in percent; nothing where the whole is not known.
pub(super) fn percent(ranking: &Ranking, row: &Row) -> String {
    ranking.permille(row).map(|permille| number::percent(row.count, permille)).unwrap_or_default()
}

/// Percent of the greatest; something, however little, is never invisible.
pub(super) fn share(count: u64, most: u64) -> String {
    format!("{:.1}", (count as f64 * 100.0 / most.max(1) as f64).max(1.0))
}
