//! The names of events.

use sview_model::{Action, Trap};

/// The name of an event, from what caught the attacker and what it did. An SSH honeypot's tell how far it came.
#[must_use]
pub fn name(trap: Trap, action: Action) -> String {
    let trap = match trap {
        Trap::Haas => {
            return match action {
                Action::Message => "haas_logged_active",
                Action::Login => "haas_logged",
                _ => "haas_not_logged",
            }
            .to_owned();
        }
        Trap::Telnet => "telnet",
        Trap::Ftp => "ftp",
        Trap::Smtp => "smtp",
        Trap::Http => "http",
        Trap::Fwlogs => "fwlogs",
    };
    format!("{trap}_{action}")
}

#[cfg(test)]
mod tests {
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
            assert_eq!(name(trap, action), expected);
        }
    }

    #[test]
    fn every_event_has_a_name_that_can_be_sent() {
        for (trap, action) in Trap::ALL.iter().flat_map(|trap| Action::ALL.iter().map(move |action| (*trap, *action))) {
            let name = name(trap, action);
            assert!(name.parse::<sview_dynfw::EventName>().is_ok(), "{name}");
        }
    }
}
