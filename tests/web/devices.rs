//! Devices of a session: added and removed by form, and nobody else's to read, fill or guess.

use sview_testing::{Server, both, http};

use crate::site::{full, start, token, total};

const GRAPH: &str = "name=my_all_incidents_graph&period=1h";

fn post(server: &Server, action: &str, token: &str, headers: &[(&str, &str)]) -> http::Answer {
    http::post(&format!("{}/api/device/{action}", server.url), &[("device_token", token)], headers)
}

fn page(server: &Server, cookie: &str) -> http::Answer {
    http::get_with(&format!("{}/devices/?period=1h", server.url), &[("cookie", cookie)])
}

both! {
    async fn a_device_is_added_and_removed_by_form(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let (a, b) = (token('a'), token('b'));
        assert!(!page(&server, "").body.contains("data-resource"), "without devices there is nothing to show");
        let added = post(&server, "add", &a, &[("sec-fetch-site", "same-origin")]);
        assert_eq!((added.status, added.header("location")), (303, "/devices/?period=1w"));
        assert_eq!(added.header("cache-control"), "private, no-store");
        let cookie = added.header("set-cookie");
        for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let one = added.cookie().to_owned();
        let shown = page(&server, &one);
        assert_eq!((shown.status, shown.header("cache-control")), (200, "private, no-store"));
        assert_eq!(shown.body.matches("data-resource=\"my_").count(), 3);
        // The same once more changes nothing; another one is added; what is removed is gone.
        let again = post(&server, "add", &a, &[("cookie", &one)]).cookie().to_owned();
        assert_eq!(page(&server, &again).body.matches("/api/device/delete").count(), 1);
        let two = post(&server, "add", &b, &[("cookie", &one)]).cookie().to_owned();
        assert_eq!(page(&server, &two).body.matches("/api/device/delete").count(), 2);
        let left = post(&server, "delete", &a, &[("cookie", &two)]).cookie().to_owned();
        let shown = page(&server, &left).body;
        assert!(shown.contains("bbbbbb…") && !shown.contains("aaaaaa…"));
        assert_eq!(total(&server.data(GRAPH, &[("cookie", &left)])), 5);
        let none = post(&server, "delete", &b, &[("cookie", &left)]).cookie().to_owned();
        assert!(!page(&server, &none).body.contains("data-resource"));
        for wrong in ["", "a", &"A".repeat(64), &"a".repeat(65), &format!("{}.{}", &a[..31], &b[..32])] {
            let refused = post(&server, "add", wrong, &[]);
            assert_eq!((refused.status, refused.header("set-cookie")), (400, ""), "{wrong}");
            assert!(refused.body.contains("64 characters"), "{}", refused.body);
        }
        // A cookie has an end, so has the list.
        let full: Vec<String> = (0..40).map(|n| format!("{n:064}")).collect();
        let cookie = server.session(full.iter().map(String::as_str));
        assert!(cookie.len() < 4000, "{}", cookie.len());
        let refused = post(&server, "add", &a, &[("cookie", &cookie)]);
        assert!(refused.status == 400 && refused.body.contains("at most 40"), "{}", refused.body);
    }

    async fn a_link_changes_nothing_and_no_other_site_can_send_the_form(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        let a = token('a');
        let own = server.session([a.as_str()]);
        for name in ["token", "device_token"] {
            let asked = http::get_with(&format!("{}/api/device/add?{name}={}", server.url, token('b')), &[("cookie", &own)]);
            assert_eq!((asked.status, asked.header("set-cookie"), asked.header("cache-control")), (200, "", "private, no-store"));
            assert!(asked.body.contains("method=\"post\"") && asked.body.contains("bbbbbb…"), "it asks");
        }
        assert_eq!(http::get(&format!("{}/api/device/add?token=x", server.url)).status, 400);
        let got = http::get_with(&format!("{}/api/device/delete?device_token={a}", server.url), &[("cookie", &own)]);
        assert_eq!((got.status, got.header("set-cookie")), (405, ""));
        let host = server.url.trim_start_matches("http://");
        let origin = format!("http://{host}");
        let foreign: [&[(&str, &str)]; 6] = [
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", &origin)],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", &format!("http://{host}.evil.example"))],
        ];
        for headers in foreign {
            for action in ["add", "delete"] {
                let refused = post(&server, action, &a, headers);
                assert_eq!((refused.status, refused.header("set-cookie")), (403, ""), "{headers:?}");
                assert!(refused.body.contains("Another site sent this form"));
            }
        }
        let good: [&[(&str, &str)]; 4] = [
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("origin", &origin)],
            &[],
        ];
        for headers in good {
            assert_eq!(post(&server, "add", &a, headers).status, 303, "{headers:?}");
        }
    }

    async fn no_session_reads_fills_or_guesses_what_anothers_devices_saw(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let (a, b) = (token('a'), token('b'));
        let (mine, theirs) = (server.session([a.as_str()]), server.session([b.as_str()]));
        assert_eq!(total(&server.data(GRAPH, &[("cookie", &theirs)])), 5, "theirs is cached now");

        // Whatever names the other's devices in the address, it is no way to them.
        let (check, encoded) = (hex_of(&b), format!("%5B%22{b}%22%5D"));
        for extra in ["token", "device_token", "devices", "my_device_tokens", "tokens", "password", "ip"] {
            for value in [&b, &check, &encoded, &format!("{a}.{b}")] {
                let query = format!("{GRAPH}&{extra}={value}");
                for cookie in ["", &mine] {
                    let answer = http::get_with(&format!("{}/api/resource?{query}", server.url), &[("cookie", cookie)]);
                    assert_eq!(answer.status, if extra == "token" { 403 } else { 400 }, "{query}: {}", answer.body);
                    for form in ["json", "csv", "svg"] {
                        let path = format!("/resource/my_all_incidents_graph.{form}?period=1h&{extra}={value}");
                        let answer = http::get_with(&format!("{}{path}", server.url), &[("cookie", cookie)]);
                        assert_eq!((answer.status, answer.header("cache-control")), (400, "no-store"), "{path}: {}", answer.body);
                    }
                    let path = format!("/fragment/my_all_incidents_graph?period=1h&{extra}={value}");
                    let answer = http::get_with(&format!("{}{path}", server.url), &[("cookie", cookie)]);
                    assert_eq!((answer.status, answer.header("cache-control")), (400, "no-store"), "{path}: {}", answer.body);
                }
            }
        }

        // A cookie that this server did not sign, or that was changed since, is no session.
        let (name, signed) = mine.split_once('=').unwrap();
        let other = theirs.split_once('=').unwrap().1;
        let cut = signed.len() - 64;
        let forged = [
            format!("{name}={b}"),
            format!("{name}={}", signed.replace(&a, &b)),
            format!("{name}={}{}", &signed[..cut], &other[other.len() - 64..]),
            format!("{name}={}{}", &other[..other.len() - 64], &signed[cut..]),
            format!("{name}={signed}.{b}"),
            format!("{name}={}", signed.to_uppercase()),
            format!("{name}=\"{b}\""),
            format!("{name}=; {name}={b}"),
            format!("{name}={}", &signed[1..]),
        ];
        for cookie in &forged {
            let answer = http::get_with(&format!("{}/api/resource?{GRAPH}", server.url), &[("cookie", cookie)]);
            assert_eq!((answer.status, answer.json()["data"].to_string().as_str()), (200, "[]"), "{cookie}");
            assert!(!page(&server, cookie).body.contains("data-resource"), "{cookie}");
        }
        // Another server's signature is none of this one's.
        let elsewhere = sview_testing::Deployment::new(sview_testing::Backend::Embedded).await;
        let foreign = start(&elsewhere, "serve", &[]).session([b.as_str()]);
        assert_eq!(http::get_with(&format!("{}/api/resource?{GRAPH}", server.url), &[("cookie", &foreign)]).json()["data"].to_string(), "[]");

        // Nothing of all that changed what the owners see.
        assert_eq!(total(&server.data(GRAPH, &[("cookie", &theirs)])), 5);
        assert_eq!(total(&server.data(GRAPH, &[("cookie", &mine)])), 3);
        assert!(!server.log().contains(&a) && !server.log().contains(&b), "tokens are not logged");
    }
}

fn hex_of(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}
