//! The words that people read: one name for each trap, action and measure, and its meaning in a sentence. Pages, the live feed, the
//! greylist's reasons and the glossary take them from here. JSON and CSV keep the names that programs know.

use crate::{Action, Trap};

/// A name for people, and its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The name, as it stands in a table.
    pub name: &'static str,
    /// The meaning: one sentence, two at the most.
    pub meaning: &'static str,
}

const fn term(name: &'static str, meaning: &'static str) -> Term {
    Term { name, meaning }
}

impl Trap {
    /// Returns the term for people.
    #[must_use]
    pub const fn term(self) -> Term {
        match self {
            Self::Ftp => term("FTP minipot", "A small program on a router that looks like a server for file transfer."),
            Self::Smtp => term("SMTP minipot", "A small program on a router that looks like a mail server."),
            Self::Telnet => term(
                "Telnet minipot",
                "A small program on a router that looks like a Telnet service for remote log-in.",
            ),
            Self::Http => {
                term("HTTP minipot", "A small program on a router that looks like a web server with a log-in.")
            }
            Self::Fwlogs => {
                term("Firewall", "The firewall of a router. It reports packets to ports that nobody offers.")
            }
            Self::Haas => term(
                "SSH honeypot",
                "A simulated computer that lets attackers log in over SSH and records what they do.",
            ),
        }
    }

    /// The word that names of events begin with.
    const fn in_event(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Smtp => "smtp",
            Self::Telnet => "telnet",
            Self::Http => "http",
            Self::Fwlogs => "fwlogs",
            Self::Haas => "haas",
        }
    }
}

impl Action {
    /// Returns the term for people.
    #[must_use]
    pub const fn term(self) -> Term {
        match self {
            Self::Connect => term("connection", "The attacker opened a connection to a trap."),
            Self::Login => term("log-in attempt", "The attacker sent a user name and a password."),
            Self::Message => term("message", "The attacker sent something else: a request, a mail or commands."),
            Self::Invalid => {
                term("invalid message", "The attacker sent something that the trap’s protocol does not allow.")
            }
            Self::SmallPortScan => term(
                "small port scan",
                "The attacker sent packets to a few ports. The sender’s address of these can be forged.",
            ),
            Self::BigPortScan => term("big port scan", "The attacker sent packets to many ports."),
        }
    }
}

/// The measures, counted and computed.
pub const MEASURES: [Term; 9] = [
    term(
        "incident",
        "Something that an attacker did to a trap. One report may stand for several incidents of the same kind.",
    ),
    term(
        "attacker",
        "A distinct address that caused incidents. An address that was seen in two countries counts once in each of them.",
    ),
    term("use", "A log-in attempt with a password or a user name."),
    term("scan", "A packet to a port that nobody offers, as a firewall reported it."),
    term("share", "A row’s part of all that was counted in the period. What is in no row belongs to the whole too."),
    term(
        "other",
        "What belongs to none of the series that a chart names. In charts of countries it holds unknown countries too.",
    ),
    term("window", "A step of a chart. Its label is the time at which it ends, in UTC."),
    term("service", "What is usually at a port. A scan may have looked for something else."),
    term(
        "points",
        "The score of an address on the greylist. They grow with what it did, how often, and how many probes saw it.",
    ),
];

/// Returns the title of a trap's event: `Telnet minipot: log-in attempt`.
#[must_use]
pub fn event_title(trap: Trap, action: Action) -> String {
    format!("{}: {}", trap.term().name, action.term().name)
}

/// Returns the name of an event in the live feed, from the trap and the action. An SSH honeypot's names show how far the attacker came.
#[must_use]
pub fn event_name(trap: Trap, action: Action) -> String {
    match (trap, action) {
        (Trap::Haas, Action::Message) => "haas_logged_active".to_owned(),
        (Trap::Haas, Action::Login) => "haas_logged".to_owned(),
        (Trap::Haas, _) => "haas_not_logged".to_owned(),
        _ => format!("{}_{action}", trap.in_event()),
    }
}

/// All names of events with what people call them, each name once.
#[must_use]
pub fn events() -> Vec<(String, String)> {
    let pairs = Trap::ALL.iter().flat_map(|trap| Action::ALL.iter().map(|action| (*trap, *action)));
    let mut events: Vec<(String, String)> = Vec::new();
    for (trap, action) in pairs {
        let name = event_name(trap, action);
        // Several actions at an SSH honeypot have the name of a connection, which comes first.
        if events.iter().all(|(known, _)| *known != name) {
            events.push((name, event_title(trap, action)));
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn events_have_the_names_of_the_original() {
        for (trap, action, expected) in [
            (Trap::Haas, Action::Connect, "haas_not_logged"),
            (Trap::Haas, Action::Login, "haas_logged"),
            (Trap::Haas, Action::Message, "haas_logged_active"),
            (Trap::Telnet, Action::Connect, "telnet_connect"),
            (Trap::Smtp, Action::Invalid, "smtp_invalid"),
            (Trap::Http, Action::Message, "http_message"),
            (Trap::Fwlogs, Action::BigPortScan, "fwlogs_big_port_scan"),
        ] {
            assert_eq!(event_name(trap, action), expected);
        }
    }

    #[test]
    fn every_trap_action_and_event_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for term in Trap::ALL.iter().map(|t| t.term()).chain(Action::ALL.iter().map(|a| a.term())).chain(MEASURES) {
            assert!(names.insert(term.name), "{}", term.name);
            assert!(term.meaning.ends_with('.'), "{}", term.meaning);
        }
        let events = events();
        assert_eq!(events.len(), 5 * Action::ALL.len() + 3);
        let title = |name: &str| events.iter().find(|(event, _)| event == name).map(|(_, title)| title.as_str());
        assert_eq!(title("ftp_message"), Some("FTP minipot: message"));
        assert_eq!(title("haas_not_logged"), Some("SSH honeypot: connection"));
        assert_eq!(title("fwlogs_big_port_scan"), Some("Firewall: big port scan"));
    }
}
