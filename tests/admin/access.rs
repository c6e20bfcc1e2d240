//! Tests of the rights to look and to act.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;
use sview_testing::http::{get, get_with, post};
use sview_testing::{Deployment, both, http, sview, told};

use crate::site::{FULL, READ, SVIEW, bearer, newest_action, queues, send_json, serve};

both! {
    async fn cookies_are_for_tls_only_behind_a_proxy_that_does_it(deployment: Deployment) {
        let (server, url) =
            serve(&deployment, &[("SVIEW_ADMIN_TOKEN", FULL), ("SVIEW_TRUSTED_PROXIES", "127.0.0.1")]);
        let (token, address) = ("a".repeat(64), format!("{}/api/device/add", server.url));
        for (proto, secure) in [("https", true), ("http", false)] {
            let said = [("x-forwarded-proto", proto), ("sec-fetch-site", "same-origin")];
            let login = post(&format!("{url}/login"), &[("token", FULL)], &said);
            assert_eq!((login.status, login.header("set-cookie").contains("Secure")), (303, secure), "{:?}", login.headers);
            let device = post(&address, &[("device_token", &token)], &said);
            assert_eq!((device.status, device.header("set-cookie").contains("Secure")), (303, secure), "{:?}", device.headers);
        }
        drop(server);
        // From whom nobody trusts it is only a claim.
        let (server, _) = serve(&deployment, &[]);
        let device = post(&format!("{}/api/device/add", server.url), &[("device_token", &token)], &[("x-forwarded-proto", "https")]);
        assert!(device.status == 303 && !device.header("set-cookie").contains("Secure"), "{:?}", device.headers);
        drop(server);
        // A proxy that says nothing, before a site whose address is known.
        for (site, secure) in [("https://view.example.org", true), ("http://view.example.org", false)] {
            let (server, _) = serve(&deployment, &[("SVIEW_PUBLIC_URL", site)]);
            let device = post(&format!("{}/api/device/add", server.url), &[("device_token", &token)], &[]);
            assert_eq!((device.status, device.header("set-cookie").contains("Secure")), (303, secure), "{site}");
        }
    }

    async fn the_log_of_actions_names_the_client_and_the_proxy(deployment: Deployment) {
        let more = [("SVIEW_ADMIN_TOKEN", FULL), ("SVIEW_TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8")];
        let (server, url) = serve(&deployment, &more);
        let queues = queues(&deployment).await;
        for (forwarded, peer) in [
            ("198.51.100.1", "198.51.100.1 by way of 127.0.0.1"),
            ("192.0.2.66, 2001:db8::7, 10.2.3.4", "2001:db8::7 by way of 127.0.0.1"),
            ("unknown", "127.0.0.1"),
        ] {
            let headers = [("authorization", &*bearer(FULL)), ("x-forwarded-for", forwarded)];
            assert_eq!(post(&format!("{url}/act"), &[("action", "pause"), ("queue", "slow-cache")], &headers).status, 303);
            assert_eq!(newest_action(&queues).await.peer, peer);
            let page = get_with(&format!("{url}/actions"), &headers).body;
            assert!(page.contains(&format!("<code>{peer}</code>")), "{page}");
        }
        assert!(server.log().contains("198.51.100.1 by way of 127.0.0.1"), "{}", server.log());
        drop(server);
        // From whom nobody trusts it is only a claim.
        let (_server, url) = serve(&deployment, &[("SVIEW_ADMIN_TOKEN", FULL)]);
        let headers = [("authorization", &*bearer(FULL)), ("x-forwarded-for", "198.51.100.1")];
        assert_eq!(post(&format!("{url}/act"), &[("action", "pause"), ("queue", "slow-cache")], &headers).status, 303);
        assert_eq!(newest_action(&queues).await.peer, "127.0.0.1");
    }

    async fn tokens_say_who_may_look_and_who_may_act(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[("SVIEW_ADMIN_TOKEN", FULL), ("SVIEW_ADMIN_READ_TOKEN", READ)]);
        let queues = queues(&deployment).await;
        let answer = get(&format!("{url}/jobs?state=dead"));
        assert_eq!((answer.status, answer.header("location")), (303, "/login?next=%2Fjobs%3Fstate%3Ddead"));
        for path in ["/api/jobs", "/metrics", "/events", "/api/nothing"] {
            let answer = get(&format!("{url}{path}"));
            assert_eq!(answer.status, 401, "{path}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
        }
        let with = |token: &str, path: &str| get_with(&format!("{url}{path}"), &[("authorization", &bearer(token))]);
        assert_eq!(with("wrong-0123456789abcdef", "/api/jobs").status, 401);
        assert_eq!(with(READ, "/api/jobs").status, 200);
        assert_eq!(with(READ, "/metrics").status, 200);
        assert_eq!(with(FULL, "/jobs").status, 200);
        assert!(!with(READ, "/").body.contains("action=\"/act\"") && with(FULL, "/").body.contains("action=\"/act\""));

        let pause = [("action", "pause"), ("queue", "slow-cache")];
        let acts = |token: &str| post(&format!("{url}/act"), &pause, &[("authorization", &bearer(token))]).status;
        assert_eq!(post(&format!("{url}/act"), &pause, &[]).status, 303, "to the login form");
        assert_eq!(acts(READ), 403);
        assert_eq!(with(READ, "/confirm?action=delete&all=yes").status, 403);
        assert!(!queues.ledger().counts().await.unwrap()[2].paused && queues.ledger().actions(9).await.unwrap().is_empty());
        assert_eq!(acts(FULL), 303);
        assert_eq!(newest_action(&queues).await.who, "full token (bearer)");

        // The form.
        assert!(get(&format!("{url}/login")).body.contains("type=\"password\""));
        let sign_in = |token: &str| post(&format!("{url}/login"), &[("token", token), ("next", "/jobs")], &[]);
        assert_eq!(sign_in("wrong-0123456789abcdef").status, 403);
        let answer = sign_in(READ);
        assert_eq!((answer.status, answer.header("location")), (303, "/jobs"));
        let set = answer.header("set-cookie");
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
        let cookie = set.split(';').next().unwrap().to_owned();
        let page = get_with(&format!("{url}/jobs"), &[("cookie", &cookie)]);
        assert!(page.status == 200 && page.body.contains("read only"), "{}", page.body);
        assert_eq!(post(&format!("{url}/act"), &pause, &[("cookie", &cookie)]).status, 403);
        let forged = cookie.replacen("read.", "full.", 1);
        assert_eq!(get_with(&format!("{url}/jobs"), &[("cookie", &forged)]).status, 303, "{forged}");
        assert_eq!(sign_in(FULL).status, 303);
        // An unreadable request is reported like any other mistake.
        let large = "x".repeat(20_000);
        for (path, fields, status) in [
            ("/login", vec![("tok", FULL)], 400), ("/login", vec![("token", large.as_str())], 413), ("/act", vec![("action", large.as_str())], 413),
        ] {
            let answer = post(&format!("{url}{path}"), &fields, &[("authorization", &bearer(FULL)), ("sec-fetch-site", "same-origin")]);
            assert!(answer.status == status && answer.body.contains("The form cannot be read"), "{path}: {} {}", answer.status, answer.body);
        }
        let order = |body: &str, kind: &str| http::post_body(&format!("{url}/api/jobs/actions"), kind, body, &[("authorization", &bearer(FULL))]).status;
        assert_eq!([order(&large, "application/json"), order("{}", "text/plain"), order("{", "application/json")], [413, 415, 400]);
        assert_eq!(get(&format!("{url}/healthz")).status, 303, "nothing is open but the form");
    }

    async fn a_foreign_site_can_cause_nothing(deployment: Deployment) {
        let (_server, url) = serve(&deployment, &[]);
        let queues = queues(&deployment).await;
        let pause = [("action", "pause"), ("queue", "slow-cache")];
        for headers in [
            [("sec-fetch-site", "cross-site"), ("x", "")], [("sec-fetch-site", "same-site"), ("x", "")],
            [("origin", "https://evil.example"), ("x", "")], [("origin", "null"), ("x", "")],
        ] {
            assert_eq!(post(&format!("{url}/act"), &pause, &headers).status, 403, "{headers:?}");
            let order = json!({ "action": "pause", "queue": "slow-cache" }).to_string();
            assert_eq!(send_json(&format!("{url}/api/jobs/actions"), &order, &headers).status, 403, "{headers:?}");
        }
        // A foreign page that reaches loopback by a name of its own.
        assert_eq!(get_with(&format!("{url}/jobs"), &[("host", "evil.example")]).status, 403);
        // One that came through a proxy, which may have written another host.
        for header in ["x-forwarded-for", "X-Forwarded-Host", "x-forwarded-proto", "forwarded", "via", "x-real-ip", "cf-connecting-ip", "Forwarded-For", "x-varnish", "x-amz-cf-id", "X-Scheme", "x-azure-clientip"] {
            let headers = [("sec-fetch-site", "same-origin"), (header, "192.0.2.1")];
            assert_eq!(post(&format!("{url}/act"), &pause, &headers).status, 403, "{header}");
            let answer = get_with(&format!("{url}/jobs"), &headers);
            assert!(answer.status == 403 && answer.body.contains("SVIEW_ADMIN_TOKEN"), "{header}: {}", answer.body);
        }
        // Hosts as no client of good will sends them.
        let here = url.trim_start_matches("http://");
        let port = here.rsplit(':').next().unwrap();
        let asks = |head: &str| raw(here, &format!("{head}Connection: close\r\n\r\n").replace("PORT", port));
        for (head, status) in [
            ("GET /jobs HTTP/1.1\r\nHost: localhost:PORT\r\n", "200"), ("GET /jobs HTTP/1.1\r\nHost: [::1]:PORT\r\n", "200"),
            ("GET /jobs HTTP/1.0\r\nHost: 127.0.0.1:PORT\r\n", "403"), ("GET /jobs HTTP/1.0\r\n", "403"),
            ("GET /jobs HTTP/1.1\r\nHost: localhost\r\n", "403"), ("GET /jobs HTTP/1.1\r\nHost: 127.0.0.1:1\r\n", "403"),
            ("GET /jobs HTTP/1.1\r\nHost: l\u{f6}calhost:PORT\r\n", "400"), ("GET /jobs HTTP/1.1\r\n", "400"),
            ("GET /jobs HTTP/1.1\r\nHost: localhost:PORT\r\nHost: localhost:PORT\r\n", "400"),
            ("GET /jobs HTTP/1.1\r\nHost: localhost:PORT\r\nCDN-Loop: x\r\n", "403"),
            ("GET /jobs HTTP/1.1\r\nHost: localhost:PORT\r\nX_Forwarded_For: 192.0.2.1\r\n", "403"),
            ("GET http://evil.example/jobs HTTP/1.1\r\nHost: localhost:PORT\r\n", "403"),
        ] {
            let answer = asks(head);
            assert!(answer.split(' ').nth(1) == Some(status), "{head}: {answer}");
        }
        assert!(queues.ledger().actions(9).await.unwrap().is_empty() && !queues.ledger().counts().await.unwrap()[2].paused);
        let own = [("sec-fetch-site", "same-origin")];
        assert_eq!(post(&format!("{url}/act"), &pause, &own).status, 303);
        assert_eq!(get(&format!("{url}/act")).status, 405, "GET acts on nothing");
    }
}

/// Returns the answer to bytes as they are.
fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_open_address_demands_a_token() {
    let deployment =
        tokio::runtime::Runtime::new().unwrap().block_on(Deployment::new(sview_testing::Backend::Embedded));
    let refused = |variables: &[(&str, &str)]| {
        let out = sview(SVIEW, &deployment, &["serve"]).envs(variables.iter().copied()).output().unwrap();
        assert!(!out.status.success(), "{variables:?}");
        told(&out)
    };
    let text = refused(&[("SVIEW_ADMIN_LISTEN", "0.0.0.0:0")]);
    assert!(text.contains("SVIEW_ADMIN_TOKEN") && text.contains("SVIEW_ADMIN_LISTEN"), "{text}");
    assert!(refused(&[("SVIEW_ADMIN_READ_TOKEN", READ)]).contains("needs SVIEW_ADMIN_TOKEN"));
    assert!(refused(&[("SVIEW_ADMIN_TOKEN", "short")]).contains("SVIEW_ADMIN_TOKEN"));
    assert!(refused(&[("SVIEW_ADMIN_TOKEN", FULL), ("SVIEW_ADMIN_READ_TOKEN", FULL)]).contains("the same"));
    assert!(refused(&[("SVIEW_ADMIN_LISTEN", "nowhere")]).contains("SVIEW_ADMIN_LISTEN"));
    let (_server, url) = serve(&deployment, &[("SVIEW_ADMIN_LISTEN", "0.0.0.0:0"), ("SVIEW_ADMIN_TOKEN", FULL)]);
    let url = url.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(get_with(&format!("{url}/api/jobs"), &[("authorization", &bearer(FULL))]).status, 200);
}
