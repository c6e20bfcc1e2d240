//! The JSON log of the honeypot Cowrie: one event a line.
//!
//! | event | gives |
//! |---|---|
//! | `cowrie.session.connect` | an incident `connect` |
//! | `cowrie.login.failed`, `cowrie.login.success` | an incident `login`, and a password if the line has one (a log-in by key has none) |
//! | `cowrie.command.input` | an incident `message` |
//! | `cowrie.session.closed` | nothing: the session is dropped |
//! | any other `cowrie.…` | nothing |
//! | any other | nothing; the line counts as unknown |
//!
//! Until 2015 the events had numbers, after Kippo. `KIPP0001` is a connection, `KIPP0002` and `KIPP0003` are log-ins. `KIPP0005` and
//! `KIPP0008` are input, `KIPP0011` is the end.
//!
//! A log-in always counts as an incident. Credentials longer than [`MAX_TEXT`](sview_model::MAX_TEXT) are left out, and noted.
//!
//! A sensor's name stands for a probe; events without one, as published logs have them, count for a nameless one.
//!
//! Telnet is the trap `minipot_telnet`, SSH is `haas`. Only the connect line of a session surely says its protocol. That line may be
//! missing, here and in an earlier file that ended with the session open. Then the line's own `protocol` decides, else Telnet if the line's
//! `system` speaks of Telnet. Otherwise it is SSH, which Cowrie serves by default.

use std::net::IpAddr;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use sview_model::{Action, Batch, Identity, Incident, OpenSession, Password, Trap, hex};

use super::Line;
use super::fault::Fault;
use super::field::{self, Times};
use super::json::Scalar;
use super::notes::Notes;
use super::sessions::{Session, Sessions};

/// The state of a log being read: data of earlier lines that later ones rest on.
#[derive(Debug, Default)]
pub(super) struct Log {
    sessions: Sessions,
    /// The sensor of the last report and who that is: nearly always that of the next one too.
    sensor: Option<(String, Identity)>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    eventid: Scalar<'a>,
    #[serde(borrow, default)]
    timestamp: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    session: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    src_ip: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    sensor: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    protocol: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    system: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    username: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    password: Option<Scalar<'a>>,
}

/// The meaning of an event.
#[derive(Clone, Copy)]
enum Meaning {
    Does(Action),
    Closes,
    Nothing,
}

/// Whether this is the id of an event of Cowrie, of a kind that counts or not.
pub(super) fn is_event(id: &str) -> bool {
    id.starts_with("cowrie.")
        || id.strip_prefix("KIPP").is_some_and(|n| n.len() == 4 && n.bytes().all(|b| b.is_ascii_digit()))
}

impl Meaning {
    fn of(event: &str) -> Self {
        match event {
            "cowrie.session.connect" | "KIPP0001" => Self::Does(Action::Connect),
            "cowrie.login.failed" | "cowrie.login.success" | "KIPP0002" | "KIPP0003" => Self::Does(Action::Login),
            "cowrie.command.input" | "KIPP0005" | "KIPP0008" => Self::Does(Action::Message),
            "cowrie.session.closed" | "KIPP0011" => Self::Closes,
            _ => Self::Nothing,
        }
    }
}

impl Log {
    /// Sessions that were open at the end of an earlier file.
    pub(super) fn carry_on(&mut self, sessions: Vec<OpenSession>) {
        self.sessions.carry_on(sessions);
    }

    /// The sessions of this log that are open.
    pub(super) fn to_carry_on(&self) -> Vec<OpenSession> {
        self.sessions.to_carry_on()
    }

    /// Adds the reports of a line to the batch, and returns the kind of the line. On a fault the batch is as before.
    pub(super) fn read(
        &mut self,
        line: &str,
        times: &Times,
        batch: &mut Batch,
        notes: &mut Notes,
    ) -> Result<Line, Fault> {
        let event: Event<'_> = serde_json::from_str(line).map_err(|e| {
            // JSON without an event id, against no JSON at all.
            if e.is_data() && line.trim_start().starts_with('{') && !line.contains("\"eventid\"") {
                Fault::Missing("eventid")
            } else {
                Fault::Json
            }
        })?;
        let action = match Meaning::of(&event.eventid.0) {
            Meaning::Does(action) => action,
            Meaning::Closes => {
                if let Some(Scalar(id)) = &event.session {
                    self.sessions.close(id);
                }
                return Ok(Line::Uncounted);
            }
            Meaning::Nothing if is_event(&event.eventid.0) => return Ok(Line::Uncounted),
            Meaning::Nothing => return Ok(Line::Unknown),
        };
        let known = event.session.as_ref().and_then(|id| self.sessions.get(&id.0));
        let session = Session { trap: trap(&event, action, known)?, ip: address(&event, known)? };
        // Before anything else can be wrong with the line: the session is open even when its connect line is rejected.
        if let (Action::Connect, Some(Scalar(id))) = (action, &event.session) {
            self.sessions.open(id, session);
        }
        let time = times.read(&event.timestamp.ok_or(Fault::Missing("timestamp"))?.0, notes)?;
        let password = match (action, event.username, event.password) {
            (Action::Login, Some(Scalar(username)), Some(Scalar(password))) => {
                // Whatever was typed, the incident counts: else nobody would see who types much.
                match (field::text("username", username), field::text("password", password)) {
                    (Ok(username), Ok(password)) => Some(Password { time, raw_count: 1, username, password }),
                    _ => {
                        notes.long_credentials += 1;
                        None
                    }
                }
            }
            _ => None,
        };
        notes.without_sensor += u64::from(event.sensor.is_none());
        let identity = self.identity(event.sensor.as_ref().map_or("", |sensor| &sensor.0))?;
        batch.passwords.extend(password);
        let Session { trap, ip } = session;
        batch.incidents.push(Incident { time, raw_count: 1, identity, trap, action, ip, country: None });
        Ok(Line::Report)
    }

    /// Returns the probe that a sensor's name stands for. The name's first 16 characters are the serial number. The lower-case hex SHA-256
    /// of the whole name is the token. The empty name stands for the nameless probe.
    fn identity(&mut self, sensor: &str) -> Result<Identity, Fault> {
        if let Some((name, identity)) = &self.sensor
            && name == sensor
        {
            return Ok(identity.clone());
        }
        let identity = Identity {
            sn: field::without_nul(sensor.chars().take(16).collect()),
            device_token: field::device_token(&hex(&Sha256::digest(sensor.as_bytes())))?,
        };
        self.sensor = Some((sensor.to_owned(), identity.clone()));
        Ok(identity)
    }
}

fn trap(event: &Event<'_>, action: Action, known: Option<Session>) -> Result<Trap, Fault> {
    match (event.protocol.as_ref().map(|p| &*p.0), known) {
        (Some("telnet"), _) => Ok(Trap::Telnet),
        (Some("ssh"), _) => Ok(Trap::Haas),
        (Some(_), _) if action == Action::Connect => Err(Fault::SessionProtocol),
        (_, Some(session)) if action != Action::Connect => Ok(session.trap),
        _ => {
            let telnet = event.system.as_ref().is_some_and(|s| s.0.contains("elnet"));
            Ok(if telnet { Trap::Telnet } else { Trap::Haas })
        }
    }
}

fn address(event: &Event<'_>, known: Option<Session>) -> Result<IpAddr, Fault> {
    match (&event.src_ip, known) {
        (Some(Scalar(text)), _) => field::ip(text),
        (None, Some(session)) => Ok(session.ip),
        (None, None) => Err(Fault::Missing("src_ip")),
    }
}
