//! The greylist from reports to firewalls: what pages, files and commands say of it, over both ways to deploy sview.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use sview_testing::{Deployment, Patience, Server, both, http, is_there, patiently, run, sview, told};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";
/// Addresses that are nobody's, which the list admits if a setting says so.
const BUSY: &str = "198.18.0.1";
const BUSY6: &str = "2001:db8::1";
const ALLOWED: &str = "198.18.7.7";
const IDLE: &str = "198.18.0.2";
const PRIVATE: &str = "10.0.0.1";

/// Reports of the busy ones, of one who only looked in, and of two who are never listed.
fn ingest(deployment: &Deployment) {
    let mut text = "time,raw_count,device_token,trap,action,ip,country\n".to_owned();
    let mut row = |day: u32, probe: char, count: u32, what: &str, ip: &str| {
        let token = probe.to_string().repeat(64);
        let _ = writeln!(text, "2026-03-{day}T10:10:00.000Z,{count},{token},{what},{ip},CZ");
    };
    for ip in [BUSY, BUSY6, ALLOWED, PRIVATE] {
        row(12, 'a', 70, "fwlogs,big_port_scan", ip);
        row(14, 'a', 30, "minipot_telnet,login", ip);
        row(15, 'b', 12, "minipot_telnet,login", ip);
    }
    row(15, 'a', 1, "minipot_http,connect", IDLE);
    // Two whole networks of others, so that files are long enough to be compressed and fetched in parts.
    for n in 0..600 {
        row(15, 'a', 9, "haas,message", &format!("198.19.{}.{}", n / 200, n % 200));
    }
    let path = deployment.data_dir.join("incidents.csv");
    std::fs::write(&path, text).unwrap();
    run(&mut command(deployment, &["ingest", &path.display().to_string()], NOW));
}

/// How many addresses are listed.
const LISTED: usize = 602;

fn command(deployment: &Deployment, args: &[&str], now: &str) -> Command {
    let mut command = sview(SVIEW, deployment, args);
    command.env("SVIEW_NOW", now).env("SVIEW_GREYLIST_NOBODYS", "true").env("SVIEW_GREYLIST_ALLOW", "198.18.7.0/24");
    command.env("SVIEW_GREYLIST_TERMS", "Be kind.\nNo warranty.").env("SVIEW_PUBLIC_URL", "https://view.example");
    command
}

fn serve(deployment: &Deployment) -> Server {
    Server::start(&mut command(deployment, &["serve"], NOW))
}

fn make(deployment: &Deployment, now: &str) -> String {
    run(&mut command(deployment, &["greylist", "--make", "--format", "txt"], now))
}

/// The rows of the published format, as a CSV reader that skips comments reads them.
fn rows(csv: &str) -> Vec<(String, String)> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["Address", "Tags"]);
    reader.records().map(|r| r.unwrap()).map(|r| (r[0].to_owned(), r[1].to_owned())).collect()
}

/// Returns the content of a file once it is there.
fn written(path: &std::path::Path) -> String {
    let patience = Patience::default();
    loop {
        if let Ok(text) = std::fs::read_to_string(path) {
            return text;
        }
        patience.look_again_blocking(|| format!("{} is not written", path.display()));
    }
}

/// Runs a program of the kernel's packet filter within a network of its own, so that nothing outside is touched.
fn filter(args: &[&str], input: &str) -> Output {
    assert!(is_there(args[0]), "{} is missing: run the tests by tests/run.sh", args[0]);
    let mut command = Command::new("unshare");
    let command = command.args(["--map-root-user", "--net"]).args(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("unshare starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

both! {
    async fn a_worker_makes_the_list_and_the_day_and_every_form_says_the_same(deployment: Deployment) {
        ingest(&deployment);
        let files = tempfile::tempdir().unwrap();
        let directory = files.path().display().to_string();
        let server = Server::start(command(&deployment, &["up"], NOW).env("SVIEW_GREYLIST_DIR", &directory));
        let get = |file: &str| http::get(&format!("{}/greylist-data/{file}", server.url));
        // The scheduler has it made at its start.
        let csv = patiently(|| get("greylist-latest.csv"), |answer| answer.status == 200).body;
        assert!(csv.starts_with("# For the terms of use see https://view.example/greylist-data/LICENSE.txt\nAddress,Tags\n"), "{csv}");
        assert_eq!(csv.lines().filter(|line| line.starts_with('#')).count(), 1);
        let license = get("LICENSE.txt");
        assert_eq!((license.status, license.body.as_str()), (200, "Be kind.\nNo warranty.\n"));
        assert!(license.header("content-type").starts_with("text/plain"));
        let rows = rows(&csv);
        let tags = |ip: &str| rows.iter().find(|(address, _)| address == ip).map(|(_, tags)| tags.as_str());
        assert_eq!((rows.len(), tags(BUSY), tags(BUSY6), tags("198.19.1.7")), (LISTED, Some("port_scan,telnet"), Some("port_scan,telnet"), Some("haas")));
        assert!(csv.contains(&format!("\n{BUSY},\"port_scan,telnet\"\n")), "{csv}");
        assert_eq!((tags(ALLOWED), tags(PRIVATE), tags(IDLE)), (None, None, None));

        let addresses: Vec<String> = rows.iter().map(|(address, _)| address.clone()).collect();
        assert_eq!(get("greylist-latest.txt").body, addresses.join("\n") + "\n");
        let family = |v6: bool| -> String { addresses.iter().filter(|a| a.contains(':') == v6).map(|a| format!("{a}\n")).collect() };
        assert_eq!(get("greylist-latest-ipv4.txt").body, family(false));
        assert_eq!(get("greylist-latest-ipv6.txt").body, format!("{BUSY6}\n"));
        let lines: Vec<serde_json::Value> = get("greylist-latest.jsonl").body.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.iter().map(|l| l["ip"].as_str().unwrap()).collect::<Vec<_>>(), addresses);
        let busy = lines.iter().find(|l| l["ip"] == BUSY).unwrap();
        assert_eq!((&busy["first_seen"], &busy["last_seen"], &busy["probes"]), (&"2026-03-12T00:00:00Z".into(), &"2026-03-15T10:00:00Z".into(), &2.into()));

        // The served files equal the command's output and the directory's files.
        for (form, name) in [
            ("csv", "greylist-latest.csv"), ("txt", "greylist-latest.txt"), ("ipv4", "greylist-latest-ipv4.txt"), ("ipv6", "greylist-latest-ipv6.txt"),
            ("jsonl", "greylist-latest.jsonl"), ("ipset", "greylist-latest.ipset"), ("nft", "greylist-latest.nft"),
        ] {
            let served = get(name).body;
            assert_eq!(run(&mut command(&deployment, &["greylist", "--format", form], NOW)), served, "{form}");
            assert_eq!(written(&files.path().join(name)), served);
        }
        assert_eq!(written(&files.path().join("LICENSE.txt")), license.body);
        let document: serde_json::Value = serde_json::from_str(&run(&mut command(&deployment, &["greylist", "--json"], NOW))).unwrap();
        assert_eq!(document["addresses"].as_array().unwrap().len(), LISTED);

        // The day's list is as of its midnight: what happened on the day itself is not in it.
        let day = "archive/2026/greylist-2026-03-15.csv";
        let archived = patiently(|| get(day), |answer| answer.status == 200).body;
        let midnight = self::rows(&archived);
        assert_eq!(midnight.iter().map(|(ip, _)| ip.as_str()).collect::<Vec<_>>(), [BUSY, BUSY6]);
        assert_eq!(get(day).header("last-modified"), "Sun, 15 Mar 2026 00:00:00 GMT");
        assert_eq!(written(&files.path().join(day)), archived);
        for (family, address) in [("ipv4", BUSY), ("ipv6", BUSY6)] {
            let day = format!("archive/2026/greylist-2026-03-15-{family}.txt");
            assert_eq!((get(&day).body, written(&files.path().join(&day))), (format!("{address}\n"), format!("{address}\n")));
            assert!(get("").body.contains(&format!("/greylist-data/{day}")), "it is linked");
        }
        let strays = std::fs::read_dir(files.path()).unwrap().filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
        assert_eq!(strays.count(), 0, "nothing unfinished is left");

        let index = get("").body;
        assert!(index.contains("602 addresses") && index.contains(&format!("/greylist-data/{day}")) && index.contains("Be kind."), "{index}");
        assert!(index.contains("https://view.example/greylist-data/greylist-latest.ipset | /usr/sbin/ipset restore"));
        assert!(get("archive/2026/").body.contains("greylist-2026-03-15.csv"));
        let overview = http::get(&format!("{}/?period=1w", server.url)).body;
        assert!(overview.contains("/greylist-data/?period=1w"), "it is in the navigation");
    }

    async fn the_kernel_takes_the_sets(deployment: Deployment) {
        ingest(&deployment);
        make(&deployment, NOW);
        let form = |form: &str| run(&mut command(&deployment, &["greylist", "--format", form], NOW));
        let (ipset, nft) = (form("ipset"), form("nft"));
        // Checked everywhere: nothing but the words of these languages, addresses and numbers.
        let fit = |line: &str| line.starts_with('#') || line.bytes().all(|b| b.is_ascii_alphanumeric() || b" -.:{},;_".contains(&b));
        assert!(ipset.lines().chain(nft.lines()).all(fit));
        assert_eq!(ipset.lines().filter(|line| line.starts_with("add ") && line.contains(" timeout ")).count(), LISTED);
        assert_eq!(nft.matches(" timeout ").count(), LISTED);
        if std::env::var_os("SVIEW_TEST_NO_NETFILTER").is_some() {
            return; // somebody said that this machine's kernel has no ipset and nftables
        }
        let why = "this kernel or its rights do not do; SVIEW_TEST_NO_NETFILTER=1 leaves this check out";
        // The sets may be absent, of other options, of both, or left halfway by a load that was ended; and the load may be repeated over
        // rules (here: another set that holds the one which rules match on is refused, so the set itself is looked at).
        for before in [
            "true",
            "ipset create sview-greylist4 hash:ip maxelem 65536",
            "ipset create sview-greylist4 hash:net family inet timeout 9; ipset create sview-greylist6 hash:ip family inet6 maxelem 4",
            "ipset create sview-greylist6 list:set; ipset create sview-greylist4-new hash:ip; ipset create sview-greylist-new list:set",
            // The rest of a load that ended after the new list took effect.
            "grep -B 999 '^swap sview-greylist-new sview-greylist$' /tmp/$$.ipset | ipset restore",
        ] {
            let script = format!(
                "cat > /tmp/$$.ipset; {before}; ipset restore < /tmp/$$.ipset && ipset restore < /tmp/$$.ipset && ipset list; c=$?; rm /tmp/$$.ipset; exit $c"
            );
            let loaded = filter(&["sh", "-ec", &script], &ipset);
            let list = told(&loaded);
            assert!(loaded.status.success(), "{why}: {before}: {list}");
            assert_eq!(list.lines().filter(|line| line.contains(" timeout ") && !line.starts_with("Header")).count(), LISTED, "{before}: {list}");
            assert!(list.contains(&format!("{BUSY6} timeout ")) && !list.contains("-new") && !list.contains("-next"), "{before}: {list}");
            let matched = list.split("Name: sview-greylist\n").nth(1).unwrap().split("\nName").next().unwrap();
            assert!(matched.contains("\nsview-greylist4") && matched.contains("\nsview-greylist6"), "{before}: {list}");
        }

        let checked = filter(&["nft", "-c", "-f", "-"], &nft);
        assert!(checked.status.success(), "{why}: {}", told(&checked));
        for before in [
            "true",
            "nft add table inet sview; nft 'add set inet sview greylist4 { type ipv4_addr; }'",
            "nft add table inet sview; nft 'add set inet sview greylist4 { type ipv6_addr; flags interval; }'; \
             nft 'add chain inet sview input { type filter hook input priority -10; }'; nft add rule inet sview input ip6 saddr @greylist4 drop",
        ] {
            let script = format!("cat > /tmp/$$.nft; {before}; nft -f /tmp/$$.nft && nft -f /tmp/$$.nft && nft list ruleset; c=$?; rm /tmp/$$.nft; exit $c");
            let loaded = filter(&["sh", "-ec", &script], &nft);
            let list = told(&loaded);
            assert!(loaded.status.success(), "{before}: {list}");
            assert_eq!(list.matches(" expires ").count(), LISTED, "{before}: {list}");
        }
        // At no moment of the load is an address that stays on the list off it: the commands are carried out one by one.
        let script = format!(
            "listed() {{ for set in $(ipset list sview-greylist | sed '1,/^Members/d'); do ipset -q test $set $1 && return; done; echo \"$line: $1\"; return 1; }}; \
             cat > /tmp/$$.ipset; ipset restore < /tmp/$$.ipset; grep -v '^#' /tmp/$$.ipset | grep -v '^add sview-greylist[46]-new 198.19' > /tmp/$$.few; \
             while read -r line; do echo \"$line\" | ipset restore && listed {BUSY} && listed {BUSY6} || exit 9; done < /tmp/$$.few; \
             rm /tmp/$$.ipset /tmp/$$.few"
        );
        let loaded = filter(&["sh", "-c", &script], &ipset);
        assert!(loaded.status.success(), "{}", told(&loaded));
    }

    async fn the_lines_on_the_page_do_what_they_say_under_cron(deployment: Deployment) {
        ingest(&deployment);
        make(&deployment, NOW);
        let server = serve(&deployment);
        let page = http::get(&format!("{}/greylist-data/", server.url)).body;
        assert!(page.contains("https://view.example/greylist-data/"), "{page}");
        let page = page.replace("https://view.example", &server.url);
        let lines: Vec<&str> = page.split("<code>").skip(1).map(|rest| rest.split("</code>").next().unwrap()).collect();
        let kept = tempfile::tempdir().unwrap();
        let (mut fetched, mut loaded) = (0, 0);
        for line in &lines {
            let Some(command) = line.strip_prefix("*/20 * * * * ").or(line.strip_prefix("13 5 * * * ")) else { continue };
            // The environment that cron gives to its jobs.
            let cron = ["env", "-i", "PATH=/usr/bin:/bin", "SHELL=/bin/sh", "sh", "-c"];
            let file = command.split("/greylist-data/").nth(1).unwrap().split(' ').next().unwrap();
            let served = http::get(&format!("{}/greylist-data/{file}", server.url)).body;
            if let Some((fetch, load)) = command.split_once(" | ") {
                assert!(fetch.starts_with("curl -sf ") && fetch.ends_with(&format!("{}/greylist-data/{file}", server.url)), "{fetch}");
                if std::env::var_os("SVIEW_TEST_NO_NETFILTER").is_none() {
                    // A network of its own does not reach the server.
                    let output = filter(&[&cron[..], &[&format!("cat | {load}")]].concat(), &served);
                    assert!(output.status.success(), "{line}: {}", told(&output));
                }
                loaded += 1;
                continue;
            }
            let command = command.split_once(" &amp;&amp; /usr/sbin/nft -f /etc/sview-greylist.nft").map_or(command, |(fetch, _)| fetch);
            let command = command.replace("/var/lib/", &format!("{}/", kept.path().display()));
            for _ in 0..2 {
                let output = Command::new(cron[0]).args(&cron[1..]).arg(&command).output().unwrap();
                assert!(output.status.success(), "{line}: {}", told(&output));
                assert_eq!(std::fs::read_to_string(kept.path().join(file)).unwrap(), served, "{line}");
            }
            fetched += 1;
        }
        assert_eq!((fetched, loaded), (6, 1));
        if std::env::var_os("SVIEW_TEST_NO_NETFILTER").is_none() {
            let at = lines.iter().position(|line| line.starts_with("include ")).unwrap();
            let rules = lines[at..at + 4].join("\n").replace("&quot;", "\"").replace("/var/lib/", &format!("{}/", kept.path().display()));
            let path = kept.path().join("sview-greylist.nft");
            std::fs::write(&path, rules).unwrap();
            let path = path.display();
            let list = filter(&["sh", "-c", &format!("nft -f {path} && nft -f {path} && nft list table inet sview")], "");
            let list = (list.status.success(), told(&list));
            assert!(list.0 && list.1.matches("@greylist").count() == 2 && list.1.matches(" expires ").count() == LISTED, "{list:?}");
        }
    }

    async fn files_are_fetched_only_when_they_changed_and_in_parts(deployment: Deployment) {
        let server = serve(&deployment);
        let url = format!("{}/greylist-data/greylist-latest.csv", server.url);
        let early = http::get(&url);
        assert_eq!((early.status, early.header("cache-control")), (503, "no-store"));
        assert!(!early.header("retry-after").is_empty());
        ingest(&deployment);
        make(&deployment, NOW);

        let whole = http::get(&url);
        let (etag, modified) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
        assert_eq!((whole.status, whole.header("accept-ranges"), modified.as_str()), (200, "bytes", "Sun, 15 Mar 2026 12:34:56 GMT"));
        assert!(etag.starts_with('"') && whole.header("content-type").starts_with("text/csv"));
        let with = |headers: &[(&str, &str)]| http::get_with(&url, headers);

        let gzip = with(&[("accept-encoding", "gzip")]);
        assert_eq!(gzip.header("content-encoding"), "gzip");
        let mut plain = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(gzip.bytes.as_slice()), &mut plain).unwrap();
        assert!(plain == whole.body && gzip.bytes.len() * 2 < whole.bytes.len());
        let zipped = gzip.header("etag").to_owned();
        assert_ne!(zipped, etag, "parts of the two must not be put together");

        for headers in [
            vec![("if-none-match", etag.as_str())],
            vec![("if-none-match", zipped.as_str()), ("accept-encoding", "gzip")],
            vec![("if-none-match", "\"other\", *")],
            vec![("if-modified-since", modified.as_str())],
            vec![("if-modified-since", "Mon, 16 Mar 2026 00:00:00 GMT")],
        ] {
            let answer = with(&headers);
            assert!(answer.status == 304 && answer.bytes.is_empty() && !answer.header("etag").is_empty(), "{headers:?}: {}", answer.status);
        }
        for headers in [
            vec![("if-none-match", "\"other\"")],
            // A tag outweighs a date.
            vec![("if-none-match", "\"other\""), ("if-modified-since", modified.as_str())],
            vec![("if-modified-since", "Sun, 15 Mar 2026 12:34:55 GMT")],
            vec![("if-modified-since", "nonsense")],
            vec![("range", "lines=1-2")],
            vec![("range", "bytes=0-1,4-5")],
            vec![("range", "bytes=0-9"), ("if-range", "\"other\"")],
        ] {
            let answer = with(&headers);
            assert!(answer.status == 200 && answer.body == whole.body, "{headers:?}: {}", answer.status);
        }
        let length = whole.bytes.len();
        for (range, part) in [("bytes=0-9", 0..10), ("bytes=100-", 100..length), ("bytes=-7", length - 7..length)] {
            for more in [vec![], vec![("if-range", etag.as_str())], vec![("if-range", modified.as_str())], vec![("accept-encoding", "gzip")]] {
                let answer = with(&[vec![("range", range)], more].concat());
                let said = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                assert_eq!((answer.status, answer.header("content-range"), answer.header("etag")), (206, said.as_str(), etag.as_str()), "{range}");
                assert_eq!(answer.bytes, whole.bytes[part.clone()], "{range}");
            }
        }
        let beyond = with(&[("range", "bytes=9999999-")]);
        assert_eq!((beyond.status, beyond.header("content-range")), (416, format!("bytes */{length}").as_str()));
        let head = Command::new("curl").args(["-sI", &url]).output().unwrap();
        let head = String::from_utf8_lossy(&head.stdout).to_lowercase();
        assert!(head.contains(" 200 ") && head.contains(&format!("content-length: {length}")) && head.contains("etag: "), "{head}");

        // The same rows of a later list have the same tag; other rows have another.
        make(&deployment, "2026-03-16T12:34:56Z");
        let same = with(&[("if-none-match", etag.as_str()), ("if-modified-since", modified.as_str())]);
        assert_eq!((same.status, same.header("last-modified")), (304, "Mon, 16 Mar 2026 12:34:56 GMT"));
        make(&deployment, "2026-03-25T12:34:56Z");
        let later = with(&[("if-none-match", etag.as_str()), ("if-modified-since", modified.as_str())]);
        assert_eq!((later.status, later.header("last-modified")), (200, "Wed, 25 Mar 2026 12:34:56 GMT"));

        for path in [
            "greylist-latest.exe", "secret", "%2e%2e/secret", "..%2fsecret", "archive/2026/..%2f..%2fgreylist-latest.csv",
            "archive/2026/greylist-2026-03-14.csv", "archive/2025/greylist-2026-03-15.csv", "archive/..%2f/greylist-2026-03-15.csv", "archive/1999/", "archive/x/", "%00",
        ] {
            assert_eq!(http::get(&format!("{}/greylist-data/{path}", server.url)).status, 404, "{path}");
        }
    }

    async fn the_page_of_an_address_says_why_it_is_listed(deployment: Deployment) {
        let server = serve(&deployment);
        let page = |ip: &str| http::get(&format!("{}/attackers/details/ip/{ip}?period=1w", server.url)).body;
        assert!(page(BUSY).contains("has not been made yet"));
        ingest(&deployment);
        make(&deployment, NOW);
        for ip in [BUSY, BUSY6] {
            let page = page(ip);
            assert!(page.contains("Why is this address listed?") && page.contains(" points</b>") && page.contains("Without new reports it leaves the list on"), "{page}");
            assert!(page.contains("seen by 2 probes") && page.contains("big port scan") && page.contains("12 Mar 2026") && page.contains("15 Mar 2026 10:00"));
        }
        assert!(page(IDLE).contains("<b>not</b> on the"));
        assert!(page(ALLOWED).contains("the operator of this site lets its network never be listed"));
        assert!(page(PRIVATE).contains("no part of the public Internet (private)"));
        assert!(page("9.9.9.9").contains("it is a well-known service (Quad9)"));

        let why = |ip: &str| command(&deployment, &["greylist", "--why", ip, "--json"], NOW).output().unwrap();
        let json = |output: &Output| serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
        let busy = why(BUSY);
        let score = json(&busy)["score"].as_f64().unwrap();
        assert!(busy.status.success() && json(&busy)["listed"] == true && page(BUSY).contains(&format!("<b>{score} points</b>")), "{score}");
        for (ip, reason) in [(IDLE, false), (ALLOWED, true), (PRIVATE, true)] {
            let told = why(ip);
            assert_eq!((told.status.code(), json(&told)["listed"].as_bool(), json(&told)["never"].is_string()), (Some(1), Some(false), reason), "{ip}");
        }
        let text = run(&mut command(&deployment, &["greylist", "--why", BUSY], NOW));
        assert!(text.contains("Telnet minipot") && text.contains("reported by 2 probes"), "{text}");
    }

    async fn a_day_that_was_missed_is_made_up_and_a_published_one_stays(deployment: Deployment) {
        ingest(&deployment);
        make(&deployment, "2026-03-14T00:05:00Z");
        make(&deployment, "2026-03-14T23:55:00Z");
        let missed = make(&deployment, "2026-03-17T06:00:00Z");
        assert!(missed.contains(BUSY));
        let server = serve(&deployment);
        let day = |day: u32| http::get(&format!("{}/greylist-data/archive/2026/greylist-2026-03-{day}.csv", server.url));
        assert_eq!([13, 14, 15, 16, 17, 18].map(|n| day(n).status), [404, 200, 200, 200, 200, 404]);
        assert_eq!([14, 15, 16].map(|n| rows(&day(n).body).len()), [2, 2, LISTED]);
        // Late reports change no list that was published.
        let before = day(16).body;
        let path = deployment.data_dir.join("late.csv");
        let token = "a".repeat(64);
        std::fs::write(&path, format!("time,raw_count,device_token,trap,action,ip,country\n2026-03-15T11:00:00Z,999,{token},haas,message,198.18.0.9,\n")).unwrap();
        run(&mut command(&deployment, &["ingest", &path.display().to_string()], NOW));
        assert!(make(&deployment, "2026-03-17T06:15:00Z").contains("198.18.0.9"));
        assert_eq!(day(16).body, before);
        let mut short = command(&deployment, &["greylist", "--make"], "2026-03-17T06:15:00Z");
        run(short.env("SVIEW_GREYLIST_KEEP_DAYS", "1"));
        assert_eq!([14, 15, 16, 17].map(|n| day(n).status), [404, 404, 200, 200]);
    }

    async fn files_are_served_while_the_database_is_away(deployment: Deployment) {
        ingest(&deployment);
        make(&deployment, NOW);
        let server = serve(&deployment);
        let get = |file: &str| http::get(&format!("{}/greylist-data/{file}", server.url));
        let (csv, day) = ("greylist-latest.csv", "archive/2026/greylist-2026-03-15.csv");
        let before = [get(csv), get(day)];
        assert_eq!([before[0].status, before[1].status], [200, 200]);
        let tables = ["sview_greylist", "sview_greylist_state", "sview_greylist_day"];
        for table in tables {
            deployment.sql(&format!("ALTER TABLE {table} RENAME TO away_{table}")).await;
        }
        for (file, before) in [(csv, &before[0]), (day, &before[1])] {
            let answer = get(file);
            assert_eq!((answer.status, &answer.body), (200, &before.body), "{file}");
            assert_eq!(answer.header("last-modified"), before.header("last-modified"), "{file}");
        }
        assert_eq!(get("greylist-latest-ipv6.txt").body, format!("{BUSY6}\n"), "a form that nobody asked for before");
        assert_eq!(get("archive/2026/greylist-2026-03-14.csv").status, 503, "nothing is known of it");
        for table in tables {
            deployment.sql(&format!("ALTER TABLE away_{table} RENAME TO {table}")).await;
        }
        make(&deployment, "2026-03-16T12:34:56Z");
        assert_eq!(get(csv).header("last-modified"), "Mon, 16 Mar 2026 12:34:56 GMT");
    }
}
