//! Tests of every answer's headers, and of the limits of every request.

use std::io::Read as _;

use sview_testing::http::{self, Answer};
use sview_testing::{Server, both};

use crate::site::{ATTACKER, full, start};

/// One address of each sort, and its status.
const ALL: [(&str, u16); 19] = [
    ("/?period=1h", 200),
    ("/devices/?period=1h", 200),
    ("/api/", 200),
    ("/attackers/details/ip/198.51.100.7?period=1h", 200),
    ("/attackers/details/ip/nobody?period=1h", 400),
    ("/passwords/details/%25?period=1h", 400),
    ("/passwords/", 307),
    ("/ports", 308),
    ("/nowhere", 404),
    ("/api/nowhere", 404),
    ("/api/resource?name=all_incidents_graph&period=1h", 200),
    ("/api/resource?name=nothing", 400),
    ("/resource/all_incidents_graph.csv?period=1h", 200),
    ("/resource/all_incidents_graph.svg?period=1h", 200),
    ("/resource/all_incidents_graph.exe", 400),
    ("/fragment/all_incidents_graph?period=1h", 200),
    ("/fragment/%FF?period=1h", 400),
    ("/api/device/delete", 405),
    ("/healthz", 200),
];

fn policies(path: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
    assert!(!policy.contains("unsafe-eval") && !policy.contains('*'), "{path}: {policy}");
    if answer.header("content-type").starts_with("image/svg") {
        // An image in other sites' pages: nothing forbids it, and nothing in it may load or run.
        assert!(!policy.contains("frame-ancestors") && !policy.contains("script-src"), "{path}: {policy}");
        assert!(policy.contains("sandbox") && policy.contains("style-src 'unsafe-inline'"), "{path}: {policy}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "", "{path}");
    } else {
        assert!(!policy.contains("unsafe-inline"), "{path}: {policy}");
        for part in ["frame-ancestors 'none'", "script-src 'self'", "form-action 'self'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
    }
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
    assert_eq!(answer.header("x-frame-options"), "", "{path}: frame-ancestors says it");
    assert!(answer.header("x-request-id").len() > 8, "{path}");
}

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    http::get_with(&format!("{}{path}", server.url), headers)
}

both! {
    async fn every_answer_carries_the_policies_and_an_id(deployment: Deployment) {
        let server = full(&deployment, &[]);
        for (path, status) in ALL {
            let answer = get(&server, path, &[]);
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
            policies(path, &answer);
            let json = path.starts_with("/api/") || path.starts_with("/fragment") || path.starts_with("/resource");
            if status >= 400 && status != 405 {
                assert_eq!(answer.header("cache-control"), "no-store", "{path}: no error is kept");
                let kind = if json { "application/json" } else { "text/html; charset=utf-8" };
                assert_eq!(answer.header("content-type"), kind, "{path}");
                assert!(!json || !answer.json()["error"].as_str().unwrap().is_empty(), "{path}");
            }
        }
        let asset = get(&server, "/?period=1h", &[]).body;
        let asset = asset.split('"').find(|part| part.starts_with("/assets/style-")).unwrap().to_owned();
        policies(&asset, &get(&server, &asset, &[]));
    }

    async fn every_answer_says_who_may_keep_it(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let base64 = "Pz4-P35-";
        for (path, kept) in [
            (format!("/attackers/details/ip/{ATTACKER}?period=1h"), "private, no-cache"),
            ("/attackers/details/ip/".to_owned(), "private, no-cache"),
            ("/attackers/details/ip/?ip=x".to_owned(), "no-store"),
            (format!("/passwords/details/{base64}?period=1h"), "private, no-store"),
            ("/passwords/details/%25?period=1h".to_owned(), "no-store"),
            ("/devices/?period=1h".to_owned(), "private, no-store"),
            ("/?period=1h".to_owned(), "no-cache"),
            ("/api/device/delete".to_owned(), "no-store"),
            ("/greylist-data/archive/1999/".to_owned(), "no-store"),
        ] {
            assert_eq!(get(&server, &path, &[]).header("cache-control"), kept, "{path}");
        }
    }

    async fn what_is_asked_for_compressed_is_smaller_and_the_rest_is_plain(deployment: Deployment) {
        let server = full(&deployment, &[]);
        for path in [
            "/?period=1h",
            "/api/resource?name=all_incidents_graph&period=1h",
            "/resource/all_incidents_graph.csv?period=1h",
            "/resource/all_countries_by_incidents_list.svg?period=1h",
            "/api/openapi.json",
        ] {
            let plain = get(&server, path, &[]);
            assert_eq!((plain.status, plain.header("content-encoding")), (200, ""), "{path}");
            let packed = get(&server, path, &[("accept-encoding", "br;q=0.1, gzip")]);
            assert_eq!(packed.header("content-encoding"), "gzip", "{path}");
            assert!(packed.header("vary").to_lowercase().contains("accept-encoding"), "{path}");
            assert!(packed.bytes.len() * 2 < plain.bytes.len(), "{path}: {} {}", packed.bytes.len(), plain.bytes.len());
            let mut text = String::new();
            flate2::read::GzDecoder::new(&packed.bytes[..]).read_to_string(&mut text).unwrap();
            assert_eq!(text, plain.body, "{path}");
        }
        assert_eq!(get(&server, "/?period=1h", &[("accept-encoding", "gzip;q=0")]).header("content-encoding"), "");
    }

    async fn a_request_keeps_its_id_or_gets_one(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        let id = |headers: &[(&str, &str)]| get(&server, "/healthz", headers).header("x-request-id").to_owned();
        assert_eq!(id(&[("x-request-id", "proxy-17.a_b")]), "proxy-17.a_b");
        assert_ne!(id(&[]), id(&[]));
        // An id ends in logs: what is no id is not taken for one.
        for bad in ["", "a b", "<script>", &"x".repeat(200)] {
            let made = id(&[("x-request-id", bad)]);
            assert!(made != bad && made.len() == 32, "{bad:?}: {made}");
        }
    }

    async fn a_body_that_is_too_large_or_no_form_is_refused(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        let url = format!("{}/api/device/add", server.url);
        let large = http::post(&url, &[("device_token", &"x".repeat(20_000))], &[]);
        assert_eq!(large.status, 413, "{}", large.body);
        policies(&url, &large);
        assert!(large.body.contains("Error 413") && large.header("set-cookie").is_empty(), "{}", large.body);
        let typed = http::post(&url, &[("device_token", "x")], &[("content-type", "text/plain")]);
        assert_eq!(typed.status, 415, "{}", typed.body);
        assert_eq!(http::post(&url, &[], &[]).status, 400);
        // Nothing else takes a body.
        assert_eq!(http::post(&format!("{}/", server.url), &[("x", ATTACKER)], &[]).status, 405);
    }
}
