//! Scales: round numbers for axes and for the classes of a map.

/// Returns the ticks of an axis from 0 to at least `max`. They are whole numbers, evenly spaced by 1, 2, 2.5 or 5 times a power of ten,
/// about four of them above the zero. The last is the top of the axis.
pub(super) fn ticks(max: u64) -> Vec<u64> {
    const ABOUT: u64 = 4;
    let mut power: u64 = 1;
    let step = 'found: loop {
        for (times, by) in [(1, 1), (2, 1), (5, 2), (5, 1)] {
            let Some(step) = power.checked_mul(times).map(|s| s / by) else { break 'found u64::MAX / ABOUT };
            if !(power == 1 && by == 2) && max.div_ceil(step) <= ABOUT {
                break 'found step;
            }
        }
        match power.checked_mul(10) {
            Some(more) => power = more,
            None => break u64::MAX / ABOUT,
        }
    };
    (0..=max.div_ceil(step).max(1)).map(|i| step.saturating_mul(i)).collect()
}

/// Returns the lower bounds of at most six classes, for numbers that differ by orders of magnitude. The bounds are even in the logarithm
/// from `least` to `most`, rounded to one digit. The first bound is at most `least`; class `i` ends below bound `i + 1`.
pub(super) fn classes(least: u64, most: u64) -> Vec<u64> {
    const CLASSES: i32 = 6;
    let least = least.max(1);
    let ratio = most.max(1) as f64 / least as f64;
    let mut bounds: Vec<u64> =
        (0..CLASSES).map(|i| one_digit(least as f64 * ratio.powf(f64::from(i) / f64::from(CLASSES)))).collect();
    bounds.dedup();
    bounds
}

/// The number rounded down to one significant digit.
fn one_digit(number: f64) -> u64 {
    let power = 10_u64.saturating_pow((number + 1e-9).log10().floor().max(0.0) as u32);
    (number + 1e-9) as u64 / power * power
}

/// The class that a number belongs to.
pub(super) fn class_of(bounds: &[u64], number: u64) -> usize {
    bounds.iter().rposition(|bound| number >= *bound).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_maximum() {
        assert_eq!(ticks(0), [0, 1]);
        assert_eq!(ticks(1), [0, 1]);
        assert_eq!(ticks(3), [0, 1, 2, 3]);
        assert_eq!(ticks(7), [0, 2, 4, 6, 8]);
        assert_eq!(ticks(100), [0, 25, 50, 75, 100]);
        assert_eq!(ticks(1_234_567), [0, 500_000, 1_000_000, 1_500_000]);
        for max in [1, 9, 10, 11, 99, 12_345, 10_u64.pow(15) + 1, u64::MAX] {
            let ticks = ticks(max);
            assert!(*ticks.last().unwrap() >= max / 4 * 4 && ticks.len() <= 6, "{max}: {ticks:?}");
        }
    }

    #[test]
    fn classes_cover_all_numbers() {
        assert_eq!(classes(1, 1), [1]);
        assert_eq!(classes(1, 1_000_000), [1, 10, 100, 1000, 10_000, 100_000]);
        assert_eq!(classes(3, 9), [3, 4, 5, 6, 7]);
        let bounds = classes(17, 90_000);
        assert!(bounds[0] <= 17 && bounds.windows(2).all(|w| w[0] < w[1]), "{bounds:?}");
        assert_eq!(class_of(&bounds, 17), 0);
        assert_eq!(class_of(&bounds, 90_000), bounds.len() - 1);
    }
}
