//! Both ends of the wire against pyzmq.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sview_dynfw::{
    Certificate, Counters, Event, Follower, Listener, Message, News, PublicKey, Publisher, Serials, Subscriber,
    SubscriberSettings, Topic,
};
use sview_testing::{Feed, Patience, limit, python, script};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    follower: Follower,
    events: Vec<Event>,
    connected: usize,
    lost: Vec<String>,
}

impl Listener for Ear {
    fn heard(&mut self, news: News<'_>) {
        let mut heard = self.0.lock().unwrap();
        match news {
            News::Connected => {
                heard.connected += 1;
                heard.follower.reconnected();
            }
            News::Disconnected(why) => heard.lost.push(why.to_owned()),
            News::Message(Message::List(list)) => heard.follower.take_list(list),
            News::Message(Message::Delta(delta)) => drop(heard.follower.take_delta(delta)),
            News::Message(Message::Event(event)) => heard.events.push(event),
            News::Fault(_) => {}
        }
    }

    fn wants_list(&self) -> bool {
        self.0.lock().unwrap().follower.wants_list().is_some()
    }
}

struct Client {
    ear: Ear,
    counters: Arc<Counters>,
    stop: CancellationToken,
}

impl Client {
    fn start(port: u16, certificate: &Path) -> Self {
        let server = PublicKey::read(certificate).unwrap();
        let settings = SubscriberSettings::new("127.0.0.1", port, server, Certificate::generate()).unwrap();
        let (ear, counters, stop) = (Ear::default(), Arc::default(), CancellationToken::new());
        tokio::spawn(Subscriber::new(settings, ear.clone(), Arc::clone(&counters)).run(stop.clone()));
        Self { ear, counters, stop }
    }

    async fn until(&self, what: &str, met: impl Fn(&Heard) -> bool) {
        let patience = Patience::default();
        while !met(&self.ear.0.lock().unwrap()) {
            patience.look_again(|| format!("never {what}: lost {:?}", self.ear.0.lock().unwrap().lost)).await;
        }
    }

    fn faults(&self, kind: &str) -> u64 {
        self.counters.faults().find(|(k, _)| *k == kind).unwrap().1
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn at(heard: &Heard, serial: u64, length: usize) -> bool {
    heard.follower.list().is_some_and(|list| list.serial == serial && list.addresses.len() == length)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_followed_through_gaps_restarts_garbage_and_large_messages() {
    let mut feed = Feed::start();
    let client = Client::start(feed.port, &feed.certificate());
    client.until("connected", |heard| heard.connected == 1).await;
    feed.tell("set 1000 7 100");
    feed.tell("every 0.1");
    client.until("the list is there", |heard| at(heard, 7, 1000) && heard.follower.wants_list().is_none()).await;
    let lists = client.counters.messages(Topic::List);
    feed.tell("delta 8 positive 192.0.2.1");
    feed.tell("delta 9 positive 2001:db8::1");
    feed.tell("event telnet_login 192.0.2.1");
    client.until("deltas are applied", |heard| at(heard, 9, 1002) && heard.events.len() == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(client.counters.messages(Topic::List) <= lists + 1, "lists are not heard while none is needed");

    feed.tell("garbage 10");
    feed.tell("event ftp_login 192.0.2.2");
    client.until("what comes after garbage is heard", |heard| heard.events.len() == 2).await;
    assert_eq!((client.faults("malformed"), client.faults("unknown_topic")), (150, 10));
    assert!(at(&client.ear.0.lock().unwrap(), 9, 1002), "garbage changes nothing");

    feed.tell("big 10000000");
    feed.tell("event ftp_login 192.0.2.3");
    client.until("what comes after 10 MB is heard", |heard| heard.events.len() == 3).await;
    assert_eq!(client.faults("oversized"), 1);
    assert_eq!(client.ear.0.lock().unwrap().connected, 1, "the connection is the same");
    feed.tell("big 20000000");
    client.until("a connection is made anew after 20 MB", |heard| heard.connected == 2).await;
    client.until("the list is asked for", |heard| heard.follower.wants_list().is_none()).await;
    assert_eq!(client.faults("oversized"), 2);

    feed.tell("every 0");
    feed.tell("delta 40 negative 192.0.2.1");
    client.until("a gap makes it ask", |heard| heard.follower.wants_list().is_some()).await;
    feed.tell("every 0.1");
    client.until("the list is there again", |heard| heard.follower.wants_list().is_none() && at(heard, 40, 1001)).await;

    feed.tell("set 500 3 0");
    feed.tell("delta 4 positive 192.0.2.9");
    client.until("a restart makes it ask", |heard| heard.follower.wants_list().is_none() && at(heard, 4, 501)).await;

    let mut feed = feed.restarted();
    client.until("the connection is lost", |heard| heard.connected == 3).await;
    feed.tell("set 20 1 200");
    feed.tell("every 0.1");
    client.until("the list of the new process is there", |heard| at(heard, 1, 20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_never_let_in_and_go_on_trying() {
    let (feed, other) = (Feed::start(), Feed::start());
    let client = Client::start(feed.port, &other.certificate());
    client.until("refused twice", |heard| heard.lost.len() >= 2).await;
    assert_eq!(client.ear.0.lock().unwrap().connected, 0);
    assert!(client.counters.failed() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_is_not_there_is_waited_for() {
    let mut feed = Feed::start();
    feed.end();
    let client = Client::start(feed.port, &feed.certificate());
    client.until("refused", |heard| !heard.lost.is_empty()).await;
    let _feed = feed.restarted();
    client.until("connected", |heard| heard.connected == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pyzmq_hears_our_publisher() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = Certificate::load_or_make(directory.path(), "server").unwrap();
    let publisher = Publisher::bind("127.0.0.1:0".parse().unwrap(), &certificate).await.unwrap();
    let mut child = Command::new(python())
        .arg(script("subscriber.py"))
        .arg(format!("tcp://{}", publisher.address()))
        .arg(directory.path().join("server.key"))
        .arg("8")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (send, lines) = std::sync::mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in stdout.lines() {
            let _ = send.send(serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
        }
    });
    // Whoever has not subscribed yet hears nothing: events until the first is heard.
    let event = |end: u8| Event { name: "http_login".parse().unwrap(), ip: [192, 0, 2, end].into(), ts: 5 };
    let patience = Patience::default();
    let first = loop {
        publisher.event(event(1)).await.unwrap();
        if let Ok(first) = lines.recv_timeout(Duration::from_millis(50)) {
            break first;
        }
        assert!(!patience.is_over(), "pyzmq hears nothing");
    };
    assert_eq!(first, serde_json::json!(["dynfw/event", { "event": "http_login", "ip": "192.0.2.1", "ts": 5 }]));

    let mut serials = Serials::resume(None, 1000);
    let wanted = |ips: &[&str]| ips.iter().map(|ip| ip.parse::<IpAddr>().unwrap()).collect();
    for delta in serials.change(&wanted(&["192.0.2.1", "2001:db8::1"]), 6) {
        publisher.delta(delta).await.unwrap();
    }
    for delta in serials.change(&wanted(&["2001:db8::1"]), 7) {
        publisher.delta(delta).await.unwrap();
    }
    let list = serials.list(8);
    publisher.list(list.version, list.serial, &list.addresses, list.ts).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 4 {
        let line = lines.recv_timeout(limit(Duration::from_secs(60))).unwrap();
        if line[0] != "dynfw/event" {
            heard.push(line);
        }
    }
    let delta = |serial: u64, delta: &str, ip: &str, ts: u64| serde_json::json!(["dynfw/delta", { "serial": serial, "delta": delta, "ip": ip, "ts": ts }]);
    assert_eq!(
        heard,
        [
            delta(1, "positive", "192.0.2.1", 6),
            delta(2, "positive", "2001:db8::1", 6),
            delta(3, "negative", "192.0.2.1", 7),
            serde_json::json!(["dynfw/list", { "version": 1000, "serial": 3, "list": ["2001:db8::1"], "ts": 8 }]),
        ]
    );
    let _ = child.kill();
    let _ = child.wait();

    // And so does our own subscriber.
    let client = Client::start(publisher.address().port(), &directory.path().join("server.key"));
    client.until("connected", |heard| heard.connected == 1).await;
    let patience = Patience::default();
    while client.counters.messages(Topic::List) == 0 {
        publisher.list(list.version, list.serial, &list.addresses, list.ts).await.unwrap();
        patience.look_again(|| "no list is heard".to_owned()).await;
    }
    client.until("the list is there", |heard| at(heard, 3, 1)).await;
    assert_eq!(publisher.clients().await.unwrap(), 1, "whoever was killed is gone");

    // A client that is away is no failure; a closed socket is.
    drop(client);
    let patience = Patience::default();
    while publisher.clients().await.unwrap() > 0 {
        patience.look_again(|| "a client that went is still counted".to_owned()).await;
    }
    publisher.event(event(1)).await.unwrap();
    tokio::time::timeout(Duration::from_millis(100), publisher.closed()).await.unwrap_err();
    let (ended, closed) = tokio::join!(publisher.closed(), publisher.close(Duration::ZERO));
    closed.unwrap();
    assert!(ended.to_string().contains("nothing can be sent"), "{ended}");
    assert!(publisher.clients().await.is_err());
}
