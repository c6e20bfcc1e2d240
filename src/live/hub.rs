//! The viewers. A message is made once and shared by all. Each viewer has a bounded queue, and a viewer that lets it fill is dropped.

use std::collections::HashMap;

use axum::body::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::http::client::Client;

/// The most messages that may wait for a viewer: two seconds at the highest rate.
const WAITING: usize = 1024;

/// How many messages a whole list may be behind before the next viewer gets a new one instead of it and them.
const BEHIND: usize = 100;

/// The reason why somebody cannot watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// There are too many viewers.
    All,
    /// There are too many of this client.
    Client,
}

/// A viewer's end of its queue. The first messages are about what happened before.
pub(super) struct Subscription {
    id: u64,
    client: Client,
    pub(super) first: Vec<Bytes>,
    pub(super) queue: Receiver<Bytes>,
}

struct Viewer {
    id: u64,
    queue: Sender<Bytes>,
}

/// All viewers, and the messages that bring a new one up to date.
pub(super) struct BroadcastHub {
    most: usize,
    most_of_client: u32,
    next_id: u64,
    viewers: Vec<Viewer>,
    /// Places taken, those of dropped viewers too until they have left.
    taken: HashMap<Client, u32>,
    places: usize,
    /// A whole list, and the changes since.
    list: Option<Bytes>,
    since: Vec<Bytes>,
    pub(super) sent: u64,
    pub(super) lagged: u64,
}

impl BroadcastHub {
    pub(super) fn new(most: u32, most_of_client: u32) -> Self {
        Self {
            most: most as usize,
            most_of_client,
            next_id: 0,
            viewers: Vec::new(),
            taken: HashMap::new(),
            places: 0,
            list: None,
            since: Vec::new(),
            sent: 0,
            lagged: 0,
        }
    }

    /// How many there are.
    pub(super) fn viewers(&self) -> usize {
        self.viewers.len()
    }

    /// Gives a new viewer a place. `list` makes the whole list, if there is one; it is asked only now and then.
    pub(super) fn sit(
        &mut self,
        client: Client,
        info: Bytes,
        list: impl FnOnce() -> Option<Bytes>,
    ) -> Result<Subscription, Full> {
        if self.places >= self.most {
            return Err(Full::All);
        }
        let taken = self.taken.get(&client).copied().unwrap_or(0);
        if taken >= self.most_of_client {
            return Err(Full::Client);
        }
        if self.list.is_none() || self.since.len() > BEHIND {
            self.list = list();
            self.since.clear();
        }
        self.taken.insert(client, taken + 1);
        self.places += 1;
        self.next_id += 1;
        let (sender, queue) = channel(WAITING);
        self.viewers.push(Viewer { id: self.next_id, queue: sender });
        let first = [info].into_iter().chain(self.list.clone()).chain(self.since.iter().cloned()).collect();
        Ok(Subscription { id: self.next_id, client, first, queue })
    }

    /// Takes a viewer's place away.
    pub(super) fn leave(&mut self, seat: &Subscription) {
        self.viewers.retain(|viewer| viewer.id != seat.id);
        self.places -= 1;
        if let Some(taken) = self.taken.get_mut(&seat.client) {
            *taken -= 1;
            if *taken == 0 {
                self.taken.remove(&seat.client);
            }
        }
    }

    /// Sends a message to all viewers. Those whose queue is full are dropped: their queue ends.
    pub(super) fn tell(&mut self, message: &Bytes) {
        let before = self.viewers.len();
        self.viewers.retain(|viewer| viewer.queue.try_send(message.clone()).is_ok());
        self.lagged += (before - self.viewers.len()) as u64;
        self.sent += self.viewers.len() as u64;
    }

    /// Sends a change of the list to all viewers, and keeps it for new ones.
    pub(super) fn tell_change(&mut self, message: &Bytes) {
        self.tell(message);
        if self.list.is_some() {
            if self.since.len() > BEHIND {
                self.forget();
            } else {
                self.since.push(message.clone());
            }
        }
    }

    /// Tells all viewers the whole list.
    pub(super) fn tell_list(&mut self, message: Bytes) {
        self.tell(&message);
        self.since.clear();
        self.list = Some(message);
    }

    /// Drops the whole list that is kept for new subscribers: the next one gets a new list.
    pub(super) fn forget(&mut self) {
        self.list = None;
        self.since.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(end: u8) -> Client {
        Client::of([192, 0, 2, end].into())
    }

    fn sit(hub: &mut BroadcastHub, end: u8) -> Result<Subscription, Full> {
        hub.sit(client(end), Bytes::from_static(b"info"), || Some(Bytes::from_static(b"list")))
    }

    #[test]
    fn a_viewer_who_does_not_read_is_dropped_and_the_others_are_told_all() {
        let mut hub = BroadcastHub::new(10, 10);
        let (mut quick, mut slow) = (sit(&mut hub, 1).unwrap(), sit(&mut hub, 2).unwrap());
        for i in 0..2 * WAITING {
            hub.tell(&Bytes::from(i.to_string()));
            assert_eq!(quick.queue.try_recv().unwrap(), i.to_string());
        }
        assert_eq!((hub.viewers(), hub.lagged), (1, 1));
        let mut left = 0;
        while slow.queue.try_recv().is_ok() {
            left += 1;
        }
        assert_eq!(left, WAITING, "no more than the queue was kept for it");
        assert!(slow.queue.is_closed());
    }

    #[test]
    fn places_are_limited_and_given_back() {
        let mut hub = BroadcastHub::new(3, 2);
        let first = sit(&mut hub, 1).unwrap();
        let _second = sit(&mut hub, 1).unwrap();
        assert_eq!(sit(&mut hub, 1).err(), Some(Full::Client));
        let _third = sit(&mut hub, 2).unwrap();
        assert_eq!(sit(&mut hub, 3).err(), Some(Full::All));
        hub.leave(&first);
        assert!(sit(&mut hub, 1).is_ok());
        assert_eq!(hub.viewers(), 3);
    }

    #[test]
    fn who_comes_late_gets_the_list_and_what_changed_since() {
        let mut hub = BroadcastHub::new(10, 10);
        let _first = sit(&mut hub, 1).unwrap();
        hub.tell_change(&Bytes::from_static(b"one"));
        hub.tell(&Bytes::from_static(b"an event"));
        assert_eq!(sit(&mut hub, 1).unwrap().first, ["info", "list", "one"]);
        for _ in 0..3 * BEHIND {
            hub.tell_change(&Bytes::from_static(b"more"));
        }
        assert_eq!(sit(&mut hub, 1).unwrap().first, ["info", "list"]);
    }
}
