//! The tasks compared with the reference: tests/golden/mi (the README of tests/golden says how it was made).

use super::*;
use crate::mi::neighbors::{Ksg, ksg};
use std::io::Read;

/// The tasks that have a golden sample.
const GOLDEN: [&str; 10] = [
    "1v1-additive-0.1",
    "1v1-bimodal-0.75",
    "asinh-student-identity-2-2-1",
    "half_cube-1v1-normal-0.75",
    "multinormal-dense-25-25-0.5",
    "normal_cdf-multinormal-sparse-5-5-2-2.0",
    "spiral-multinormal-sparse-3-3-2-2.0",
    "student-identity-3-3-2",
    "swissroll_x-normal_cdf-1v1-normal-0.75",
    "wiggly-1v1-normal-0.75",
];

/// The number of rows of a golden sample.
const ROWS: usize = 1000;

/// The number of blocks of this size that are drawn.
const BLOCKS: usize = 50;

fn golden(file: &str) -> std::fs::File {
    let path = format!("{}/tests/golden/mi/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// X and Y of the reference.
fn reference(name: &str) -> (Samples, Samples) {
    let mut archive = zip::ZipArchive::new(golden(&format!("{name}.npz"))).unwrap();
    let mut read = |entry: &str| {
        let mut bytes = Vec::new();
        archive.by_name(entry).unwrap().read_to_end(&mut bytes).unwrap();
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        let dim = file.shape()[1] as usize;
        let values: Vec<f32> = file.into_vec().unwrap();
        Samples::new(values.into_iter().map(f64::from).collect(), dim).unwrap()
    };
    (read("x.npy"), read("y.npy"))
}

#[test]
fn names_dimensions_and_truths_are_those_of_the_reference_in_its_order() {
    let golden: Vec<serde_json::Value> = serde_json::from_reader(golden("truths.json")).unwrap();
    let tasks = all();
    assert_eq!((tasks.len(), golden.len()), (40, 40));
    for (task, golden) in tasks.iter().zip(golden) {
        assert_eq!(task.name(), golden["task"]);
        assert_eq!(
            [task.dim_x(), task.dim_y()].map(|d| d as u64),
            ["dim_x", "dim_y"].map(|d| golden[d].as_u64().unwrap())
        );
        let expected = golden["mutual_information_nats"].as_f64().unwrap();
        // The reference takes this one logarithm in f32.
        let within = if task.name() == "1v1-additive-0.1" { 1e-7 } else { 1e-12 };
        assert!((task.truth() - expected).abs() < within, "{}: {} {expected}", task.name(), task.truth());
    }
}

#[test]
fn labels_say_in_words_what_a_task_is_and_each_is_another() {
    for (name, label) in [
        ("1v1-normal-0.75", "Normal, 1 + 1"),
        ("1v1-additive-0.1", "Uniform, noise 0.1, 1 + 1"),
        ("1v1-bimodal-0.75", "Bimodal @ normal, 1 + 1"),
        ("swissroll_x-normal_cdf-1v1-normal-0.75", "Swiss roll @ normal CDF @ normal, 2 + 1"),
        ("multinormal-dense-50-50-0.5", "Normal, dense, 50 + 50"),
        ("asinh-student-identity-2-2-1", "Asinh @ Student t, df 1, 2 + 2"),
        ("spiral-multinormal-sparse-3-3-2-2.0", "Spiral @ normal, 2 pairs, 3 + 3"),
        ("spiral-normal_cdf-multinormal-sparse-5-5-2-2.0", "Spiral @ normal CDF @ normal, 2 pairs, 5 + 5"),
    ] {
        assert_eq!(find(name).unwrap().label(), label);
    }
    let labels: std::collections::HashSet<String> = all().iter().map(BenchTask::label).collect();
    assert_eq!(labels.len(), 40);
    assert_eq!(find("1v1-normal-0.5"), None);
}

#[test]
fn every_sample_is_finite_repeats_with_its_seed_and_begins_a_longer_one() {
    for task in all() {
        // Infinity would be an error.
        let (x, y) = task.sample(2000, 1).unwrap();
        assert_eq!((x.len(), x.dim(), y.len(), y.dim()), (2000, task.dim_x(), 2000, task.dim_y()), "{}", task.name());
        let (short, other) = (task.sample(50, 1).unwrap(), task.sample(50, 2).unwrap());
        let first: Vec<usize> = (0..50).collect();
        assert_eq!((x.take(&first), y.take(&first)), short);
        assert!(short.0 != other.0 && short.1 != other.1);
        assert_eq!(task.sample(0, 1).unwrap_err().exit_code(), 2);
    }
}

#[test]
fn tasks_that_differ_in_their_maps_map_the_same_draws() {
    let [(x, _), (cubed, _)] =
        ["1v1-normal-0.75", "half_cube-1v1-normal-0.75"].map(|name| find(name).unwrap().sample(20, 3).unwrap());
    assert!(x.values().iter().zip(cubed.values()).all(|(x, cubed)| x * x.abs().sqrt() == *cubed));
}

#[test]
fn neighbors_find_the_truth_where_there_is_one_column_and_no_heavy_tail() {
    for task in all().iter().filter(|t| t.dim_y() == 1 && t.name() != "student-identity-1-1-1") {
        let (x, y) = task.sample(2000, 4).unwrap();
        let mi = ksg(&x, &y, 5, Ksg::First, 0).unwrap().mi;
        // The standard deviation of the estimates is about 0.02.
        assert!((mi - task.truth()).abs() < 0.08, "{}: {mi}, the truth is {}", task.name(), task.truth());
    }
}

/// Statistics of a sample. For each column: its quantiles and, with `moments`, its mean and standard deviation. For any two
/// columns: the rank correlation, and the rank correlation of their distances from the median, where t and spirals show.
fn description(x: &Samples, y: &Samples, moments: bool) -> Vec<(String, f64)> {
    let both = x.beside(y).unwrap();
    let n = both.len();
    let mut all = Vec::new();
    let (mut ranks, mut distances) = (Vec::new(), Vec::new());
    for j in 0..both.dim() {
        let column: Vec<f64> = (0..n).map(|i| both.row(i)[j]).collect();
        let mut sorted = column.clone();
        sorted.sort_by(f64::total_cmp);
        for percent in [5, 25, 50, 75, 95] {
            all.push((format!("column {j}, {percent} %"), sorted[n * percent / 100]));
        }
        if moments {
            let mean = column.iter().sum::<f64>() / n as f64;
            let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
            all.push((format!("column {j}, mean"), mean));
            all.push((format!("column {j}, deviation"), variance.sqrt()));
        }
        let distance: Vec<f64> = column.iter().map(|v| (v - sorted[n / 2]).abs()).collect();
        ranks.push(places(&column));
        distances.push(places(&distance));
    }
    for (what, ranks) in [("ranks", ranks), ("distances", distances)] {
        for (a, b) in (0..both.dim()).flat_map(|b| (0..b).map(move |a| (a, b))) {
            let dot = ranks[a].iter().zip(&ranks[b]).map(|(a, b)| a * b).sum::<f64>();
            all.push((format!("columns {a} and {b}, {what}"), dot / n as f64));
        }
    }
    all
}

/// The rank of each value among all, scaled to mean 0 and variance 1.
fn places(column: &[f64]) -> Vec<f64> {
    let n = column.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| column[a].total_cmp(&column[b]));
    let mut places = vec![0.0; n];
    let (middle, deviation) = ((n as f64 - 1.0) / 2.0, ((n as f64).powi(2) / 12.0).sqrt());
    for (rank, &row) in order.iter().enumerate() {
        places[row] = (rank as f64 - middle) / deviation;
    }
    places
}

/// 50,000 draws in 50 blocks, each with as many rows as the reference's sample. The reference is compared with the mean over blocks. The
/// standard deviation over blocks is the standard error of the reference's statistic, whatever its distribution. Student's t with 49 degrees of
/// freedom is beyond 5.5 once in 700,000 times; there are 3,223 comparisons. The test can distinguish a correlation of 0.8 from 0.7, and a
/// mode of weight 0.3 from 0.4.
#[test]
fn quantiles_moments_and_rank_correlations_are_those_of_the_reference() {
    let mut far = Vec::new();
    for name in GOLDEN {
        let task = find(name).unwrap();
        // Two degrees of freedom: the variance is infinite, and so is the error of the mean.
        let moments = !name.starts_with("student");
        let (x, y) = reference(name);
        assert_eq!((x.len(), x.dim(), y.dim()), (ROWS, task.dim_x(), task.dim_y()));
        let expected = description(&x, &y, moments);
        let (x, y) = task.sample(ROWS * BLOCKS, 20).unwrap();
        let block = |b: usize| (b * ROWS..(b + 1) * ROWS).collect::<Vec<usize>>();
        let block = |b| description(&x.take(&block(b)), &y.take(&block(b)), moments);
        let blocks: Vec<_> = (0..BLOCKS).map(block).collect();
        for (i, (what, expected)) in expected.iter().enumerate() {
            let mean = blocks.iter().map(|d| d[i].1).sum::<f64>() / BLOCKS as f64;
            let variance = blocks.iter().map(|d| (d[i].1 - mean).powi(2)).sum::<f64>() / (BLOCKS - 1) as f64;
            let error = (variance * (1.0 + 1.0 / BLOCKS as f64)).sqrt();
            if (mean - expected).abs() > 5.5 * error {
                far.push(format!("{name}, {what}: {mean} +- {error}, the reference has {expected}"));
            }
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}

/// The largest difference between the fractions of rows below a value (Kolmogorov-Smirnov), in units of sqrt(1 / n + 1 / m).
/// It is beyond 2.3 once in 20,000 times, 2 exp(-2 2.3^2); there are 87 columns.
#[test]
fn columns_are_distributed_as_those_of_the_reference() {
    for name in GOLDEN {
        let (golden, ours) = (reference(name), find(name).unwrap().sample(ROWS * BLOCKS, 21).unwrap());
        let (golden, ours) = (golden.0.beside(&golden.1).unwrap(), ours.0.beside(&ours.1).unwrap());
        for j in 0..golden.dim() {
            let column = |samples: &Samples| {
                let mut column: Vec<f64> = (0..samples.len()).map(|i| samples.row(i)[j]).collect();
                column.sort_by(f64::total_cmp);
                column
            };
            let (golden, ours) = (column(&golden), column(&ours));
            let share = |column: &[f64], v: f64| column.partition_point(|&c| c < v) as f64 / column.len() as f64;
            let apart = |v: &f64| (share(&golden, *v) - share(&ours, *v)).abs();
            let largest = golden.iter().chain(&ours).map(apart).fold(0.0, f64::max);
            let unit = (1.0 / golden.len() as f64 + 1.0 / ours.len() as f64).sqrt();
            assert!(largest < 2.3 * unit, "{name}, column {j}: {largest}");
        }
    }
}
