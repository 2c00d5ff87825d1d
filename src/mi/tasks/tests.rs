//! The tasks against what the reference says of them: tests/golden/mi (the README of tests/golden says how it was made).

use super::*;
use crate::mi::neighbours::{Ksg, ksg};
use std::io::Read;

/// The rows of a golden sample.
const ROWS: usize = 1000;

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
    let labels: std::collections::HashSet<String> = all().iter().map(Task::label).collect();
    assert_eq!(labels.len(), 40);
    assert_eq!(find("1v1-normal-0.5"), None);
}

#[test]
fn every_sample_is_finite_repeats_with_its_seed_and_begins_a_longer_one() {
    for task in all() {
        // Infinity would be refused.
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
fn neighbours_find_the_truth_where_there_is_one_column_and_no_heavy_tail() {
    for task in all().iter().filter(|t| t.dim_y() == 1 && t.name() != "student-identity-1-1-1") {
        let (x, y) = task.sample(2000, 4).unwrap();
        let mi = ksg(&x, &y, 5, Ksg::First, 0).unwrap().mi;
        // The standard deviation of the estimates is about 0.02.
        assert!((mi - task.truth()).abs() < 0.08, "{}: {mi}, the truth is {}", task.name(), task.truth());
    }
}

/// The values that describe a sample, each with what it is.
struct Description(Vec<(String, f64)>);

impl Description {
    /// Of each column its quantiles, with `moments` its mean and standard deviation too; of any two columns the rank
    /// correlation, and that of their distances from the median, which is where t and spirals show.
    fn of(x: &Samples, y: &Samples, moments: bool) -> Self {
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
            ranks.push(self::ranks(&column));
            distances.push(self::ranks(&distance));
        }
        for (what, ranks) in [("ranks", ranks), ("distances", distances)] {
            for (a, b) in (0..both.dim()).flat_map(|b| (0..b).map(move |a| (a, b))) {
                let dot = ranks[a].iter().zip(&ranks[b]).map(|(a, b)| a * b).sum::<f64>();
                all.push((format!("columns {a} and {b}, {what}"), dot / n as f64));
            }
        }
        Description(all)
    }
}

/// The place of each value among all, with mean 0 and variance 1.
fn ranks(column: &[f64]) -> Vec<f64> {
    let n = column.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| column[a].total_cmp(&column[b]));
    let mut ranks = vec![0.0; n];
    let (middle, deviation) = ((n as f64 - 1.0) / 2.0, ((n as f64).powi(2) / 12.0).sqrt());
    for (rank, &row) in order.iter().enumerate() {
        ranks[row] = (rank as f64 - middle) / deviation;
    }
    ranks
}

/// 20,000 draws in 20 blocks of as many rows as the reference's sample: the blocks' mean, and their standard deviation, which
/// is the standard error of the same value of the reference, whatever its distribution. Student's t with 19 degrees of freedom
/// is beyond 6.5 once in 300,000 times; there are 6,000 comparisons.
#[test]
fn quantiles_moments_and_rank_correlations_are_those_of_the_reference() {
    let blocks = 20;
    let mut compared = 0;
    let names = all().into_iter().map(|t| t.name);
    let names = names
        .filter(|n| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/mi/{n}.npz")).exists());
    let mut worst: Vec<(f64, String)> = Vec::new();
    for name in names {
        compared += 1;
        let task = find(&name).unwrap();
        // Two degrees of freedom: the variance is infinite, and the mean's error with it.
        let moments = !name.starts_with("student");
        let (x, y) = reference(&name);
        assert_eq!((x.len(), x.dim(), y.dim()), (ROWS, task.dim_x(), task.dim_y()));
        let expected = Description::of(&x, &y, moments).0;
        let (x, y) = task.sample(ROWS * blocks, 20).unwrap();
        let ours: Vec<Description> = (0..blocks)
            .map(|b| (b * ROWS..(b + 1) * ROWS).collect::<Vec<_>>())
            .map(|rows| Description::of(&x.take(&rows), &y.take(&rows), moments))
            .collect();
        for (i, (what, expected)) in expected.iter().enumerate() {
            let mean = ours.iter().map(|d| d.0[i].1).sum::<f64>() / blocks as f64;
            let variance = ours.iter().map(|d| (d.0[i].1 - mean).powi(2)).sum::<f64>() / (blocks - 1) as f64;
            let error = (variance * (1.0 + 1.0 / blocks as f64)).sqrt();
            let text = format!("{name}, {what}: {mean} +- {error}, the reference has {expected}");
            worst.push(((mean - expected).abs() / error, text));
        }
    }
    assert_eq!(compared, 10);
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    let far: Vec<&String> = worst.iter().filter(|w| w.0 >= 6.5).map(|w| &w.1).collect();
    println!("{} {:#?}", worst.len(), &worst[..5]);
    assert!(far.is_empty(), "{far:#?}");
}
