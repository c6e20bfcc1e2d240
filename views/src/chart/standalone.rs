//! A chart as an SVG file of its own, to be put into other pages and documents.

use maud::{Markup, PreEscaped, html};
use sview_model::{Data, MultiSeries, Ranking, Reported, Request};

use super::{bars, line, map, multi, plot};
use crate::{empty, moment, number, words};

/// The width of every file, in its own units.
const WIDTH: usize = 960;
/// The top of the chart, below the title.
const TOP: usize = 76;
/// The height of a plot over time, and with the labels below it.
const PLOT: usize = 220;
const PLOT_AND_LABELS: usize = PLOT + 40;
/// The height of a row of a ranking.
const ROW: usize = 26;
/// The longest label, in characters.
const LABEL: usize = 34;

/// The chart of a resource's data as an SVG document, light or dark as its viewer prefers. `reported` says why blank data are blank.
#[must_use]
pub fn standalone_svg(request: &Request, data: &Data, reported: Option<&Reported>) -> String {
    let (height, content) = match data {
        data if data.is_blank() => {
            (60, html! { text.label x="24" y=(TOP + 24) { (empty::sentence(request, reported)) } })
        }
        Data::Series(points) => (PLOT_AND_LABELS, line::plot(request, points, framed)),
        Data::MultiSeries(multi) => several(request, multi),
        Data::Ranking(ranking) => rows(ranking),
        Data::Map(counts) => world(counts),
    };
    let title = request.resource().title;
    let covers = moment::period(request.period());
    // The style is this crate's own file, not data; as XML it needs no more escaping.
    let style = PreEscaped(include_str!("../../assets/standalone.css"));
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (TOP + height) } role="img"
            aria-labelledby="title desc" font-family="system-ui, sans-serif" {
            title id="title" { (title) }
            desc id="desc" { (title) ": " (words::unit(&request.resource())) ", " (covers) }
            style { (style) }
            rect.ground width="100%" height="100%" rx="12" {}
            text.title x="24" y="36" { (title) }
            text.label x="24" y="58" { "Sentinel View, " (covers) }
            (content)
        }
    };
    svg.into_string()
}

fn framed(plot: &plot::Plot<'_>) -> Markup {
    html! { svg x="76" y=(TOP + 8) width=(WIDTH - 100) height=(PLOT) overflow="visible" { (plot.inside()) } }
}

fn several(request: &Request, multi: &MultiSeries) -> (usize, Markup) {
    const ACROSS: usize = 4;
    let series = multi::drawn(request, multi);
    let below = TOP + PLOT_AND_LABELS + 20;
    let content = html! {
        (multi::plot(request, multi, &series, framed))
        @for (i, one) in series.iter().enumerate() {
            @let (x, y) = (76 + i % ACROSS * 220, below + i / ACROSS * ROW);
            rect class={ "swatch " (one.colour) } x=(x) y=(y - 10) width="12" height="12" rx="3" {}
            text.label x=(x + 20) y=(y) { (one.plain(LABEL - 10)) }
        }
    };
    (PLOT_AND_LABELS + 20 + series.len().div_ceil(ACROSS) * ROW, content)
}

fn rows(ranking: &Ranking) -> (usize, Markup) {
    /// More columns have no room beside the bars.
    const ACROSS: usize = 2;
    let most = ranking.rows.iter().map(|r| r.count).max().unwrap_or(0);
    let content = html! {
        @for (i, row) in ranking.rows.iter().enumerate() {
            @let y = TOP + 20 + i * ROW;
            text.number x="48" y=(y) { (i + 1) }
            @for (c, (column, label)) in ranking.columns.iter().zip(&row.labels).take(ACROSS).enumerate() {
                text.name x=(64 + c * 200) y=(y) {
                    (words::plain(column, label.as_deref(), if ranking.columns.len() > 1 { LABEL / 2 } else { LABEL }))
                }
            }
            svg x="460" y=(y - 11) width="300" height="12" {
                rect.bar width={ (bars::share(row.count, most)) "%" } height="12" rx="3" {}
            }
            text.number x="860" y=(y) { (number::grouped(row.count)) }
            text.number x="936" y=(y) { (bars::percent(ranking, row)) }
        }
    };
    (ranking.rows.len() * ROW + 24, content)
}

fn world(counts: &std::collections::BTreeMap<String, u64>) -> (usize, Markup) {
    let height = (WIDTH - 48) * map::SIZE.1 as usize / map::SIZE.0 as usize;
    let ranges = map::ranges(counts);
    let step = (WIDTH - 48) / ranges.len().max(1);
    let content = html! {
        svg.map x="24" y=(TOP) width=(WIDTH - 48) height=(height) viewBox={ "0 0 " (map::SIZE.0) " " (map::SIZE.1) } {
            (map::shapes(counts))
        }
        @for (i, (class, range)) in ranges.iter().enumerate() {
            @let (x, y) = (24 + i * step, TOP + height + 28);
            rect class={ "swatch m" (class) } x=(x) y=(y - 10) width="12" height="12" rx="3" {}
            text.label x=(x + 18) y=(y) { (range) }
        }
    };
    (height + 44, content)
}
