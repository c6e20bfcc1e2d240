//! The state of the feed: the list, the latest events, and the viewers who receive them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sview_dynfw::{Delta, Event, Followed, Follower, LogThrottle, Message, News};
use sview_feed::GeoIp;
use sview_model::CountryCode;

use super::countries::Countries;
use super::hub::{BroadcastHub, Full, Subscription};
use super::messages;
use super::rate_limiter::RateLimiter;
use crate::config::DynfwSettings;
use crate::http::client::Client;

/// How many events and changes are kept to be shown.
const KEPT: usize = 30;

/// The shortest time between two whole lists for viewers.
const LISTS: Duration = Duration::from_secs(1);

/// The state of the feed. Everything in it is bounded.
pub(super) struct Feed {
    pub(super) follower: Follower,
    /// Grows whenever the list changes.
    pub(super) revision: u64,
    pub(super) hub: BroadcastHub,
    pub(super) connected: bool,
    /// The time since when the publisher is connected or not; `None` before the first attempt came to an end.
    pub(super) since: Option<DateTime<Utc>>,
    /// The time when anything was heard last.
    pub(super) heard_at: Option<DateTime<Utc>>,
    /// The latest first.
    pub(super) events: VecDeque<(Event, Option<CountryCode>)>,
    /// The latest first.
    pub(super) changes: VecDeque<Delta>,
    pub(super) countries: Countries,
    geoip: Option<GeoIp>,
    pace: RateLimiter,
    /// Viewers have missed a change, so they need the list.
    owed: bool,
    told_list: Option<Instant>,
    /// Messages that viewers did not get since they came too fast.
    pub(super) held_back: u64,
    fast: LogThrottle,
}

impl Feed {
    pub(super) fn new(settings: &DynfwSettings, geoip: Option<GeoIp>) -> Self {
        Self {
            follower: Follower::default(),
            revision: 0,
            hub: BroadcastHub::new(settings.dynfw_max_viewers, settings.dynfw_max_viewers_per_client),
            connected: false,
            since: None,
            heard_at: None,
            events: VecDeque::with_capacity(KEPT),
            changes: VecDeque::with_capacity(KEPT),
            countries: Countries::default(),
            geoip,
            pace: RateLimiter::default(),
            owed: false,
            told_list: None,
            held_back: 0,
            fast: LogThrottle::default(),
        }
    }

    pub(super) fn wants_list(&self) -> bool {
        self.follower.wants_list().is_some()
    }

    /// Whether events have countries.
    pub(super) fn knows_countries(&self) -> bool {
        self.geoip.is_some()
    }

    /// Takes the subscriber's news.
    pub(super) fn heard(&mut self, news: News<'_>, now: DateTime<Utc>) {
        match news {
            News::Connected => {
                self.follower.reconnected();
                self.turn(true, now, "The publisher is connected");
            }
            News::Disconnected(_) => {
                if self.connected || self.since.is_none() {
                    self.turn(false, now, "The publisher is not connected");
                }
            }
            News::Fault(_) => self.heard_at = Some(now),
            News::Message(message) => {
                self.heard_at = Some(now);
                match message {
                    Message::List(list) => {
                        self.follower.take_list(list);
                        self.revision += 1;
                        self.tell_list();
                    }
                    Message::Delta(delta) => self.delta(delta),
                    Message::Event(event) => self.event(event, now),
                }
            }
        }
    }

    fn turn(&mut self, connected: bool, now: DateTime<Utc>, said: &str) {
        (self.connected, self.since) = (connected, Some(now));
        self.hub.tell(&messages::info(said, connected, self.since));
    }

    /// Sends the whole list to viewers, or owes it: it is large, so once a second is the most.
    fn tell_list(&mut self) {
        self.owed = true;
        self.hub.forget();
        if self.told_list.is_some_and(|at| at.elapsed() < LISTS) {
            return;
        }
        if let Some(list) = self.follower.list() {
            self.hub.tell_list(messages::list(list));
            (self.owed, self.told_list) = (false, Some(Instant::now()));
        }
    }

    fn delta(&mut self, delta: Delta) {
        if self.follower.take_delta(delta) == Followed::Ignored {
            return;
        }
        self.revision += 1;
        keep(&mut self.changes, delta);
        if self.owed || !self.may() {
            // One list later, instead of all of them now.
            self.owed = true;
            self.hub.forget();
        } else {
            self.hub.tell_change(&messages::delta(&delta));
        }
    }

    fn event(&mut self, event: Event, now: DateTime<Utc>) {
        let geo = self.geoip.as_ref().and_then(|geoip| geoip.country(event.ip));
        if let Some(code) = geo {
            self.countries.add(code, now);
        }
        if self.may() {
            self.hub.tell(&messages::event(&event, geo));
        }
        keep(&mut self.events, (event, geo));
    }

    fn may(&mut self) -> bool {
        if self.pace.may() {
            return true;
        }
        self.held_back += 1;
        // With nobody there nothing is missed: a publisher that starts sends all of its list at once.
        if self.hub.viewers() > 0
            && let Some(unlogged) = self.fast.may()
        {
            tracing::warn!(unlogged, "the dynamic firewall sends more events than viewers are shown; dropping some");
        }
        false
    }

    /// Sends the messages that were held back, twice a second.
    pub(super) fn tick(&mut self) {
        if self.owed {
            self.tell_list();
        }
    }

    /// Gives a viewer a place.
    pub(super) fn sit(&mut self, client: Client) -> Result<Subscription, Full> {
        let Self { hub, follower, connected, since, .. } = self;
        let info = messages::info("Connected", *connected, *since);
        hub.sit(client, info, || follower.list().map(messages::list))
    }
}

fn keep<T>(kept: &mut VecDeque<T>, newest: T) {
    kept.truncate(KEPT - 1);
    kept.push_front(newest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::hub;
    use sview_dynfw::{Change, List};

    fn feed() -> Feed {
        Feed {
            hub: hub::BroadcastHub::new(10, 10),
            follower: Follower::default(),
            revision: 0,
            connected: false,
            since: None,
            heard_at: None,
            events: VecDeque::new(),
            changes: VecDeque::new(),
            countries: Countries::default(),
            geoip: None,
            pace: RateLimiter::default(),
            owed: false,
            told_list: None,
            held_back: 0,
            fast: LogThrottle::default(),
        }
    }

    #[test]
    fn a_publisher_that_goes_too_fast_is_summed_up_in_a_list() {
        let mut feed = feed();
        let now = DateTime::UNIX_EPOCH;
        let list = List { version: 1, serial: 0, addresses: vec![], ts: 0 };
        feed.heard(News::Message(Message::List(list)), now);
        let mut seat = feed.sit(Client::of([192, 0, 2, 1].into())).unwrap();
        let (mut deltas, mut lists) = (0, 0);
        for serial in 1..=10_000_u32 {
            let ip = std::net::IpAddr::V4(serial.into());
            let delta = Delta { serial: serial.into(), change: Change::Added, ip, ts: 0 };
            feed.heard(News::Message(Message::Delta(delta)), now);
            while let Ok(told) = seat.queue.try_recv() {
                deltas += usize::from(told.starts_with(b"{\"msgtype\":\"dynfw delta\""));
            }
        }
        assert!((50..=1500).contains(&deltas), "{deltas}");
        assert_eq!((feed.changes.len(), feed.changes[0].serial), (KEPT, 10_000));
        std::thread::sleep(std::time::Duration::from_millis(1010));
        feed.tick();
        while let Ok(told) = seat.queue.try_recv() {
            lists += usize::from(told.starts_with(b"{\"msgtype\":\"dynfw list\"") && told.len() > 100_000);
        }
        assert_eq!(lists, 1, "and then they are told the whole");
    }
}
