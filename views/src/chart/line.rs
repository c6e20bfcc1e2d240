//! One series: a line over a light area.

use maud::{Markup, html};
use sview_model::{Measure, Point, Request};

use super::plot::{HEIGHT, Hit, Plot, area, curve, down};
use super::{scale::ticks, table};
use crate::{moment, number::grouped, words};

/// The chart of one series.
pub(super) fn line(request: &Request, points: &[Point]) -> Markup {
    html! {
        (summary(request, points))
        (plot(request, points, |plot| plot.svg()))
        (table::series(request, points))
    }
}

/// The plot of one series, drawn by `draw`.
pub(super) fn plot(request: &Request, points: &[Point], draw: fn(&Plot<'_>) -> Markup) -> Markup {
    let resource = request.resource();
    let ticks = ticks(points.iter().map(|p| p.count).max().unwrap_or(0));
    let top = ticks.last().copied().unwrap_or(1);
    let heights: Vec<f64> = points.iter().map(|p| down(p.count, top)).collect();
    let ends: Vec<_> = points.iter().map(|p| p.end).collect();
    let hits = points.iter().zip(&heights).map(|(p, y)| Hit {
        lines: vec![format!("{} {}", grouped(p.count), words::units(&resource, p.count))],
        marks: vec![*y],
    });
    let curves = html! {
        path.area.one d=(area(&heights, &vec![HEIGHT; heights.len()])) {}
        path.line.one d=(curve(&heights)) {}
    };
    draw(&Plot { request, ends: &ends, ticks: &ticks, curves, hits: hits.collect() })
}

/// The series in a sentence. Attackers are not added up: one that comes back in another window is the same attacker.
fn summary(request: &Request, points: &[Point]) -> Markup {
    let resource = request.resource();
    let unit = words::unit(&resource);
    let total = points.iter().fold(0_u64, |sum, p| sum.saturating_add(p.count));
    let peak = points.iter().max_by_key(|p| p.count);
    let mean = total / u64::try_from(points.len()).unwrap_or(u64::MAX).max(1);
    html! {
        p.summary id={ "d-" (resource.name) } {
            span.figure {
                @match resource.measure {
                    Measure::Count => { b { (grouped(total)) } " " (words::units(&resource, total)) " in all" },
                    Measure::Attackers => { b { (grouped(mean)) } " " (unit) " at a time, on average" },
                }
            }
            @if let Some(peak) = peak {
                span.figure {
                    b { (grouped(peak.count)) } " at most, " (moment::window(peak.end, request.period().scale().window))
                }
            }
        }
    }
}
