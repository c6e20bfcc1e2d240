//! `sview dynfw-publish` as a client of the original network meets it: pyzmq, by the rules of the public clients, over both stores.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use sview_testing::{Deployment, Patience, both, http, python, run, script, sview};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");

fn command(deployment: &Deployment, args: &[&str]) -> Command {
    let mut command = sview(SVIEW, deployment, args);
    command.env("SVIEW_GREYLIST_NOBODYS", "true").env("SVIEW_GREYLIST_ALLOW", "198.18.7.0/24");
    command
}

/// Stores reports of these addresses and makes the list; reports of the last minutes, for there are no others in real life.
fn report(deployment: &Deployment, name: &str, addresses: &[&str]) {
    let (token, path) = ("a".repeat(64), deployment.data_dir.join(name));
    // Now, as the machine says it: events are told of what happened just now.
    let now = run(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]));
    let mut text = "time,raw_count,device_token,trap,action,ip,country\n".to_owned();
    for ip in addresses {
        text.push_str(&format!("{},50,{token},haas,login,{ip},CZ\n", now.trim()));
    }
    std::fs::write(&path, text).unwrap();
    run(&mut command(deployment, &["ingest", &path.display().to_string()]));
    run(&mut command(deployment, &["greylist", "--make"]));
}

/// A running process; killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the publisher on a port; the address that it told, and that of its operators' pages.
fn publisher(deployment: &Deployment, keys: &Path, port: &str) -> (Running, String, String) {
    let (bind, keys) = (format!("127.0.0.1:{port}"), keys.display().to_string());
    // Reports are stored within the delay on a busy machine too: one that is stored later is no event any more.
    let args = ["dynfw-publish", "--bind", &bind, "--cert-dir", &keys, "--list-every", "1", "--event-delay", "15"];
    let mut command = command(deployment, &args);
    command.env("SVIEW_LOG", "info").env("SVIEW_ADMIN_LISTEN", "127.0.0.1:0");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let running = Running(child);
    let mut after = |words: &str| {
        let told = lines.by_ref().map_while(Result::ok).find_map(|line| Some(line.split_once(words)?.1.to_owned()));
        told.expect("the publisher tells its addresses")
    };
    let (admin, address) = (after("operators' pages on "), after("publishing on "));
    std::thread::spawn(move || lines.for_each(drop));
    (running, address, admin)
}

/// A client, and what it tells.
fn client(address: &str, keys: &Path) -> (Running, Receiver<Value>) {
    let mut child = Command::new(python())
        .arg(script("follow.py"))
        .args([address, &keys.join("server.key").display().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (send, told) = channel();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = send.send(serde_json::from_str(&line).unwrap());
        }
    });
    (Running(child), told)
}

/// Returns the client's first message that is right.
fn until(told: &Receiver<Value>, what: &str, right: impl Fn(&Value) -> bool) -> Value {
    let (patience, mut last) = (Patience::default(), Value::Null);
    while !patience.is_over() {
        if let Ok(now) = told.recv_timeout(Duration::from_secs(1)) {
            if right(&now) {
                return now;
            }
            last = now;
        }
    }
    panic!("never {what}; the last was {last}");
}

/// Waits until a metric is as it should be.
async fn until_measured(admin: &str, series: &str, right: impl Fn(f64) -> bool) {
    let patience = Patience::default();
    loop {
        let value = measured(admin, series);
        if right(value) {
            return;
        }
        patience.look_again(|| format!("{series} stays at {value}")).await;
    }
}

/// Returns the present value of a metric.
fn measured(admin: &str, series: &str) -> f64 {
    let text = http::get(&format!("{admin}metrics")).body;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in {text}")).parse().unwrap()
}

both! {
    async fn a_client_of_the_original_network_follows_the_list_through_restarts(deployment: Deployment) {
        let keys = deployment.data_dir.join("keys");
        report(&deployment, "one.csv", &["198.18.0.1", "2001:db8::1", "198.18.7.7"]);
        let (server, address, _) = publisher(&deployment, &keys, "0");
        let (_client, told) = client(&address, &keys);
        let list = |told: &Value| told["list"].clone();
        let first = until(&told, "the list", |told| told["lists"] == 1);
        assert_eq!(list(&first), json!(["198.18.0.1", "2001:db8::1"]));

        // New reports change the list by deltas, and are published as events. An address that is never listed is no event either.
        report(&deployment, "two.csv", &["198.18.0.2", "198.18.7.8"]);
        let both = json!(["198.18.0.1", "198.18.0.2", "2001:db8::1"]);
        let second = until(&told, "an address was added", |told| list(told) == both);
        assert!(second["serial"].as_u64() > first["serial"].as_u64());
        let third = until(&told, "an event", |told| told["events"].as_array().unwrap().contains(&json!(["haas_logged", "198.18.0.2"])));
        assert!(!third["events"].to_string().contains("198.18.7."));
        // An operator lets one never be listed any more.
        let mut less = command(&deployment, &["greylist", "--make"]);
        run(less.env("SVIEW_GREYLIST_ALLOW", "198.18.7.0/24,198.18.0.1"));
        let fourth = until(&told, "an address was removed", |told| list(told) == json!(["198.18.0.2", "2001:db8::1"]));
        assert_eq!(fourth["waiting"], false);

        // Killed, and the list changes meanwhile. Few deltas only: a client that waits for ten to be missing must notice nevertheless.
        drop(server);
        report(&deployment, "three.csv", &["198.18.0.3"]);
        let port = address.rsplit(':').next().unwrap();
        let (_server, again, admin) = publisher(&deployment, &keys, port);
        assert_eq!(again, address);
        let after = until(&told, "the list after a restart", |told| told["lists"].as_u64() > fourth["lists"].as_u64());
        assert_eq!(list(&after), json!(["198.18.0.1", "198.18.0.2", "198.18.0.3", "2001:db8::1"]));
        assert!(after["serial"].as_u64() > fourth["serial"].as_u64(), "serials never fall");

        // And deltas go on from there.
        report(&deployment, "four.csv", &["198.18.0.4"]);
        let last = until(&told, "a delta after the restart", |told| list(told).as_array().unwrap().len() == 5 && told["waiting"] == false);
        assert!(last["serial"].as_u64() > after["serial"].as_u64());

        // The operators' metrics agree with the client.
        let now = run(Command::new("date").args(["-u", "+%s"])).trim().parse::<f64>().unwrap();
        until_measured(&admin, "sview_publisher_clients", |clients| clients == 1.0).await;
        until_measured(&admin, "sview_publisher_messages_total{topic=\"list\"}", |lists| lists >= 3.0).await;
        until_measured(&admin, "sview_publisher_last_list_seconds", |at| at >= now).await;
        let value = |series: &str| measured(&admin, series);
        assert_eq!(value("sview_publisher_addresses"), 5.0);
        assert_eq!(value("sview_publisher_serial"), last["serial"].as_f64().unwrap());
        assert_eq!(value("sview_publisher_failed_looks_total"), 0.0);
        assert_eq!(value("sview_publisher_messages_total{topic=\"delta\"}"), 3.0, "one and back at the start, and one");
        assert_eq!(value("sview_greylist_addresses{family=\"ipv4\"}"), 4.0);
        assert_eq!(value("sview_greylist_addresses{family=\"ipv6\"}"), 1.0);
        assert!((now - 900.0..now + 1.0).contains(&value("sview_greylist_made_seconds")));
        assert!((0.000_001..600.0).contains(&value("sview_greylist_making_seconds")));
        assert!((now..now + 1_800.0).contains(&value("sview_greylist_next_seconds")));
    }

    async fn what_passes_is_made_up_for_and_what_does_not_ends_it(deployment: Deployment) {
        let keys = deployment.data_dir.join("keys");
        report(&deployment, "one.csv", &["198.18.0.1"]);
        let (mut server, address, admin) = publisher(&deployment, &keys, "0");
        let (gone, told) = client(&address, &keys);
        until(&told, "the list", |told| told["lists"] == 1);

        // A second one on the same address cannot start, and says why.
        let taken = address.strip_prefix("tcp://").unwrap();
        let again = keys.display().to_string();
        let out = command(&deployment, &["dynfw-publish", "--bind", taken, "--cert-dir", &again]).output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{}", sview_testing::told(&out));
        assert!(sview_testing::told(&out).contains(taken), "{}", sview_testing::told(&out));

        // A client is killed, the database fails for a while: the list goes on being sent, and what was missed is made up for.
        drop(gone);
        deployment.sql("ALTER TABLE sview_greylist_state RENAME TO away").await;
        let (_client, told) = client(&address, &keys);
        until(&told, "the list, from who was there before", |told| told["list"] == json!(["198.18.0.1"]));
        // Operators see who is there all the same.
        let (another, heard) = client(&address, &keys);
        until(&heard, "the list, told to another", |told| told["lists"] == 1);
        until_measured(&admin, "sview_publisher_clients", |clients| clients == 2.0).await;
        drop(another);
        deployment.sql("ALTER TABLE away RENAME TO sview_greylist_state").await;
        report(&deployment, "two.csv", &["198.18.0.2"]);
        until(&told, "what was added", |told| told["list"] == json!(["198.18.0.1", "198.18.0.2"]));
        // A change as large as a day's end makes it, and events as fast as they go. A client that a busy machine starves may miss some;
        // then it asks for the list, so it never goes on with a wrong one.
        let many: Vec<String> = (0..1200).map(|n| format!("198.19.{}.{}", n / 200, n % 200)).collect();
        report(&deployment, "many.csv", &many.iter().map(String::as_str).collect::<Vec<_>>());
        until(&told, "a large change", |told| told["list"].as_array().unwrap().len() == 1202 && told["waiting"] == false);
        assert!(server.0.try_wait().unwrap().is_none(), "it goes on");
        run(Command::new("kill").args(["-TERM", &server.0.id().to_string()]));
        assert_eq!(server.0.wait().unwrap().code(), Some(0));
    }
}
