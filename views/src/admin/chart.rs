//! A day, hour by hour.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use sview_model::counted;

use super::overview::HourBar;
use crate::number::grouped;

/// Height of the plot in its own units.
const HEIGHT: f64 = 60.0;

/// The looks of series, from below.
const CLASSES: [&str; 2] = ["done", "dead"];

/// An hour of one or two series.
pub(super) struct Hour {
    /// The hour's end, UTC.
    pub(super) end: DateTime<Utc>,
    /// How many of each series; `None` where that is not known.
    pub(super) counts: Option<Vec<u64>>,
}

impl Hour {
    fn sum(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }
}

/// Renders bars of successful and dead jobs in each hour, with the same as a table.
pub(super) fn throughput(name: &str, hours: &[HourBar]) -> Markup {
    let (done, dead) = (hours.iter().map(|h| h.done).sum::<u64>(), hours.iter().map(|h| h.dead).sum::<u64>());
    let said = format!("{name}: {} done and {} dead in the last 24 hours", counted(done, "job"), grouped(dead));
    let hour = |hour: &HourBar| Hour { end: hour.end, counts: Some(vec![hour.done, hour.dead]) };
    hourly(&said, &["Done", "Dead"], &hours.iter().map(hour).collect::<Vec<_>>())
}

/// Renders bars of one or two series, the second on top of the first, with the same as a table. `said` describes the chart.
pub(super) fn hourly(said: &str, series: &[&str], hours: &[Hour]) -> Markup {
    let most = hours.iter().map(Hour::sum).max().unwrap_or(0);
    html! {
        figure.throughput {
            (bars(said, series, hours))
            figcaption { span { "24 h ago" } span { "most in an hour: " (grouped(most)) } span { "now" } }
            details.values {
                summary { "Show as table" }
                div.scroll tabindex="0" {
                    table {
                        thead { tr { th scope="col" { "Hour" } @for name in series { th.number scope="col" { (name) } } } }
                        tbody {
                            @for hour in hours.iter().rev() {
                                tr { th scope="row" { (span(hour.end)) } @for i in 0..series.len() { td.number { (cell(hour, i)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Describes a series in an hour.
fn cell(hour: &Hour, i: usize) -> String {
    match &hour.counts {
        Some(counts) => grouped(counts.get(i).copied().unwrap_or(0)),
        None => "not known".to_owned(),
    }
}

/// Renders the bars alone, with their texts for a visitor who points at them.
fn bars(said: &str, series: &[&str], hours: &[Hour]) -> Markup {
    let most = hours.iter().map(Hour::sum).max().unwrap_or(0);
    let tall = |n: u64| n as f64 / most.max(1) as f64 * HEIGHT;
    let told = |hour: &Hour| {
        let each = series.iter().enumerate().map(|(i, name)| format!("{} {}", cell(hour, i), name.to_lowercase()));
        if hour.counts.is_some() { each.collect::<Vec<_>>().join(", ") } else { "not known".to_owned() }
    };
    html! {
        svg role="img" aria-label=(said) viewBox={ "0 0 " (hours.len() * 10) " " (HEIGHT) } preserveAspectRatio="none" {
            @for (i, hour) in hours.iter().enumerate() {
                g {
                    title { (span(hour.end)) ": " (told(hour)) }
                    rect.ground.unknown[hour.counts.is_none()] x=(i * 10) y="0" width="9" height=(HEIGHT) {}
                    @for (n, count) in hour.counts.iter().flatten().enumerate() {
                        @let below: u64 = hour.counts.iter().flatten().take(n + 1).sum();
                        @if n == 0 || *count > 0 {
                            // Small numbers get a visible bar too.
                            @let height = if n > 0 { tall(*count).max(1.0) } else { tall(*count) };
                            rect class=(CLASSES[n.min(1)]) x=(i * 10) y=(round(HEIGHT - tall(below))) width="9" height=(round(height)) {}
                        }
                    }
                }
            }
        }
    }
}

/// A chart for a line of text: bars of two series, the second on top of the first. `hours` are the end of each hour, and how many of each.
pub(super) fn sparkline(said: &str, series: &[&str; 2], hours: &[(DateTime<Utc>, u64, u64)]) -> Markup {
    let hours: Vec<Hour> =
        hours.iter().map(|(end, first, second)| Hour { end: *end, counts: Some(vec![*first, *second]) }).collect();
    html! { span.sparkline { (bars(said, series, &hours)) } }
}

fn span(end: DateTime<Utc>) -> String {
    let start = end - TimeDelta::hours(1);
    format!("{}–{}", start.format("%-d %b %H:%M"), end.format("%H:%M"))
}

fn round(value: f64) -> String {
    format!("{value:.1}")
}
