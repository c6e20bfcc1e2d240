//! `/api/resource`.

use sview_testing::http;
use sview_testing::{Server, both};

use crate::site::{ATTACKER, FORMULA, full, ingest, start, token, total};

fn api(server: &Server, query: &str) -> http::Answer {
    http::get(&format!("{}/api/resource?{query}", server.url))
}

both! {
    async fn a_wrong_request_is_told_what_was_expected(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        for (query, expected) in [
            ("", "name="),
            ("name=", "all_incidents_graph"),
            ("name=all_incident_graph&period=1h", "all_incidents_graph"),
            ("name=all_incidents_graph&period=2h", "1h, 6h, 1d, 1w, 1m, 3m, 1y"),
            ("name=all_incidents_graph&period=", "1h, 6h"),
            ("name=all_incidents_graph&period=%FF", "not percent-encoded UTF-8"),
            ("name=all_incidents_graph&period=1h&period=6h", "period comes twice"),
            ("name=selected_attacker_incidents_graph&period=1h", "like 192.0.2.1"),
            ("name=selected_attacker_incidents_graph&period=1h&ip=1.2.3", "like 192.0.2.1"),
            ("name=selected_attacker_incidents_graph&period=1h&ip=1.2.3.4%3B", "like 192.0.2.1"),
            ("name=selected_password_by_usages_graph&period=1h", "password="),
            ("name=logins_of_password_by_usages_list&period=1h&ip=1.2.3.4", "period, password"),
            ("name=all_incidents_graph&utm_source=x", "name, token, period, ip, password"),
            ("name=all_incidents_graph&ip=192.0.2.1", "has no parameter ip. Expected: period."),
        ] {
            let answer = api(&server, query);
            assert_eq!((answer.status, answer.header("content-type")), (400, "application/json"), "{query}: {}", answer.body);
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(expected), "{query}: {error}");
            assert_eq!(answer.json().as_object().unwrap().len(), 1, "{query}");
        }
    }

    async fn data_are_null_until_they_are_computed_and_no_cache_keeps_that(deployment: Deployment) {
        ingest(&deployment);
        let server = start(&deployment, "serve", &[]);
        for query in [
            "name=all_incidents_graph&period=1h".to_owned(),
            format!("name=selected_attacker_incidents_graph&period=1h&ip={ATTACKER}"),
        ] {
            let answer = api(&server, &query);
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert!(answer.json()["data"].is_null() && answer.json()["resource_name"].is_string(), "{}", answer.body);
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        // Another process computes what was asked for, and the same server serves it.
        let _worker = start(&deployment, "up", &[]);
        assert_eq!(total(&server.data("name=all_incidents_graph&period=1h", &[])), 8);
        let query = format!("name=selected_attacker_incidents_graph&period=1h&ip=::ffff:{ATTACKER}");
        assert_eq!(total(&server.data(&query, &[])), 8, "an IPv4-mapped IPv6 address is the same attacker");
        let query = format!("name=selected_password_by_usages_graph&period=1h&password={}", encoded(FORMULA));
        assert_eq!(total(&server.data(&query, &[])), 3);
    }

    async fn answers_are_kept_for_their_periods_time_and_asked_for_again_by_their_tag(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let ages = [("1h", 30), ("6h", 120), ("1d", 300), ("1w", 300), ("1m", 300), ("3m", 300), ("1y", 300)];
        for (period, seconds) in ages {
            for path in [
                "/api/resource?name=top_ports_by_scans_list_long&",
                "/resource/top_ports_by_scans_list_long.json?",
                "/resource/top_ports_by_scans_list_long.csv?",
                "/resource/top_ports_by_scans_list_long.svg?",
            ] {
                let url = format!("{}{path}period={period}", server.url);
                let answer = http::get(&url);
                assert_eq!(answer.status, 200, "{url}");
                assert_eq!(answer.header("cache-control"), format!("public, max-age={seconds}"), "{url}");
                let tag = answer.header("etag").to_owned();
                // Weak: the compressed form has the same.
                let opaque = tag.strip_prefix("W/").unwrap_or_else(|| panic!("{url}: {tag}"));
                assert!(opaque.starts_with('"') && opaque.ends_with('"') && opaque.len() > 10, "{url}: {tag}");
                for known in [tag.clone(), opaque.to_owned(), format!("\"other\", {tag}"), "*".to_owned()] {
                    let same = http::get_with(&url, &[("if-none-match", &known)]);
                    assert_eq!((same.status, same.body.as_str()), (304, ""), "{url} {known}");
                    assert_eq!((same.header("etag"), same.header("cache-control")), (&*tag, answer.header("cache-control")));
                }
                assert_eq!(http::get_with(&url, &[("if-none-match", "\"other\"")]).status, 200, "{url}");
            }
        }
        // Without a period it is the default one.
        let week = api(&server, "name=all_incidents_graph&period=1w").body;
        assert_eq!(api(&server, "name=all_incidents_graph").body, week);
        // Files of pages are kept for good: their names change with their content.
        let page = http::get(&format!("{}/?period=1w", server.url)).body;
        let assets: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
        assert_eq!(assets.len(), 3, "{assets:?}");
        for asset in assets {
            let url = format!("{}{asset}", server.url);
            let answer = http::get(&url);
            assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable", "{asset}");
            let same = http::get_with(&url, &[("if-none-match", answer.header("etag"))]);
            assert_eq!((same.status, same.body.as_str()), (304, ""), "{asset}");
        }
    }

    async fn what_is_about_devices_is_that_of_the_session_and_kept_by_nobody(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let query = "name=my_all_incidents_graph&period=1h";
        // Nobody's devices saw nothing, at once.
        let none = api(&server, query);
        assert_eq!((none.status, none.json()["data"].as_array().map(Vec::len)), (200, Some(0)), "{}", none.body);
        let multi = api(&server, "name=my_top_traps_by_incidents_graph&period=1h").json();
        assert_eq!(multi["data"], serde_json::json!({"labels": [], "ykeys": [], "data": []}));
        assert_eq!(none.header("cache-control"), "private, no-store");

        let (a, b) = (token('a'), token('b'));
        let own = server.session([a.as_str()]);
        assert_eq!(total(&server.data(query, &[("cookie", &own)])), 3);
        let both = server.session([a.as_str(), b.as_str()]);
        assert_eq!(total(&server.data(query, &[("cookie", &both)])), 8);

        let url = format!("{}/api/resource?{query}", server.url);
        let answer = http::get_with(&url, &[("cookie", &own)]);
        assert_eq!(answer.header("cache-control"), "private, no-store");
        assert_eq!(answer.header("etag"), "", "what nobody keeps needs no tag");
        assert_eq!(http::get_with(&url, &[("cookie", &own), ("if-none-match", "*")]).status, 200);
        let file = format!("{}/resource/my_all_incidents_graph.csv?period=1h", server.url);
        let file = http::get_with(&file, &[("cookie", &own)]);
        assert_eq!((file.status, file.header("cache-control")), (200, "private, no-store"));

        // The token parameter is compared with the session's own, and is no way to another's.
        let with = |token: &str, cookie: &str| http::get_with(&format!("{url}&token={token}"), &[("cookie", cookie)]);
        let check = |tokens: &str| hex(&sha(tokens))[..10].to_owned();
        assert_eq!(with(&check(&a), &own).status, 200);
        assert_eq!(with(&check(&format!("{a}{b}")), &both).status, 200);
        for (wrong, cookie) in [(check(&b), &own), (check(&format!("{b}{a}")), &both), (a.clone(), &own), (String::new(), &own)] {
            let refused = with(&wrong, cookie);
            assert_eq!(refused.status, 403, "{}", refused.body);
            let error = refused.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains("SHA-256") && !error.contains(&a[..10]), "{error}");
        }
        assert_eq!(with(&check(&a), "").status, 403, "without devices there is no token");
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn sha(text: &str) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
