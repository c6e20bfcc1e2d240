//! Tests of every page's content, on the golden reports, as outlines in `snapshots/`. `UPDATE_SNAPSHOTS=1` writes them again. An outline
//! that no page has any more fails the test.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

mod outline;

use std::collections::BTreeMap;
use std::path::Path;

use sview_testing::{Deployment, Server, both, http, patiently, run, sview};

use crate::outline::outline;

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";
const DEVICE: &str = "ujzde8gxd6ncf10epf91dhodzdoc9is0j8ht9lgmxg9edn581u33xtplpft75v2s";

/// Pages by the names of their snapshots; all but the last few on full data.
const PAGES: [(&str, &str); 15] = [
    ("overview", "/?period=1w"),
    ("incidents", "/incidents/?period=1d"),
    ("attackers", "/attackers/?period=1m"),
    ("attacker", "/attackers/details/ip/212.239.229.64?period=1w"),
    ("passwords", "/passwords/?period=1y"),
    ("password", "/passwords/details/PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg?period=1y"),
    ("ports", "/ports/?period=6h"),
    ("devices-none", "/devices/?period=1w"),
    ("confirm-device", "/api/device/add?token=ujzde8gxd6ncf10epf91dhodzdoc9is0j8ht9lgmxg9edn581u33xtplpft75v2s"),
    ("api", "/api/"),
    ("not-found", "/nowhere"),
    ("no-address", "/attackers/details/ip/nobody"),
    ("look-up", "/attackers/details/ip/?period=1d"),
    ("look-up-no-address", "/attackers/details/ip/?ip=%3Cb%3Enobody&period=1d"),
    ("no-password", "/passwords/details/_w"),
];

fn start(deployment: &Deployment, command: &str) -> Server {
    let mut command = sview(SVIEW, deployment, &[command]);
    Server::start(command.env("SVIEW_NOW", NOW).env("SVIEW_RLIMIT_MAX_HITS", "0").env("SVIEW_RLIMIT_ALL_HITS", "0"))
}

/// The outline of a page once all of it is there.
fn whole(server: &Server, path: &str, cookie: &str) -> String {
    let get = || http::get_with(&format!("{}{path}", server.url), &[("cookie", cookie)]);
    let there = |answer: &http::Answer| {
        !["pending", "refreshing"].iter().any(|state| answer.body.contains(&format!("data-state=\"{state}\"")))
    };
    without_version(&patiently(get, there).body.replace(&server.url, "http://site"))
}

/// The outline of a page, whichever version of the program made it.
fn without_version(page: &str) -> String {
    outline(&page.replace(concat!("sview ", env!("CARGO_PKG_VERSION")), "sview VERSION"))
}

both! {
    async fn every_page_shows_what_it_did(deployment: Deployment) {
        let golden = |name: &str| format!("{}/tests/golden/tiny/{name}.csv.gz", env!("CARGO_MANIFEST_DIR"));
        let files = ["identity", "incidents", "passwords", "ports"].map(golden);
        let mut args = vec!["ingest"];
        args.extend(files.iter().map(String::as_str));
        run(sview(SVIEW, &deployment, &args).env("SVIEW_NOW", NOW));
        run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        run(sview(SVIEW, &deployment, &["greylist", "--make"]).env("SVIEW_NOW", NOW));
        let server = start(&deployment, "up");
        let mut shown: BTreeMap<String, String> =
            PAGES.iter().map(|(name, path)| ((*name).to_owned(), whole(&server, path, ""))).collect();
        shown.insert("devices".to_owned(), whole(&server, "/devices/?period=1w", &server.session([DEVICE])));
        drop(server);

        let empty = Deployment::new(deployment.backend).await;
        let server = start(&empty, "serve");
        let waiting = http::get(&format!("{}/?period=1w", server.url)).body;
        shown.insert("overview-waiting".to_owned(), without_version(&waiting));
        drop(server);
        run(sview(SVIEW, &empty, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        shown.insert("overview-empty".to_owned(), whole(&start(&empty, "serve"), "/?period=1w", ""));
        compare(&shown);
    }
}

/// Holds outlines against the snapshots; writes them instead where that was asked for.
fn compare(shown: &BTreeMap<String, String>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/snapshots");
    let path = |name: &str| directory.join(format!("{name}.txt"));
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let mut wrong = Vec::new();
    for (name, outline) in shown {
        if update {
            std::fs::write(path(name), outline).unwrap();
        }
        let kept = std::fs::read_to_string(path(name)).unwrap_or_default();
        if kept != *outline {
            let first = outline.lines().zip(kept.lines().chain(std::iter::repeat(""))).find(|(now, then)| now != then);
            let first = first.map_or(("(nothing more)", "(more)"), |pair| pair);
            wrong.push(format!("{name}.txt\n  now  {}\n  then {}", first.0, first.1));
        }
    }
    let names = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unknown: Vec<String> = names.filter(|name| !shown.contains_key(name.trim_end_matches(".txt"))).collect();
    assert!(unknown.is_empty(), "no page has these snapshots: {unknown:?}");
    assert!(wrong.is_empty(), "pages changed; if that is meant, run with UPDATE_SNAPSHOTS=1:\n{}", wrong.join("\n"));
}
