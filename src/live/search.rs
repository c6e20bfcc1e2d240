//! Searching the list by a part of an address. The list is written as text once a change and searched there, outside the feed's mutex.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use memchr::{memchr, memmem, memrchr};

use super::Live;

/// The time for which a text is used although the list has changed, as a multiple of the time to write it. However fast the list changes,
/// writing takes a twentieth of one core at the most.
const SPARING: u32 = 20;

/// The text that was written last.
#[derive(Default)]
pub(super) struct Written {
    last: Mutex<Option<Arc<Searchable>>>,
    /// Held while the next one is written.
    writing: Mutex<()>,
}

/// A list as text.
pub(super) struct Searchable {
    revision: u64,
    /// The addresses, a line each.
    text: String,
    addresses: Vec<IpAddr>,
    written: Instant,
    took: Duration,
}

impl Searchable {
    fn new(revision: u64, addresses: Vec<IpAddr>, began: Instant) -> Self {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(addresses.len() * 16);
        for ip in &addresses {
            let _ = writeln!(text, "{ip}"); // to a string, it cannot fail
        }
        Self { revision, text, addresses, written: Instant::now(), took: began.elapsed() }
    }

    /// How many addresses contain a text in lower case, and those of them from `first` on, `most` at the most.
    pub(super) fn find(&self, search: &str, first: usize, most: usize) -> (usize, Vec<IpAddr>) {
        if search.is_empty() {
            return (self.addresses.len(), self.addresses.iter().skip(first).take(most).copied().collect());
        }
        // A line's end is in no address.
        if !search.bytes().all(|byte| byte.is_ascii_hexdigit() || b".:".contains(&byte)) {
            return (0, Vec::new());
        }
        let (finder, text) = (memmem::Finder::new(search), self.text.as_bytes());
        let (mut found, mut shown, mut at) = (0, Vec::new(), 0);
        while let Some(hit) = finder.find(&text[at..]).map(|hit| at + hit) {
            let end = memchr(b'\n', &text[hit..]).map_or(text.len(), |end| hit + end);
            if found >= first && shown.len() < most {
                let start = memrchr(b'\n', &text[..hit]).map_or(0, |before| before + 1);
                shown.extend(self.text[start..end].parse::<IpAddr>());
            }
            (found, at) = (found + 1, (end + 1).min(text.len()));
        }
        (found, shown)
    }
}

impl Live {
    /// The list as text: as it is, or as it was some tenths of a second ago where it is long and changes fast. Not for async threads:
    /// writing a long one takes some hundredths of a second.
    pub(super) fn searchable(&self) -> Arc<Searchable> {
        let written = &self.written;
        let last = || written.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let revision = self.feed().revision;
        let is_fit = |known: &Arc<Searchable>| {
            known.revision == revision || known.written.elapsed() < known.took.saturating_mul(SPARING)
        };
        if let Some(known) = last().filter(is_fit) {
            return known;
        }
        let _writing = match (written.writing.try_lock(), last()) {
            (Ok(writing), _) => writing,
            (Err(TryLockError::WouldBlock), Some(known)) => return known,
            (Err(TryLockError::Poisoned(poisoned)), _) => poisoned.into_inner(),
            (Err(TryLockError::WouldBlock), None) => written.writing.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if let Some(known) = last().filter(is_fit) {
            return known;
        }
        let began = Instant::now();
        let (revision, addresses) = {
            let feed = self.feed();
            let addresses = feed.follower.list().iter().flat_map(|list| &list.addresses).copied().collect();
            (feed.revision, addresses)
        };
        let searchable = Arc::new(Searchable::new(revision, addresses, began));
        *written.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&searchable));
        searchable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_what_the_texts_of_the_addresses_contain() {
        let v4 = (0..2000_u32).map(|n| IpAddr::V4((n.wrapping_mul(2_654_435_761)).into()));
        let v6 = (0..500_u128).map(|n| IpAddr::V6(((0x2001_0db8 << 96) | (n * 77_777)).into()));
        let addresses: Vec<IpAddr> = v4.chain(v6).collect();
        let searchable = Searchable::new(1, addresses.clone(), Instant::now());
        for search in
            ["", "1", "19", ".2", "10.", "2001:db8::", "db8", "::", "a", "f", "255.255", "9.9.9.9", "zzz", "1\n2"]
        {
            let all: Vec<IpAddr> = addresses.iter().filter(|ip| ip.to_string().contains(search)).copied().collect();
            for first in [0, 1, 100, 2400, 10_000] {
                let page: Vec<IpAddr> = all.iter().skip(first).take(100).copied().collect();
                assert_eq!(searchable.find(search, first, 100), (all.len(), page), "{search:?} from {first}");
            }
        }
        assert_eq!(Searchable::new(1, Vec::new(), Instant::now()).find("1", 0, 9), (0, Vec::new()));
    }
}
