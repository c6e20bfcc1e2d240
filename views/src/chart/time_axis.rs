//! The labels along a time axis: few enough to be read on a phone.

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use sview_model::Period;

/// The points that get a label, by index, with their labels.
pub(super) fn labels(period: Period, ends: &[DateTime<Utc>]) -> Vec<(usize, String)> {
    let at = |format: &'static str, wanted: &dyn Fn(usize, DateTime<Utc>) -> bool| -> Vec<(usize, String)> {
        let wanted = ends.iter().enumerate().filter(|(i, end)| wanted(*i, **end));
        wanted.map(|(i, end)| (i, end.format(format).to_string())).collect()
    };
    let last = ends.len().saturating_sub(1);
    // From the newest back, so that the newest day always has its label.
    let every = |n: usize| move |i: usize, _| (last - i).is_multiple_of(n);
    match period {
        Period::Hour => at("%H:%M", &|_, end| end.minute().is_multiple_of(15)),
        Period::SixHours => at("%H:%M", &|_, end| end.minute() == 0),
        Period::Day => at("%H:%M", &|_, end| end.minute() == 0 && end.hour().is_multiple_of(6)),
        Period::Week => at("%-d %b", &|_, end| end.hour() == 0),
        // Windows of whole days are labelled by their last day, not by the midnight after it.
        Period::Month | Period::ThreeMonths | Period::Year => {
            let (stride, format) = match period {
                Period::Month => (6, "%-d %b"),
                Period::ThreeMonths => (9, "%-d %b"),
                _ => (6, "%b %Y"),
            };
            let labels = at("", &every(stride));
            labels.into_iter().map(|(i, _)| (i, (ends[i] - TimeDelta::days(1)).format(format).to_string())).collect()
        }
    }
}

/// Returns the position of point `i` of `n`, in percent of the width.
pub(super) fn percent(i: usize, n: usize) -> f64 {
    if n < 2 { 50.0 } else { i as f64 * 100.0 / (n - 1) as f64 }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn every_period_has_a_few_labels() {
        let now = Utc.with_ymd_and_hms(2026, 3, 15, 12, 34, 56).unwrap();
        for period in Period::ALL {
            let ends: Vec<_> = period.windows(now, false).ends().collect();
            let labels = labels(*period, &ends);
            assert!((3..=7).contains(&labels.len()), "{period}: {labels:?}");
        }
        assert!(labels(Period::Year, &[]).is_empty());
    }
}
