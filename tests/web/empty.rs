//! Cards without anything to show say why, from what the refresh found, not from a query.

use sview_testing::{Deployment, Server, both, http, run, sview};

use crate::site::{NOW, SVIEW, token};

/// Stores files of these names, computes everything and serves it; nobody computes any more.
fn serving(deployment: &Deployment, files: &[(&str, String)]) -> Server {
    for (name, text) in files {
        let path = deployment.data_dir.join(format!("{name}.csv"));
        std::fs::write(&path, text).unwrap();
        run(sview(SVIEW, deployment, &["ingest", &path.display().to_string()]).env("SVIEW_NOW", NOW));
    }
    run(sview(SVIEW, deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
    Server::start(sview(SVIEW, deployment, &["serve"]).env("SVIEW_NOW", NOW))
}

/// Incidents of these times, without a country.
fn incidents(times: &[&str]) -> String {
    let head = "time,raw_count,device_token,trap,action,ip,country\n".to_owned();
    let token = token('a');
    times.iter().fold(head, |text, time| text + &format!("{time},7119,{token},haas,login,198.51.100.7,\n"))
}

fn get(server: &Server, path: &str) -> String {
    http::get(&format!("{}{path}", server.url)).body
}

both! {
    async fn old_reports_are_named_with_their_dates_and_a_way_to_them(deployment: Deployment) {
        let old = incidents(&["2018-05-01T00:00:03Z", "2018-05-31T10:11:12Z"]);
        let server = serving(&deployment, &[("incidents", old)]);
        for period in ["1h", "1w", "1y"] {
            let page = get(&server, &format!("/incidents/?period={period}"));
            for words in ["No incident in this period.", ">31 May 2018 (UTC)<", ">1 May 2018 (UTC)<", "SVIEW_NOW=2018-06-01T00:00:00Z"] {
                assert_eq!(page.matches(words).count(), 7, "{words} on every card at {period}: {page}");
            }
        }
        // No login was reported at all.
        let page = get(&server, "/passwords/?period=1w");
        assert!(page.contains("No log-in attempt has been reported yet.") && page.contains("sview ingest FILE"), "{page}");
        let page = get(&server, "/ports/?period=1w");
        assert_eq!(page.matches("Logs of honeypots tell of no port scans.").count(), 3, "{page}");
    }

    async fn incidents_without_a_country_are_not_said_to_be_none(deployment: Deployment) {
        let server = serving(&deployment, &[("incidents", incidents(&["2026-03-12T01:02:03Z", "2026-03-13T01:02:03Z"]))]);
        let page = get(&server, "/incidents/?period=1w");
        assert_eq!(page.matches("14,238 incidents, but none with a country.").count(), 2, "{page}");
        assert!(page.contains("Other and unknown"), "the chart over time shows them as such: {page}");
        assert!(page.contains("sview geoip --geoip-db FILE"), "{page}");
        let page = get(&server, "/incidents/?period=1h");
        assert!(page.contains(">13 Mar 2026 (UTC)<") && page.contains("<a href=\"?period=1w\">Show the last 7 days</a>"), "{page}");
        let svg = get(&server, "/resource/all_countries_by_incidents_list.svg?period=1w");
        assert!(svg.contains("14,238 incidents, but none with a country."), "{svg}");
    }

    async fn values_of_a_later_time_are_not_shown_when_the_clock_is_set_back(deployment: Deployment) {
        let old = incidents(&["2018-05-01T00:00:03Z", "2018-05-31T10:11:12Z"]);
        drop(serving(&deployment, &[("incidents", old)]));
        // Nobody computes. What is cached says that there was no incident.
        let then = "2018-06-01T00:00:00Z";
        let server = Server::start(sview(SVIEW, &deployment, &["serve"]).env("SVIEW_NOW", then));
        let page = get(&server, "/incidents/?period=1m");
        assert!(!page.contains("No incident in this period.") && page.matches("data-state=\"pending\"").count() == 7, "{page}");
        assert!(get(&server, "/api/resource?name=all_incidents_graph&period=1m").ends_with("\"data\":null}"));
    }
}
