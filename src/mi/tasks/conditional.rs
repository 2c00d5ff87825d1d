//! Problems of conditional information I(X; Y | Z).

use crate::mi::tasks::problem::Problem;
use crate::mi::tasks::quadrature::{entropy, mean_over_normal};
use std::f64::consts::LN_2;

/// The problems.
pub(super) fn problems() -> Vec<Problem> {
    vec![
        Problem::of_rows("given-chain", "a chain X, Z, Y", 0.0, |rng| {
            let x = rng.normal64();
            let z = x + 0.5 * rng.normal64();
            [vec![x], vec![z + 0.5 * rng.normal64()], vec![z]]
        }),
        Problem::of_rows("given-cause", "a common cause of 3 columns, curved", 0.0, |rng| {
            let z: Vec<f64> = (0..3).map(|_| rng.normal64()).collect();
            let x = (z[0] + z[1]).sin() + 0.4 * rng.normal64();
            [vec![x], vec![(z[1] - z[2]).tanh() + 0.4 * rng.normal64()], z]
        }),
        Problem::of_rows("given-sum", "Y is X plus Z plus noise", 0.5 * 5f64.ln(), |rng| {
            let (x, z) = (rng.normal64(), rng.normal64());
            [vec![x], vec![x + z + 0.5 * rng.normal64()], vec![z]]
        }),
        Problem::of_rows(
            "given-product",
            "Y is X times Z plus noise",
            mean_over_normal(|z| 0.5 * (4.0 * z * z).ln_1p()),
            |rng| {
                let (x, z) = (rng.normal64(), rng.normal64());
                [vec![x], vec![x * z + 0.5 * rng.normal64()], vec![z]]
            },
        ),
        Problem::of_rows("given-five", "Z of 5 columns, linear", 0.5 * LN_2, |rng| {
            let z: Vec<f64> = (0..5).map(|_| rng.normal64()).collect();
            let own = rng.normal64();
            [vec![z.iter().sum::<f64>() / 5f64.sqrt() + own], vec![z[1] - z[2] + own + rng.normal64()], z]
        }),
        Problem::of_rows("given-xor", "Z is X xor Y, 5 % wrong", LN_2 - entropy(&[0.05, 0.95]), |rng| {
            let (x, y, wrong) = (rng.below(2), rng.below(2), u32::from(rng.unit64() < 0.05));
            [vec![f64::from(x)], vec![f64::from(y)], vec![f64::from(x ^ y ^ wrong)]]
        })
        .with_labels(&[0, 1, 2]),
        Problem::of_rows("given-sign", "a label turns the sign", -0.5 * 0.36f64.ln(), |rng| {
            let (z, x) = (rng.below(2), rng.normal64());
            let sign = 1.0 - 2.0 * f64::from(z);
            [vec![x], vec![sign * 0.8 * x + 0.6 * rng.normal64()], vec![f64::from(z)]]
        })
        .with_labels(&[2]),
        Problem::of_rows("given-switch", "0 when a label is off, else X plus noise", 0.25 * 5f64.ln(), |rng| {
            let (on, x) = (rng.below(2), rng.normal64());
            let y = if on == 1 { x + 0.5 * rng.normal64() } else { 0.0 };
            [vec![x], vec![y], vec![f64::from(on)]]
        })
        .with_labels(&[2]),
    ]
}
