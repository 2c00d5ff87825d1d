//! Kinds of data that users have, with the right value.

use super::*;
use crate::mi::estimate::estimate;
use crate::mi::fixtures;
use crate::mi::neural::Protocol;
use crate::mi::samples::Samples;
use crate::seed::{Stream, stream};

/// Few updates are enough for these sizes.
fn settings() -> Settings {
    Settings { steps: Some(500), ..Settings::default() }
}

fn run(x: &Variable, y: &Variable) -> Estimate {
    estimate(x, y, Estimator::Auto, &settings()).unwrap()
}

fn numbers((x, y): (Samples, Samples)) -> Estimate {
    run(&Variable::Numbers(x), &Variable::Numbers(y))
}

fn column(values: impl IntoIterator<Item = f64>) -> Variable {
    Variable::Numbers(Samples::new(values.into_iter().collect(), 1).unwrap())
}

fn labels(codes: impl IntoIterator<Item = u32>) -> Variable {
    Variable::Labels(codes.into_iter().collect(), Vec::new())
}

fn random(index: u64) -> Stream {
    stream(12, "mi/auto", index)
}

fn near(found: &Estimate, truth: f64, within: f64) {
    let ci = found.ci95.unwrap();
    assert!(
        (found.nats - truth).abs() < within,
        "{} {ci:?}, the truth is {truth}, by {}: {:?}",
        found.nats,
        found.method,
        found.candidates
    );
    assert!(ci[0] <= found.nats && found.nats <= ci[1], "{ci:?} {}", found.nats);
}

/// Independent pairs whose interval excludes 0, of `n`.
fn excluded(n: u64, settings: &Settings, pair: impl Fn(u64) -> (Variable, Variable)) -> usize {
    let excludes = |i: &u64| {
        let (x, y) = pair(*i);
        let [low, high] = estimate(&x, &y, Estimator::Auto, settings).unwrap().ci95.unwrap();
        low > 0.0 || high < 0.0
    };
    (0..n).filter(excludes).count()
}

#[test]
fn a_copula_that_holds_is_taken_and_one_that_does_not_is_not() {
    let normal = numbers(fixtures::normal(1000, 3, 0.6, 7));
    assert_eq!(normal.method, "normal copula", "{:?}", normal.candidates);
    let truth = -1.5 * (1.0 - 0.36f64).ln();
    near(&normal, truth, 0.1);
    let ci = normal.ci95.unwrap();
    assert!(ci[0] < truth && truth < ci[1]);

    let student = numbers(fixtures::student(1000, 1, 8));
    assert!(student.method.starts_with("t copula"), "{:?}", student.candidates);
    near(&student, 0.4319, 0.1); // Czyz et al. 2023, Student 2 + 2 with 1 degree

    let parabola = numbers(fixtures::parabola(1000, 9));
    assert!(!parabola.method.contains("copula,") && parabola.nats > 0.6, "{:?}", parabola.candidates);
    assert!(parabola.candidates[0].nats < 0.1);
}

#[test]
fn independent_columns_have_nothing() {
    let nothing = numbers(fixtures::normal(500, 2, 0.0, 10));
    near(&nothing, 0.0, 0.03);
    let few = numbers(fixtures::normal(60, 1, 0.8, 12));
    assert!(few.method == "normal copula" && few.nats > 0.2, "{few:?}");
    let wide = numbers(fixtures::normal(800, 40, 0.0, 11));
    near(&wide, 0.0, 0.1);
    assert_eq!(wide.method, "normal copula");
}

#[test]
fn zeros_and_amounts_have_the_information_of_both() {
    // Zero together with probability 1 - wet, else a lognormal pair: H(wet) - wet / 2 log(1 - rho^2).
    for (wet, rho, index) in [(0.02f64, 0.9f64, 0), (0.5, 0.8, 1), (0.1, 0.0, 2)] {
        let mut rng = random(index);
        let rows = (0..2000).map(|_| {
            let (on, a, e) = (rng.unit64() < wet, rng.normal64(), rng.normal64());
            let b = rho * a + (1.0 - rho * rho).sqrt() * e;
            if on { (a.exp(), b.exp()) } else { (0.0, 0.0) }
        });
        let (x, y): (Vec<f64>, Vec<f64>) = rows.unzip();
        let truth = -wet * wet.ln() - (1.0 - wet) * (1.0 - wet).ln() - wet / 2.0 * (1.0 - rho * rho).ln();
        near(&run(&column(x), &column(y)), truth, 0.07f64.max(0.07 * truth));
    }
    // Rectified columns, too many to divide the rows by: nothing is shared.
    let (x, y) = fixtures::normal(600, 12, 0.0, 13);
    let relu = Variable::Numbers(Samples::new(x.values().iter().map(|v| v.max(0.0)).collect(), 12).unwrap());
    near(&run(&relu, &Variable::Numbers(y.columns(&[0]).unwrap())), 0.0, 0.05);
    // One side is cut off at 0, and the other is not: P(on) I(amount) + I(on; x), by Monte Carlo over the normal distribution function.
    let (x, y) = fixtures::normal(2000, 1, 0.8, 12);
    let cut = run(&Variable::Numbers(x), &column(y.values().iter().map(|v| v.max(0.0))));
    assert!((0.33..0.52).contains(&cut.nats), "{} {}", cut.nats, cut.method); // below 0.511, the information without a cut
}

#[test]
fn whole_numbers_work_as_numbers_and_as_names() {
    let mut rng = random(20);
    let codes: Vec<u32> = (0..1500).map(|_| rng.below(6)).collect();
    // A code that is not an order: y depends on it through a table.
    let y: Vec<f64> =
        codes.iter().map(|c| [3.0, -1.0, 2.0, -2.0, 0.0, 1.0][*c as usize] + 0.1 * rng.normal64()).collect();
    let x = column(codes.iter().map(|c| f64::from(*c)));
    near(&run(&x, &column(y.clone())), 6f64.ln(), 0.06);
    near(&run(&column(y.clone()), &x), 6f64.ln(), 0.06);
    near(&run(&x, &column(codes.iter().map(|c| f64::from((c * 5 + 1) % 6)))), 6f64.ln(), 0.02);
    // Counts of many values: y = x + noise, both rounded. The information of rounded normal variables is a little less than 0.5 log(1 + 1 / v).
    let (a, b) = fixtures::normal(1500, 1, 0.9, 21);
    let rounded = |s: &Samples| column(s.values().iter().map(|v| (v * 8.0).round() + 100.0));
    near(&run(&rounded(&a), &rounded(&b)), 0.8304, 0.08);
    // The estimate does not exceed the entropy of a side.
    let sign = column(a.values().iter().map(|v| f64::from(*v > 0.0)));
    let found = run(&Variable::Numbers(a.clone()), &sign);
    assert!(found.nats <= 2f64.ln() + 1e-3 && found.nats > 0.67, "{}", found.nats);
}

#[test]
fn copies_of_rows_are_left_out_with_a_warning() {
    let (x, y) = fixtures::normal(300, 1, 0.0, 22);
    let four: Vec<usize> = (0..1200).map(|i| i / 4).collect();
    let found = numbers((x.take(&four), y.take(&four)));
    near(&found, 0.0, 0.05);
    assert!(found.n == 300 && found.warnings[0].contains("900 of 1200 rows are copies"), "{:?}", found.warnings);
    assert!(found.pointwise.iter().all(|part| part.0 % 4 == 0));
}

#[test]
fn idle_columns_take_nothing_away() {
    let (x, e) = fixtures::normal(900, 12, 0.0, 23);
    let y: Vec<f64> = (0..900).map(|i| x.row(i)[5].powi(2) + 0.3 * e.row(i)[0]).collect();
    let y = Samples::new(y, 1).unwrap();
    let alone = numbers((x.columns(&[5]).unwrap(), y.clone()));
    near(&alone, 1.14, 0.12); // by integration, as the entropy of y less that of the noise
    for (a, b) in [(x.clone(), y.clone()), (y.clone(), x.clone())] {
        let all = numbers((a, b));
        near(&all, 1.14, 0.12);
        assert!(all.nats > alone.nats - 0.06, "{} {}", all.nats, alone.nats);
    }
    // The sign of a product: log 2. A network (0.61) and bins (0.65), which 0 divides, both blur the corner a little, and either may be chosen.
    let (many, e) = fixtures::normal(3000, 12, 0.0, 23);
    let corner = |i: usize| (many.row(i)[2] * many.row(i)[9]).signum() * e.row(i)[0].abs();
    let y = Samples::new((0..3000).map(corner).collect(), 1).unwrap();
    near(&numbers((many, y)), 2f64.ln(), 0.1);
    let xor = |i: usize| (x.row(i)[2] * x.row(i)[9]).signum();
    let label = labels((0..900).map(|i| u32::from(xor(i) > 0.0)));
    near(&run(&label, &Variable::Numbers(x.clone())), 2f64.ln(), 0.09);
    // The same of switches, against a number.
    let bits = Samples::new(x.values().iter().map(|v| f64::from(u8::from(*v > 0.0))).collect(), 12).unwrap();
    let y = Samples::new((0..900).map(|i| f64::from(u8::from(xor(i) > 0.0))).collect(), 1).unwrap();
    near(&numbers((bits, y)), 2f64.ln(), 0.02);
}

#[test]
fn embeddings_and_labels_have_an_answer() {
    let mut rng = random(30);
    let (dim, classes) = (150, 5);
    let means: Vec<f64> = (0..dim * classes).map(|_| 0.2 * rng.normal64()).collect();
    let (mut codes, mut values, mut truth) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..800 {
        let label = rng.below(classes as u32) as usize;
        let row: Vec<f64> = (0..dim).map(|j| means[label * dim + j] + rng.normal64()).collect();
        let log = |c: usize| -0.5 * row.iter().zip(&means[c * dim..]).map(|(v, m)| (v - m).powi(2)).sum::<f64>();
        truth += ((classes as f64).ln() - (0..classes).map(|c| (log(c) - log(label)).exp()).sum::<f64>().ln()) / 800.0;
        codes.push(label as u32);
        values.extend(row);
    }
    let x = Variable::Numbers(Samples::new(values, dim).unwrap());
    near(&run(&x, &labels(codes.clone())), truth, 0.15);
    near(&run(&labels(codes.iter().rev().copied()), &x), 0.0, 0.05);
}

#[test]
fn two_embeddings_have_an_answer() {
    // Four hidden normal columns that both sides show with noise: I = - 1/2 sum log(1 - rho^2) of what each side knows of them.
    let (n, dim) = (600, 80);
    let (hidden, noise) = (fixtures::normal(n, 4, 0.9, 31), fixtures::normal(n, dim, 0.0, 32));
    let mut rng = random(33);
    let map: Vec<f64> = (0..4 * dim).map(|_| rng.normal64()).collect();
    let show = |hidden: &Samples, noise: &Samples| {
        let value = |i: usize, j: usize| {
            (0..4).map(|k| hidden.row(i)[k] * map[k * dim + j]).sum::<f64>() + 0.2 * noise.row(i)[j]
        };
        Samples::new((0..n * dim).map(|at| value(at / dim, at % dim)).collect(), dim).unwrap()
    };
    let (x, y) = (show(&hidden.0, &noise.0), show(&hidden.1, &noise.1));
    near(&numbers((x.clone(), y)), -2.0 * (1.0 - 0.81f64).ln(), 0.35);
    near(&numbers((x, noise.1)), 0.0, 0.1);
}

#[test]
fn intervals_of_independent_data_hold_zero() {
    let settings = Settings { steps: Some(100), ..Settings::default() };
    let pair = |i| {
        let (x, y) = fixtures::normal(150, 1, 0.0, 200 + i);
        (Variable::Numbers(x), Variable::Numbers(y))
    };
    assert!(excluded(20, &settings, pair) <= 3);
    let with_labels = |i: u64| (pair(i).0, labels((0..150).map(|row| row % 3)));
    assert!(excluded(20, &settings, with_labels) <= 3);
    let tables = |i: u64| {
        let mut rng = random(300 + i);
        let mut side = |k: u32| labels((0..400).map(|_| rng.below(k)));
        (side(40), side([2, 40][i as usize % 2]))
    };
    assert!(excluded(40, &settings, tables) <= 5);
}

#[test]
fn independent_series_that_drift_together_share_nothing() {
    let settings =
        Settings { protocol: Protocol { folds: 5, blocked: true, seed: 0 }, steps: Some(100), ..Settings::default() };
    let pair = |i: u64| {
        let mut rng = random(400 + i);
        let mut series = |rho: f64| {
            let mut value = 0.0;
            let all = (0..700).map(|_| {
                value = rho * value + rng.normal64();
                value
            });
            column(all.skip(300).collect::<Vec<_>>())
        };
        (series(0.9), series(0.95))
    };
    assert!(excluded(12, &settings, pair) <= 2);
}

#[test]
fn near_copies_are_finite_and_copies_are_not() {
    let (x, e) = fixtures::normal(1000, 1, 0.0, 34);
    let y = column(x.values().iter().zip(e.values()).map(|(x, e)| x + 1e-6 * e));
    let found = run(&Variable::Numbers(x.clone()), &y);
    near(&found, 0.5 * (1.0 + 1e12f64).ln(), 0.2);
    let e = estimate(&Variable::Numbers(x.clone()), &Variable::Numbers(x), Estimator::Auto, &Settings::default())
        .unwrap_err();
    assert!(e.to_string().ends_with("infinite"), "{e}");
}

#[test]
fn a_constant_shares_nothing_at_once() {
    let n = 300_000;
    let label = labels((0..n).map(|i| u32::from(i < 100)));
    let ones = column(vec![1.0; n as usize]);
    for (x, y) in [(&ones, &label), (&label, &ones), (&ones, &ones)] {
        let found = run(x, y);
        assert_eq!((found.nats, found.ci95), (0.0, Some([0.0, 0.0])));
        assert!(found.warnings[0].contains("is constant"), "{:?}", found.warnings);
    }
    // Almost constant: a table.
    let rare = column((0..n).map(|i| f64::from(u8::from(i % 1000 == 0))));
    near(&run(&rare, &label), 0.0, 0.001);
}

#[test]
fn columns_that_are_functions_of_a_few_hidden_ones_are_not_counted_as_many() {
    // Three hidden normal columns with correlation .8, each side shown bent in many columns: the truth is what the hidden ones share.
    let (n, truth) = (800, -1.5 * (1.0 - 0.64f64).ln());
    let hidden = fixtures::normal(n, 3, 0.8, 40);
    let mut rng = random(41);
    let mut show = |hidden: &Samples, dim: usize| {
        let map: Vec<f64> = (0..3 * dim).map(|_| rng.normal64() / 1.7).collect();
        let value = |i: usize, j: usize| (0..3).map(|k| hidden.row(i)[k] * map[k * dim + j]).sum::<f64>().tanh();
        let values = (0..n * dim).map(|at| value(at / dim, at % dim) + 0.05 * rng.normal64()).collect();
        Samples::new(values, dim).unwrap()
    };
    for dim in [40, 130] {
        let (x, y) = (show(&hidden.0, dim), show(&hidden.1, dim));
        let found = numbers((x, y));
        near(&found, truth, 0.15);
        assert!(found.method.contains("principal components"), "{}", found.method);
    }
}

#[test]
fn very_many_rows_are_sampled_and_it_is_said() {
    let (x, y) = fixtures::normal(100_500, 1, 0.5, 42);
    let found = numbers((x, y));
    near(&found, -0.5 * 0.75f64.ln(), 0.01);
    assert!(found.method.ends_with("on 100000 of 100500 rows") && found.n == 100_000, "{} {}", found.method, found.n);
    assert!(found.pointwise.iter().any(|part| part.0 >= 100_000));
}
