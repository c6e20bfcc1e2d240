//! Events of the last hour, counted by country.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use sview_model::CountryCode;

/// How many minutes are counted.
const MINUTES: i64 = 60;

/// Counts by minute, the latest last.
#[derive(Debug, Default)]
pub(super) struct Countries(VecDeque<(i64, BTreeMap<CountryCode, u64>)>);

impl Countries {
    /// Counts an event that was heard at `now`.
    pub(super) fn add(&mut self, code: CountryCode, now: DateTime<Utc>) {
        let minute = now.timestamp() / 60;
        if self.0.back().is_none_or(|(last, _)| *last < minute) {
            self.0.push_back((minute, BTreeMap::new()));
        }
        while self.0.front().is_some_and(|(first, _)| *first <= minute - MINUTES) {
            self.0.pop_front();
        }
        if let Some((_, counts)) = self.0.back_mut() {
            *counts.entry(code).or_default() += 1;
        }
    }

    /// The sums at `now`.
    pub(super) fn sums(&self, now: DateTime<Utc>) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::<CountryCode, u64>::new();
        for (_, counts) in self.0.iter().filter(|(minute, _)| *minute > now.timestamp() / 60 - MINUTES) {
            for (code, count) in counts {
                *sums.entry(*code).or_default() += count;
            }
        }
        sums.into_iter().map(|(code, count)| (code.to_string(), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_remembered() {
        let at = |minute: i64| DateTime::from_timestamp(minute * 60, 0).unwrap();
        let mut countries = Countries::default();
        for minute in 0..100 {
            countries.add("CZ".parse().unwrap(), at(minute));
        }
        assert_eq!(countries.0.len(), 60);
        assert_eq!(countries.sums(at(99)), BTreeMap::from([("CZ".to_owned(), 60)]));
        assert_eq!(countries.sums(at(149))["CZ"], 10);
    }
}
