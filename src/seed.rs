//! Named random streams: one seed gives every use of randomness its own stream.
//!
//! A stream is a pure function of (seed, name, index), such as (7, "negatives", step 1200). No random state has to be stored to resume a run,
//! and drawing more from one stream never affects another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random numbers that is the same on every machine.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

/// The stream with `name` and `index` for the `seed` of a run.
pub fn stream(seed: u64, name: &str, index: u64) -> Stream {
    // FNV-1a of the name distinguishes names; ChaCha turns the three words into streams with no visible relation.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let mut key = [0u8; 32];
    for (slot, word) in key.chunks_exact_mut(8).zip([seed, hash, index, name.len() as u64]) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    Stream(ChaCha8Rng::from_seed(key))
}

impl Stream {
    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The key of the cipher whose words are the numbers.
    pub fn key(&self) -> [u32; 8] {
        let seed = self.0.get_seed();
        std::array::from_fn(|i| u32::from_le_bytes([seed[4 * i], seed[4 * i + 1], seed[4 * i + 2], seed[4 * i + 3]]))
    }

    /// Whether nothing has been drawn.
    pub fn is_at_its_start(&self) -> bool {
        self.0.get_word_pos() == 0
    }

    /// Passes over `n` draws of 32 bits, such as those of [`below`](Self::below).
    pub fn skip(&mut self, n: usize) {
        self.0.set_word_pos(self.0.get_word_pos() + n as u128);
    }

    /// A uniform integer in `0..n`, with negligible bias (Lemire's multiplication on 32 bits); 0 if `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(n)) >> 32) as u32
    }

    /// A uniform number in [0, 1) with 24 random bits.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// A uniform number in [low, high).
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A standard normal number (Box-Muller).
    pub fn normal(&mut self) -> f32 {
        let u = 1.0 - f64::from(self.unit());
        let v = f64::from(self.unit());
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    }

    /// A uniform number in [0, 1) with 53 random bits.
    pub fn unit64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number with the full precision of an f64 (Box-Muller). It reaches 8.5, whereas [`normal`](Self::normal) ends at 5.8;
    /// heavy tails need that range.
    pub fn normal64(&mut self) -> f64 {
        let (u, v) = (1.0 - self.unit64(), self.unit64());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_seed_name_and_index() {
        let draw = |seed, name, index| stream(seed, name, index).next_u64();
        assert_eq!(draw(1, "a", 2), draw(1, "a", 2));
        for other in [draw(2, "a", 2), draw(1, "b", 2), draw(1, "a", 3)] {
            assert_ne!(draw(1, "a", 2), other);
        }
    }

    #[test]
    fn numbers_are_spread_as_they_should_be() {
        let mut s = stream(3, "spread", 0);
        let n = 20_000;
        let mean = (0..n).map(|_| s.unit()).sum::<f32>() / n as f32;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let normal: Vec<f32> = (0..n).map(|_| s.normal()).collect();
        let variance = normal.iter().map(|x| x * x).sum::<f32>() / n as f32;
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
        let mut counts = [0; 7];
        (0..n).for_each(|_| counts[s.below(7) as usize] += 1);
        assert!(counts.iter().all(|&c| (2600..3150).contains(&c)), "{counts:?}");
    }

    #[test]
    fn numbers_of_64_bits_are_spread_likewise_and_have_their_last_digits() {
        let mut s = stream(3, "spread64", 0);
        let n = 20_000;
        let unit: Vec<f64> = (0..n).map(|_| s.unit64()).collect();
        assert!(unit.iter().all(|u| (0.0..1.0).contains(u)));
        assert!(unit.iter().any(|u| f64::from(*u as f32) != *u), "they are not f32");
        // Four standard errors: sqrt(1 / 12 n), and for moments 1 to 4 of a normal sqrt(1 / n), sqrt(2 / n), sqrt(15 / n), sqrt(96 / n).
        let error = |variance: f64| 4.0 * (variance / n as f64).sqrt();
        assert!((unit.iter().sum::<f64>() / n as f64 - 0.5).abs() < error(1.0 / 12.0));
        let normal: Vec<f64> = (0..n).map(|_| s.normal64()).collect();
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let moment = normal.iter().map(|z| z.powi(power)).sum::<f64>() / n as f64;
            assert!((moment - expected).abs() < error(variance), "{power}: {moment}");
        }
    }
}
