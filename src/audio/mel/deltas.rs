//! Deltas: the slope of a feature over five frames, `d_t = sum_{n=1,2} n (c_{t+n} - c_{t-n}) / 10`. The first and the
//! last frame are repeated beyond the ends (`torchaudio.functional.compute_deltas` with its defaults).

use std::ops::Range;

/// Number of frames on each side that a slope is computed over.
const REACH: usize = 2;

/// Appends to each frame the deltas of some of its columns; output is delayed by [`REACH`] frames.
pub(super) struct Deltas {
    width: usize,
    columns: Range<usize>,
    /// At most the last `2 REACH + 1` frames, starting with repeats of the first.
    recent: Vec<f32>,
}

impl Deltas {
    /// Deltas of frames of `width` columns, for the columns from `from` onward.
    pub(super) fn new(width: usize, from: usize) -> Self {
        Deltas { width, columns: from..width, recent: Vec::new() }
    }

    /// Takes (frames, width) and appends (frames, width + deltas), delayed.
    pub(super) fn push_all(&mut self, frames: &[f32], out: &mut Vec<f32>) {
        for frame in frames.chunks_exact(self.width) {
            self.push(frame, out);
        }
    }

    /// Appends the frames that are still pending and resets the state.
    pub(super) fn finish(&mut self, out: &mut Vec<f32>) {
        if let Some(at) = self.recent.len().checked_sub(self.width) {
            let last = self.recent[at..].to_vec();
            (0..REACH).for_each(|_| self.push(&last, out));
        }
        self.recent.clear();
    }

    fn push(&mut self, frame: &[f32], out: &mut Vec<f32>) {
        let copies = if self.recent.is_empty() { REACH + 1 } else { 1 };
        (0..copies).for_each(|_| self.recent.extend_from_slice(frame));
        if self.recent.len() < (2 * REACH + 1) * self.width {
            return;
        }
        let at = |frame: usize| &self.recent[frame * self.width..(frame + 1) * self.width];
        out.extend_from_slice(at(REACH));
        let [c0, c1, c3, c4] = [at(0), at(1), at(3), at(4)];
        out.extend(self.columns.clone().map(|i| (2.0 * (c4[i] - c0[i]) + (c3[i] - c1[i])) / 10.0));
        self.recent.drain(..self.width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deltas(frames: &[f32]) -> Vec<f32> {
        let (mut stage, mut out) = (Deltas::new(1, 0), Vec::new());
        stage.push_all(frames, &mut out);
        stage.finish(&mut out);
        out.chunks_exact(2).map(|pair| pair[1]).collect()
    }

    /// torchaudio 2.11.0: `compute_deltas(torch.tensor([[0., 1., 4., 9., 16.]]))`, and of `[[3.]]` and `[[1., 2.]]`.
    #[test]
    fn slopes_are_those_of_compute_deltas_at_the_ends_too() {
        for (frames, want) in [
            (&[0.0, 1.0, 4.0, 9.0, 16.0][..], &[0.9, 2.2, 4.0, 4.2, 3.1][..]),
            (&[3.0], &[0.0]),
            (&[1.0, 2.0], &[0.3, 0.3]),
            (&[], &[]),
        ] {
            let got = deltas(frames);
            assert_eq!(got.len(), want.len());
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6), "{got:?}, not {want:?}");
        }
    }
}
