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

/// The chart of several series.
pub(super) fn multi(request: &Request, multi: &MultiSeries) -> Markup {
    let series = drawn(request, multi);
    html! {
        (legend(request, &series))
        (plot(request, multi, &series, |plot| plot.svg()))
        (table::multi(request, multi, &series))
    }
}

/// A drawn series: of a label, or of everything without one.
pub(super) struct Drawn<'a> {
    /// `None` is what belongs to no label.
    label: Option<&'a str>,
    column: &'static str,
    /// The class of its colour.
    pub(super) colour: String,
    /// One for each window.
    pub(super) counts: Vec<u64>,
}

impl Drawn<'_> {
    /// Its name as plain text of at most `most` characters.
    pub(super) fn plain(&self, most: usize) -> String {
        self.label
            .map_or_else(|| words::other(self.column).to_owned(), |label| words::plain(self.column, Some(label), most))
    }

    /// Its name as markup.
    pub(super) fn marked(&self) -> Markup {
        match self.label {
            Some(label) => words::marked(self.column, Some(label)),
            None => html! { span.unknown { (words::other(self.column)) } },
        }
    }
}

/// The series in the order in which they are drawn; the last is what belongs to no label, where there is any.
pub(super) fn drawn<'a>(request: &Request, multi: &'a MultiSeries) -> Vec<Drawn<'a>> {
    let column = words::column_of(request.resource().shape).unwrap_or_default();
    let of_label = |(i, label): (usize, &'a String)| Drawn {
        label: Some(label),
        column,
        colour: format!("s{}", i.min(COLOURS - 1)),
        counts: multi.points.iter().map(|(_, counts)| counts.get(i).copied().unwrap_or(0)).collect(),
    };
    let others = multi.others.as_ref().filter(|_| multi.has_others());
    let others = others.map(|others| Drawn { label: None, column, colour: "rest".to_owned(), counts: others.clone() });
    multi.labels.iter().enumerate().map(of_label).chain(others).collect()
}

/// The plot of several series, drawn by `draw`.
pub(super) fn plot(
    request: &Request,
    multi: &MultiSeries,
    series: &[Drawn<'_>],
    draw: fn(&Plot<'_>) -> Markup,
) -> Markup {
    let stacked = matches!(request.resource().shape, Shape::MultiSeries { by, .. } if by.sums_others());
    let levels = levels(series, stacked);
    let ticks = ticks(levels.iter().flatten().copied().max().unwrap_or(0));
    let top = ticks.last().copied().unwrap_or(1);
    let heights: Vec<Vec<f64>> = levels.iter().map(|l| l.iter().map(|v| down(*v, top)).collect()).collect();
    let ends: Vec<_> = multi.points.iter().map(|(end, _)| *end).collect();

    let names: Vec<_> = series.iter().map(|one| one.plain(IN_HIT)).collect();
    let line = |w: usize| move |(name, one): (&String, &Drawn<'_>)| format!("{name}: {}", grouped(one.counts[w]));
    let hits = (0..ends.len()).map(|w| Hit {
        lines: names.iter().zip(series).map(line(w)).collect(),
        marks: heights.iter().map(|h| h[w]).collect(),
    });
    let ground = vec![HEIGHT; ends.len()];
    let curves = html! {
        @for (i, (upper, one)) in heights.iter().zip(series).enumerate() {
            @if stacked {
                @let lower = if i == 0 { &ground } else { &heights[i - 1] };
                path class={ "stack " (one.colour) } d=(area(upper, lower)) {}
            } @else {
                path class={ "line " (one.colour) } d=(curve(upper)) {}
            }
        }
    };
    draw(&Plot { request, ends: &ends, ticks: &ticks, curves, hits: hits.collect() })
}

/// For each series its height in every window: on top of those before it if stacked.
fn levels(series: &[Drawn<'_>], stacked: bool) -> Vec<Vec<u64>> {
    let mut below = vec![0_u64; series.first().map_or(0, |one| one.counts.len())];
    let levels = series.iter().map(|one| {
        let counts = one.counts.iter().zip(&below);
        let level: Vec<u64> = counts.map(|(n, under)| if stacked { n.saturating_add(*under) } else { *n }).collect();
        below.clone_from(&level);
        level
    });
    levels.collect()
}

/// Renders the meaning of each colour, with the sum where sums say something.
fn legend(request: &Request, series: &[Drawn<'_>]) -> Markup {
    let resource = request.resource();
    html! {
        ul.legend id={ "d-" (resource.name) } {
            @for one in series {
                li {
                    span class={ "swatch " (one.colour) } {}
                    span.name { (one.marked()) }
                    @if resource.measure == Measure::Count {
                        span.number { (grouped(one.counts.iter().fold(0, |sum, n| sum.saturating_add(*n)))) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacked_levels_stand_on_those_before() {
        let one =
            |counts: [u64; 2]| Drawn { label: None, column: "country", colour: String::new(), counts: counts.into() };
        let series = [one([3, 1]), one([2, 0])];
        assert_eq!(levels(&series, true), [[3, 1], [5, 1]]);
        assert_eq!(levels(&series, false), [[3, 1], [2, 0]]);
    }
}
