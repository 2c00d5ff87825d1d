//! Sentence vectors are measured in the same way as in scikit-learn: the golden case of tests/golden/sentences, and tasks with a known answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cpc::eval::sentences::measure::{Representation, Settings, measure};
use cpc::eval::sentences::sparse::{Labeled, SparseRows};
use cpc::eval::sentences::task::{Example, SentenceTask};
use cpc::eval::sentences::tfidf::Tfidf;
use cpc::seed::stream;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

fn golden() -> serde_json::Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sentences/expected.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn strings(value: &serde_json::Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect()
}

#[test]
fn tfidf_computes_what_scikit_learn_computes() {
    let golden = golden();
    let fitted = Tfidf::fit(strings(&golden["train"]));
    assert_eq!(fitted.words(), strings(&golden["vocabulary"]));
    for part in ["train", "test"] {
        for (sentence, want) in strings(&golden[part]).iter().zip(golden[format!("{part}_rows")].as_array().unwrap()) {
            let got: HashMap<&str, f64> =
                fitted.row(sentence).into_iter().map(|(c, x)| (fitted.words()[c as usize].as_str(), x)).collect();
            let want = want.as_array().unwrap();
            assert_eq!(got.len(), want.len(), "{sentence}");
            for pair in want {
                let (word, value) = (pair[0].as_str().unwrap(), pair[1].as_f64().unwrap());
                assert!((got[word] - value).abs() < 1e-6, "{sentence}: {word} {} {value}", got[word]);
            }
        }
    }
}

#[test]
fn sparse_logistic_regression_finds_scikit_learns_minimum() {
    let golden = golden();
    let (train, labels) = (strings(&golden["train"]), strings(&golden["labels"]));
    let names = strings(&golden["classes"]);
    let fitted = Tfidf::fit(train.iter().copied());
    let mut rows = SparseRows::new(fitted.words().len());
    train.iter().copied().chain(strings(&golden["test"])).for_each(|s| rows.push(fitted.row(s)));
    let classes: Vec<u32> = labels.iter().map(|label| names.iter().position(|n| n == label).unwrap() as u32).collect();
    let labeled = Labeled { rows: &rows, classes: &classes, count: names.len() };
    let items: Vec<usize> = (0..train.len()).collect();
    let trained = labeled.fit(&items, &[], golden["l2"].as_f64()).unwrap();
    assert!(trained.converged);
    for (i, want) in golden["test_probabilities"].as_array().unwrap().iter().enumerate() {
        let got = trained.probabilities(&rows, train.len() + i);
        for (got, want) in got.iter().zip(want.as_array().unwrap()) {
            assert!((got - want.as_f64().unwrap()).abs() < 1e-4, "{i}: {got} {want}");
        }
    }
}

fn example(label: &str, first: String, second: Option<String>) -> Example {
    Example { label: label.into(), first, second, place: "test".into() }
}

/// Sentences `s0`, `s1`, ... whose vectors encode their label, with one direction for each label.
fn told(n: usize, dim: usize) -> (SentenceTask, Representation) {
    let mut rng = stream(1, "told", 0);
    let mut rows = Vec::new();
    let examples = (0..n).map(|i| {
        let label = rng.below(3);
        rows.extend((0..dim).map(|c| rng.normal() + if c as u32 == label { 4.0 } else { 0.0 }));
        example(["a", "b", "c"][label as usize], format!("s{i}"), None)
    });
    let task = SentenceTask::new("told", examples.collect()).unwrap();
    (task, Representation::Vectors { name: "told".into(), dim, rows })
}

#[test]
fn vectors_that_tell_the_label_are_found_and_random_ones_stay_at_chance() {
    let (task, vectors) = told(300, 6);
    let settings = Settings { folds: 5, ..Settings::default() };
    let represented = [vectors, Representation::bag(&task, 4, 3)];
    let outcome = measure(&task, &represented, &settings, &|_| ()).unwrap();
    let [good, bag] = &outcome.rows[..] else { panic!() };
    assert!(good.figures.accuracy > 0.93, "{outcome}");
    // Each sentence is a unique word, and random vectors carry no information about it.
    assert!((0.2..0.47).contains(&bag.figures.accuracy), "{outcome}");
    assert_eq!((good.fold_accuracies.len(), outcome.folds, outcome.test), (5, Some(5), 300));
    let mean = good.fold_accuracies.iter().sum::<f64>() / 5.0;
    assert!((mean - good.figures.accuracy).abs() < 1e-9);
    assert_eq!(good.confusion.iter().flatten().sum::<u64>(), 300);
    let again = measure(&task, &represented, &settings, &|_| ()).unwrap();
    assert_eq!(serde_json::to_string(&outcome).unwrap(), serde_json::to_string(&again).unwrap());
    let other = measure(&task, &represented, &Settings { seed: 9, ..settings }, &|_| ()).unwrap();
    assert_ne!(outcome.rows[1].fold_accuracies, other.rows[1].fold_accuracies);
}

#[test]
fn the_table_and_the_json_have_the_same_figures() {
    let (task, vectors) = told(100, 3);
    let outcome = measure(&task, &[vectors, Representation::Tfidf], &Settings::default(), &|_| ()).unwrap();
    let (text, json) = (outcome.to_string(), serde_json::to_value(&outcome).unwrap());
    for (row, name) in json["rows"].as_array().unwrap().iter().zip(["told", "tfidf"]) {
        assert_eq!(row["features"], name);
        let percent = |value: &serde_json::Value| format!("{:.2}", 100.0 * value.as_f64().unwrap());
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        for key in ["accuracy", "macro_f1"] {
            assert!(line.contains(&percent(&row[key])), "{line} {row}");
        }
        assert!(line.contains(&format!("{} - {}", percent(&row["ci95"][0]), percent(&row["ci95"][1]))), "{line}");
        let folds = text.lines().find(|line| line.starts_with(&format!("folds     {name}"))).unwrap();
        assert_eq!(folds.split_whitespace().count(), 2 + row["fold_accuracies"].as_array().unwrap().len());
    }
    assert!(text.contains(&format!("majority  {:>6.2} %", 100.0 * json["majority"].as_f64().unwrap())), "{text}");
}

#[test]
fn pairs_are_told_apart_by_difference_and_product() {
    // A pair is `same` if both sentences have the same one of two topics. Neither sentence alone, nor their sum, shows this.
    let mut rng = stream(4, "pairs", 0);
    let topics =
        [["ship sea sail", "sea wave", "sail wave ship"], ["corn field plough", "field seed", "plough seed corn"]];
    let mut pair = || {
        let (s, t) = (rng.below(2), rng.below(2));
        let mut word = |topic: u32| topics[topic as usize][rng.below(3) as usize].to_string();
        example(if s == t { "same" } else { "other" }, word(s), Some(word(t)))
    };
    let train: Vec<Example> = (0..200).map(|_| pair()).collect();
    let test: Vec<Example> = (0..100).map(|_| pair()).collect();
    let task = SentenceTask::split("pairs", train, test).unwrap();
    let represented = [Representation::bag(&task, 32, 1), Representation::Tfidf];
    let outcome = measure(&task, &represented, &Settings::default(), &|_| ()).unwrap();
    assert!(outcome.rows.iter().all(|row| row.figures.accuracy > 0.95), "{outcome}");
    assert_eq!((outcome.folds, outcome.train, outcome.test, outcome.pairs), (None, 200, 100, true));
    assert_eq!(outcome.rows[0].figures.dim, 64);
    assert!(outcome.to_string().contains("200 pairs to train on, 100 to test"));
}

#[test]
fn what_does_not_fit_is_refused_and_a_raised_flag_ends_the_work() {
    let (task, vectors) = told(40, 3);
    let run = |representation: Representation, settings: &Settings| {
        measure(&task, &[representation], settings, &|_| ()).unwrap_err()
    };
    let settings = Settings::default();
    let short = Representation::Vectors { name: "short".into(), dim: 3, rows: vec![0.0; 39 * 3] };
    assert!(run(short, &settings).to_string().contains("short: 117 values for 40 sentences of 3"));
    let mut rows = vec![0.0; 120];
    rows[7] = f32::NAN;
    let text = run(Representation::Vectors { name: "nan".into(), dim: 3, rows }, &settings).to_string();
    assert!(text.contains("the vector of \"s2\" has a value NaN"), "{text}");
    assert_eq!(run(Representation::Tfidf, &Settings { folds: 41, ..settings.clone() }).exit_code(), 2);
    settings.stop.store(true, Ordering::Relaxed);
    assert_eq!(run(vectors, &settings).exit_code(), 130);
    assert_eq!(run(Representation::Tfidf, &settings).exit_code(), 130);
}
