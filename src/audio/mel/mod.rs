//! Log-mel energies and MFCCs at 100 frames per second: the baseline for learned features.
//!
//! Frame t of a signal x at R samples per second is centered in its label, at (t + 1/2) / 100 seconds. With w the window,
//! H_m the triangles of the mel filter bank and X_t the Fourier transform of the frame,
//!
//! ```text
//! E_t[m] = log max(eps, sum_f H_m[f] |X_t[f]|^2)         log-mel
//! c_t[k] = L_k sum_m DCT_k[m] E_t[m]                     MFCC
//! d_t    = sum_{n=1,2} n (c_{t+n} - c_{t-n}) / 10        delta, and once more for delta-delta
//! ```
//!
//! # Convention
//!
//! Libraries differ (window, filter shape, decibels or natural logarithm, edges), and so do their features. This module
//! follows **Kaldi's** convention, as `torchaudio.compliance.kaldi` computes it for samples in [-1, 1], because the MFCC
//! baselines of speech representations are computed this way: HuBERT's first targets (fairseq,
//! `simple_kmeans/dump_mfcc_feature.py`) are its `mfcc` with `use_energy=False` and two passes of
//! `torchaudio.functional.compute_deltas`. In torchaudio's terms:
//!
//! ```text
//! logmel  fbank(x, num_mel_bins=40, snip_edges=False, sample_frequency=R)
//! mfcc    c = mfcc(x, num_ceps=13, num_mel_bins=23, use_energy=False, snip_edges=False, sample_frequency=R)
//!         [c, compute_deltas(c), compute_deltas(compute_deltas(c))]
//! ```
//!
//! That is: 25 ms windows every 10 ms, each with its mean removed, pre-emphasis 0.97, Povey window (Hann to the power
//! 0.85), zero-padding to a power of two, power spectrum, triangles of equal width on the scale 1127 ln(1 + f/700) from
//! 20 Hz to half the rate and linear on it, natural logarithm with a floor of 1.19e-7 (float32's epsilon: for samples in
//! [-1, 1], about the level of 16-bit rounding noise, so digital silence and near silence look the same), orthonormal
//! DCT, lifter 22, and c_0 kept. No dither.
//!
//! `snip_edges` is `False`, where HuBERT has `True`. The number of frames then depends on the hop alone,
//! `round(100 n / R)` for n samples, and frame t is centered in label t of a file with one label every 10 ms, not 4.5 ms
//! after its middle. The signal is mirrored at its ends (`x[-1] = x[0]`); the deltas repeat the first and the last frame.
//!
//! Two cases are left open by torchaudio. Signals shorter than a window, which it refuses, are mirrored as often as
//! needed, as in Kaldi. At rates that are not a multiple of 100, the frame rate stays 100 per second, and each frame
//! starts at the sample below the exact time, where torchaudio would round the hop down and drift away from the labels.

mod deltas;
mod frame;

use crate::error::{Error, Result};
use deltas::Deltas;
use frame::Analysis;

/// Frames per second, at every sample rate.
pub const FRAME_RATE: u32 = 100;

/// Cepstral coefficients of [`MelKind::Mfcc`], before deltas.
const CEPSTRA: usize = 13;

/// The kind of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MelKind {
    /// The logarithm of 40 mel energies.
    LogMel,
    /// 13 mel-frequency cepstral coefficients (of 23 mel energies), their deltas, and their delta-deltas.
    Mfcc,
}

impl MelKind {
    /// Dimensions per frame: 40 log-mels; 39 for MFCCs: 13 coefficients, 13 deltas, 13 delta-deltas.
    pub const fn dim(self) -> usize {
        match self {
            MelKind::LogMel => 40,
            MelKind::Mfcc => 3 * CEPSTRA,
        }
    }

    /// The short name: `logmel` or `mfcc`.
    pub const fn name(self) -> &'static str {
        match self {
            MelKind::LogMel => "logmel",
            MelKind::Mfcc => "mfcc",
        }
    }

    const fn mel_bins(self) -> usize {
        match self {
            MelKind::LogMel => 40,
            MelKind::Mfcc => 23,
        }
    }
}

/// Number of frames of `samples` samples at `rate`: `round(100 samples / rate)`, with half a frame rounded up.
///
/// At 16 kHz that is `(samples + 80) / 160`, rounded down.
pub fn frames(rate: u32, samples: u64) -> u64 {
    let (samples, rate, per_second) = (u128::from(samples), u128::from(rate.max(1)), u128::from(FRAME_RATE));
    u64::try_from((2 * per_second * samples + rate) / (2 * rate)).unwrap_or(u64::MAX)
}

/// The features of one whole signal: (T, dim) row-major, T = [`frames`]`(rate, samples.len())`.
///
/// # Errors
/// As for [`MelFrames::new`].
pub fn features(rate: u32, kind: MelKind, samples: &[f32]) -> Result<Vec<f32>> {
    let mut stream = MelFrames::new(rate, kind)?;
    let mut rows = Vec::with_capacity(frames(rate, samples.len() as u64) as usize * kind.dim());
    stream.push(samples, &mut rows);
    stream.finish(&mut rows);
    Ok(rows)
}

/// Computes the frames of a signal that arrives in pieces of any size; the frames do not depend on how it is cut.
///
/// It holds one second of samples and a few frames, however long the signal is. A frame is output once it is final:
/// 12.5 ms after its center, and for MFCCs another 40 ms later, because the delta-deltas look four frames ahead.
///
/// ```
/// use cpc::audio::mel::{MelFrames, MelKind, frames};
///
/// let mut stream = MelFrames::new(16_000, MelKind::Mfcc)?;
/// let mut rows = Vec::new();
/// for piece in vec![0.1f32; 16_000].chunks(999) {
///     stream.push(piece, &mut rows);
/// }
/// stream.finish(&mut rows); // (100, 39)
/// assert_eq!(rows.len() as u64, frames(16_000, 16_000) * 39);
/// # Ok::<(), cpc::error::Error>(())
/// ```
pub struct MelFrames {
    rate: u32,
    kind: MelKind,
    analysis: Analysis,
    /// For MFCCs, the deltas and the delta-deltas.
    deltas: Option<[Deltas; 2]>,
    /// The samples from index `begin` onward; earlier samples are not needed by later frames.
    kept: Vec<f32>,
    begin: u64,
    /// The index of the next frame.
    next: u64,
    window: Vec<f32>,
    row: Vec<f32>,
    with_delta: Vec<f32>,
}

impl MelFrames {
    /// A stream of features of mono samples in [-1, 1] at `rate` samples per second.
    ///
    /// # Errors
    /// The rate is so low that a triangle of the filter bank covers no frequency; 1.5 kHz or more is sufficient.
    pub fn new(rate: u32, kind: MelKind) -> Result<Self> {
        let length = (u64::from(rate) / 40) as usize; // 25 ms
        let cepstra = (kind == MelKind::Mfcc).then_some(CEPSTRA);
        let analysis = Analysis::new(rate, length, kind.mel_bins(), cepstra).ok_or_else(|| {
            Error::usage(
                format!("{} features cannot be computed at {rate} samples per second", kind.name()),
                "resample the audio to 16000 samples per second",
            )
        })?;
        let deltas = cepstra.map(|n| [Deltas::new(n, 0), Deltas::new(2 * n, n)]);
        Ok(MelFrames {
            rate,
            kind,
            analysis,
            deltas,
            kept: Vec::new(),
            begin: 0,
            next: 0,
            window: vec![0.0; length],
            row: Vec::with_capacity(kind.dim()),
            with_delta: Vec::new(),
        })
    }

    /// Dimensions per frame.
    pub fn dim(&self) -> usize {
        self.kind.dim()
    }

    /// Takes the next samples and appends the frames that became final to `rows`, (frames, dim) row-major.
    ///
    /// A NaN sample makes the frames around it NaN.
    pub fn push(&mut self, samples: &[f32], rows: &mut Vec<f32>) {
        for piece in samples.chunks(self.rate as usize) {
            self.kept.extend_from_slice(piece);
            let received = (self.begin + self.kept.len() as u64) as i64;
            while self.start(self.next) + self.window.len() as i64 <= received {
                self.emit(None, rows);
            }
            let used = self.start(self.next).max(0) as u64 - self.begin;
            self.kept.drain(..used as usize);
            self.begin += used;
        }
    }

    /// Ends the signal: appends the last frames to `rows`, and resets for another signal.
    pub fn finish(&mut self, rows: &mut Vec<f32>) {
        let samples = self.begin + self.kept.len() as u64;
        while self.next < frames(self.rate, samples) {
            self.emit(Some(samples as i64), rows);
        }
        if let Some([first, second]) = &mut self.deltas {
            self.with_delta.clear();
            first.finish(&mut self.with_delta);
            second.push_all(&self.with_delta, rows);
            second.finish(rows);
        }
        self.kept.clear();
        (self.begin, self.next) = (0, 0);
    }

    /// The first sample of frame t; negative at the beginning of the signal.
    fn start(&self, t: u64) -> i64 {
        let center = u64::from(self.rate) * (2 * t + 1) / u64::from(2 * FRAME_RATE);
        center as i64 - (self.window.len() / 2) as i64
    }

    /// Analyzes frame `next`; `samples` is the length of the signal, once it is known.
    fn emit(&mut self, samples: Option<i64>, rows: &mut Vec<f32>) {
        let start = self.start(self.next);
        let begin = self.begin as i64;
        for (i, slot) in self.window.iter_mut().enumerate() {
            let at = mirrored(start + i as i64, samples) - begin;
            *slot = usize::try_from(at).ok().and_then(|at| self.kept.get(at)).copied().unwrap_or(f32::NAN);
        }
        self.next += 1;
        let Some([first, second]) = &mut self.deltas else {
            return self.analysis.frame(&mut self.window, rows);
        };
        self.row.clear();
        self.analysis.frame(&mut self.window, &mut self.row);
        self.with_delta.clear();
        first.push_all(&self.row, &mut self.with_delta);
        second.push_all(&self.with_delta, rows);
    }
}

/// The index of the sample at `at` when a signal of `samples` samples is mirrored at its ends. With `None`, the end is
/// not known yet, and only the beginning is mirrored.
fn mirrored(at: i64, samples: Option<i64>) -> i64 {
    match samples {
        None => at.max(-1 - at),
        Some(n) => {
            let turn = at.rem_euclid(2 * n);
            turn.min(2 * n - 1 - turn)
        }
    }
}

#[cfg(test)]
mod tests;
