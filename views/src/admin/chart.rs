//! A day's throughput, hour by hour.

use chrono::TimeDelta;
use maud::{Markup, html};

use super::overview::HourBar;
use crate::number::grouped;

/// Height of the plot in its own units.
const HEIGHT: f64 = 60.0;

/// Bars of what was done and what died in each hour, with the same as a table.
pub(super) fn throughput(name: &str, hours: &[HourBar]) -> Markup {
    let most = hours.iter().map(|hour| hour.done + hour.dead).max().unwrap_or(0).max(1);
    let tall = |n: u64| n as f64 / most as f64 * HEIGHT;
    let (done, dead) = (hours.iter().map(|h| h.done).sum::<u64>(), hours.iter().map(|h| h.dead).sum::<u64>());
    let said = format!("{name}: {} jobs done and {} dead in the last 24 hours", grouped(done), grouped(dead));
    html! {
        figure.throughput {
            svg role="img" aria-label=(said) viewBox={ "0 0 " (hours.len() * 10) " " (HEIGHT) } preserveAspectRatio="none" {
                @for (i, hour) in hours.iter().enumerate() {
                    g {
                        title { (span(hour)) ": " (grouped(hour.done)) " done, " (grouped(hour.dead)) " dead" }
                        rect.ground x=(i * 10) y="0" width="9" height=(HEIGHT) {}
                        rect.done x=(i * 10) y={ (round(HEIGHT - tall(hour.done))) } width="9" height=(round(tall(hour.done))) {}
                        @if hour.dead > 0 {
                            rect.dead x=(i * 10) y=(round(HEIGHT - tall(hour.done + hour.dead))) width="9"
                                height=(round(tall(hour.dead).max(1.0))) {}
                        }
                    }
                }
            }
            figcaption { span { "24 h ago" } span { "most in an hour: " (grouped(most.min(done + dead))) } span { "now" } }
            details.values {
                summary { "Show as table" }
                div.scroll tabindex="0" {
                    table {
                        thead { tr { th scope="col" { "Hour" } th.number scope="col" { "Done" } th.number scope="col" { "Dead" } } }
                        tbody {
                            @for hour in hours.iter().rev() {
                                tr { th scope="row" { (span(hour)) } td.number { (grouped(hour.done)) } td.number { (grouped(hour.dead)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn span(hour: &HourBar) -> String {
    let start = hour.end - TimeDelta::hours(1);
    format!("{}–{}", start.format("%-d %b %H:%M"), hour.end.format("%H:%M"))
}

fn round(value: f64) -> String {
    format!("{value:.1}")
}
