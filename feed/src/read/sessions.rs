//! The open sessions of a Cowrie log: only the line of the connection says by which protocol and from where.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use sview_model::{OpenSession, Trap};

/// The most sessions that are remembered. A log may lack the lines that close them.
const MOST: usize = 100_000;

/// The data from a session's connect line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) trap: Trap,
    pub(super) ip: IpAddr,
}

/// Sessions that were opened and not closed yet, the [`MOST`] latest of them.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Each with the number of its opening, by which a stale entry of `order` is known.
    open: HashMap<Arc<str>, (u64, Session)>,
    order: VecDeque<(u64, Arc<str>)>,
    opened: u64,
    /// The sessions up to this number came from an earlier file.
    carried: u64,
}

impl Sessions {
    /// Sessions that were open at the end of an earlier file, oldest first. To be called before any other is opened.
    pub(super) fn carry_on(&mut self, sessions: Vec<OpenSession>) {
        for OpenSession { id, trap, ip } in sessions {
            self.open(&id, Session { trap, ip });
        }
        self.carried = self.opened;
    }

    /// The sessions of this file that are open, oldest first: the latest [`OpenSession::MOST`].
    pub(super) fn to_carry_on(&self) -> Vec<OpenSession> {
        let still_open = |(number, id): &(u64, Arc<str>)| {
            let (opened, Session { trap, ip }) = *self.open.get(id)?;
            (opened == *number && opened > self.carried).then(|| OpenSession { id: id.to_string(), trap, ip })
        };
        let mut sessions: Vec<_> = self.order.iter().rev().filter_map(still_open).take(OpenSession::MOST).collect();
        sessions.reverse();
        sessions
    }

    /// Opens a session. A name that is too long is not known again.
    pub(super) fn open(&mut self, id: &str, session: Session) {
        if id.len() > OpenSession::MAX_ID {
            return;
        }
        let id: Arc<str> = id.into();
        self.opened += 1;
        self.open.insert(id.clone(), (self.opened, session));
        self.order.push_back((self.opened, id));
        if self.open.len() > MOST {
            self.forget_oldest();
        }
        // Closed sessions leave their place in the order behind: swept out once they are as many as the open ones may be.
        if self.order.len() > 2 * MOST {
            let open = &self.open;
            self.order.retain(|(number, id)| open.get(id).is_some_and(|(n, _)| n == number));
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<Session> {
        self.open.get(id).map(|(_, session)| *session)
    }

    pub(super) fn close(&mut self, id: &str) {
        self.open.remove(id);
    }

    fn forget_oldest(&mut self) {
        while let Some((number, id)) = self.order.pop_front() {
            if self.open.get(&id).is_some_and(|(n, _)| *n == number) {
                self.open.remove(&id);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session { trap: Trap::Telnet, ip: [192, 0, 2, 1].into() }
    }

    #[test]
    fn are_forgotten_when_closed() {
        let mut sessions = Sessions::default();
        sessions.open("a", session());
        assert_eq!(sessions.get("a"), Some(session()));
        sessions.close("a");
        assert_eq!(sessions.get("a"), None);
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut sessions = Sessions::default();
        for i in 0..=MOST {
            sessions.open(&i.to_string(), session());
        }
        assert_eq!(sessions.open.len(), MOST);
        assert_eq!(sessions.get("0"), None);
        assert!(sessions.get("1").is_some());
    }

    #[test]
    fn what_is_open_at_the_end_is_carried_on() {
        let mut first = Sessions::default();
        for id in ["closed", "open", "again", "later"] {
            first.open(id, session());
        }
        first.close("closed");
        first.open("again", session());
        first.open(&"x".repeat(OpenSession::MAX_ID + 1), session());
        let carried = first.to_carry_on();
        assert_eq!(carried.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["open", "later", "again"]);

        let mut second = Sessions::default();
        second.carry_on(carried);
        second.open("new", session());
        assert_eq!(second.get("open"), Some(session()));
        second.close("open");
        assert_eq!(second.get("open"), None);
        // The others are kept already.
        assert_eq!(second.to_carry_on(), [OpenSession { id: "new".to_owned(), trap: Trap::Telnet, ip: session().ip }]);
    }

    #[test]
    fn the_latest_are_carried_on() {
        let mut sessions = Sessions::default();
        for i in 0..=OpenSession::MOST {
            sessions.open(&i.to_string(), session());
        }
        let carried = sessions.to_carry_on();
        assert_eq!((carried.len(), carried[0].id.as_str()), (OpenSession::MOST, "1"));
    }

    #[test]
    fn a_long_session_survives_many_short_ones() {
        let mut sessions = Sessions::default();
        sessions.open("long", session());
        for i in 0..5 * MOST {
            let id = i.to_string();
            sessions.open(&id, session());
            sessions.close(&id);
        }
        assert!(sessions.get("long").is_some());
        assert!(sessions.order.len() <= 2 * MOST);
    }
}
