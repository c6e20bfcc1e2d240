//! Colours that must be distinguishable, by the contrast ratio of WCAG 2.

#![allow(clippy::unwrap_used)] // a panic in a test is the report of a failure

use std::collections::HashMap;

const STYLE: &str = concat!(include_str!("../assets/style.css"), include_str!("../assets/admin.css"));
const STANDALONE: &str = include_str!("../assets/standalone.css");

/// The colours by name, each for light and for dark pages.
fn colours() -> HashMap<&'static str, [&'static str; 2]> {
    let named = STYLE.split("--").filter_map(|piece| {
        let (name, value) = piece.split_once(": light-dark(")?;
        let (light, dark) = value.split_once(')')?.0.split_once(", ")?;
        Some((name, [light, dark]))
    });
    named.collect()
}

fn luminance(colour: &str) -> f64 {
    let digits = colour.strip_prefix('#').unwrap();
    let digits = if digits.len() == 3 { digits.chars().flat_map(|c| [c, c]).collect() } else { digits.to_owned() };
    let part = |i: usize| {
        let part = f64::from(u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn contrast_is_that_of_the_standard() {
    assert!((contrast("#000", "#fff") - 21.0).abs() < 1e-9);
    assert!((contrast("#767676", "#ffffff") - 4.54).abs() < 0.01);
}

#[test]
fn classes_of_the_map_differ_from_their_neighbours_and_from_land_without_data() {
    let colours = colours();
    for pair in ["land", "m1", "m2", "m3", "m4", "m5", "m6"].windows(2) {
        for theme in [0, 1] {
            let (lower, upper) = (colours[pair[0]][theme], colours[pair[1]][theme]);
            let ratio = contrast(lower, upper);
            assert!(ratio >= 1.48, "{} {lower} and {} {upper}: {ratio:.2}", pair[0], pair[1]);
            for colour in [lower, upper] {
                assert!(
                    STANDALONE.contains(&format!("fill:{colour}")),
                    "pictures on their own have other colours: {colour}"
                );
            }
        }
    }
}

#[test]
fn words_in_pills_can_be_read() {
    let colours = colours();
    let pairs = [
        ("text", "grid"),
        ("good", "grid"),
        ("warn", "grid"),
        ("soft", "grid"),
        ("on-accent", "accent"),
        ("card", "bad"),
        ("accent", "tint"),
        ("warn", "tint"),
        ("bad", "tint"),
        ("soft", "ground"),
        ("soft", "card"),
        ("soft", "tint"),
    ];
    for (words, ground) in pairs {
        for theme in [0, 1] {
            let ratio = contrast(colours[words][theme], colours[ground][theme]);
            assert!(ratio >= 4.5, "{words} on {ground}: {ratio:.2}");
        }
    }
}
