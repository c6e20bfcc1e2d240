//! Counts by key, as sorted lists: cheap to make, to merge and to keep.

/// Sums of counts by key, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(Vec<(u64, u64)>);

impl Counts {
    /// From any list, the same key any number of times.
    pub(crate) fn new(mut list: Vec<(u64, u64)>) -> Self {
        list.sort_unstable_by_key(|(key, _)| *key);
        list.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        Self(list)
    }

    /// Adds another list's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let mut sum = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            match (a.peek(), b.peek()) {
                (Some(x), Some(y)) if x.0 == y.0 => {
                    sum.push((x.0, x.1.saturating_add(y.1)));
                    a.next();
                    b.next();
                }
                (Some(x), Some(y)) if x.0 < y.0 => {
                    sum.push(**x);
                    a.next();
                }
                (_, Some(y)) => {
                    sum.push(**y);
                    b.next();
                }
                (Some(x), None) => {
                    sum.push(**x);
                    a.next();
                }
                (None, None) => break,
            }
        }
        self.0 = sum;
    }

    /// The sums over keys that become the same under `of`.
    pub(crate) fn by(&self, of: impl Fn(u64) -> u64) -> Self {
        Self::new(self.0.iter().map(|(key, count)| (of(*key), *count)).collect())
    }

    /// Every key, counted once.
    pub(crate) fn ones(&self) -> Self {
        Self(self.0.iter().map(|(key, _)| (*key, 1)).collect())
    }

    /// The count of a key; 0 when there is none.
    pub(crate) fn get(&self, key: u64) -> u64 {
        self.0.binary_search_by_key(&key, |(k, _)| *k).map_or(0, |i| self.0[i].1)
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    /// All keys with their counts, sorted by key.
    pub(crate) fn slice(&self) -> &[(u64, u64)] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn model(list: &[(u64, u64)]) -> BTreeMap<u64, u64> {
        list.iter().fold(BTreeMap::new(), |mut map, (k, n)| {
            *map.entry(*k).or_default() += n;
            map
        })
    }

    proptest! {
        #[test]
        fn sums_are_those_of_a_map(
            a in prop::collection::vec((0u64..20, 0u64..9), 0..40),
            b in prop::collection::vec((0u64..20, 0u64..9), 0..40),
        ) {
            let mut sum = Counts::new(a.clone());
            sum.add(&Counts::new(b.clone()));
            let both = model(&[a, b].concat());
            prop_assert_eq!(sum.iter().collect::<BTreeMap<_, _>>(), both.clone());
            prop_assert_eq!(sum.total(), both.values().sum::<u64>());
            prop_assert!(sum.iter().all(|(k, n)| sum.get(k) == n) && sum.get(99) == 0);
            let halves: Vec<_> = both.iter().map(|(k, n)| (k / 2, *n)).collect();
            prop_assert_eq!(sum.by(|k| k / 2).iter().collect::<BTreeMap<_, _>>(), model(&halves));
        }
    }
}
