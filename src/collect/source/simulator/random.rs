//! All the chance of the simulator, from one seed.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One stream of chance. Streams of one seed are independent of each other.
pub(super) struct Random {
    generator: ChaCha8Rng,
    spare_normal: Option<f64>,
}

impl Random {
    /// Stream number `stream` of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        Self { generator, spare_normal: None }
    }

    /// Anything from 0 up to, but not including, 1.
    pub(super) fn uniform(&mut self) -> f64 {
        self.generator.random()
    }

    /// Anything from `low` up to `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A standard normal deviate (Box and Muller's method, which gives two at a time).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare_normal = Some(radius * sine);
        radius * cosine
    }

    /// How many of many unlikely things happen, when `mean` do on average.
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let threshold = (-mean).exp();
        let (mut count, mut product) = (0, self.uniform());
        while product > threshold {
            count += 1;
            product *= self.uniform();
        }
        count
    }

    /// Bytes for an identifier.
    pub(super) fn bytes(&mut self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.generator.fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_variance(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let draws: Vec<f64> = (0..100_000).map(|_| draw()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        (mean, draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64)
    }

    #[test]
    fn deviates_have_their_moments() {
        let mut random = Random::new(1, 0);
        let (mean, variance) = mean_and_variance(|| random.normal());
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        for expected in [0.2, 5.0, 80.0] {
            let (mean, variance) = mean_and_variance(|| f64::from(random.poisson(expected)));
            assert!((mean / expected - 1.0).abs() < 0.02 && (variance / expected - 1.0).abs() < 0.03);
        }
    }

    #[test]
    fn streams_differ_and_repeat() {
        let draw = |stream| Random::new(9, stream).uniform();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
