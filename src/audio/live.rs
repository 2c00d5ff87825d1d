//! Resampling of samples that arrive in pieces.

use crate::audio::resample::Design;
use crate::audio::samples_at;
use crate::error::{Error, Result};

/// Resamples a stream: the concatenated output pieces are bit for bit what a file of the same samples gives.
pub struct LiveResampler {
    rate: u32,
    target: u32,
    design: Option<Design>,
    held: Vec<f32>, // input samples from `first` onward
    first: i64,
    taken: u64, // number of samples received
    given: u64, // number of samples returned
}

impl LiveResampler {
    /// A resampler from `rate` to `target` samples per second.
    ///
    /// # Errors
    /// `rubato` cannot resample between the two rates.
    pub fn new(rate: u32, target: u32) -> Result<Self> {
        let refused = |what| Error::usage(what, "set --rate to the sample rate of the input, in samples per second");
        let design = if rate == target { None } else { Some(Design::new(rate, target).map_err(refused)?) };
        // The signal before the first sample is silence.
        let first = design.as_ref().map_or(0, |d| d.needs(&(0..1)).start);
        let held = vec![0.0; usize::try_from(-first).unwrap_or(0)];
        Ok(LiveResampler { rate, target, design, held, first, taken: 0, given: 0 })
    }

    /// The longest time a sample is held before it is returned, in milliseconds.
    pub fn delay_ms(&self) -> f64 {
        self.design.as_ref().map_or(0.0, |d| 1e3 * d.delay() as f64 / f64::from(self.rate))
    }

    /// Accepts samples and returns the output samples that they make final.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        self.taken += samples.len() as u64;
        if self.design.is_none() {
            return Ok(samples.to_vec());
        }
        self.held.extend_from_slice(samples);
        let taken = self.taken as i64;
        self.give(|needed| needed <= taken, u64::MAX)
    }

    /// Ends the stream: returns the remaining samples, which depend on the silence after the end.
    pub fn finish(&mut self) -> Result<Vec<f32>> {
        let all = samples_at(self.taken, self.rate, self.target);
        let Some(design) = &self.design else { return Ok(Vec::new()) };
        if all <= self.given {
            return Ok(Vec::new());
        }
        let end = design.needs(&(all - 1..all)).end;
        self.held.resize(usize::try_from(end - self.first).unwrap_or(0), 0.0);
        self.give(|_| true, all)
    }

    /// Returns samples for as long as `ready(end)` holds, where `end` is the end of the input that they need, and at most up
    /// to `limit`.
    fn give(&mut self, ready: impl Fn(i64) -> bool, limit: u64) -> Result<Vec<f32>> {
        let mut out = Vec::new();
        let Some(design) = &mut self.design else { return Ok(out) };
        while self.given < limit {
            // The output of one block of the design.
            let needs = design.needs(&(self.given..self.given + 1));
            if !ready(needs.end) {
                break;
            }
            let to = design.next_block(self.given).min(limit);
            let range = self.given..to;
            let from = usize::try_from(needs.start - self.first).unwrap_or(0);
            let to_sample = usize::try_from(needs.end - self.first).unwrap_or(0);
            let at = out.len();
            out.resize(at + (to - self.given) as usize, 0.0);
            let failed = |what| Error::failed(what, "report this as a bug in cpc");
            design.run(&self.held[from..to_sample], &range, &mut out[at..]).map_err(failed)?;
            self.given = to;
            self.held.drain(..from);
            self.first = needs.start;
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::wav;
    use crate::audio::{probe, read};
    use proptest::prelude::*;

    #[test]
    fn no_sample_stays_inside_longer_than_is_said() {
        for rate in [8_000, 44_100] {
            let mut live = LiveResampler::new(rate, 16_000).unwrap();
            let (mut given, mut longest) = (0u64, 0.0f64);
            for taken in 1..20_000u64 {
                let out = live.push(&[0.1]).unwrap();
                if !out.is_empty() {
                    // The first of them waited longest.
                    longest = longest.max(taken as f64 / f64::from(rate) - given as f64 / 16_000.0);
                    given += out.len() as u64;
                }
            }
            let said = live.delay_ms();
            assert!(1e3 * longest <= said + 1e-9 && said < 1e3 * longest + 1.0, "{rate}: {longest} s, {said} ms");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn pieces_of_a_stream_are_the_file_to_the_bit(
            rate in prop::sample::select(vec![8_000u32, 44_100, 16_000, 48_000, 11_025]),
            length in 1usize..30_000,
            pieces in prop::collection::vec(1usize..4_000, 1..5),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.wav");
            wav(&path, rate, 1, length as u64, |t, _| ((t as f64 * 0.3).sin() * 9e3) as i16);
            let info = probe(&path).unwrap();
            let native = read(&path, &info, 0..info.frames, rate).unwrap();
            let want = read(&path, &info, 0..info.samples_at(16_000), 16_000).unwrap();
            let mut live = LiveResampler::new(rate, 16_000).unwrap();
            let (mut got, mut at) = (Vec::new(), 0);
            for piece in pieces.iter().cycle() {
                let to = (at + piece).min(native.len());
                got.extend(live.push(&native[at..to]).unwrap());
                at = to;
                if at == native.len() {
                    break;
                }
            }
            got.extend(live.finish().unwrap());
            prop_assert!(got == want, "{} samples, {} expected", got.len(), want.len());
        }
    }
}
