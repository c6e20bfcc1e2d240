//! Tests of values that are computed on demand: late reports reach them, and nobody else learns of the request.

use std::time::{Duration, Instant};

use serde_json::Value;
use sview_testing::{Deployment, Server, both, http, run, sview};

use crate::site::{ATTACKER, NOW, SVIEW, full, token, total};

const PASSWORD: &str = "hunter2-of-a-visitor";

fn command(deployment: &Deployment, args: &[&str]) -> String {
    run(sview(SVIEW, deployment, args).env("SVIEW_NOW", NOW))
}

/// Reports more incidents of the attacker and more uses of the password, in an hour that was aggregated before.
fn report(deployment: &Deployment, count: u64) {
    let incidents = format!(
        "time,raw_count,device_token,trap,action,ip,country\n2026-03-15T08:10:00.000Z,{count},{},minipot_telnet,login,{ATTACKER},CZ\n",
        token('a')
    );
    let passwords = format!("time,raw_count,username,password\n2026-03-15T08:11:00.000Z,{count},root,{PASSWORD}\n");
    let files = [("incidents", incidents), ("passwords", passwords)].map(|(name, text)| {
        let path = deployment.data_dir.join(format!("late-{name}-{count}.csv"));
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    });
    command(deployment, &["ingest", &files[0], &files[1]]);
    command(deployment, &["refresh"]);
}

/// Asks until the sum is right, as a program that looks now and then.
fn until_total(server: &Server, query: &str, cookie: &str, expected: u64) {
    let begun = Instant::now();
    loop {
        let found = total(&server.data(query, &[("cookie", cookie)]));
        if found == expected {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "{query}: {found} for {expected}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

both! {
    async fn late_reports_refresh_values_about_attackers_passwords_and_devices(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let cookie = server.session([token('a').as_str()]);
        let queries = |period: &str| [
            (format!("name=selected_attacker_incidents_graph&period={period}&ip={ATTACKER}"), 8),
            (format!("name=selected_password_by_usages_graph&period={period}&password={PASSWORD}"), 0),
            (format!("name=my_all_incidents_graph&period={period}"), 3),
        ];
        for period in ["6h", "1d"] {
            for (query, before) in queries(period) {
                until_total(&server, &query, &cookie, before);
            }
        }
        for late in [7, 11] {
            report(&deployment, late);
            let so_far = if late == 7 { 7 } else { 18 };
            for period in ["6h", "1d"] {
                for (query, before) in queries(period) {
                    until_total(&server, &query, &cookie, before + so_far);
                }
            }
        }
    }

    async fn late_reports_reach_long_periods_while_the_clock_stands_still(deployment: Deployment) {
        let server = full(&deployment, &[]);
        let query = "name=all_incidents_graph&period=1w";
        let before = total(&server.data(query, &[]));
        report(&deployment, 7);
        until_total(&server, query, "", before + 7);
    }

    async fn what_visitors_ask_for_is_neither_logged_nor_shown_whole(deployment: Deployment) {
        let server = full(&deployment, &[("SVIEW_ADMIN_LISTEN", "127.0.0.1:0"), ("SVIEW_LOG", "info,sview_jobs=debug")]);
        let cookie = server.session([token('a').as_str()]);
        for (query, expected) in [
            (format!("name=selected_attacker_incidents_graph&period=1h&ip={ATTACKER}"), 8),
            (format!("name=selected_password_by_usages_graph&period=1h&password={PASSWORD}"), 0),
            ("name=my_all_incidents_graph&period=1h".to_owned(), 3),
        ] {
            until_total(&server, &query, &cookie, expected);
        }
        let log = server.log();
        for (what, of) in [("attacker", " of attacker #"), ("password", " of password #"), ("devices", " of 1 device(s) #")] {
            assert!(log.contains(of), "the job about {what} is named: {log}");
        }
        for private in [ATTACKER, PASSWORD, &token('a')] {
            assert!(!log.contains(private), "{private}: {log}");
        }
        // Whoever looks at jobs and values learns no device token, not even by its whole hash.
        let url = server.admin_url();
        let jobs = http::get(&format!("{url}/api/jobs?job=cache-resource")).json();
        let id = |job: &Value| job["id"].as_str().unwrap().to_owned();
        let mut pages: Vec<String> = ["/api/jobs", "/jobs", "/", "/cache", "/workers", "/actions"].map(str::to_owned).into();
        for job in jobs["jobs"].as_array().unwrap() {
            pages.extend([format!("/jobs/{}", id(job)), format!("/api/jobs/{}", id(job))]);
        }
        let mut told: Vec<(String, String)> =
            pages.iter().map(|page| (page.clone(), http::get(&format!("{url}{page}")).body)).collect();
        for args in [
            &["view-jobs", "--json"][..], &["view-jobs"], &["view-cache", "--json"], &["view-cache"],
            &["view-timeouts", "--json"], &["clear-cache", "-d", "--json"], &["clear-timeouts", "resource", "1h", "-d", "--json"],
        ] {
            told.push((args.join(" "), command(&deployment, args)));
        }
        // printf a%.0s {1..64} | sha256sum
        let hash = "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb";
        for (page, text) in &told {
            assert!(!text.contains(&token('a')) && !text.contains(&hash[..11]), "{page}: {text}");
        }
        let shown = |page: &str| told.iter().filter(|(name, text)| name.starts_with(page) && text.contains(&hash[..10])).count();
        for page in ["/api/jobs", "/jobs/", "/cache", "view-jobs", "view-cache --json", "view-timeouts", "clear-cache"] {
            assert!(shown(page) > 0, "{page} names devices by the head of their hash");
        }
        let cached = http::get(&format!("{}/api/resource?name=my_all_incidents_graph&period=1h&token=ffe054fe7a", server.url));
        assert_ne!(cached.status, 200, "the head of a hash is no session");
    }
}
