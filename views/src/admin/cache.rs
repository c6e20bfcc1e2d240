//! The page of cached values.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use sview_model::counted;

use super::AdminContext;
use super::frame::{Frame, page};
use super::spans::{coarse, exact};
use super::table::{Column, table};
use crate::number::{grouped, short};
use crate::{links, moment, text};

/// A cached value.
#[derive(Clone, Debug)]
pub struct CacheRow {
    /// Its key; may hold what attackers typed, escaped.
    pub key: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The time when the value was computed, UTC.
    pub computed_at: DateTime<Utc>,
    /// The time when the value is due again.
    pub refresh_at: DateTime<Utc>,
    /// How much longer it is kept.
    pub ttl: Duration,
}

/// The content of the page.
#[derive(Clone, Debug)]
pub struct CachePage {
    /// The time for statistics: frozen where the clock is.
    pub now: DateTime<Utc>,
    /// A text that keys must hold.
    pub text: String,
    /// A page of the entries.
    pub rows: Vec<CacheRow>,
    /// How many match.
    pub count: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// The key after which the next page begins, if there is one.
    pub more: Option<String>,
}

/// Cached values with age, size and time to live.
#[must_use]
pub fn cache(context: &AdminContext, shown: &CachePage) -> Markup {
    let columns = [
        Column::subject("Key"),
        Column::number("Bytes"),
        Column::new("Computed"),
        Column::new("Due"),
        Column::number("Kept for"),
    ];
    let content = html! {
        section.card.list {
            @if shown.rows.is_empty() {
                p.empty { "Nothing is cached." }
            } @else {
                (table(columns, shown.rows.iter().map(|row| cells(shown, row))))
            }
            @if let Some(key) = &shown.more {
                nav.pager aria-label="Pages of the list" {
                    span {}
                    a rel="next" href={ "/cache?text=" (links::encoded(&shown.text)) "&after=" (links::encoded(key)) } { "More" }
                }
            }
        }
    };
    let lead = html! {
        (counted(shown.count as u64, "value")) ", " (short(shown.bytes)) "B. When one is due it is computed anew; until that is done visitors see the stale one, with its age. \
         It is kept for some time even if nobody computes it."
        form.filter method="get" action="/cache" {
            label.wide { span { "Text in the key" } input type="search" name="text" value=(shown.text) maxlength="200"; }
            button.button type="submit" { "Show" }
        }
    };
    page(context, &Frame { title: "Cache", nav: "/cache", lead: Some(lead), live: true }, &content)
}

fn cells(shown: &CachePage, row: &CacheRow) -> [Markup; 5] {
    let now = shown.now;
    [
        html! { code { (text::visible(&row.key, 160)) } },
        html! { (grouped(row.bytes)) },
        html! { span title=(exact(row.computed_at)) { (moment::age(now - row.computed_at)) } },
        html! {
            span title=(exact(row.refresh_at)) {
                @if row.refresh_at > now { "in " (coarse(row.refresh_at - now)) } @else { span.warn { "stale" } }
            }
        },
        html! { (coarse(TimeDelta::from_std(row.ttl).unwrap_or(TimeDelta::MAX))) },
    ]
}
