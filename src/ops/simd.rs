//! Elementwise math in forms that vectorize, run with the widest vector instructions of the processor.
//!
//! The functions have no branches or calls, so a plain loop over them, run inside [`vectorized`], becomes AVX-512, AVX2 or NEON code. Each is
//! within a few units in the last place of the exact value (see the tests).

#![allow(clippy::excessive_precision)] // coefficients as Cephes prints them

use std::sync::OnceLock;

/// The instruction set, detected once.
pub fn arch() -> pulp::Arch {
    static ARCH: OnceLock<pulp::Arch> = OnceLock::new();
    *ARCH.get_or_init(pulp::Arch::new)
}

/// Runs `f` compiled for the widest vectors of this processor. A closure is compiled this way only if the compiler inlines it, and it does not
/// inline long ones: write those as a [`kernel`](crate::ops::simd) instead.
#[inline(always)]
pub fn vectorized<F: pulp::NullaryFnOnce>(f: F) -> F::Output {
    arch().dispatch(f)
}

/// Defines a function whose body is compiled for the widest vectors of this processor.
macro_rules! kernel {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$life:lifetime>($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<$life>($($arg: $type),*) {
            struct Kernel<$life> {
                $($arg: $type),*
            }
            impl<$life> pulp::NullaryFnOnce for Kernel<$life> {
                type Output = ();

                #[inline(always)]
                fn call(self) {
                    let Kernel { $($arg),* } = self;
                    $body
                }
            }
            $crate::ops::simd::vectorized(Kernel { $($arg),* })
        }
    };
}
pub(crate) use kernel;

/// e^x: Cody and Waite's reduction by ln 2 and the polynomial of Cephes' `expf`. 0 below -87.3, finite above 88.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer, which stands in the lowest bits
    let clamped = x.clamp(-87.3, 88.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5.000_000_1e-1;
    let e = p * (r * r) + r + 1.0;
    // A conversion to integers would saturate, which does not vectorize.
    let two_to_n = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    let value = e * two_to_n;
    let value = if x < -87.3 { 0.0 } else { value };
    if x.is_nan() { x } else { value }
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// tanh x: a polynomial below 0.625 (Cephes' `tanhf`), by [`exp`] above.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let z = x * x;
    let mut p = -5.704_988_7e-3;
    p = p * z + 2.063_908_9e-2;
    p = p * z - 5.373_971_5e-2;
    p = p * z + 1.333_144_2e-1;
    p = p * z - 3.333_328_2e-1;
    let small = p * z * x + x;
    let large = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x.abs() < 0.625 { small } else { large.copysign(x) }
}

/// ln x: Cephes' `logf`. Minus infinity at 0, NaN below it; numbers below 1.2e-38 count as that.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // x = m 2^e with m from sqrt(1/2) to sqrt(2).
    const HALF: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    let bits = x.max(f32::MIN_POSITIVE).to_bits().wrapping_sub(HALF);
    let e = ((bits as i32) >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(HALF)) - 1.0;
    let z = m * m;
    let mut p = 7.037_683_6e-2;
    p = p * m - 1.151_461e-1;
    p = p * m + 1.167_699_9e-1;
    p = p * m - 1.242_014_1e-1;
    p = p * m + 1.424_932_3e-1;
    p = p * m - 1.666_805_8e-1;
    p = p * m + 2.000_071_5e-1;
    p = p * m - 2.499_999_4e-1;
    p = p * m + 3.333_333_1e-1;
    let tail = p * m * z - 2.121_944_4e-4 * e - 0.5 * z;
    let value = m + tail + 0.693_359_4 * e;
    let value = if x < f32::INFINITY { value } else { x }; // infinity, and what is not a number
    let value = if x > 0.0 || x.is_nan() { value } else { f32::NAN };
    if x == 0.0 { f32::NEG_INFINITY } else { value }
}

/// e^x in double precision, for x up to 700: the reduction of [`exp`], and Taylor's polynomial. 0 below -700.
#[inline(always)]
fn exp64(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52: adding it rounds to an integer, which stands in the lowest bits
    let clamped = x.clamp(-700.0, 700.0);
    let shifted = clamped * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (clamped - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10;
    let mut p = 1.0 / 6_227_020_800.0;
    for divisor in
        [479_001_600.0, 39_916_800.0, 3_628_800.0, 362_880.0, 40_320.0, 5_040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0]
    {
        p = p * r + 1.0 / divisor;
    }
    let two_to_n = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    if x < -700.0 { 0.0 } else { p * two_to_n }
}

/// The sum of e^(x - `less`) over the elements of `a`, in 16 interleaved partial sums. No element is above `less` by more than 700.
pub fn sum_of_exp(a: &[f64], less: f64) -> f64 {
    let mut sum = 0.0;
    add_exp(a, less, &mut sum);
    sum
}

kernel! {
    fn add_exp<'a>(a: &'a [f64], less: f64, sum: &'a mut f64) {
        let mut partial = [0.0; LANES];
        let chunks = a.chunks_exact(LANES);
        let tail = chunks.remainder().iter().fold(0.0, |sum, x| sum + exp64(x - less));
        for chunk in chunks {
            for i in 0..LANES {
                partial[i] += exp64(chunk[i] - less);
            }
        }
        *sum = partial.iter().sum::<f64>() + tail;
    }
}

/// Number of partial sums a reduction keeps, so that it vectorizes.
const LANES: usize = 16;

/// The sum of `f` over pairs of elements of `a` and `b`, in 16 interleaved partial sums (a fixed order).
#[inline(always)]
pub fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut partial = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail = a_chunks.remainder().iter().zip(b_chunks.remainder()).fold(0.0, |s, (&x, &y)| s + f(x, y));
    for (x, y) in a_chunks.zip(b_chunks) {
        for i in 0..LANES {
            partial[i] += f(x[i], y[i]);
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            partial[i] += partial[i + width];
        }
        width /= 2;
    }
    partial[0] + tail
}

/// The largest element of `a`, or minus infinity; elements that are not numbers are passed over.
#[inline(always)]
pub fn largest(a: &[f32]) -> f32 {
    let larger = |m: f32, v: f32| if v > m { v } else { m };
    let mut partial = [f32::NEG_INFINITY; LANES];
    let chunks = a.chunks_exact(LANES);
    let tail = chunks.remainder().iter().fold(f32::NEG_INFINITY, |m, &v| larger(m, v));
    for chunk in chunks {
        for i in 0..LANES {
            partial[i] = larger(partial[i], chunk[i]);
        }
    }
    partial.iter().fold(tail, |m, &v| larger(m, v))
}

/// The sum of `f` over the elements of `a`, in the order of [`sum2`].
#[inline(always)]
pub fn sum1(a: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    sum2(a, a, |x, _| f(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, low: f32, high: f32) -> f64 {
        (0..400_000)
            .map(|i| {
                let x = low + (high - low) * i as f32 / 400_000.0;
                let want = exact(f64::from(x));
                (f64::from(f(x)) - want).abs() / want.abs().max(1e-30)
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn exp_sigmoid_and_tanh_are_within_a_few_units_in_the_last_place() {
        assert!(worst(exp, f64::exp, -80.0, 85.0) < 3e-7);
        assert!(worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), -40.0, 40.0) < 5e-7);
        assert!(worst(tanh, f64::tanh, -12.0, 12.0) < 5e-7);
    }

    #[test]
    fn ln_is_within_a_few_units_in_the_last_place() {
        for (low, high) in [(1e-3, 0.99), (1.01, 1e3), (1e3, 1e30)] {
            assert!(worst(ln, f64::ln, low, high) < 5e-7, "{low}");
        }
        assert!((0..1000).all(|i| (ln(1.0 + i as f32 * 1e-5) - (i as f32 * 1e-5).ln_1p()).abs() < 1e-7));
        assert_eq!((ln(1.0), ln(0.0), ln(f32::INFINITY)), (0.0, f32::NEG_INFINITY, f32::INFINITY));
        assert!([-1.0, -0.5e-3, f32::NAN, f32::NEG_INFINITY].iter().all(|x| ln(*x).is_nan()));
    }

    #[test]
    fn sums_of_exponentials_are_exact_in_double_precision() {
        let values: Vec<f64> = (0..1003).map(|i| f64::from(i * 617 % 1003) * 0.7 - 702.0).collect();
        for (x, less) in values.iter().zip([0.0, 0.3, -1e-9].into_iter().cycle()) {
            let (found, exact) = (sum_of_exp(&[*x], less), (x - less).exp());
            assert!((found - exact).abs() <= 1e-15 * exact || x - less < -700.0, "{x}: {found} {exact}");
        }
        let exact: f64 = values.iter().map(|x| (x - 0.5).exp()).sum();
        assert!((sum_of_exp(&values, 0.5) - exact).abs() < 1e-13 * exact);
        assert_eq!(sum_of_exp(&[f64::NEG_INFINITY, -1e300, 0.0], 0.0), 1.0);
        assert!(sum_of_exp(&[f64::NAN, 0.0], 0.0).is_nan());
    }

    #[test]
    fn sums_take_every_element_once() {
        for n in [0, 1, 15, 16, 17, 100] {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            assert_eq!(vectorized(|| sum1(&a, |x| x)), (n * (n.max(1) - 1) / 2) as f32);
            assert_eq!(largest(&a), if n > 0 { n as f32 - 1.0 } else { f32::NEG_INFINITY });
            assert_eq!(sum2(&a, &a, |x, y| x * y), a.iter().map(|x| x * x).sum::<f32>());
        }
    }

    #[test]
    fn the_ends_of_the_range_stay_finite_and_nan_stays_nan() {
        assert_eq!(exp(-1e4), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(1e4).is_finite());
        assert!(sigmoid(-1e4) < 1e-37 && sigmoid(1e4) == 1.0);
        assert_eq!((tanh(-1e4), tanh(0.0), tanh(1e4)), (-1.0, 0.0, 1.0));
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }
}
