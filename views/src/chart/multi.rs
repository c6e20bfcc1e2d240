//! Several series over the same windows: stacked areas where they are parts of a whole, else lines.

use maud::{Markup, html};
use sview_model::{Measure, MultiSeries, Request, Shape};

use super::plot::{HEIGHT, Hit, Plot, area, curve, down};
use super::{scale::ticks, table};
use crate::{number::grouped, words};

/// How many colours there are; series past them share the last.
const COLOURS: usize = 7;
/// The longest label in the values of a window, in characters.
const IN_HIT: usize = 24;

/// The class of a series' colour.
pub(super) fn colour(i: usize) -> String {
    format!("s{}", i.min(COLOURS - 1))
}

/// The chart of several series.
pub(super) fn multi(request: &Request, multi: &MultiSeries) -> Markup {
    html! {
        (legend(request, multi))
        (plot(request, multi, |plot| plot.svg()))
        (table::multi(request, multi))
    }
}

/// The plot of several series, drawn by `draw`.
pub(super) fn plot(request: &Request, multi: &MultiSeries, draw: fn(&Plot<'_>) -> Markup) -> Markup {
    let resource = request.resource();
    let column = words::column_of(resource.shape).unwrap_or_default();
    let stacked = matches!(resource.shape, Shape::MultiSeries { by, .. } if words::is_stacked(by));
    let levels = levels(multi, stacked);
    let ticks = ticks(levels.iter().flatten().copied().max().unwrap_or(0));
    let top = ticks.last().copied().unwrap_or(1);
    let heights: Vec<Vec<f64>> = levels.iter().map(|l| l.iter().map(|v| down(*v, top)).collect()).collect();
    let ends: Vec<_> = multi.points.iter().map(|(end, _)| *end).collect();

    let names: Vec<_> = multi.labels.iter().map(|l| words::plain(column, Some(l), IN_HIT)).collect();
    let hits = multi.points.iter().enumerate().map(|(w, (_, counts))| Hit {
        lines: names.iter().zip(counts).map(|(name, count)| format!("{name}: {}", grouped(*count))).collect(),
        marks: heights.iter().map(|h| h[w]).collect(),
    });
    let ground = vec![HEIGHT; ends.len()];
    let curves = html! {
        @for (i, upper) in heights.iter().enumerate() {
            @if stacked {
                @let lower = if i == 0 { &ground } else { &heights[i - 1] };
                path class={ "stack " (colour(i)) } d=(area(upper, lower)) {}
            } @else {
                path class={ "line " (colour(i)) } d=(curve(upper)) {}
            }
        }
    };
    draw(&Plot { request, ends: &ends, ticks: &ticks, curves, hits: hits.collect() })
}

/// For each series its height in every window: on top of those before it if stacked.
fn levels(multi: &MultiSeries, stacked: bool) -> Vec<Vec<u64>> {
    let mut below = vec![0_u64; multi.points.len()];
    let series = (0..multi.labels.len()).map(|i| {
        let counts = multi.points.iter().map(|(_, counts)| counts.get(i).copied().unwrap_or(0));
        let level: Vec<u64> =
            counts.zip(&below).map(|(n, under)| if stacked { n.saturating_add(*under) } else { n }).collect();
        below.clone_from(&level);
        level
    });
    series.collect()
}

/// What each colour stands for, with the sum where sums say something.
fn legend(request: &Request, multi: &MultiSeries) -> Markup {
    let resource = request.resource();
    let column = words::column_of(resource.shape).unwrap_or_default();
    html! {
        ul.legend id={ "d-" (resource.name) } {
            @for (i, label) in multi.labels.iter().enumerate() {
                li {
                    span class={ "swatch " (colour(i)) } {}
                    span.name { (words::marked(column, Some(label))) }
                    @if resource.measure == Measure::Count {
                        @let counts = multi.points.iter().filter_map(|(_, counts)| counts.get(i));
                        span.number { (grouped(counts.fold(0, |sum, n| sum.saturating_add(*n)))) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    #[test]
    fn stacked_levels_stand_on_those_before() {
        let points = vec![(DateTime::<Utc>::UNIX_EPOCH, vec![3, 2]), (DateTime::<Utc>::UNIX_EPOCH, vec![1, 0])];
        let multi = MultiSeries { labels: vec!["a".into(), "b".into()], points };
        assert_eq!(levels(&multi, true), [[3, 1], [5, 1]]);
        assert_eq!(levels(&multi, false), [[3, 1], [2, 0]]);
    }
}
