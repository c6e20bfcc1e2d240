//! Sets of moments as sorted, disjoint, half-open spans of microseconds.

use crate::engine::Micros;

/// A set of moments. Spans are sorted, not empty, and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<(Micros, Micros)>);

impl Spans {
    /// The union of any spans, in any order; empty ones count for nothing.
    pub(crate) fn new(mut spans: Vec<(Micros, Micros)>) -> Self {
        spans.retain(|(start, finish)| start < finish);
        spans.sort_unstable();
        let mut union: Vec<(Micros, Micros)> = Vec::with_capacity(spans.len());
        for (start, finish) in spans {
            match union.last_mut() {
                Some((_, last)) if start <= *last => *last = finish.max(*last),
                _ => union.push((start, finish)),
            }
        }
        Self(union)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (Micros, Micros)> + '_ {
        self.0.iter().copied()
    }

    /// Whether a moment is in the set.
    pub(crate) fn contains(&self, at: Micros) -> bool {
        let next = self.0.partition_point(|(_, finish)| *finish <= at);
        self.0.get(next).is_some_and(|(start, _)| *start <= at)
    }

    /// Every span widened to whole multiples of `width`.
    pub(crate) fn cover(&self, width: Micros) -> Self {
        let floor = |at: Micros| at.div_euclid(width) * width;
        Self::new(self.iter().map(|(s, f)| (floor(s), floor(f + width - 1))).collect())
    }

    /// Returns the parts before `limit`.
    pub(crate) fn before(&self, limit: Micros) -> Self {
        Self::new(self.iter().map(|(s, f)| (s, f.min(limit))).collect())
    }

    /// Returns the parts from `limit` on.
    pub(crate) fn after(&self, limit: Micros) -> Self {
        Self::new(self.iter().map(|(s, f)| (s.max(limit), f)).collect())
    }

    /// Returns the parts of this set that are not in the other.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut rest = Vec::new();
        for (mut start, finish) in self.iter() {
            let first = other.0.partition_point(|(_, f)| *f <= start);
            for (s, f) in other.0[first..].iter().take_while(|(s, _)| *s < finish) {
                rest.push((start, *s));
                start = *f;
            }
            rest.push((start, finish));
        }
        Self::new(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments(spans: &Spans) -> Vec<Micros> {
        spans.iter().flat_map(|(s, f)| s..f).collect()
    }

    proptest! {
        #[test]
        fn spans_are_sets(a in prop::collection::vec((0i64..60, 0i64..60), 0..8), b in prop::collection::vec((0i64..60, 0i64..60), 0..8)) {
            let contains = |list: &[(i64, i64)], m: i64| list.iter().any(|(s, f)| *s <= m && m < *f);
            let (x, y) = (Spans::new(a.clone()), Spans::new(b.clone()));
            prop_assert_eq!(moments(&x), (0..60).filter(|m| contains(&a, *m)).collect::<Vec<_>>());
            prop_assert_eq!(moments(&x.minus(&y)), (0..60).filter(|m| contains(&a, *m) && !contains(&b, *m)).collect::<Vec<_>>());
            prop_assert_eq!(moments(&x.after(30)), (30..60).filter(|m| contains(&a, *m)).collect::<Vec<_>>());
            prop_assert_eq!(moments(&x.before(30)), (0..30).filter(|m| contains(&a, *m)).collect::<Vec<_>>());
            prop_assert_eq!((0..60).filter(|m| x.contains(*m)).collect::<Vec<_>>(), moments(&x));
            let wide = x.cover(7);
            prop_assert_eq!(moments(&wide), (0..63).filter(|m| moments(&x).iter().any(|n| n / 7 == m / 7)).collect::<Vec<_>>());
            prop_assert!(x.iter().zip(x.iter().skip(1)).all(|((_, f), (s, _))| f < s));
        }
    }
}
