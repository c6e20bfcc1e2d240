//! `sview demo`, as who tries sview for the first time meets it: what it tells is there, and its live feed lives.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sview_testing::{Server, http, limit, patiently, run, temporary};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");

/// A command on a data directory, with nothing of this process' own settings.
fn sview(data_dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(SVIEW);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SVIEW_")) {
        command.env_remove(name);
    }
    command.args(args).env("SVIEW_DATA_DIR", data_dir);
    command
}

#[test]
fn what_the_demonstration_tells_is_there_and_its_live_feed_lives() {
    let directory = temporary();
    let mut command = sview(directory.path(), &["demo", "--rows", "20000", "--listen", "127.0.0.1:0"]);
    let mut server = Server::start(command.env("SVIEW_ADMIN_LISTEN", "127.0.0.1:0"));
    server.logs("of reports are in after");
    server.logs("sview view-jobs");
    let told = server.log();
    let (_, tour) = told.split_once("of reports are in after").unwrap();

    let addresses: Vec<&str> = tour.split_whitespace().filter(|word| word.starts_with("http://")).collect();
    assert_eq!(addresses.len(), 6, "{tour}");
    for address in addresses {
        let answer = http::get(address);
        // The overview leads to its period.
        assert!([200, 307].contains(&answer.status), "{address}: {} {}", answer.status, answer.body);
    }
    assert!(tour.contains(&format!("Operators' pages  {}/", server.admin_url())), "{tour}");

    let state = format!("{}/dynfw/state.json", server.url);
    let live = patiently(
        || http::get(&state),
        |answer| {
            let state = answer.json();
            let heard = |topic: &str| state["messages"][topic].as_u64().is_some_and(|n| n > 0);
            state["connected"] == true && state["addresses"].as_u64().is_some_and(|n| n > 0) && heard("event")
        },
    );
    assert_eq!(live.json()["connections"]["failed"], 0, "{}", live.body);

    // The commands of the tour, as they stand there.
    let demo = directory.path().join("demo");
    assert!(tour.contains(&format!("SVIEW_DATA_DIR='{}'", demo.display())), "{tour}");
    let jobs = run(sview(&demo, &["view-jobs"]).env("SVIEW_GREYLIST_NOBODYS", "true").env("SVIEW_LOG", "warn"));
    assert!(jobs.contains("aggregat"), "{jobs}");
    let (_, query) = tour.split_once("curl -s '").unwrap();
    assert_eq!(http::get(query.split_once('\'').unwrap().0).status, 200);
    let (_, token) = tour.split_once("this device token: ").unwrap();
    assert_eq!(token.lines().next().unwrap().trim().len(), 64, "{tour}");

    assert!(server.terminate(limit(Duration::from_secs(30))), "{}", server.log());
}
