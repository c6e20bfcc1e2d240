//! The limit on what a client may have computed.

use std::time::Duration;

use serde_json::Value;
use sview_testing::http::{self, Answer};
use sview_testing::{Server, both, patiently, run, sview};

use crate::site::{NOW, SVIEW, full, ingest, start, token};

const THREE: [(&str, &str); 2] = [("SVIEW_RLIMIT_MAX_HITS", "3"), ("SVIEW_RLIMIT_BAN_TIME", "2")];

/// Asks for something that nobody has computed: another attacker each time.
fn cost(server: &Server, n: usize, headers: &[(&str, &str)]) -> Answer {
    let url = format!("{}/api/resource?name=selected_attacker_incidents_graph&period=1h&ip=192.0.2.{n}", server.url);
    http::get_with(&url, headers)
}

/// Waits until so many computations for one asker alone are in a state, as the operators' API of a server tells.
fn until_jobs(server: &Server, state: &str, number: usize) {
    let url = format!("{}/api/jobs?job=cache-resource&state={state}", server.admin_url());
    let jobs = |answer: &Answer| answer.json()["jobs"].as_array().map(Vec::len);
    patiently(|| http::get(&url), |answer| jobs(answer) == Some(number));
}

both! {
    async fn who_has_too_much_computed_is_refused_for_a_while(deployment: Deployment) {
        ingest(&deployment);
        let server = start(&deployment, "serve", &THREE);
        for n in 1..=3 {
            assert_eq!(cost(&server, n, &[]).status, 200);
        }
        let refused = cost(&server, 4, &[]);
        assert_eq!(refused.status, 429, "{}", refused.body);
        assert!(["1", "2"].contains(&refused.header("retry-after")), "{}", refused.header("retry-after"));
        assert_eq!(refused.header("cache-control"), "no-store");
        assert!(refused.json()["error"].as_str().unwrap().contains("limited"), "{}", refused.body);

        // People get a page, wherever it is that they ask for too much; devices and files are counted together.
        let get = |path: &str, cookie: &str| http::get_with(&format!("{}{path}", server.url), &[("cookie", cookie)]);
        let page = get("/attackers/details/ip/192.0.2.5?period=1h", "");
        assert!(page.status == 429 && page.body.contains("Error 429") && !page.header("retry-after").is_empty(), "{}", page.body);
        assert_eq!(get("/passwords/details/YQ?period=1h", "").status, 429);
        let devices = server.session([token('a').as_str()]);
        assert_eq!(get("/devices/?period=1h", &devices).status, 429);
        assert_eq!(get("/fragment/my_all_incidents_graph?period=1h", &devices).status, 429);
        assert_eq!(get("/resource/selected_attacker_incidents_graph.svg?period=1h&ip=192.0.2.6", "").status, 429);

        // The limit does not concern precached values, pages without devices, and values that are on their way.
        for path in ["/?period=1y", "/passwords/?period=1h", "/devices/?period=1h", "/api/", "/healthz", "/api/resource?name=all_incidents_graph"] {
            assert_eq!(get(path, "").status, 200, "{path}");
        }
        assert_eq!(get("/fragment/all_incidents_graph?period=3m", "").status, 202);
        assert_eq!(cost(&server, 1, &[]).status, 200);

        // It ends by itself.
        std::thread::sleep(Duration::from_millis(2100));
        assert_eq!(cost(&server, 7, &[]).status, 200);
    }

    async fn asking_again_for_what_is_on_its_way_or_cached_costs_nothing(deployment: Deployment) {
        ingest(&deployment);
        let server = start(&deployment, "serve", &[THREE[0], THREE[1], ("SVIEW_ADMIN_LISTEN", "127.0.0.1:0")]);
        let fragment = format!("{}/fragment/selected_attacker_incidents_graph?period=1h&ip=192.0.2.1", server.url);
        assert_eq!(http::get(&fragment).status, 202);
        until_jobs(&server, "queued", 1);
        // For longer than the server remembers by itself that it was suggested: the queue knows.
        for _ in 0..26 {
            assert_eq!(http::get(&fragment).status, 202);
            std::thread::sleep(Duration::from_millis(100));
        }
        for n in 2..=3 {
            assert_eq!(cost(&server, n, &[]).status, 200, "only one was counted");
        }
        until_jobs(&server, "queued", 3);
        // Somebody else's server computes them; then they are cached, and looking at them costs nothing.
        let workers = start(&deployment, "up", &[]);
        until_jobs(&server, "done", 3);
        for _ in 0..10 {
            for n in 1..=3 {
                let points = server.data(&format!("name=selected_attacker_incidents_graph&period=1h&ip=192.0.2.{n}"), &[]);
                assert_eq!(crate::site::total(&points), 0);
            }
        }
        drop(workers);
        assert_eq!(cost(&server, 4, &[]).status, 429);
        assert_eq!(cost(&server, 3, &[]).status, 200, "what is cached is served to everybody");
    }

    async fn zero_is_no_limit(deployment: Deployment) {
        let server = start(&deployment, "serve", &[("SVIEW_RLIMIT_MAX_HITS", "0")]);
        for n in 1..=60 {
            assert_eq!(cost(&server, n, &[]).status, 200);
        }
        drop(server);
        let server = start(&deployment, "serve", &[]);
        for n in 61..=90 {
            assert_eq!(cost(&server, n, &[]).status, 200);
        }
        assert_eq!(cost(&server, 91, &[]).status, 429, "thirty a minute by default");
    }

    async fn a_client_is_who_a_trusted_proxy_says(deployment: Deployment) {
        let far = [THREE[0], ("SVIEW_RLIMIT_BAN_TIME", "600")];
        let server = start(&deployment, "serve", &far);
        // Nobody is trusted: what the header says is anybody's invention.
        for n in 1..=4 {
            let answer = cost(&server, n, &[("x-forwarded-for", &format!("203.0.113.{n}"))]);
            assert_eq!(answer.status, if n < 4 { 200 } else { 429 });
        }
        drop(server);
        let trusting = [far[0], far[1], ("SVIEW_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.0/8,::1")];
        let server = start(&deployment, "serve", &trusting);
        let mut n = 10;
        let mut spend = |forwarded: &str| {
            n += 1;
            cost(&server, n, &[("x-forwarded-for", forwarded)]).status
        };
        assert_eq!([spend("203.0.113.1"), spend("9.9.9.9, 203.0.113.1"), spend("8.8.8.8,203.0.113.1, 10.1.2.3")], [200; 3]);
        assert_eq!(spend("7.7.7.7, 203.0.113.1"), 429, "what it claims itself does not make it another");
        assert_eq!(spend("203.0.113.2"), 200, "another client behind the same proxy is not concerned");
        // A whole /64 is one client of IPv6.
        assert_eq!([spend("2001:db8::1"), spend("2001:db8::2"), spend("2001:db8::ffff:3")], [200; 3]);
        assert_eq!(spend("2001:db8::4"), 429);
        assert_eq!(spend("2001:db8:0:1::4"), 200);
    }

    async fn what_led_to_no_computation_is_not_counted(deployment: Deployment) {
        let server = full(&deployment, &THREE);
        // The values of a page that is cached, however often.
        for _ in 0..10 {
            assert_eq!(http::get(&format!("{}/passwords/?period=1h", server.url)).status, 200);
        }
        // Wrong requests.
        for _ in 0..10 {
            assert_eq!(http::get(&format!("{}/attackers/details/ip/x?period=1h", server.url)).status, 400);
        }
        for n in 1..=3 {
            assert_eq!(cost(&server, n, &[]).status, 200);
        }
        assert_eq!(cost(&server, 4, &[]).status, 429);
    }

    async fn rotating_clients_have_no_more_computed_and_kept_than_all_may(deployment: Deployment) {
        let bounds = [
            ("SVIEW_TRUSTED_PROXIES", "127.0.0.0/8,::1"), ("SVIEW_RLIMIT_ALL_HITS", "40"), ("SVIEW_CACHE_DETAILS", "10"),
            ("SVIEW_KEEP_VISITORS_JOBS", "5"), ("SVIEW_ADMIN_LISTEN", "127.0.0.1:0"),
        ];
        let server = full(&deployment, &bounds);
        let asked = |n: usize| cost(&server, n, &[("x-forwarded-for", &format!("2001:db8:0:{n:x}::1"))]).status;
        let statuses: Vec<u16> = (1..=200).map(asked).collect();
        let computed = statuses.iter().filter(|status| **status == 200).count();
        assert!(statuses[..40].iter().all(|status| *status == 200), "{statuses:?}");
        assert!((40..150).contains(&computed) && statuses.iter().all(|s| [200, 429].contains(s)), "{statuses:?}");
        // Precached values are served to everybody all the while.
        assert_eq!(http::get(&format!("{}/?period=1w", server.url)).status, 200);
        for state in ["queued", "running", "scheduled"] {
            until_jobs(&server, state, 0);
        }
        let settings = bounds.iter().map(|(name, value)| (*name, *value));
        let view = run(sview(SVIEW, &deployment, &["view-cache", "--json"]).env("SVIEW_NOW", NOW).envs(settings));
        let view: Value = serde_json::from_str(&view).unwrap();
        let keys: Vec<&str> = view["cached"].as_array().unwrap().iter().map(|value| value["key"].as_str().unwrap()).collect();
        let details = keys.iter().filter(|key| key.starts_with("selected_attacker_incidents_graph:")).count();
        assert_eq!((details, view["missing"].as_array().unwrap().len()), (10, 0), "{keys:?}");
        if deployment.redis_url.is_some() {
            // SQLite forgets from time to time only.
            until_jobs(&server, "done", 5);
        }
    }
}
