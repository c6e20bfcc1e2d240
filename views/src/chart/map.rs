//! A map of the world, countries coloured by classes of an even logarithm.

use std::{collections::BTreeMap, sync::LazyLock};

use maud::{Markup, html};
use sview_model::Request;

use super::{scale, table};
use crate::{number::grouped, words};

/// Country code and outline, in units of [`SIZE`]. Made by `data/make_world.py`.
static SHAPES: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| include_str!("../../data/world.tsv").lines().filter_map(|line| line.split_once('\t')).collect());

/// Width and height of the map, in units of its outlines.
pub(super) const SIZE: (u32, u32) = (2000, 865);

/// The map of the world.
pub(super) fn map(request: &Request, counts: &BTreeMap<String, u64>) -> Markup {
    let name = request.resource().name;
    html! {
        (summary(request, counts))
        svg.map role="img" aria-labelledby={ "h-" (name) } aria-describedby={ "d-" (name) }
            viewBox={ "0 0 " (SIZE.0) " " (SIZE.1) } { (shapes(counts)) }
        (legend(counts))
        (table::countries(request, counts))
    }
}

/// A map whose counts a script keeps: each outline carries its code and its number, and the name that its title begins with.
pub(crate) fn world(label: &str, counts: &BTreeMap<String, u64>) -> Markup {
    let bounds = bounds(counts);
    html! {
        svg.map role="img" aria-label=(label) viewBox={ "0 0 " (SIZE.0) " " (SIZE.1) } {
            @for (code, outline) in SHAPES.iter() {
                @let n = counts.get(*code).copied().unwrap_or(0);
                @let class = (n > 0).then(|| format!("m{}", scale::class_of(&bounds, n) + 1));
                path class=[class] data-code=(code) data-n=(n) d=(outline) {
                    title { (words::plain("country", Some(code), 60)) ": " (grouped(n)) }
                }
            }
        }
    }
}

/// The outlines, each with its class and its number.
pub(super) fn shapes(counts: &BTreeMap<String, u64>) -> Markup {
    let bounds = bounds(counts);
    html! {
        @for (code, outline) in SHAPES.iter() {
            @let country = words::plain("country", Some(code), 60);
            @match counts.get(*code).copied().filter(|n| *n > 0) {
                Some(n) => {
                    path class={ "m" (scale::class_of(&bounds, n) + 1) } d=(outline) { title { (country) ": " (grouped(n)) } }
                },
                None => { path d=(outline) { title { (country) ": 0" } } },
            }
        }
    }
}

fn bounds(counts: &BTreeMap<String, u64>) -> Vec<u64> {
    let seen = || counts.values().copied().filter(|n| *n > 0);
    scale::classes(seen().min().unwrap_or(1), seen().max().unwrap_or(1))
}

/// The ranges that the classes stand for, with the number of the class's colour.
pub(super) fn ranges(counts: &BTreeMap<String, u64>) -> Vec<(usize, String)> {
    let bounds = bounds(counts);
    let ranges = bounds.iter().enumerate().map(|(i, from)| {
        let text = match bounds.get(i + 1) {
            Some(next) if next - 1 == *from => grouped(*from),
            Some(next) => format!("{}–{}", grouped(*from), grouped(next - 1)),
            None => format!("{} and more", grouped(*from)),
        };
        (i + 1, text)
    });
    ranges.collect()
}

fn legend(counts: &BTreeMap<String, u64>) -> Markup {
    html! {
        ul.legend.classes {
            @for (class, range) in ranges(counts) { li { span class={ "swatch m" (class) } {} (range) } }
        }
    }
}

fn summary(request: &Request, counts: &BTreeMap<String, u64>) -> Markup {
    let resource = request.resource();
    let most = counts.iter().max_by_key(|(_, n)| **n);
    html! {
        p.summary id={ "d-" (resource.name) } {
            span.figure { b { (counts.len()) } @if counts.len() == 1 { " country" } @else { " countries" } }
            @if let Some((code, n)) = most {
                span.figure { b { (words::plain("country", Some(code), 60)) } " first, with " (grouped(*n)) " " (words::units(&resource, *n)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country;

    #[test]
    fn every_shape_has_a_name_and_an_outline() {
        assert!(SHAPES.len() > 230);
        for (code, outline) in SHAPES.iter() {
            assert!(country::name(code).is_some(), "{code} is not in countries.tsv");
            assert!(outline.starts_with('M') && outline.ends_with('z'), "{code}");
        }
        assert!(SHAPES.iter().any(|(code, _)| *code == "CZ"));
    }

    #[test]
    fn ranges_follow_each_other() {
        let counts = BTreeMap::from([("CZ".to_owned(), 1), ("DE".to_owned(), 1_000_000)]);
        let texts: Vec<_> = ranges(&counts).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts[0], "1–9");
        assert_eq!(texts[5], "100,000 and more");
    }
}
