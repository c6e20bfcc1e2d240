//! A month of a Cowrie honeypot, made up by a test, and what the log itself counts.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sview_testing::Random;

/// How many sessions the month has.
const SESSIONS: u64 = 1_200;

/// Networks that the attackers are in, and their countries; the last one is in no database.
pub(crate) const NETWORKS: [([u8; 4], Option<&str>); 3] =
    [([192, 0, 2, 0], Some("CZ")), ([198, 51, 100, 0], Some("DE")), ([203, 0, 113, 0], None)];

/// The input of bots. One of them would like to be markup.
const PASSWORDS: [&str; 8] =
    ["123456", "admin", "root", "password", "<script>alert(1)</script>", "pass word", "1234", "přístup"];

/// The log: its lines by day, in the order of their times.
pub(crate) struct Month {
    events: Vec<Event>,
}

/// A line of the log.
pub(crate) struct Event {
    pub(crate) time: DateTime<Utc>,
    pub(crate) id: &'static str,
    pub(crate) telnet: bool,
    pub(crate) country: Option<&'static str>,
    pub(crate) ip: String,
    pub(crate) password: Option<&'static str>,
    line: Value,
}

impl Event {
    /// Returns the action that the event counts as; `None` if it does not count.
    pub(crate) fn action(&self) -> Option<&'static str> {
        match self.id {
            "cowrie.session.connect" => Some("connect"),
            "cowrie.login.failed" | "cowrie.login.success" => Some("login"),
            "cowrie.command.input" => Some("message"),
            _ => None,
        }
    }
}

/// One visit of a bot.
struct Session {
    time: DateTime<Utc>,
    ip: String,
    country: Option<&'static str>,
    id: String,
    telnet: bool,
    system: String,
}

impl Session {
    /// A line, some seconds after the one before.
    fn event(&mut self, chance: &mut Random, id: &'static str, message: &str, more: &Value) -> Event {
        self.time += TimeDelta::microseconds(1 + chance.below(20_000_000) as i64);
        let mut line = json!({
            "eventid": id, "timestamp": self.time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(), "message": message,
            "system": self.system, "isError": 0, "src_ip": self.ip, "session": self.id, "sensor": "920497a79896",
        });
        let (whole, more) = (line.as_object_mut().unwrap(), more.as_object().unwrap().clone());
        whole.extend(more);
        let Self { time, ip, country, telnet, .. } = self;
        Event { time: *time, id, telnet: *telnet, country: *country, ip: ip.clone(), password: None, line }
    }
}

impl Month {
    /// May 2018, the same in every run.
    pub(crate) fn may_2018() -> Self {
        let mut chance = Random(2018);
        let begin: DateTime<Utc> = "2018-05-01T00:00:00Z".parse().unwrap();
        // The last session is over before the month is.
        let seconds = 31 * 86_400 - 1_800;
        let mut events: Vec<Event> = (0..SESSIONS)
            .flat_map(|n| {
                let time = begin + TimeDelta::seconds(chance.below(seconds) as i64);
                session(n, time, &mut chance)
            })
            .collect();
        events.sort_by_key(|event| event.time);
        Self { events }
    }

    /// Writes the log as Cowrie does, a file a day: `cowrie.json.2018-05-01`. Returns how many lines each file has, by its name.
    pub(crate) fn write(&self, directory: &Path) -> BTreeMap<String, u64> {
        let mut files: BTreeMap<String, (String, u64)> = BTreeMap::new();
        for event in &self.events {
            let (text, lines) = files.entry(format!("cowrie.json.{}", event.time.format("%Y-%m-%d"))).or_default();
            *text += &format!("{}\n", event.line);
            *lines += 1;
        }
        for (name, (text, _)) in &files {
            std::fs::write(directory.join(name), text).unwrap();
        }
        files.into_iter().map(|(name, (_, lines))| (name, lines)).collect()
    }

    /// The events that count, from a day of the month on.
    pub(crate) fn since(&self, day: u32) -> impl Iterator<Item = &Event> {
        use chrono::Datelike as _;
        self.events.iter().filter(move |event| event.time.day() >= day && event.action().is_some())
    }
}

/// How often each key occurs.
pub(crate) fn counts<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, u64> {
    keys.fold(BTreeMap::new(), |mut counts, key| {
        *counts.entry(key).or_default() += 1;
        counts
    })
}

fn session(n: u64, time: DateTime<Utc>, chance: &mut Random) -> Vec<Event> {
    let ([a, b, c, _], country) = NETWORKS[chance.below(3) as usize];
    let telnet = chance.below(6) == 0;
    let (protocol, port) = if telnet { ("telnet", 2223) } else { ("ssh", 2222) };
    let ip = format!("{a}.{b}.{c}.{}", 1 + chance.below(60));
    let transport = if telnet { "CowrieTelnetTransport" } else { "HoneyPotSSHTransport" };
    let system = format!("{transport},{n},{ip}");
    let mut session = Session { time, ip, country, id: format!("{:012x}", n * 7_919 + 1), telnet, system };
    let mut events = Vec::new();
    let from = 1_024 + chance.below(60_000);
    let connect = json!({ "src_port": from, "dst_ip": "172.17.0.3", "dst_port": port, "protocol": protocol });
    let message = format!("New connection: {}:{from} (172.17.0.3:{port}) [session: {}]", session.ip, session.id);
    events.push(session.event(chance, "cowrie.session.connect", &message, &connect));
    if !telnet {
        let version = json!({ "version": "SSH-2.0-libssh2_1.4.3", "kexAlgs": ["diffie-hellman-group14-sha1"], "macCS": ["hmac-sha1"] });
        let message = "Remote SSH version: SSH-2.0-libssh2_1.4.3";
        events.push(session.event(chance, "cowrie.client.version", message, &version));
    }
    for attempt in 0..chance.below(4) {
        let password = PASSWORDS[chance.below(8) as usize];
        let (id, how) = match attempt {
            2 => ("cowrie.login.success", "succeeded"),
            _ => ("cowrie.login.failed", "failed"),
        };
        let fields = json!({ "username": "root", "password": password });
        let mut event = session.event(chance, id, &format!("login attempt [root/{password}] {how}"), &fields);
        event.password = Some(password);
        events.push(event);
        if attempt == 2 {
            let log = json!({ "ttylog": format!("log/tty/{}.log", session.id) });
            events.push(session.event(chance, "cowrie.log.open", "Opening TTY Log", &log));
            for input in ["uname -a", "cat /proc/cpuinfo"].into_iter().take(chance.below(3) as usize) {
                let fields = json!({ "input": input });
                events.push(session.event(chance, "cowrie.command.input", &format!("CMD: {input}"), &fields));
                let message = format!("Command not found: {input}");
                events.push(session.event(chance, "cowrie.command.failed", &message, &fields));
            }
            let log = json!({ "ttylog": format!("log/tty/{}.log", session.id), "size": 656, "duration": 14.7 });
            events.push(session.event(chance, "cowrie.log.closed", "Closing TTY Log", &log));
        }
    }
    let closed = json!({ "duration": 12.5 });
    events.push(session.event(chance, "cowrie.session.closed", "Connection lost after 12 seconds", &closed));
    events
}
