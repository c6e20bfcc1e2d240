//! `sview ingest` as a user meets it: formats, bad lines, files read twice, interruptions.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sview_testing::{Deployment, Server, both, http, run, sview, told};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");

fn write(deployment: &Deployment, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = deployment.data_dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn ingest(deployment: &Deployment, now: &str, args: &[&str], files: &[&Path]) -> Command {
    let mut command = sview(SVIEW, deployment, &["ingest"]);
    command.args(args).args(files).env("SVIEW_NOW", now);
    command
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// The sum of a series over a period, once everything is refreshed.
fn total(deployment: &Deployment, now: &str, resource: &str, period: &str) -> u64 {
    run(sview(SVIEW, deployment, &["refresh", "--wait"]).env("SVIEW_NOW", now));
    let server = Server::start(sview(SVIEW, deployment, &["serve"]).env("SVIEW_NOW", now));
    let answer = http::get(&format!("{}/api/resource?name={resource}&period={period}", server.url)).json();
    let points = answer["data"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
    points.iter().map(|p| p["count"].as_u64().unwrap()).sum()
}

/// A Cowrie log in the form of a real one: a telnet and an ssh session, a session whose beginning is missing, and other events.
fn cowrie() -> String {
    let mut log = String::new();
    let mut line = |event: &str, rest: &str, at: &str| {
        let _ = writeln!(
            log,
            r#"{{"eventid":"{event}","src_ip":"198.51.100.7","sensor":"pot-one","timestamp":"2018-05-{at}Z",{rest}}}"#
        );
    };
    line("cowrie.session.connect", r#""session":"a1","protocol":"telnet","dst_port":2323"#, "02T10:00:00.000001");
    line(
        "cowrie.login.failed",
        r#""session":"a1","username":"root","password":"<script>alert(1)</script>""#,
        "02T10:00:01.5",
    );
    line("cowrie.login.success", r#""session":"a1","username":"root","password":"xc3511""#, "02T10:00:02.5");
    line("cowrie.command.input", r#""session":"a1","input":"cat /proc/mounts""#, "02T10:00:03.5");
    line("cowrie.session.closed", r#""session":"a1","duration":4"#, "02T10:00:04.5");
    line("cowrie.session.connect", r#""session":"b2","protocol":"ssh""#, "03T11:00:00.0");
    line("cowrie.client.version", r#""session":"b2","version":"SSH-2.0-Go""#, "03T11:00:00.1");
    line("cowrie.login.failed", r#""session":"b2","username":"admin","password":"1234""#, "03T11:00:01.0");
    log
}

both! {
    async fn a_cowrie_log_becomes_incidents_and_passwords(deployment: Deployment) {
        let now = "2018-06-01T00:00:00Z";
        let file = write(&deployment, "cowrie.json", cowrie());
        let out = run(&mut ingest(&deployment, now, &[], &[&file]));
        assert!(out.contains("6 incidents") && out.contains("3 passwords"), "{out}");
        assert_eq!(total(&deployment, now, "all_incidents_graph", "1m"), 6);
        let server = Server::start(sview(SVIEW, &deployment, &["serve"]).env("SVIEW_NOW", now));
        let data = |name: &str| http::get(&format!("{}/api/resource?name={name}&period=1m", server.url)).json()["data"].clone();
        let traps: Vec<Value> = data("top_incident_types_by_incidents_list").as_array().unwrap().clone();
        let count = |source: &str, action: &str| {
            traps.iter().find(|r| r["source"] == source && r["action"] == action).map_or(0, |r| r["count"].as_u64().unwrap())
        };
        assert_eq!(
            [("minipot_telnet", "connect"), ("minipot_telnet", "login"), ("minipot_telnet", "message"), ("haas", "connect"), ("haas", "login")]
                .map(|(s, a)| count(s, a)),
            [1, 2, 1, 1, 1]
        );
        let page = http::get(&format!("{}/?period=1m", server.url)).body;
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script>alert"), "what attackers type is data");
    }

    async fn a_bad_line_is_told_and_stops_nothing(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let good = "2026-03-15T12:00:00.000Z,1,root,secret";
        let lines = ["time,raw_count,username,password", good, "yesterday,1,root,x", "2026-03-15T12:00:00Z,0,root,x", good, "2099-01-01T00:00:00Z,1,a,b", "too,few"];
        let file = write(&deployment, "passwords.csv", lines.join("\n") + "\n");
        let rejects = deployment.data_dir.join("rejects.txt");
        let out = ingest(&deployment, now, &["--rejects", rejects.to_str().unwrap()], &[&file]).output().unwrap();
        assert_eq!(out.status.code(), Some(3), "all was read, but for bad lines");
        let out = told(&out);
        assert!(out.contains("2 passwords") && out.contains("4"), "{out}");
        let kept = std::fs::read_to_string(rejects).unwrap();
        let numbers: Vec<_> = kept.lines().map(|l| l.split(':').nth(1).unwrap()).collect();
        assert_eq!(numbers, ["3", "4", "6", "7"], "{kept}");
        assert!(kept.contains("yesterday,1,root,x"), "{kept}");
        // Without --rejects, standard error names the lines.
        let again = ingest(&deployment, now, &["--again"], &[&file]).output().unwrap();
        assert!(told(&again).contains("passwords.csv:3:"), "{}", told(&again));
        // A file that cannot be read weighs more; its name is another's.
        let missing = deployment.data_dir.join("no\u{1b}[31mfile");
        let out = ingest(&deployment, now, &["--again"], &[&missing, &file]).output().unwrap();
        let text = told(&out);
        assert!(out.status.code() == Some(1) && text.contains("2 passwords") && text.contains("cannot be opened"), "{text}");
        assert!(!text.contains('\u{1b}') && text.matches("file").count() < 5, "{text}");
    }

    async fn the_same_file_is_not_counted_twice(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let row = "2026-03-15T12:00:00.000Z,5,23,TCP";
        let file = write(&deployment, "ports.csv", format!("time,raw_count,port,protocol\n{row}\n"));
        let other = write(&deployment, "renamed.csv", format!("time,raw_count,port,protocol\n{row}\n"));
        run(&mut ingest(&deployment, now, &[], &[&file]));
        let out = run(&mut ingest(&deployment, now, &[], &[&file, &other]));
        assert_eq!(out.matches("read before").count(), 2, "{out}");
        assert_eq!(total(&deployment, now, "all_ports_by_scans_graph", "6h"), 5);
        run(&mut ingest(&deployment, now, &["--again"], &[&other]));
        let later = "2026-03-15T12:49:56Z";
        assert_eq!(total(&deployment, later, "all_ports_by_scans_graph", "6h"), 10, "it was asked for");
    }

    async fn a_log_that_has_grown_is_read_on_where_it_ended(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let line = |minute: u32, port: u32| format!("{{\"time\":\"2026-03-15T12:{minute:02}:00Z\",\"port\":{port},\"protocol\":\"TCP\"}}\n");
        let (first, second, third) = (line(1, 23), line(2, 23), line(3, 23));
        // The second line is still being written when the log is read first.
        let log = write(&deployment, "ports.ndjson", format!("{first}{}", &second[..30]));
        let bad = ingest(&deployment, now, &[], &[&log]).output().unwrap();
        assert!(told(&bad).contains("ports.ndjson:2:"), "{}", told(&bad));
        write(&deployment, "ports.ndjson", format!("{first}{second}"));
        let out = ingest(&deployment, now, &[], &[&log]).output().unwrap();
        assert!(told(&out).contains("has grown; goes on after line 1"), "{}", told(&out));
        // Renamed and compressed anew it is another file; renamed and grown it is not.
        let log = write(&deployment, "ports.ndjson.1", format!("{first}{second}{third}"));
        run(&mut ingest(&deployment, now, &[], &[&log]));
        assert!(run(&mut ingest(&deployment, now, &[], &[&log])).contains("read before"));
        assert_eq!(total(&deployment, now, "all_ports_by_scans_graph", "6h"), 3);
        // A file that begins like one that has already grown is another file.
        let other = write(&deployment, "other.ndjson", format!("{first}{second}{}", line(4, 24)));
        run(&mut ingest(&deployment, now, &[], &[&other]));
        let later = "2026-03-15T12:49:56Z";
        assert_eq!(total(&deployment, later, "all_ports_by_scans_graph", "6h"), 6);
    }

    async fn an_ingest_ends_with_what_there_is_and_what_to_do_next(deployment: Deployment) {
        let file = write(&deployment, "cowrie.json", cowrie());
        let now = "2018-06-01T00:00:00Z";
        let last = |out: &str| out.lines().rev().take(3).map(str::to_owned).collect::<Vec<_>>();
        let first = run(&mut ingest(&deployment, now, &[], &[&file]));
        let again = run(&mut ingest(&deployment, now, &[], &[&file]));
        assert_eq!(last(&first), last(&again), "also when all was read before");
        let directory = deployment.data_dir.display().to_string();
        let (place, same) = match deployment.redis_url {
            Some(_) => (format!(", database {}, user ", deployment.prefix), ", with the same settings"),
            None => ("/reports.sqlite".to_owned(), ", with the same settings"),
        };
        let words = last(&first);
        assert_eq!(words[0], format!("Next: sview up --data-dir {directory}{same}"));
        assert_eq!(words[1], "Without a country: 6 of the latest 6 incidents. To add countries: sview geoip --geoip-db FILE");
        assert!(words[2].contains(&place) && words[2].ends_with(": 2018-05-02 10:00:00 to 2018-05-03 11:00:01 UTC"), "{words:?}");
        assert!(!first.contains('@') && !first.contains("sslmode"), "{first}");
        // No page shows old reports unless the clock stands still.
        let late = run(&mut ingest(&deployment, "2026-03-15T12:34:56Z", &[], &[&file]));
        assert_eq!(last(&late)[0], format!("Next: sview up --data-dir {directory} --now 2018-05-04T00:00:00Z{same}"));
    }

    async fn a_file_of_an_unknown_format_is_told_what_to_try(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let file = write(&deployment, "odd.json", "{\"what\":1}\n");
        let told = |args: &[&str]| told(&ingest(&deployment, now, args, &[&file]).output().unwrap());
        let out = told(&[]);
        assert!(out.contains("name it: --format csv, ndjson or cowrie") && out.contains("There are no reports in"), "{out}");
        let out = told(&["--format", "cowrie"]);
        assert!(out.contains("Without --format its content tells the format") && !out.contains("name it"), "{out}");
    }

    async fn a_beginning_of_a_file_that_was_read_gives_nothing_new(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let rows = |from: usize, to: usize| (from..to).fold(String::new(), |mut rows, i| {
            let _ = writeln!(rows, "2026-03-15T12:{:02}:{:02}.000Z,1,{},TCP", i / 60 % 30, i % 60, i % 1000);
            rows
        });
        let csv = format!("time,raw_count,port,protocol\n{}", rows(0, 2_500));
        let log = write(&deployment, "ports.csv", &csv);
        run(&mut ingest(&deployment, now, &[], &[&log]));
        // An older copy, one that ends within a row, one whose row looks whole, and one whose last row only lacks its end.
        let whole = csv.lines().take(1_700).map(|line| line.len() + 1).sum::<usize>();
        let short = csv.lines().take(3).map(|line| line.len() + 1).sum::<usize>();
        let copies: Vec<PathBuf> = [whole, whole + 10, whole + 29, whole - 1, short, short - 1, short + 29]
            .iter()
            .enumerate()
            .map(|(i, length)| write(&deployment, &format!("older{i}.csv"), &csv[..*length]))
            .collect();
        let gzip = gzip(csv.as_bytes());
        let cut = write(&deployment, "ports.csv.gz", &gzip[..gzip.len() * 2 / 3]);
        let files: Vec<&Path> = copies.iter().chain([&cut]).map(PathBuf::as_path).collect();
        for _ in 0..2 {
            let out = run(&mut ingest(&deployment, now, &[], &files));
            assert_eq!(out.matches("the beginning of").count(), files.len(), "{out}");
        }
        assert_eq!(total(&deployment, now, "all_ports_by_scans_graph", "6h"), 2_500);
        // A file with another last row is another file, and so is one that only shares the header.
        let other = write(&deployment, "other.csv", format!("{}{}", &csv[..short], "2026-03-15T12:01:00.000Z,1,7,UDP\n"));
        let open = write(&deployment, "open.csv", "time,raw_count,port,protocol\n2026-03-15T12:01:00.000Z,1,8,UDP");
        run(Command::new("touch").args(["-d", "2026-03-15"]).arg(&open));
        run(&mut ingest(&deployment, now, &[], &[&other, &open]));
        let later = "2026-03-15T12:49:56Z";
        assert_eq!(total(&deployment, later, "all_ports_by_scans_graph", "6h"), 2_504);
        // It was asked for.
        run(&mut ingest(&deployment, now, &["--again"], &[&copies[4]]));
        assert_eq!(total(&deployment, "2026-03-15T13:04:56Z", "all_ports_by_scans_graph", "6h"), 2_506);
    }

    async fn a_cut_file_tells_what_was_read_and_then_the_error(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let csv = (0..5_000).fold("time,port,protocol\n".to_owned(), |mut csv, i| {
            let _ = writeln!(csv, "2026-03-15T12:{:02}:00Z,{},TCP", i % 30, i * 7 % 65_536);
            csv
        });
        let whole = gzip(csv.as_bytes());
        let cut = write(&deployment, "cut.csv.gz", &whole[..whole.len() * 2 / 3]);
        let out = ingest(&deployment, now, &[], &[&cut]).output().unwrap();
        let text = told(&out);
        assert_eq!(out.status.code(), Some(1), "{text}");
        assert!(text.contains("cut.csv.gz: reading stopped after line"), "{text}");
        assert!(text.lines().any(|line| line.contains("cut.csv.gz: ") && line.ends_with(" port scans")), "{text}");
    }

    async fn three_generations_count_once_in_any_order(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for (n, order) in orders.iter().enumerate() {
            let lines = |count: usize| (0..count).fold(String::new(), |mut log, i| {
                let _ = writeln!(log, r#"{{"time":"2026-03-15T12:{:02}:00Z","port":{},"protocol":"TCP"}}"#, i % 30, n * 1000 + i);
                log
            });
            // One generation is compressed and cut short; its lines before that are whole.
            let packed = gzip(lines(40).as_bytes());
            let generations = [
                write(&deployment, &format!("{n}.ndjson.2"), lines(7)),
                write(&deployment, &format!("{n}.ndjson.1.gz"), &packed[..packed.len() - 8]),
                write(&deployment, &format!("{n}.ndjson"), lines(90)),
            ];
            let files: Vec<&Path> = order.iter().map(|i| generations[*i].as_path()).collect();
            // In one command, and split over commands; a cut file ends with an error.
            let (first, rest) = files.split_at(n % 3);
            for files in [first, rest, rest] {
                if !files.is_empty() {
                    ingest(&deployment, now, &[], files).output().unwrap();
                }
            }
        }
        assert_eq!(total(&deployment, now, "all_ports_by_scans_graph", "6h"), 6 * 90);
    }

    async fn a_beginning_goes_on_in_the_longer_file_that_was_interrupted(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let rows = |count: usize| (0..count).fold("time,raw_count,port,protocol\n".to_owned(), |mut rows, i| {
            let _ = writeln!(rows, "2026-03-15T12:{:02}:{:02}.000Z,1,{},TCP", i / 60 % 30, i % 60, i % 1000);
            rows
        });
        let log = write(&deployment, "ports.csv", rows(90_000));
        let older = write(&deployment, "older.csv", &rows(60_000)[..rows(60_000).len() - 9]);
        for delay in [300, 500, 700] {
            let mut child = ingest(&deployment, now, &[], &[&log]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(delay));
            child.kill().unwrap();
            child.wait().unwrap();
            run(&mut ingest(&deployment, now, &[], &[&older]));
        }
        run(&mut ingest(&deployment, now, &[], &[&log]));
        assert_eq!(total(&deployment, now, "all_ports_by_scans_graph", "6h"), 90_000);
    }

    async fn copies_that_are_read_at_once_count_once(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let rows = |count: usize| (0..count).fold("time,raw_count,port,protocol\n".to_owned(), |mut rows, i| {
            let _ = writeln!(rows, "2026-03-15T12:{:02}:{:02}.000Z,1,{},TCP", i / 60 % 30, i % 60, i % 1000);
            rows
        });
        run(&mut sview(SVIEW, &deployment, &["migrate"]));
        let files: Vec<PathBuf> = (1..5).map(|i| write(&deployment, &format!("{i}.csv"), rows(i * 15_000))).collect();
        let start = |file: &PathBuf| ingest(&deployment, now, &[], &[file]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        for child in files.iter().map(start).collect::<Vec<_>>() {
            let out = child.wait_with_output().unwrap();
            assert!(out.status.success() || told(&out).contains("another process"), "{}", told(&out));
        }
        run(&mut ingest(&deployment, now, &[], &[&files[3]]));
        assert_eq!(total(&deployment, now, "all_ports_by_scans_graph", "6h"), 60_000);
    }

    async fn of_two_that_read_on_in_a_grown_log_at_once_one_is_told(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let rows = |from: usize, to: usize| (from..to).fold(String::new(), |mut rows, i| {
            let _ = writeln!(rows, "2026-03-15T12:{:02}:{:02}.000Z,1,{},TCP", i / 60 % 30, i % 60, i % 1000);
            rows
        });
        let begun = format!("time,raw_count,port,protocol\n{}", rows(0, 1_000));
        let log = write(&deployment, "a.csv", &begun);
        run(&mut ingest(&deployment, now, &[], &[&log]));
        let longer = write(&deployment, "b.csv", format!("{begun}{}", rows(1_000, 90_000)));
        let longest = write(&deployment, "c.csv", format!("{begun}{}", rows(1_000, 100_000)));
        let start = |file: &Path| ingest(&deployment, now, &[], &[file]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let children = [start(&longer), start(&longest)];
        for child in children {
            let out = child.wait_with_output().unwrap();
            assert!(out.status.success() || told(&out).contains("another process is reading"), "{}", told(&out));
        }
        run(&mut ingest(&deployment, now, &[], &[&longest]));
        assert_eq!(total(&deployment, now, "all_ports_by_scans_graph", "6h"), 100_000);
    }

    async fn an_interrupted_ingest_goes_on_where_it_stopped(deployment: Deployment) {
        let now = "2026-03-15T12:34:56Z";
        let rows: String = (0..120_000).fold("time,raw_count,port,protocol\n".to_owned(), |mut rows, i| {
            let _ = writeln!(rows, "2026-03-15T1{}:{:02}:{:02}.000Z,1,{},TCP", i % 2, i / 2 % 60, i % 60, i % 1000);
            rows
        });
        let file = write(&deployment, "ports.csv", rows);
        for delay in [150, 250, 350, 500, 700, 900] {
            let mut child = ingest(&deployment, now, &[], &[&file]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(delay));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        run(&mut ingest(&deployment, now, &[], &[&file]));
        assert_eq!(total(&deployment, now, "all_ports_by_scans_graph", "6h"), 120_000);
    }
}

#[test]
fn standard_input_gzip_and_ndjson_are_read() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let deployment = runtime.block_on(Deployment::new(sview_testing::Backend::Embedded));
    let now = "2026-03-15T12:34:56Z";
    let json = r#"{"time":"2026-03-15T12:10:00Z","username":"root","password":"密码"}
{"time":"2026-03-15T12:10:00+02:00","raw_count":3,"port":53,"protocol":"UDP"}
"#;
    let mut child = ingest(&deployment, now, &["-"], &[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&gzip(json.as_bytes())).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    let out = told(&out);
    assert!(out.contains("1 password") && out.contains("1 port scan"), "{out}");
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_so_and_loses_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let deployment = runtime.block_on(Deployment::new(sview_testing::Backend::Embedded));
    let now = "2026-03-15T12:34:56Z";
    let good = write(&deployment, "good.csv", "time,port,protocol\n2026-03-15T12:00:00Z,23,TCP\n");
    let header = write(&deployment, "header.csv", "time,colour\n2026-03-15T12:00:00Z,red\n");
    let missing = deployment.data_dir.join("missing.csv");
    let out = ingest(&deployment, now, &[], &[&missing, &header, &good]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    let text = told(&out);
    assert!(text.contains("missing.csv") && text.contains("colour"), "{text}");
    assert!(text.contains("1 port scan"), "the good file is read all the same: {text}");
    let out = ingest(&deployment, now, &["--geoip-db", "/nowhere.mmdb"], &[&good]).output().unwrap();
    assert!(!out.status.success() && told(&out).contains("/nowhere.mmdb"), "{}", told(&out));
}
