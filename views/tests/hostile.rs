//! Strings that attackers type, in every place that shows them.

#![allow(clippy::unwrap_used)] // a panic in a test is the report of a failure

use std::collections::BTreeMap;

use chrono::{DateTime, TimeZone as _, Utc};
use sview_model::{Data, MultiSeries, Parameters, Period, Point, Ranking, Request, ResourceName, Row, Shape};
use sview_views::pages::{self, PAGES, PASSWORD};
use sview_views::{CardContext, PageContext, Ready, Refresh, Site, Slot, card, chart};

const SCRIPT: &str = "<script>alert(1)</script>";
const IMAGE: &str = "\"><img src=x onerror=alert(1)>";
const QUOTES: &str = "' onmouseover='alert(1)' \" onfocus=\"alert(1)";
const BIDI: &str = "\u{202e}gnp.exe\u{2066}\u{200b}";
const LINES: &str = "a\nb\r\0\u{1b}[31m]]>-->";

fn hostile() -> Vec<String> {
    vec![SCRIPT.into(), IMAGE.into(), QUOTES.into(), BIDI.into(), LINES.into(), "x".repeat(500), "&lt;u&gt;".into()]
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 15, 12, 34, 56).unwrap()
}

/// Data full of hostile text, in the shape of the request's resource; also where only the store's own words are expected.
fn data(request: &Request) -> Data {
    let ends: Vec<_> = request.period().windows(now(), true).ends().collect();
    match request.resource().shape {
        Shape::Series => Data::Series(ends.iter().map(|end| Point { end: *end, count: 7 }).collect()),
        Shape::MultiSeries { .. } => {
            let labels = hostile();
            let points = ends.iter().map(|end| (*end, vec![5; labels.len()])).collect();
            Data::MultiSeries(MultiSeries { labels, points, others: Some(vec![2; ends.len()]) })
        }
        Shape::Ranking { by, .. } => {
            let columns = by.columns().to_vec();
            let row = |text: String| Row { labels: vec![Some(text); columns.len()], count: 1_234_567 };
            Data::Ranking(Ranking {
                rows: hostile().into_iter().map(row).collect(),
                columns: columns.clone(),
                whole: Some(12_345_678),
            })
        }
        Shape::Map { .. } => {
            let own = hostile().into_iter().map(|text| (text, 3));
            Data::Map(own.chain([("CZ".to_owned(), 1234)]).collect::<BTreeMap<_, _>>())
        }
    }
}

fn requests() -> Vec<Request> {
    let parameters = |name: ResourceName| match name.subject {
        sview_model::Subject::Everything => Parameters::None,
        sview_model::Subject::Attacker => Parameters::Ip("2001:db8::1".parse().unwrap()),
        sview_model::Subject::Password => Parameters::Password(IMAGE.to_owned()),
        sview_model::Subject::Devices => Parameters::Devices(Vec::new()),
    };
    ResourceName::all().map(|name| Request::new(name, Period::Week, parameters(name)).unwrap()).collect()
}

fn ready(request: &Request) -> Slot {
    let finish = request.period().span(now()).finish;
    Slot::Ready(Ready {
        data: data(request),
        finish,
        complete_to: finish,
        computed_at: now(),
        reported: None,
        refresh: Refresh::None,
        due: now(),
        version: "1".to_owned(),
    })
}

/// Asserts that nothing in the page does what the hostile strings want, and nothing invisible is left.
fn assert_harmless(what: &str, page: &str) {
    for bad in ["<script>alert", "<img", "<u>", "&lt;u&gt;", "\" onfocus", "style=\"", "javascript:", "]]>"] {
        assert!(!page.contains(bad), "{what} contains {bad}");
    }
    let unseen = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{200b}".contains(c);
    assert_eq!(page.chars().find(|c| unseen(*c)), None, "{what}");
    assert!(!page.contains(&"x".repeat(1001)), "{what}");
}

#[test]
fn every_card_shows_hostile_text_as_text() {
    for request in requests() {
        let context = CardContext { now: now(), data_links: true };
        let card = card(&request, &ready(&request), &context).into_string();
        assert_harmless(request.resource().name, &card);
        if !matches!(request.resource().shape, Shape::Series) {
            assert!(card.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{}", request.resource());
            assert!(card.contains(r"\u{202e}gnp.exe"), "{}", request.resource());
            assert!(card.contains("a␊b␍␀␛"), "{}", request.resource());
        }
    }
}

#[test]
fn every_file_shows_hostile_text_as_text() {
    for request in requests() {
        let svg = chart::standalone_svg(&request, &data(&request), None);
        assert_harmless(request.resource().name, &svg);
        assert!(svg.starts_with("<svg xmlns") && svg.ends_with("</svg>"));
    }
}

#[test]
fn a_page_about_a_password_shows_it_as_text_in_title_heading_and_breadcrumb() {
    let site = Site::default();
    let context = PageContext { site: &site, period: Period::Day, now: now() };
    for password in hostile() {
        let requests = PASSWORD.requests(Period::Day, &Parameters::Password(password.clone()));
        let slots: Vec<_> = requests.into_iter().map(|request| (request.clone(), ready(&request))).collect();
        let page = pages::password(&context, &password, &slots).into_string();
        assert_harmless(&password, &page);
        if password == SCRIPT {
            assert!(page.contains("<title>Password &lt;script&gt;"));
            assert!(page.contains("<h1>Password <span class=\"subject\"><bdi class=\"typed\">&lt;script&gt;"));
            assert!(page.contains("<span aria-current=\"page\"><bdi class=\"typed\">&lt;script&gt;"));
            assert!(page.contains("/passwords/details/PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg?period=1h"));
        }
    }
}

#[test]
fn pages_have_no_inline_script_or_style() {
    let site = Site { data_links: true, ..Site::default() };
    let context = PageContext { site: &site, period: Period::Week, now: now() };
    for page in &PAGES {
        let requests = page.requests(Period::Week, &Parameters::None);
        let slots: Vec<_> = requests.into_iter().map(|request| (request.clone(), ready(&request))).collect();
        let html = pages::statistics(&context, page, &slots).into_string();
        assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains("<script>"), "{}", page.path);
        assert_harmless(page.path, &html);
    }
}
