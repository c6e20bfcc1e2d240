//! The limits on computations for a client, and for all clients together.
//!
//! Only queued computations count: of a value about an attacker, a password or devices that nobody has cached yet. A look at a cached value
//! costs nothing and is never refused. The same holds for a value that is on its way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::client::Client;
use crate::config::LimitSettings;

/// The time in which hits are counted, from the first of them.
const MINUTE: Duration = Duration::from_secs(60);

/// The most clients that are counted: a few megabytes. In a flood of more, older ones are dropped, and newer ones are not refused. The
/// queues bound what it can have computed.
const CLIENTS: usize = 1 << 16;

/// Counts hits by client, and those of all. Clones are the same counter.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    /// Hits a minute; 0 is no limit.
    most: u32,
    ban: Duration,
    windows: Arc<Mutex<HashMap<Client, ClientWindow>>>,
    /// The limit of all clients together: one visitor with many addresses is many clients. `None` is no limit.
    all: Option<Arc<Mutex<Bucket>>>,
}

/// Permits for all clients together. The bucket fills up evenly, so that a flood leaves everybody the same chance at every moment. A count
/// that restarts every minute would be used up by the first clients.
#[derive(Debug)]
struct Bucket {
    /// How many it holds, and gets in a minute.
    size: f64,
    permits: f64,
    filled: Instant,
}

impl Bucket {
    fn new(a_minute: u32) -> Self {
        let size = f64::from(a_minute);
        Self { size, permits: size, filled: Instant::now() }
    }

    fn take(&mut self, now: Instant) -> Result<(), Refused> {
        let rate = self.size / MINUTE.as_secs_f64();
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.permits = (self.permits + elapsed * rate).min(self.size);
        self.filled = self.filled.max(now);
        if self.permits < 1.0 {
            return Err(Refused(Duration::from_secs_f64((1.0 - self.permits) / rate)));
        }
        self.permits -= 1.0;
        Ok(())
    }

    fn give_back(&mut self) {
        self.permits = (self.permits + 1.0).min(self.size);
    }
}

/// The hits of a client until `ends`.
#[derive(Clone, Copy, Debug)]
struct ClientWindow {
    ends: Instant,
    hits: u32,
    banned: bool,
}

/// A client asked for more than it may have; how long it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) Duration);

/// A hit that is counted. Given back when dropped, unless it was [spent](Permit::spend): what led to no computation costs nothing.
#[derive(Debug)]
pub(crate) struct Permit(Option<Counted>);

/// The counter that a hit was added to.
#[derive(Debug)]
struct Counted {
    limit: Limit,
    /// The client, and the end of its window; `None` where clients are not limited.
    window: Option<(Client, Instant)>,
}

impl Limit {
    /// The limit on computations.
    pub(crate) fn new(settings: &LimitSettings) -> Self {
        let all = settings.rlimit_all_hits;
        let all = (all > 0).then(|| Arc::new(Mutex::new(Bucket::new(all))));
        Self { all, ..Self::of(settings.rlimit_max_hits, settings) }
    }

    /// Returns a limit of so many hits a minute and client, with a count of its own.
    pub(crate) fn of(most: u32, settings: &LimitSettings) -> Self {
        let ban = Duration::from_secs(settings.rlimit_ban_time.into());
        Self { most, ban, windows: Arc::default(), all: None }
    }

    /// Counts a hit of a client, or refuses it.
    pub(crate) fn charge(&self, client: Client) -> Result<Permit, Refused> {
        self.charge_at(client, Instant::now())
    }

    fn charge_at(&self, client: Client, now: Instant) -> Result<Permit, Refused> {
        if self.most == 0 {
            self.charge_all(now)?;
            return Ok(Permit(Some(Counted { limit: self.clone(), window: None })));
        }
        let mut windows = self.windows();
        if windows.len() >= CLIENTS && !windows.contains_key(&client) {
            make_room(&mut windows, now);
        }
        let fresh = ClientWindow { ends: now + MINUTE, hits: 0, banned: false };
        let window = windows.entry(client).or_insert(fresh);
        if window.ends <= now {
            *window = fresh;
        }
        if !window.banned && window.hits >= self.most {
            *window = ClientWindow { ends: now + self.ban, hits: 0, banned: true };
        }
        if window.banned {
            return Err(Refused(window.ends - now));
        }
        // After the client's own, so that a refused client takes nothing from the others.
        self.charge_all(now)?;
        window.hits += 1;
        Ok(Permit(Some(Counted { limit: self.clone(), window: Some((client, window.ends)) })))
    }

    fn charge_all(&self, now: Instant) -> Result<(), Refused> {
        match &self.all {
            Some(all) => all.lock().unwrap_or_else(PoisonError::into_inner).take(now),
            None => Ok(()),
        }
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Client, ClientWindow>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Returns a permit that costs nothing.
    pub(crate) fn free() -> Self {
        Self(None)
    }

    /// It led to a computation.
    pub(crate) fn spend(mut self) {
        self.0 = None;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(Counted { limit, window }) = self.0.take() else { return };
        if let Some(all) = &limit.all {
            all.lock().unwrap_or_else(PoisonError::into_inner).give_back();
        }
        let Some((client, ends)) = window else { return };
        // Only to the window that it was taken from: a later minute or a ban has its own.
        if let Some(window) = limit.windows().get_mut(&client).filter(|window| window.ends == ends) {
            window.hits = window.hits.saturating_sub(1);
        }
    }
}

/// Drops windows that have ended. If that is not enough, drops the half that ends first. Bans end last by default.
fn make_room(windows: &mut HashMap<Client, ClientWindow>, now: Instant) {
    windows.retain(|_, window| window.ends > now);
    if windows.len() > CLIENTS / 2 {
        let mut ends: Vec<Instant> = windows.values().map(|window| window.ends).collect();
        let middle = ends.len() / 2;
        let (_, median, _) = ends.select_nth_unstable(middle);
        let median = *median;
        windows.retain(|_, window| window.ends > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(most: u32, ban: u64) -> Limit {
        Limit { most, ban: Duration::from_secs(ban), windows: Arc::default(), all: None }
    }

    fn client(n: u32) -> Client {
        Client::of(std::net::Ipv4Addr::from_bits(n).into())
    }

    fn spent(limit: &Limit, client: Client, at: Instant) -> Result<(), Refused> {
        limit.charge_at(client, at).map(Permit::spend)
    }

    #[test]
    fn who_asks_for_too_much_is_refused_for_a_while_and_then_begins_anew() {
        let (limit, start) = (limit(2, 10), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(spent(&limit, client(1), at(0)).is_ok() && spent(&limit, client(1), at(1)).is_ok());
        assert_eq!(spent(&limit, client(1), at(2)), Err(Refused(Duration::from_secs(10))));
        assert_eq!(spent(&limit, client(1), at(5)), Err(Refused(Duration::from_secs(7))), "asking prolongs nothing");
        assert!(spent(&limit, client(2), at(5)).is_ok(), "another client is not concerned");
        assert!(spent(&limit, client(1), at(12)).is_ok() && spent(&limit, client(1), at(12)).is_ok());
        assert!(spent(&limit, client(1), at(12)).is_err());
    }

    #[test]
    fn a_minute_after_the_first_hit_the_count_begins_anew() {
        let (limit, start) = (limit(2, 10), Instant::now());
        for minute in 0..5 {
            for _ in 0..2 {
                assert!(spent(&limit, client(1), start + MINUTE * minute).is_ok());
            }
        }
    }

    #[test]
    fn what_led_to_no_computation_is_given_back() {
        let (limit, now) = (limit(1, 10), Instant::now());
        for _ in 0..5 {
            assert!(limit.charge_at(client(1), now).is_ok(), "dropped unspent");
        }
        assert!(spent(&limit, client(1), now).is_ok() && spent(&limit, client(1), now).is_err());
        // A charge of an earlier minute gives nothing to a later one.
        let old = limit.charge_at(client(2), now).unwrap();
        assert!(spent(&limit, client(2), now + MINUTE).is_ok());
        drop(old);
        assert!(spent(&limit, client(2), now + MINUTE).is_err());
    }

    #[test]
    fn all_clients_together_are_limited_too() {
        let now = Instant::now();
        let limit = Limit { all: Some(Arc::new(Mutex::new(Bucket::new(60)))), ..limit(2, 600) };
        assert!(spent(&limit, client(0), now).is_ok() && spent(&limit, client(0), now).is_ok());
        assert!(spent(&limit, client(0), now).is_err(), "its own limit");
        assert!((1..=58).all(|n| spent(&limit, client(n), now).is_ok()));
        let Refused(wait) = spent(&limit, client(59), now).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        // Being refused for the others' sake counts for nobody, and what led to no computation is given back.
        let later = now + Duration::from_millis(1_001);
        for _ in 0..5 {
            assert!(limit.charge_at(client(59), later).is_ok(), "dropped unspent");
        }
        assert!(spent(&limit, client(59), later).is_ok());
        assert!(spent(&limit, client(60), later).is_err());
        assert!((61..=120).all(|n| spent(&limit, client(n), now + MINUTE * 3).is_ok()), "it is full again");
        assert!(spent(&limit, client(121), now + MINUTE * 3).is_err(), "and holds no more than that");
    }

    #[test]
    fn zero_is_no_limit() {
        let (limit, now) = (limit(0, 10), Instant::now());
        assert!((0..1000).all(|_| spent(&limit, client(1), now).is_ok()));
        assert!(limit.windows().is_empty());
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let (limit, now) = (limit(1, 1000), Instant::now());
        for n in 0..CLIENTS as u32 * 3 {
            let at = now + Duration::from_micros(n.into());
            assert!(spent(&limit, client(n), at).is_ok(), "newcomers are served");
        }
        assert!(limit.windows().len() <= CLIENTS);
        // Windows of the same moment count too.
        for n in 0..CLIENTS as u32 * 2 {
            assert!(spent(&limit, client(u32::MAX - n), now + Duration::from_secs(30)).is_ok());
        }
        assert!(limit.windows().len() <= CLIENTS);
    }
}
