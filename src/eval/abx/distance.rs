//! Distances between frames: the angle between them, or the length of their difference after each is scaled to length 1.
//!
//! ```text
//! u = x / |x|    angular d = arccos(u . v) / pi, from 0 to 1    euclidean d = |u - v| = sqrt(2 - 2 u . v), from 0 to 2
//! ```
//!
//! These are what CPC_audio calls `cosine` and `euclidian`: its loader scales every frame to length 1 before either is computed
//! (`ABX/abx_iterators.py`, `normalize_with_singularity`). fastabx's `euclidean` uses the frames without scaling, so it is a different
//! distance. A frame of zeros has no direction: it is at the largest distance (1 or 2) from every other frame and at 0 from another frame
//! of zeros, which is CPC_audio's rule for the angular distance. (In CPC_audio the Euclidean distance is then 2e12, because of a wrong
//! constant.)
//!
//! Frames that are discrete units have one dimension, the number of the unit, and are not scaled. `identical` takes 0 and 1 as distances of frames, for
//! the same warping; `edit` compares items as wholes.
//!
//! The products u . v of whole blocks come from one matrix product. Where they are close to 1, rounding would destroy the digits of the
//! distance, and a frame would not be at 0 from itself; there the difference itself is squared.

use crate::config::from_word;
use crate::ops::simd::{sum2, vectorized};
use serde::{Deserialize, Serialize};
use std::f32::consts::{FRAC_1_PI, FRAC_PI_2, PI};

/// A distance between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// The angle between two frames over pi (CPC_audio's `cosine`)
    Angular,
    /// The Euclidean distance of frames scaled to length 1 (CPC_audio's `euclidian`)
    Euclidean,
    /// Of units: 0 if they are the same, else 1 (fastabx's `identical`)
    Identical,
    /// Of units: Levenshtein's edit distance of two items, divided by the length of the longer one
    Edit,
}

from_word!(Distance);

/// Frames of length 1, concatenated, and which of them are zeros instead.
#[derive(Debug, Default, Clone)]
pub(super) struct Frames {
    /// (frames, dim) row-major.
    pub unit: Vec<f32>,
    /// Whether a frame consists of zeros.
    pub null: Vec<bool>,
}

impl Frames {
    /// Scales the rows of `features`, (frames, dim), to length 1 and appends them.
    pub fn push(&mut self, features: &[f32], dim: usize) {
        for row in features.chunks_exact(dim.max(1)) {
            // In double precision no square overflows or underflows.
            let squares: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let scale = if squares > 0.0 { 1.0 / squares.sqrt() } else { 0.0 };
            self.unit.extend(row.iter().map(|&x| (f64::from(x) * scale) as f32));
            self.null.push(squares == 0.0);
        }
    }

    /// Appends units, as they are.
    pub fn push_units(&mut self, units: &[f32]) {
        self.unit.extend_from_slice(units);
        self.null.extend(units.iter().map(|_| false));
    }

    /// Appends frames `from..to` of `other`.
    pub fn copy(&mut self, other: &Frames, from: usize, to: usize, dim: usize) {
        self.unit.extend_from_slice(&other.unit[from * dim..to * dim]);
        self.null.extend_from_slice(&other.null[from..to]);
    }

    /// Removes all frames.
    pub fn clear(&mut self) {
        self.unit.clear();
        self.null.clear();
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.null.len()
    }
}

/// arccos x, accurate to 3e-7, for x from -1 to 1; outside that range it stays at pi and 0. Abramowitz and Stegun 4.4.46.
#[inline(always)]
fn arccos(x: f32) -> f32 {
    let a = x.abs().min(1.0);
    let mut p = -0.001_262_491_1;
    p = p * a + 0.006_670_09;
    p = p * a - 0.017_088_126;
    p = p * a + 0.030_891_88;
    p = p * a - 0.050_174_305;
    p = p * a + 0.088_978_99;
    p = p * a - 0.214_598_8;
    p = p * a + FRAC_PI_2;
    let y = (1.0 - a).sqrt() * p;
    if x < 0.0 { PI - y } else { y }
}

/// The product of two frames above which their difference is used instead.
const CLOSE: f32 = 0.995;

impl Distance {
    /// Whether it is a distance of units.
    pub fn of_units(self) -> bool {
        matches!(self, Distance::Identical | Distance::Edit)
    }

    /// The largest distance.
    fn largest(self) -> f32 {
        match self {
            Distance::Euclidean => 2.0,
            _ => 1.0,
        }
    }

    /// Replaces the products of a row with distances, and returns how many of the products were close to 1.
    #[inline(always)]
    fn of_products(self, row: &mut [f32]) -> u32 {
        let mut close = 0;
        match self {
            Distance::Angular => {
                for d in row {
                    close += u32::from(*d > CLOSE);
                    *d = arccos(*d) * FRAC_1_PI;
                }
            }
            Distance::Euclidean => {
                for d in row {
                    close += u32::from(*d > CLOSE);
                    *d = (2.0 - 2.0 * *d).max(0.0).sqrt();
                }
            }
            Distance::Identical | Distance::Edit => (),
        }
        close
    }

    /// The distance between two close frames of length 1, from their difference.
    #[inline(always)]
    fn of_close(self, u: &[f32], v: &[f32]) -> f32 {
        let apart = sum2(u, v, |x, y| (x - y) * (x - y)).sqrt();
        match self {
            Distance::Euclidean | Distance::Identical | Distance::Edit => apart,
            Distance::Angular => {
                // 2 arcsin(apart / 2): in the range where it is used, the series is exact to 1e-10.
                let s = 0.5 * apart;
                2.0 * (s + s * s * s * (1.0 / 6.0 + s * s * 0.075)) * FRAC_1_PI
            }
        }
    }

    /// The distance between frames whose product is [`CLOSE`].
    fn when_close(self) -> f32 {
        match self {
            Distance::Angular => arccos(CLOSE) * FRAC_1_PI,
            _ => (2.0 - 2.0 * CLOSE).sqrt(),
        }
    }

    /// Writes 0 for the same units, and 1 for different ones, (rows, cols) row-major.
    pub(super) fn differing(rows: &Frames, cols: &Frames, out: &mut [f32]) {
        for (a, row) in rows.unit.iter().zip(out.chunks_exact_mut(cols.len().max(1))) {
            row.iter_mut().zip(&cols.unit).for_each(|(d, b)| *d = if a == b { 0.0 } else { 1.0 });
        }
    }

    /// Replaces products of frames, (rows, cols) row-major, with distances, in place.
    pub(super) fn of_frames(self, products: &mut [f32], rows: &Frames, cols: &Frames, dim: usize) {
        let width = cols.len();
        if width == 0 || dim == 0 {
            return;
        }
        vectorized(OfFrames { distance: self, products, rows: &rows.unit, cols: &cols.unit, dim });
        if rows.null.contains(&true) || cols.null.contains(&true) {
            for (row, &a) in products.chunks_exact_mut(width).zip(&rows.null) {
                for (d, &b) in row.iter_mut().zip(&cols.null).filter(|(_, b)| a || **b) {
                    *d = if a && b { 0.0 } else { self.largest() };
                }
            }
        }
    }
}

/// The work of [`Distance::of_frames`] on frames that are not zeros; a type, so that all of its code is compiled for wide vectors.
struct OfFrames<'a> {
    distance: Distance,
    products: &'a mut [f32],
    rows: &'a [f32],
    cols: &'a [f32],
    dim: usize,
}

impl pulp::NullaryFnOnce for OfFrames<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let OfFrames { distance, products, rows, cols, dim } = self;
        let close = distance.when_close();
        for (u, row) in rows.chunks_exact(dim).zip(products.chunks_exact_mut(cols.len() / dim)) {
            if distance.of_products(row) == 0 {
                continue;
            }
            for (v, d) in cols.chunks_exact(dim).zip(row) {
                if *d <= close {
                    *d = distance.of_close(u, v);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    fn distances(distance: Distance, a: &[f32], b: &[f32], dim: usize) -> Vec<f32> {
        let (mut rows, mut cols) = (Frames::default(), Frames::default());
        rows.push(a, dim);
        cols.push(b, dim);
        let mut products = Vec::new();
        for u in rows.unit.chunks(dim) {
            products.extend(cols.unit.chunks(dim).map(|v| u.iter().zip(v).map(|(x, y)| x * y).sum::<f32>()));
        }
        distance.of_frames(&mut products, &rows, &cols, dim);
        products
    }

    #[test]
    fn arccos_is_exact_to_less_than_a_millionth() {
        for i in -100_000..=100_000 {
            let x = i as f32 / 100_000.0;
            let want = f64::from(x).acos();
            assert!((f64::from(arccos(x)) - want).abs() < 6e-7, "{x}: {} {want}", arccos(x));
        }
        assert_eq!((arccos(1.5), arccos(-1.5)), (0.0, PI));
    }

    #[test]
    fn agrees_with_double_precision_for_far_and_near_frames() {
        let mut chance = stream(1, "test", 0);
        for dim in [3, 16, 70] {
            let a: Vec<f32> = (0..9 * dim).map(|_| chance.normal()).collect();
            let mut b: Vec<f32> = (0..4 * dim).map(|_| chance.normal()).collect();
            b.extend(a.iter().enumerate().map(|(i, x)| x + 10f32.powi(-1 - (i / dim) as i32) * chance.normal()));
            b.extend(a.iter().map(|x| -3.0 * x));
            for distance in [Distance::Angular, Distance::Euclidean] {
                let got = distances(distance, &a, &b, dim);
                for (i, x) in a.chunks(dim).enumerate() {
                    for (j, y) in b.chunks(dim).enumerate() {
                        let unit = |v: &[f32]| -> Vec<f64> {
                            let n = v.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                            v.iter().map(|&x| f64::from(x) / n).collect()
                        };
                        let apart = unit(x).iter().zip(unit(y)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                        let want = match distance {
                            Distance::Euclidean => apart,
                            _ => 2.0 * (apart / 2.0).min(1.0).asin() / std::f64::consts::PI,
                        };
                        // Opposite frames: the arccosine is steep at -1, in CPC_audio as much as here.
                        let tolerance = if want > 0.99 && distance == Distance::Angular { 3e-4 } else { 3e-6 };
                        let got = f64::from(got[i * (b.len() / dim) + j]);
                        assert!((got - want).abs() < tolerance, "{distance:?} {dim} {i} {j}: {got} {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_frame_is_at_zero_from_itself_at_any_length() {
        let mut chance = stream(2, "test", 0);
        for dim in [8, 256] {
            let a: Vec<f32> = (0..dim).map(|_| chance.normal()).collect();
            let b: Vec<f32> = a.iter().map(|x| 2.0 * x).collect();
            for distance in [Distance::Angular, Distance::Euclidean] {
                assert_eq!(distances(distance, &a, &a, dim), [0.0]);
                assert!(distances(distance, &a, &b, dim)[0] < 1e-6);
            }
        }
    }

    #[test]
    fn zeros_are_farthest_from_all_but_zeros_and_nothing_is_nan() {
        let a = [0.0, 0.0, 3.0, 4.0, 1e-30, 0.0, 1e30, -1e30];
        let got = distances(Distance::Angular, &a, &a, 2);
        assert_eq!(got[..4], [0.0, 1.0, 1.0, 1.0]);
        assert!(got.iter().all(|d| d.is_finite()), "{got:?}");
        assert!((got[6] - 0.295_167_2).abs() < 1e-6, "{got:?}"); // arccos(0.6) / pi
        assert!((got[11] - 0.25).abs() < 1e-6, "{got:?}");
        assert_eq!(distances(Distance::Euclidean, &a, &a, 2)[..4], [0.0, 2.0, 2.0, 2.0]);
    }
}
