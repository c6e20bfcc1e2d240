//! The pages, as far as their addresses and what is known at the time go.

use sview_model::{Parameters, Period};
use sview_testing::{both, http, patiently};
use sview_views::links;
use sview_views::pages::PAGES;

use crate::site::{ATTACKER, ODD_PASSWORD, full, ingest, start};

both! {
    async fn a_missing_or_wrong_period_leads_to_the_default_and_the_rest_of_the_query_stays(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        let details = links::password_path(ODD_PASSWORD);
        for path in PAGES.iter().map(|p| p.path).chain(["/devices/", "/attackers/details/ip/192.0.2.1", &details]) {
            for (query, place) in [
                ("", "period=1w"),
                ("?period=", "period=1w"),
                ("?period=2h", "period=1w"),
                ("?a=1&period=2h&b=%26%20c", "a=1&b=%26%20c&period=1w"),
                ("?a=1", "a=1&period=1w"),
            ] {
                let answer = http::get(&format!("{}{path}{query}", server.url));
                assert_eq!((answer.status, answer.header("location")), (307, &*format!("{path}?{place}")), "{path}{query}");
                assert_eq!(http::get(&format!("{}{}", server.url, answer.header("location"))).status, 200);
            }
        }
        for path in ["/incidents", "/attackers", "/passwords", "/ports", "/devices", "/api"] {
            let answer = http::get(&format!("{}{path}?period=1y", server.url));
            assert_eq!((answer.status, answer.header("location")), (308, &*format!("{path}/?period=1y")));
        }
        assert!(http::get(&format!("{}/nowhere", server.url)).body.contains("Error 404"));
        // No redirect leaves the site.
        for path in ["//evil.example/..", "//evil.example", "/\\evil.example"] {
            assert_eq!(http::get(&format!("{}{path}", server.url)).status, 404, "{path}");
        }
    }

    async fn while_nobody_works_pages_are_served_with_placeholders(deployment: Deployment) {
        ingest(&deployment);
        let server = start(&deployment, "serve", &[]);
        for page in &PAGES {
            for period in Period::ALL {
                let answer = http::get(&format!("{}{}?period={period}", server.url, page.path));
                assert_eq!(answer.status, 200);
                let slots = page.requests(*period, &Parameters::None);
                assert_eq!(answer.body.matches("data-state=\"pending\"").count(), slots.len(), "{} {period}", page.path);
                for request in slots {
                    let address = links::fragment(&request);
                    assert!(answer.body.contains(&address.replace('&', "&amp;")), "{address}");
                }
            }
        }
        let fragment = format!("{}/fragment/all_incidents_graph?period=1h", server.url);
        let waiting = http::get(&fragment);
        assert_eq!((waiting.status, waiting.header("cache-control")), (202, "no-store"));
        assert!(waiting.body.contains("aria-busy=\"true\"") && !waiting.body.contains("<html"), "{}", waiting.body);
        // With somebody at work the same address has the card.
        let _workers = start(&deployment, "up", &[]);
        let ready = patiently(|| http::get(&fragment), |answer| answer.status == 200);
        assert!(ready.body.contains("data-state=\"ready\"") && ready.body.contains("<b>8</b> incidents"), "{}", ready.body);
        // The script asks again with the tag of the card that it has.
        let tag = ready.header("etag");
        assert_eq!(ready.header("cache-control"), "no-cache");
        assert!(ready.body.contains(&format!("data-tag={}", tag.trim_start_matches("W/"))), "{tag}: {}", ready.body);
        let again = http::get_with(&fragment, &[("if-none-match", tag)]);
        assert_eq!((again.status, again.body.len()), (304, 0));
        let details = format!("{}/attackers/details/ip/{ATTACKER}?period=1h", server.url);
        patiently(|| http::get(&details), |answer| answer.body.contains("<b>8</b> incidents"));
    }

    async fn details_are_found_by_either_alphabet_and_a_wrong_address_is_told_what_was_expected(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let get = |path: &str| http::get(&format!("{}{path}?period=1h", server.url));
        // Standard base64 of the password is Pz4+P35+ and has a plus; that of the other has a slash.
        for (encoded, password) in [
            ("Pz4-P35-", ODD_PASSWORD),
            ("Pz4+P35+", ODD_PASSWORD),
            ("Pz4%2BP35%2B", ODD_PASSWORD),
            ("Pz8_YQ", "???a"),
            ("Pz8%2FYQ==", "???a"),
            ("Pz8/YQ==", "???a"),
            ("Pz8/YQ", "???a"),
            ("Pz8%2fYQ%3D%3D", "???a"),
        ] {
            let answer = get(&format!("/passwords/details/{encoded}"));
            assert_eq!(answer.status, 200, "{encoded}");
            assert!(answer.body.contains(&format!("<title>Password {} –", password.replace('>', "&gt;"))), "{encoded}: {}", answer.body);
            let own = links::page(&links::password_path(password), Period::Day);
            assert!(answer.body.contains(&format!("href=\"{own}\"")), "links are URL-safe: {encoded}");
        }
        for wrong in ["_w", "%20", "a", "Pz4=P35", "%FF"] {
            let answer = get(&format!("/passwords/details/{wrong}"));
            assert_eq!(answer.status, 400, "{wrong}");
            assert!(answer.body.contains("Error 400") && answer.body.contains("Expected: a password in base64"), "{wrong}");
        }
        for (ip, shown) in [
            (ATTACKER, ATTACKER),
            ("2001:db8::7", "2001:db8::7"),
            ("2001:DB8:0:0::7", "2001:db8::7"),
            ("::ffff:198.51.100.7", ATTACKER),
        ] {
            let answer = get(&format!("/attackers/details/ip/{ip}"));
            assert!(answer.status == 200 && answer.body.contains(&format!("https://rdap.org/ip/{shown}\"")), "{ip}: {}", answer.body);
        }
        for wrong in ["1.2.3", "1.2.3.4.5", "example.org", "1.2.3.4%20", "::g", "%3Cscript%3E", "%FF"] {
            let answer = get(&format!("/attackers/details/ip/{wrong}"));
            assert_eq!(answer.status, 400, "{wrong}");
            assert!(answer.body.contains("Expected: an IPv4 or IPv6 address") && !answer.body.contains("<script>"), "{wrong}");
        }
    }

    async fn the_page_of_an_address_says_what_is_known_of_it(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let page = |ip: &str| format!("{}/attackers/details/ip/{ip}?period=1h", server.url);
        let ready = |answer: &http::Answer| answer.body.matches("data-state=\"ready\"").count() == 2;
        let unknown = patiently(|| http::get(&page("8.8.8.8")), ready).body;
        assert!(unknown.contains("<h1>Address <span class=\"subject\">") && unknown.contains("<b>8.8.8.0/24</b>"), "{unknown}");
        assert_eq!(unknown.matches("Nothing was reported of this address in this period.").count(), 2, "{unknown}");
        let known = patiently(|| http::get(&page(ATTACKER)), ready).body;
        for fact in ["<b>198.51.100.0/24</b>", "First seen</dt>", "Last seen</dt>", "<dt>Country</dt>", "<dt>Traps</dt>"] {
            assert!(known.contains(fact), "{fact}: {known}");
        }
    }

    async fn commands_to_copy_name_the_site_that_the_operator_says(deployment: Deployment) {
        const PAGES: [&str; 4] = ["/greylist-data/", "/api/", "/passcheck/", "/passcheck/apiv1/doc"];
        let server = start(&deployment, "serve", &[]);
        for page in PAGES {
            let url = format!("{}{page}", server.url);
            let answer = http::get_with(&url, &[("host", "evil.example")]);
            assert!(answer.body.contains("https://evil.example") && answer.header("cache-control") == "private, no-cache", "{page}");
            let answer = http::get_with(&url, &[("host", "[::1")]);
            assert!(answer.status == 400 || answer.body.contains("https://SITE"), "{page}: {}", answer.status);
        }
        let server = start(&deployment, "serve", &[("SVIEW_PUBLIC_URL", "https://view.example.org/")]);
        for page in PAGES {
            let body = http::get_with(&format!("{}{page}", server.url), &[("host", "evil.example")]).body;
            assert!(body.contains("https://view.example.org") && !body.contains("evil.example") && !body.contains("example.org//"), "{page}");
        }
    }

    async fn an_address_that_is_typed_leads_to_its_page(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        let get = |query: &str| http::get(&format!("{}/attackers/details/ip/{query}", server.url));
        for (query, page) in [
            ("?ip=192.0.2.1", "192.0.2.1?period=1w"),
            ("?period=1y&ip=+192%5B.%5D0.2.1", "192.0.2.1?period=1y"),
            ("?ip=%5B2001:DB8::7%5D&period=never", "2001:db8::7?period=1w"),
        ] {
            let answer = get(query);
            assert_eq!(answer.status, 303, "{query}");
            assert_eq!(answer.header("location"), format!("/attackers/details/ip/{page}"), "{query}");
        }
        for query in ["", "?ip=", "?ip=++"] {
            let answer = get(query);
            assert!(answer.status == 200 && answer.body.contains("name=\"ip\"") && !answer.body.contains("role=\"alert\""), "{query}");
        }
        let long = format!("?ip={}", "1".repeat(5_000));
        for query in ["?ip=nobody", "?ip=%3Cscript%3E", "?ip=%22onfocus=x", "?ip=1.2.3.4/24", &long] {
            let answer = get(query);
            assert!(answer.status == 400 && answer.body.contains("That is no address"), "{query}");
            assert!(!answer.body.contains("<script>") && !answer.body.contains("\"onfocus") && answer.body.len() < 10_000, "{query}");
        }
        assert_eq!(get("?ip=%FF").status, 400);
        assert_eq!(get("?ip=1.1.1.1&ip=1.1.1.2").status, 400);
        for page in ["/attackers/", "/greylist-data/"] {
            let body = http::get(&format!("{}{page}?period=1w", server.url)).body;
            assert!(body.contains("action=\"/attackers/details/ip/\""), "{page}");
        }
    }
}
