//! The texts of pages and cards in each state.

#![allow(clippy::unwrap_used)] // a panic in a test is the report of a failure

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use sview_model::{Data, DeviceToken, Parameters, Period, Point, Reported, Request};
use sview_views::pages::{self, DEVICES, Devices, ErrorPage, PAGES, Page};
use sview_views::{CardContext, LiveFeed, PageContext, Ready, Refresh, Site, Slot, assets, card};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 15, 12, 34, 56).unwrap()
}

fn request(name: &str, period: Period) -> Request {
    Request::plain(name.parse().unwrap(), period).unwrap()
}

fn ready(data: Data) -> Ready {
    let finish = Period::SixHours.span(now()).finish;
    let computed_at = now() - TimeDelta::minutes(3);
    let (due, version) = (now() + TimeDelta::seconds(90), "a1b2".to_owned());
    Ready { data, finish, complete_to: finish, computed_at, reported: None, refresh: Refresh::None, due, version }
}

fn rendered(request: &Request, slot: &Slot) -> String {
    card(request, slot, &CardContext { now: now(), data_links: true }).into_string()
}

fn context(site: &Site) -> PageContext<'_> {
    PageContext { site, period: Period::Day, now: now() }
}

fn pending(page: &Page) -> Vec<(Request, Slot)> {
    page.requests(Period::Day, &Parameters::None).into_iter().map(|request| (request, Slot::Pending)).collect()
}

#[test]
fn a_ready_card_says_how_far_its_numbers_can_be_trusted() {
    let request = request("all_incidents_graph", Period::SixHours);
    let data = Data::Series(vec![Point { end: now(), count: 1_234_567 }, Point { end: now(), count: 2 }]);
    let fresh = rendered(&request, &Slot::Ready(ready(data.clone())));
    assert!(fresh.contains("Complete to <time datetime=\"2026-03-15T12:30:00Z\">12:30 UTC</time>"), "{fresh}");
    assert!(
        fresh.contains("computed <time datetime=\"2026-03-15T12:31:56Z\" data-ago>3 minutes ago</time>"),
        "{fresh}"
    );
    assert!(fresh.contains("<b>1,234,569</b> incidents in all"), "{fresh}");
    assert!(fresh.contains("href=\"/resource/all_incidents_graph.csv?period=6h\""), "{fresh}");

    let complete_to = now() - TimeDelta::minutes(20);
    let stale =
        rendered(&request, &Slot::Ready(Ready { complete_to, refresh: Refresh::UnderWay, ..ready(data.clone()) }));
    assert!(stale.contains("complete only to <time datetime=\"2026-03-15T12:14:56Z\">12:14 UTC"), "{stale}");
    assert!(stale.contains("data-state=\"refreshing\"") && stale.contains(">refreshing</span>"), "{stale}");

    let at = now() - TimeDelta::minutes(4);
    let refresh = Refresh::Failed { at, again: at + TimeDelta::minutes(10) };
    let failed = rendered(&request, &Slot::Ready(Ready { refresh, ..ready(data) }));
    let times = "The refresh failed at <time datetime=\"2026-03-15T12:30:56Z\">12:30 UTC</time>; \
        it is tried again at <time datetime=\"2026-03-15T12:40:56Z\">12:40 UTC</time>.";
    assert!(failed.contains(times), "{failed}");
    assert!(failed.contains("data-state=\"ready\"") && !failed.contains(">refreshing<"), "{failed}");
}

#[test]
fn a_card_tells_the_script_which_it_is_and_when_a_newer_one_is_due() {
    let of_all = request("all_incidents_graph", Period::SixHours);
    let slot = |refresh| Slot::Ready(Ready { refresh, ..ready(Data::Series(Vec::new())) });
    let card = rendered(&of_all, &slot(Refresh::None));
    assert!(card.contains("data-tag=\"a1b2\" data-due=\"90\""), "{card}");
    assert_ne!(slot(Refresh::None).tag(), slot(Refresh::UnderWay).tag());
    let ip = Parameters::Ip([192, 0, 2, 1].into());
    let of_one = Request::new("selected_attacker_incidents_graph".parse().unwrap(), Period::Hour, ip).unwrap();
    let card = rendered(&of_one, &slot(Refresh::None));
    assert!(!card.contains("data-due"), "what costs its visitor is not asked for by itself: {card}");
    assert!(rendered(&of_all, &Slot::Failed("x".to_owned())).contains("data-due=\"60\""));
}

#[test]
fn attackers_of_several_windows_are_not_added_up() {
    let request = request("all_attackers_graph", Period::SixHours);
    let data = Data::Series(vec![Point { end: now(), count: 10 }, Point { end: now(), count: 20 }]);
    let card = rendered(&request, &Slot::Ready(ready(data)));
    assert!(!card.contains("in all") && card.contains("<b>15</b> attackers at a time"), "{card}");
}

/// The card of a blank value, with these reports behind it.
fn blank(name: &str, period: Period, reported: Option<Reported>) -> String {
    let request = request(name, period);
    let ready = Ready { reported, ..ready(Data::empty(&request.resource())) };
    rendered(&request, &Slot::Ready(ready))
}

fn reported(total: u64, oldest: &str, newest: &str) -> Option<Reported> {
    Some(Reported { total, oldest: oldest.parse().ok(), newest: newest.parse().ok() })
}

#[test]
fn an_empty_period_says_so_in_words() {
    for (name, words) in [
        ("all_incidents_graph", "No incident in this period."),
        ("top_traps_by_incidents_graph", "No incident in this period."),
        ("top_passwords_by_usages_list", "No log-in attempt in this period."),
        ("top_ports_by_scans_list_long", "No port scan in this period."),
        ("all_countries_by_incidents_list", "No incident in this period."),
    ] {
        let card = blank(name, Period::SixHours, reported(0, "2026-01-01T05:06:07Z", "2026-03-10T05:06:07Z"));
        assert!(card.contains(words) && !card.contains("<svg"), "{card}");
        assert!(card.contains("is of <time datetime=\"2026-03-10\">10 Mar 2026 (UTC)</time>"), "{card}");
        assert!(card.contains("<a href=\"?period=1w\">Show the last 7 days</a>"), "{card}");
        let unknown = blank(name, Period::SixHours, None);
        assert!(unknown.contains("There is nothing to show in this period.") && !unknown.contains("<svg"), "{unknown}");
    }
}

#[test]
fn reports_older_than_every_period_are_named_with_a_way_to_them() {
    let card = blank("all_incidents_graph", Period::Week, reported(0, "2018-05-01T00:00:03Z", "2018-05-31T23:59:59Z"));
    for words in [
        "31 May 2018 (UTC)",
        "Reports begin on",
        "1 May 2018 (UTC)",
        "SVIEW_NOW=2018-06-01T00:00:00Z",
        "sview ingest FILE",
    ] {
        assert!(card.contains(words), "{words}: {card}");
    }
    assert!(!card.contains("?period=1h\">Show"), "{card}");
}

#[test]
fn incidents_without_a_country_are_counted_and_the_way_to_add_one_named() {
    let some = reported(14_238, "2018-05-01T00:00:03Z", "2026-03-15T12:00:00Z");
    for name in
        ["all_countries_by_incidents_list", "top_countries_by_incidents_graph", "all_countries_by_attackers_list"]
    {
        let card = blank(name, Period::Week, some.clone());
        assert!(card.contains("14,238 incidents, but none with a country."), "{card}");
        assert!(card.contains("<code>sview geoip --geoip-db FILE</code>"), "{card}");
    }
    // These leave out the last minutes, in which reports may well have countries.
    for name in ["top_countries_by_incidents_graph", "all_countries_by_attackers_list"] {
        let card = blank(name, Period::Hour, some.clone());
        assert!(
            card.contains("none with a country before the last five minutes, which this card leaves out."),
            "{card}"
        );
        assert!(!card.contains("geoip"), "{card}");
    }
    let card = blank("top_combinations_by_usages_list_long", Period::Week, some);
    assert!(card.contains("14,238 log-in attempts, but none with a user name and a password."), "{card}");
    assert!(!card.contains("geoip"), "{card}");
}

#[test]
fn a_site_without_reports_says_how_to_feed_it() {
    let card = blank("all_incidents_graph", Period::Week, reported(0, "", ""));
    assert!(card.contains("No incident has been reported yet.") && card.contains("sview ingest FILE"), "{card}");
}

#[test]
fn a_pending_card_tells_the_script_where_to_ask() {
    let request = request("all_incidents_graph", Period::Day);
    let card = rendered(&request, &Slot::Pending);
    assert!(card.contains("aria-busy=\"true\"") && card.contains("Being computed…"), "{card}");
    assert!(card.contains("data-fragment=\"/fragment/all_incidents_graph?period=1d\""), "{card}");

    let failed = rendered(&request, &Slot::Failed("The <database> does not answer.".to_owned()));
    assert!(failed.contains("The &lt;database&gt; does not answer.") && !failed.contains("aria-busy"), "{failed}");
}

#[test]
fn the_map_has_every_country_with_its_number() {
    let request = request("all_countries_by_incidents_list", Period::SixHours);
    let counts = BTreeMap::from([("CZ".to_owned(), 1234), ("XX".to_owned(), 1)]);
    let card = rendered(&request, &Slot::Ready(ready(Data::Map(counts))));
    assert!(card.contains("<title>Czechia: 1,234</title>") && card.contains("<title>France: 0</title>"));
    assert!(card.contains("<th scope=\"row\">XX</th>"), "a country without a shape is in the table");
}

#[test]
fn links_keep_the_period_and_mark_where_one_is() {
    let site = Site { live: LiveFeed::Beside, licence: "Use it <well>.".to_owned(), ..Site::default() };
    for page in &PAGES {
        let html = pages::statistics(&context(&site), page, &[]).into_string();
        assert!(html.contains(&format!("<a href=\"{}?period=1d\" aria-current=\"page\">", page.path)), "{html}");
        assert!(html.contains(&format!("<a href=\"{}?period=1d\" aria-current=\"true\"", page.path)), "{html}");
        assert!(html.contains("href=\"/dynfw/?period=1d\"") && html.contains("Use it &lt;well&gt;."));
        for period in Period::ALL {
            assert!(html.contains(&format!("href=\"{}?period={period}\"", page.path)), "{html}");
        }
    }
}

#[test]
fn without_script_a_page_comes_again_only_while_something_is_pending() {
    let (site, page) = (Site::default(), Page::at("/").unwrap());
    let refresh = "<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>";
    assert!(pages::statistics(&context(&site), page, &pending(page)).into_string().contains(refresh));
    assert!(!pages::statistics(&context(&site), page, &[]).into_string().contains(refresh));
}

#[test]
fn tokens_are_shown_by_their_beginning_only() {
    let site = Site::default();
    let token: DeviceToken = "a1b2c3d4".repeat(8).parse().unwrap();
    let tokens = [token.clone()];
    let shown = Devices { tokens: &tokens, message: None };
    let slots: Vec<_> = DEVICES
        .requests(Period::Day, &Parameters::Devices(tokens.to_vec()))
        .into_iter()
        .map(|request| (request, Slot::Pending))
        .collect();
    let html = pages::devices(&context(&site), &shown, &slots).into_string();
    assert_eq!(html.matches(token.as_str()).count(), 1, "only in the form that deletes it");
    assert!(html.contains("<code>a1b2c3…</code>") && html.contains("id=\"r-my_all_incidents_graph\""));

    let confirm = pages::confirm_device(&context(&site), &token).into_string();
    assert!(confirm.contains("<form method=\"post\" action=\"/api/device/add\">") && confirm.contains(token.as_str()));

    let none = pages::devices(&context(&site), &Devices { tokens: &[], message: None }, &[]).into_string();
    assert!(none.contains("uci get sentinel.main.device_token") && !none.contains("data-fragment"));
}

#[test]
fn an_error_says_what_was_expected_and_what_to_do() {
    let site = Site::default();
    let expected = Some("an IP address, like 192.0.2.1".to_owned());
    let error =
        ErrorPage { status: 400, heading: "Not an <address>".to_owned(), expected, advice: "Check it.".to_owned() };
    let html = pages::error(&context(&site), &error).into_string();
    for part in ["Error 400", "<h1>Not an &lt;address&gt;</h1>", "Expected: an IP address", "Check it."] {
        assert!(html.contains(part), "{part}");
    }
    assert!(pages::error(&context(&site), &ErrorPage::not_found()).into_string().contains("Error 404"));
}

#[test]
fn assets_are_named_by_their_content_and_pages_link_them() {
    let html = pages::statistics(&context(&Site::default()), &PAGES[0], &[]).into_string();
    for asset in [assets::style(), assets::script(), assets::icon()] {
        assert!(html.contains(&asset.path), "{}", asset.path);
    }
    for asset in [assets::admin_style(), assets::admin_script()] {
        assert!(!html.contains(&asset.path), "visitors load nothing of the operators': {}", asset.path);
    }
    assert!(assets::style().path.starts_with("/assets/style-") && assets::script().path.ends_with(".js"));
}
