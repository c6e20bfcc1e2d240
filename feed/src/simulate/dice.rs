//! Chance that repeats: every random stream comes from a seed and the name of its purpose.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The purpose of random numbers. Each purpose has streams of its own, so that one never shifts another.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(super) enum Purpose {
    Probes,
    Waves,
    HourlyWave,
    Attacker,
    Minute,
    HistoryCell,
    TrickleCell,
}

/// The stream of a purpose's `group` and `index`: always the same numbers for the same seed.
pub(super) fn dice(seed: u64, purpose: Purpose, group: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, group, index]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Picks indices with given weights.
#[derive(Clone, Debug)]
pub(super) struct Weighted(Vec<f64>);

impl Weighted {
    /// The weights must be positive and at least one.
    pub(super) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let sums = weights.into_iter().scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self(sums.collect())
    }

    /// Weights `1 / (rank + head)^slope` over `n` ranks: a few are common, most are rare.
    pub(super) fn zipf(n: usize, head: f64, slope: f64) -> Self {
        Self::new((0..n).map(|rank| (rank as f64 + head).powf(-slope)))
    }

    pub(super) fn pick(&self, dice: &mut ChaCha8Rng) -> usize {
        let total = self.0.last().copied().unwrap_or(0.0);
        let point = dice.random::<f64>() * total;
        self.0.partition_point(|sum| *sum <= point).min(self.0.len().saturating_sub(1))
    }
}

/// A number of events that come independently, `mean` of them on average.
pub(super) fn poisson(mean: f64, dice: &mut ChaCha8Rng) -> usize {
    if mean < 30.0 {
        let (limit, mut product, mut n) = ((-mean).exp(), dice.random::<f64>(), 0);
        while product > limit {
            product *= dice.random::<f64>();
            n += 1;
        }
        return n;
    }
    // Many events: near enough to normal.
    let (u, v): (f64, f64) = (1.0 - dice.random::<f64>(), dice.random());
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    (mean + mean.sqrt() * normal).round().max(0.0) as usize
}

/// A whole number of `mean` on average: rounded up as often as its fraction says.
pub(super) fn rounded(mean: f64, dice: &mut ChaCha8Rng) -> i64 {
    (mean + dice.random::<f64>()).floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_has_its_mean() {
        let mut dice = dice(1, Purpose::Minute, 0, 0);
        for mean in [0.5, 2.0, 200.0] {
            let sum: usize = (0..4000).map(|_| poisson(mean, &mut dice)).sum();
            let got = sum as f64 / 4000.0;
            assert!((got - mean).abs() < 0.05 * mean.max(1.0), "{mean}: {got}");
        }
    }

    #[test]
    fn weights_are_kept() {
        let mut dice = dice(1, Purpose::Minute, 0, 0);
        let weighted = Weighted::new([1.0, 3.0]);
        let second = (0..4000).filter(|_| weighted.pick(&mut dice) == 1).count();
        assert!((2850..3150).contains(&second), "{second}");
    }
}
