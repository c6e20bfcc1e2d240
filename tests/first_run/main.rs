//! Runs the commands of README's section on one's own reports and of the guide to ingest. The machine is empty: the directory has nothing
//! but logs.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

mod month;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use sview_model::Clock;
use sview_testing::{Browser, Look, Patience, Server, http, mmdb, told};
use tempfile::TempDir;

use self::month::{Month, NETWORKS, counts};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const README: &str = include_str!("../../README.md");
const INGEST: &str = include_str!("../../docs/ingest.md");

/// Commands that no test runs: they build, load from elsewhere, or never end.
const NOT_RUN: [&str; 3] = ["cargo install", "npm pack", "tail "];

/// The commands in README's section on one's own reports and in the guide to ingest, without their remarks.
fn commands() -> Vec<&'static str> {
    let (_, section) = README.split_once("\n## Your own reports\n").expect("README has the section");
    let section = section.split("\n## ").next().unwrap();
    let blocks = [section, INGEST].into_iter().flat_map(|text| text.split("```sh\n").skip(1));
    let blocks = blocks.filter_map(|rest| rest.split("\n```").next());
    blocks.flat_map(str::lines).map(|line| line.split("  #").next().unwrap_or_default().trim()).collect()
}

/// The one command that begins and ends so.
fn command(begin: &str, end: &str) -> &'static str {
    let all: Vec<_> = commands().into_iter().filter(|line| line.starts_with(begin) && line.ends_with(end)).collect();
    assert_eq!(all.len(), 1, "commands that begin with {begin:?} and end with {end:?}: {all:?}");
    all[0]
}

/// A directory of somebody who has installed sview and set nothing.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command as it is typed there.
    fn typed(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SVIEW_")) {
            command.env_remove(name);
        }
        let programs = Path::new(SVIEW).parent().unwrap().display();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
        command.arg("-c").arg(format!("exec {line}")).current_dir(self.path()).env("PATH", path).stdin(Stdio::null());
        // Beside other tests: a port of its own.
        command.env("SVIEW_LISTEN", "127.0.0.1:0").env("SVIEW_ADMIN_LISTEN", "off");
        command
    }

    /// Returns the output of a command that succeeds.
    fn run(&self, line: &str) -> String {
        let output = self.typed(line).output().unwrap();
        assert!(output.status.success(), "{line}: {}", told(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The texts of all elements that a selector finds.
async fn texts(browser: &Browser, css: &str) -> Vec<String> {
    let script = format!("return [...document.querySelectorAll('{css}')].map((e) => e.textContent)");
    serde_json::from_value(browser.run(&script).await).unwrap()
}

/// Goes to a page and waits until all of its cards are there.
async fn visit(browser: &Browser, server: &Server, path: &str) {
    browser.visit(&format!("{}{path}", server.url)).await;
    browser
        .until("document.querySelector('[data-state=ready]') && !document.querySelector('[data-state=pending]')")
        .await;
}

/// The rows of a ranking, by their labels. Waits until they are computed.
async fn ranking(server: &Server, name: &str, period: &str) -> BTreeMap<String, u64> {
    let patience = Patience::default();
    let answer = loop {
        let answer = http::get(&format!("{}/api/resource?name={name}&period={period}", server.url)).json();
        if answer["data"].is_array() {
            break answer;
        }
        patience.look_again(|| format!("{name}: {answer}")).await;
    };
    let rows = answer["data"].as_array().unwrap();
    let row = |row: &Value| {
        let labels = row.as_object().unwrap().iter().filter(|(column, _)| *column != "count");
        let labels: Vec<_> = labels.map(|(_, label)| label.as_str().unwrap_or("unknown")).collect();
        (labels.join(" "), row["count"].as_u64().unwrap())
    };
    rows.iter().map(row).collect()
}

fn grouped(n: u64) -> String {
    sview_model::grouped(n)
}

#[test]
fn every_documented_command_is_run_or_known() {
    let run = ["sview ingest ", "sview up", "sview geoip "];
    for line in commands() {
        assert!(run.iter().chain(&NOT_RUN).any(|known| line.starts_with(known)), "no test runs {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_today_are_on_the_pages() {
    let machine = Machine::new();
    let ingest = command("sview ingest incidents", ".ndjson");
    let time = (Clock::System.now() - TimeDelta::hours(2)).to_rfc3339();
    let write = |name: &str, text: String| std::fs::write(machine.path().join(name), text).unwrap();
    let token = "a".repeat(64);
    write(
        "incidents.csv",
        format!("time,raw_count,device_token,trap,action,ip,country\n{time},7119,{token},haas,login,198.51.100.7,CZ\n"),
    );
    let file = std::fs::File::create(machine.path().join("passwords.csv.gz")).unwrap();
    let mut file = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    write!(file, "time,raw_count,username,password\n{time},3,root,admin\n").unwrap();
    file.finish().unwrap();
    write("ports.ndjson", format!("{{\"time\":\"{time}\",\"raw_count\":9,\"port\":23,\"protocol\":\"TCP\"}}\n"));

    let out = machine.run(ingest);
    assert!(out.ends_with("\nNext: sview up\n"), "{out}");
    let server = Server::start(&mut machine.typed(command("sview up", "up")));
    let browser = Browser::open(Look::default()).await;
    visit(&browser, &server, "/incidents/?period=1d").await;
    browser.shows("#r-all_incidents_graph .figure", "7,119 incidents in all").await;
    browser.shows("#r-all_countries_by_incidents_list .figure", "1 country").await;
    visit(&browser, &server, "/ports/?period=1d").await;
    browser.shows("#r-all_ports_by_scans_graph .figure", "9 scans in all").await;
    visit(&browser, &server, "/passwords/?period=1d").await;
    browser.shows("#r-top_passwords_by_usages_list_long", "admin").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_log_of_cowrie_is_shown_as_it_was() {
    let (machine, month) = (Machine::new(), Month::may_2018());
    let files = month.write(machine.path());
    let all = month.since(1).count() as u64;
    assert!(all > 2_000 && files.len() == 31, "{all} events that count in {} files", files.len());

    // Reading it.
    let ingest = command("sview ingest cowrie", "*");
    let out = machine.run(ingest);
    let next = out.lines().last().unwrap().strip_prefix("Next: ").unwrap().to_owned();
    assert_eq!(next, command("sview up", "Z"), "the guide names what the ingest names next");
    let without = format!("Without a country: {} of the latest {} incidents.", grouped(all), grouped(all));
    assert!(
        out.contains("\nReports in ")
            && out.contains("sview-data/reports.sqlite: 2018-05-01 ")
            && out.contains(&without),
        "{out}"
    );

    // Today no page has any of it. Each says why, and what to do.
    let browser = Browser::open(Look::default()).await;
    let server = Server::start(&mut machine.typed(command("sview up", "up")));
    let mut clock = String::new();
    for (page, cards) in [("/", 5), ("/incidents/", 7), ("/attackers/", 5), ("/passwords/", 4)] {
        for period in ["1h", "1w", "1y"] {
            visit(&browser, &server, &format!("{page}?period={period}")).await;
            let words = texts(&browser, ".card .nothing").await;
            assert_eq!(words.len(), cards, "{page} at {period}: {words:?}");
            for words in &words {
                let said = words.contains("in this period.") && words.contains("is of 31 May 2018 (UTC).");
                assert!(said && !words.contains("yet") && !words.contains("Nothing was reported"), "{page}: {words}");
                assert!(words.contains("Reports begin on 1 May 2018 (UTC)"), "{page}: {words}");
            }
            clock = texts(&browser, ".card .nothing code").await.pop().unwrap();
        }
    }
    visit(&browser, &server, "/ports/?period=1w").await;
    for words in texts(&browser, ".card .nothing").await {
        assert!(words.contains("No port scan has been reported yet."), "a log of Cowrie has none: {words}");
    }
    let status = machine.run("sview status");
    assert!(status.contains("none in 31 days") && status.contains("1 device ever reported an incident"), "{status}");
    let status: Value = serde_json::from_str(&machine.run("sview status --json")).unwrap();
    let read = status["reports"]["files"].as_array().unwrap();
    for file in read {
        let name = Path::new(file["name"].as_str().unwrap()).file_name().unwrap().to_str().unwrap();
        assert_eq!((file["lines"].as_u64(), &file["finished"]), (files.get(name).copied(), &true.into()), "{file}");
    }
    assert!(!read.is_empty(), "{status}");
    drop(server);

    // With the clock that the pages name, which is that of the next command, the month is there.
    let (name, time) = clock.split_once('=').unwrap();
    assert!(name == "SVIEW_NOW" && next.ends_with(&format!("--now {time}")), "{clock}, {next}");
    let mut server = Server::start(&mut machine.typed(&next));
    // The month's page has thirty days, that of three months has all.
    for (period, day) in [("1m", 2), ("3m", 1)] {
        let counted = |action: &str| month.since(day).filter(|event| event.action() == Some(action)).count() as u64;
        let (incidents, logins) = (month.since(day).count() as u64, counted("login"));
        visit(&browser, &server, &format!("/incidents/?period={period}")).await;
        browser.shows("#r-all_incidents_graph .figure", &format!("{} incidents in all", grouped(incidents))).await;
        let kinds = counts(month.since(day).map(|event| {
            let trap = if event.telnet { "minipot_telnet" } else { "haas" };
            format!("{} {trap}", event.action().unwrap())
        }));
        assert_eq!(ranking(&server, "top_incident_types_by_incidents_list", period).await, kinds, "{period}");
        let passwords = counts(month.since(day).filter_map(|event| event.password).map(str::to_owned));
        assert_eq!(passwords.values().sum::<u64>(), logins);
        assert_eq!(ranking(&server, "top_passwords_by_usages_list_long", period).await, passwords, "{period}");
        let mut attackers: Vec<_> = counts(month.since(day).map(|event| event.ip.clone())).into_values().collect();
        attackers.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
        let mut top: Vec<_> =
            ranking(&server, "top_attackers_by_incidents_list_long", period).await.into_values().collect();
        top.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
        assert_eq!(top, attackers[..30], "{period}");
        // Countries: none, and how to add them.
        for page in ["/", "/incidents/"] {
            visit(&browser, &server, &format!("{page}?period={period}")).await;
            let words = format!("{} incidents, but none with a country.", grouped(incidents));
            let said = texts(&browser, ".card .nothing").await;
            let right = said.iter().all(|said| said.contains(&words) && said.contains("sview geoip --geoip-db FILE"));
            assert!(right && said.len() >= 2, "{page} at {period}: {said:?}");
        }
    }

    // Countries, beside the server.
    std::fs::create_dir(machine.path().join("package")).unwrap();
    let known: Vec<_> = NETWORKS.iter().filter_map(|(network, country)| Some((*network, (*country)?))).collect();
    let database = mmdb::countries(&known);
    let geoip = command("sview geoip", ".mmdb");
    let file = geoip.rsplit(' ').next().unwrap();
    std::fs::copy(database.path(), machine.path().join(file)).unwrap();
    let with = month.since(1).filter(|event| event.country.is_some()).count() as u64;
    let out = machine.run(geoip);
    assert!(out.starts_with(&format!("{} reports ", grouped(with))), "{out}");
    for (period, day) in [("1m", 2), ("3m", 1)] {
        let right = counts(month.since(day).filter_map(|event| event.country).map(str::to_owned));
        let patience = Patience::of(Duration::from_secs(240));
        loop {
            let shown = ranking(&server, "top_countries_by_incidents_list_long", period).await;
            if shown == right {
                break;
            }
            patience.look_again(|| format!("{period}: {right:?} and not {shown:?}")).await;
        }
        visit(&browser, &server, &format!("/incidents/?period={period}")).await;
        browser.shows("#r-all_countries_by_incidents_list .figure", "2 countries").await;
        browser.shows("#r-top_countries_by_incidents_list_long", "Czechia").await;
        let rows = texts(&browser, "#r-top_countries_by_incidents_list_long td.number").await;
        let mut numbers: Vec<_> = right.into_values().collect();
        numbers.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
        assert_eq!(rows, numbers.into_iter().map(grouped).collect::<Vec<_>>(), "{period}");
        assert_eq!(texts(&browser, ".card .nothing").await, [""; 0], "{period}");
    }
    assert!(server.terminate(Duration::from_secs(30)), "{}", server.log());

    // Reading it again counts nothing twice.
    let again = machine.run(ingest);
    assert_eq!(again.lines().filter(|line| line.contains("nothing is counted twice")).count(), 31, "{again}");
    let without = format!("Without a country: {} of the latest {} incidents.", grouped(all - with), grouped(all));
    assert!(again.contains(&without) && again.ends_with(&format!("\nNext: {next}\n")), "{again}");
    let server = Server::start(&mut machine.typed(&next));
    visit(&browser, &server, "/incidents/?period=3m").await;
    browser.shows("#r-all_incidents_graph .figure", &format!("{} incidents in all", grouped(all))).await;
    // Counts of a day are those of the last whole hours.
    let then = machine.run(&next.replace("sview up", "sview status"));
    let source = |name: &str| then.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
    for source in ["haas", "minipot_telnet", "passwords"].map(source) {
        assert!(!source.is_empty() && !source.contains("none in 31 days"), "{then}");
    }
    browser.close().await;
}
