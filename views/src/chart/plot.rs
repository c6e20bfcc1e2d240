//! The frame that all plots over time share: gridlines, labels of both axes, and a place to point at for every window.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use sview_model::Request;

use super::time_axis::{labels, percent};
use crate::{moment, number};

/// The height of the plotted area in its own units: it is stretched to whatever height there is.
pub(super) const HEIGHT: f64 = 200.0;
/// Its width in its own units.
const WIDTH: f64 = 1000.0;
/// With more characters than this, the labels of time crowd each other on a phone: the first and the last are moved inwards.
const CROWDED: usize = 26;

/// A number as short as it may be in an attribute.
pub(super) fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// How far down a number is, in units of the plotted area.
pub(super) fn down(value: u64, top: u64) -> f64 {
    HEIGHT - value as f64 / top.max(1) as f64 * HEIGHT
}

/// A path through the points at these heights, from left to right.
pub(super) fn curve(heights: &[f64]) -> String {
    let mut path = String::with_capacity(heights.len() * 10);
    for (i, y) in heights.iter().enumerate() {
        path.push(if i == 0 { 'M' } else { 'L' });
        path += &format!("{} {}", coordinate(percent(i, heights.len()) * WIDTH / 100.0), coordinate(*y));
    }
    if heights.len() == 1 {
        path.push_str("h0"); // with round ends, a line of no length is a dot
    }
    path
}

/// The area between two curves over the same points.
pub(super) fn area(upper: &[f64], lower: &[f64]) -> String {
    let back: Vec<f64> = lower.iter().rev().copied().collect();
    let mut path = curve(upper);
    for (i, y) in back.iter().enumerate() {
        let x = percent(back.len() - 1 - i, back.len()) * WIDTH / 100.0;
        path += &format!("L{} {}", coordinate(x), coordinate(*y));
    }
    path + "Z"
}

/// The text of a window that a visitor points at.
pub(super) struct Hit {
    /// A line a value.
    pub(super) lines: Vec<String>,
    /// The positions of its marks, in units of the plotted area from its top, in the order of the series.
    pub(super) marks: Vec<f64>,
}

/// A plot over time.
pub(super) struct Plot<'a> {
    pub(super) request: &'a Request,
    pub(super) ends: &'a [DateTime<Utc>],
    pub(super) ticks: &'a [u64],
    /// Paths in units of the plotted area.
    pub(super) curves: Markup,
    pub(super) hits: Vec<Hit>,
}

impl Plot<'_> {
    /// The plot as an `svg` that fills the room it gets, named and described by the card around it. The labels of both axes
    /// are outside of its box: the style sheet leaves room for them.
    pub(super) fn svg(&self) -> Markup {
        let name = self.request.resource().name;
        html! {
            svg.plot role="img" aria-labelledby={ "h-" (name) } aria-describedby={ "d-" (name) } width="100%" height=(HEIGHT) {
                (self.inside())
            }
        }
    }

    /// Renders the content of the plot, for an `svg` of any size.
    pub(super) fn inside(&self) -> Markup {
        let n = self.ends.len();
        let top = self.ticks.last().copied().unwrap_or(1);
        let width = self.request.period().scale().window;
        let step = if n < 2 { 100.0 } else { 100.0 / (n - 1) as f64 };
        let down_percent = |y: f64| coordinate(y * 100.0 / HEIGHT);
        let labels = labels(self.request.period(), self.ends);
        let crowded = labels.iter().map(|(_, label)| label.len()).sum::<usize>() > CROWDED;
        html! {
            g.grid {
                @for tick in self.ticks {
                    @let y = down_percent(down(*tick, top));
                    line x1="0" x2="100%" y1={ (y) "%" } y2={ (y) "%" } {}
                    text.y x="-8" y={ (y) "%" } dy=".32em" { (number::short(*tick)) }
                }
                // Every other label, from the newest back, gives way where there is little room.
                @for (back, (i, label)) in labels.iter().rev().enumerate() {
                    @let x = percent(*i, n);
                    text.x.spare[crowded && back % 2 == 1].first[x < 4.0].last[x > 96.0]
                        x={ (coordinate(x)) "%" } y="100%" dy="20" { (label) }
                }
            }
            svg.curves width="100%" height="100%" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
                (self.curves)
            }
            g.hits {
                @for (i, (end, hit)) in self.ends.iter().zip(&self.hits).enumerate() {
                    rect x={ (format!("{:.2}", percent(i, n) - step / 2.0)) "%" } width={ (format!("{step:.2}")) "%" } height="100%"
                        data-x=(format!("{:.2}", percent(i, n)))
                        data-y=(hit.marks.iter().map(|y| down_percent(*y)).collect::<Vec<_>>().join(" ")) {
                        title { (moment::window(*end, width)) @for line in &hit.lines { "\n" (line) } }
                    }
                }
            }
        }
    }
}
