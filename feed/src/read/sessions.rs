//! The open sessions of a Cowrie log: only the line of the connection says by which protocol and from where.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use sview_model::Trap;

/// The most sessions that are remembered. A log may lack the lines that close them.
const MOST: usize = 100_000;

/// What the connect line of a session said.
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
}

impl Sessions {
    pub(super) fn open(&mut self, id: &str, session: Session) {
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
