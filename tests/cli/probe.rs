//! `cpc probe` from the user's point of view, and compared with scikit-learn.

use assert_cmd::Command;
use cpc::eval::probe::labels::{Labels, read_names};
use cpc::eval::probe::lbfgs::Stop;
use cpc::eval::probe::logistic;
use cpc::eval::probe::protocol::{LabelCut, Protocol};
use cpc::eval::probe::split::{Split, read_list};
use cpc::eval::probe::standardize::standardize;
use cpc::eval::probe::study::{ProbeTask, probe};
use cpc::eval::probe::table::{Reading, Table};
use cpc::features::FeatureSet;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn golden(path: &str) -> PathBuf {
    root("tests/golden/probe").join(path)
}

#[test]
fn logistic_regression_is_scikit_learns() {
    let expected: Value = serde_json::from_str(&fs::read_to_string(golden("expected.json")).unwrap()).unwrap();
    let set = FeatureSet::open(&golden("features"), None).unwrap();
    let labels = Labels::read(&root("data/demo/phones.txt")).unwrap();
    let (train, test) = (read_list(&golden("train.txt")).unwrap(), read_list(&golden("test.txt")).unwrap());
    let reading = Reading {
        protocol: Protocol::Frame,
        cut: LabelCut::End,
        label_rate: 100.0,
        frame_rate: 100.0,
        names: None,
        limit: usize::MAX,
        stop: Default::default(),
        by_subject: false,
    };
    let table = Table::gather(&set, &train, &labels, &reading).unwrap();
    let items: Vec<usize> = (0..train.len()).collect();
    let standard = standardize(&table, &items).unwrap();
    for fit in expected["fits"].as_array().unwrap() {
        let number = |key: &str| fit[key].as_f64().unwrap();
        let stop = Stop { gradient: logistic::TOLERANCE, iterations: logistic::ITERATIONS };
        let start = logistic::start(&table, &items);
        let found = logistic::fit(&table, &items, &standard, number("l2"), start, stop).unwrap();
        assert!(found.converged, "{found:?}");
        let off = (found.value - number("objective")) / number("objective");
        assert!(off.abs() < 1e-5, "objective {} and not {}", found.value, number("objective"));
        let loss = logistic::mean_loss(&table, &items, &standard, &found.x, None).unwrap();
        assert!((loss - number("train_loss")).abs() < 1e-3, "loss {loss} and not {}", number("train_loss"));
        let weights = table.names().len() * table.dim();
        let norm = found.x[..weights].iter().map(|w| w * w).sum::<f64>().sqrt();
        assert!((norm / number("weights_norm") - 1.0).abs() < 0.02, "norm {norm} and not {}", number("weights_norm"));

        let mut task = ProbeTask::new(labels.clone(), Split::lists(train.clone(), test.clone()).unwrap());
        task.names = Some(read_names(&root("data/demo/phone_names.txt")).unwrap());
        task.l2 = Some(number("l2"));
        let outcome = probe(&task, &[("mfcc".into(), set.clone())], &|_| ()).unwrap();
        let row = &outcome.rows[0];
        assert!((row.accuracy - number("accuracy")).abs() < 0.002, "{} and not {}", row.accuracy, number("accuracy"));
        assert!((row.macro_f1 - number("macro_f1")).abs() < 0.005, "{} and not {}", row.macro_f1, number("macro_f1"));
        assert!((outcome.majority - expected["majority"].as_f64().unwrap()).abs() < 1e-9);
        let sizes = (expected["train_rows"].as_u64(), expected["test_rows"].as_u64());
        assert_eq!((Some(outcome.train.rows as u64), Some(outcome.test.rows as u64)), sizes);
    }
}

/// A place with features of utterances by three speakers, which carry information about speaker and phone, and labels of several kinds.
struct Place {
    dir: TempDir,
}

const SPEAKERS: usize = 3;
const EACH: usize = 6;

fn npy(path: &Path, rows: &[[f32; 4]]) {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, 4), }}", rows.len());
    header.push_str(&" ".repeat(63 - (10 + header.len()) % 64));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(rows.iter().flatten().flat_map(|x| x.to_le_bytes()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

impl Place {
    fn new() -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        let (mut phones, mut moods, mut train, mut test) = (String::new(), String::new(), String::new(), String::new());
        for s in 0..SPEAKERS {
            for u in 0..EACH {
                let id = format!("s{s}-{u}");
                let frames = 130 + 20 * u;
                let noise = |t: usize, c: usize| ((t * 37 + c * 101 + u * 59 + s * 13) % 97) as f32 / 40.0 - 1.2;
                let class = |t: usize| (t / 9 + u) % 4;
                let rows: Vec<[f32; 4]> = (0..frames)
                    .map(|t| {
                        [
                            s as f32 + noise(t, 0),
                            class(t) as f32 + noise(t, 1),
                            noise(t, 2),
                            (class(t) % 2) as f32 + noise(t, 3),
                        ]
                    })
                    .collect();
                npy(&place.at(&format!("features/s{s}/{id}.npy")), &rows);
                let ids: Vec<String> = (0..frames).map(|t| class(t).to_string()).collect();
                phones += &format!("{id} {}\n", ids.join(" "));
                moods += &format!("{id}\t{}\tignored\n", ["calm", "cross"][s % 2]);
                *(if u < 4 { &mut train } else { &mut test }) += &format!("{id}\n");
            }
        }
        for (name, text) in [("phones.txt", &phones), ("moods.tsv", &moods), ("train.txt", &train), ("test.txt", &test)]
        {
            place.write(name, text);
        }
        place.write("phone_names.txt", "pau\naa\nb\nch\n");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    fn cpc(&self, args: &str) -> Command {
        let mut command = Command::cargo_bin("cpc").unwrap();
        command.current_dir(self.dir.path()).args(args.split_whitespace()).env("NO_COLOR", "1");
        command
    }

    fn json(&self, args: &str) -> Value {
        let output = self.cpc(&format!("probe features --json {args}")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The exit code and the message of a probe that fails; nothing may be printed on stdout.
    fn fails(&self, args: &str) -> (i32, String) {
        let output = self.cpc(&format!("probe features {args}")).output().unwrap();
        assert!(output.stdout.is_empty());
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

const PHONES: &str = "--labels phones.txt --train train.txt --test test.txt";

#[test]
fn the_table_and_the_json_tell_the_same() {
    let place = Place::new();
    let json = place.json(PHONES);
    assert_eq!((json["protocol"].as_str(), json["labels"].as_str()), (Some("frame"), Some("phones.txt")));
    assert_eq!((json["train"]["utterances"].as_u64(), json["test"]["utterances"].as_u64()), (Some(12), Some(6)));
    assert_eq!(json["test"]["rows"].as_u64(), Some(3 * (210 + 230)));
    assert_eq!((json["classes"].as_u64(), json["chance"].as_f64()), (Some(4), Some(0.25)));
    let row = &json["rows"][0];
    let accuracy = row["accuracy"].as_f64().unwrap();
    assert!(
        accuracy > 0.7 && row["ci95"][0].as_f64().unwrap() <= accuracy && accuracy <= row["ci95"][1].as_f64().unwrap()
    );
    assert_eq!(row["recalls"][1]["class"], "aa");
    for key in ["macro_f1", "l2", "iterations"] {
        assert!(row[key].is_number(), "{key}");
    }
    let text = String::from_utf8(place.cpc(&format!("probe features {PHONES}")).output().unwrap().stdout).unwrap();
    for part in [
        format!("{:.2} %", 100.0 * accuracy),
        "chance     25.00 %  (4 classes)".into(),
        "protocol  frame".into(),
        "confused  features: ".into(),
    ] {
        assert!(text.contains(&part), "{part} is not in\n{text}");
    }
    assert_eq!(json, place.json(PHONES), "a second time");
    let two = place.json(&format!("features {PHONES}"));
    assert_eq!((&two["rows"][0], &two["rows"][1]), (row, row));
}

#[test]
fn every_protocol_is_named_and_counts_its_rows() {
    let place = Place::new();
    let speaker = "--labels speaker --train train.txt --test test.txt";
    let json = place.json(speaker);
    assert_eq!((json["protocol"].as_str(), json["test"]["rows"].as_u64()), (Some("utterance"), Some(6)));
    assert_eq!(json["rows"][0]["accuracy"].as_f64(), Some(1.0));
    let json = place.json(&format!("{speaker} --level last-frame"));
    assert_eq!((json["protocol"].as_str(), json["test"]["rows"].as_u64()), (Some("last-frame"), Some(6)));
    let json = place.json(&format!("{speaker} --level frame --hidden 8"));
    assert_eq!((json["protocol"].as_str(), json["probe"].as_str()), (Some("frame"), Some("hidden 8")));
    let json = place.json("--labels moods.tsv --folds 3");
    assert_eq!(
        (json["folds"].as_u64(), json["test"]["rows"].as_u64(), json["classes"].as_u64()),
        (Some(3), Some(18), Some(2))
    );
    let json = place.json(&format!("{PHONES} --frame-rate 50 --label-rate 50"));
    assert_eq!(json["test"]["rows"].as_u64(), Some(3 * 440));
}

#[test]
fn too_short_utterances_and_slower_features_are_remarked_upon() {
    let place = Place::new();
    npy(&place.at("features/s0/s0-9.npy"), &[[0.0; 4]; 100]);
    place.write("train.txt", &(fs::read_to_string(place.at("train.txt")).unwrap() + "s0-9\n"));
    let json = place.json("--labels speaker --train train.txt --test test.txt --level last-frame");
    let remark = json["remarks"][0].as_str().unwrap();
    assert!(remark.contains("1 utterance is shorter") && remark.contains("s0-9"), "{remark}");
    let text = fs::read_to_string(place.at("phones.txt")).unwrap();
    let double = |line: &str| {
        let (id, ids) = line.split_once(' ').unwrap();
        format!("{id} {}\n", ids.split(' ').flat_map(|i| [i, i]).collect::<Vec<_>>().join(" "))
    };
    place.write("fine.txt", &text.lines().map(double).collect::<String>());
    place.write("train.txt", "s0-0\ns1-1\ns2-2\n");
    let fine = place
        .json("--labels fine.txt --train train.txt --test test.txt --label-rate 200 --l2 1 --names phone_names.txt");
    assert!(fine["remarks"][0].as_str().unwrap().contains("floor((t + 0.5) * 2"));
    let coarse = place.json("--labels phones.txt --train train.txt --test test.txt --l2 1");
    assert_eq!(fine["rows"], coarse["rows"]);
}

#[test]
fn what_does_not_belong_together_is_named() {
    let place = Place::new();
    place.write("strangers.txt", "s0-0\nnobody\nno-one\n");
    let (code, text) = place.fails("--labels phones.txt --train strangers.txt --test test.txt");
    assert!(code == 1 && text.contains("nobody: has no features") && text.contains("no-one"), "{code} {text}");
    place.write("both.txt", "s0-0\ns0-5\ns1-4\n");
    let (code, text) = place.fails("--labels phones.txt --train both.txt --test test.txt");
    assert!(code == 1 && text.contains("s0-5: is in both") && text.contains("s1-4: is in both"), "{code} {text}");
    place.write("few.txt", "s0-0 0 1 1\n");
    let (code, text) = place.fails("--labels few.txt --train train.txt --test test.txt");
    assert!(
        code == 1 && text.contains("s0-0: has 130 frames") && text.contains("s0-1: has no label in few.txt"),
        "{code} {text}"
    );
    place.write("bad.txt", "s0-0 0 1 oh\n");
    let (code, text) = place.fails("--labels bad.txt --train train.txt --test test.txt");
    assert!(code == 1 && text.contains("bad.txt line 1: `oh`") && text.contains("help:"), "{code} {text}");
    place.write("empty.txt", "\n");
    let (code, text) = place.fails("--labels phones.txt --train train.txt --test empty.txt");
    assert!(code == 1 && text.contains("empty.txt: names no utterance"), "{code} {text}");
    let (code, text) = place.fails(&format!("{PHONES} --level utterance"));
    assert!(code == 2 && text.contains("frame labels"), "{code} {text}");
    assert_eq!(place.fails("--labels phones.txt --train train.txt").0, 2);
    assert_eq!(place.fails(&format!("{PHONES} --l2 -1")).0, 2);
    assert_eq!(place.fails("--labels phones.txt --folds 1").0, 2);
}

#[test]
fn classes_that_cannot_be_learned_are_named() {
    let place = Place::new();
    place.write("train.txt", "s0-0\ns0-1\ns1-1\n");
    let (code, text) = place.fails("--labels speaker --train train.txt --test test.txt");
    assert!(
        code == 1 && text.contains("class s2: 2 test rows, no training row") && !text.contains("class s1"),
        "{code} {text}"
    );
    place.write("train.txt", "s0-0\ns0-1\n");
    place.write("test.txt", "s0-2\n");
    let (code, text) = place.fails("--labels speaker --train train.txt --test test.txt");
    assert!(code == 1 && text.contains("all training rows are of one class, s0"), "{code} {text}");
    npy(&place.at("features/s0/s0-2.npy"), &[[f32::NAN; 4]; 20]);
    place.write("train.txt", "s0-0\ns1-1\n");
    let (code, text) = place.fails("--labels speaker --train train.txt --test test.txt");
    assert!(code == 1 && text.contains("s0-2"), "{code} {text}");
}

/// Labels, lists and a model for the corpus that `place` creates.
fn recordings() -> super::place::Place {
    let place = super::place::Place::with_model();
    let (mut phones, mut train, mut test) = (String::new(), String::new(), String::new());
    for s in ["s1", "s2"] {
        for u in 0..5 {
            let frames = 130 + 20 * u;
            let ids: Vec<String> = (0..frames).map(|t| (t / 17 % 3).to_string()).collect();
            phones += &format!("{s}-{u} {}\n", ids.join(" "));
            *(if u < 3 { &mut train } else { &mut test }) += &format!("{s}-{u}\n");
        }
    }
    for (name, text) in [("phones.txt", phones), ("train.txt", train), ("test.txt", test)] {
        fs::write(place.at(name), text).unwrap();
    }
    place
}

#[test]
fn a_model_and_its_baselines_stand_in_one_table_and_on_a_page() {
    let place = recordings();
    let args = format!("probe model --data corpus --layer c,z {PHONES} --json");
    let out = place.ok(&format!("{args} --baselines random,mfcc,logmel --report page"));
    let json: Value = serde_json::from_str(&out).unwrap();
    let names: Vec<&str> = json["rows"].as_array().unwrap().iter().map(|r| r["features"].as_str().unwrap()).collect();
    assert_eq!(names, ["model c", "model z", "random c", "random z", "mfcc", "logmel"]);
    let dims: Vec<u64> = json["rows"].as_array().unwrap().iter().map(|r| r["dim"].as_u64().unwrap()).collect();
    assert_eq!(dims, [10, 12, 10, 12, 39, 40]);
    assert_ne!(json["rows"][0]["accuracy"], json["rows"][2]["accuracy"]);
    assert_eq!(json["train"]["rows"], 2 * (130 + 150 + 170));
    let page = fs::read_to_string(place.at("page/index.html")).unwrap();
    assert!(page.contains("model c") && page.contains("logmel") && page.contains("</html>"));
    assert!(!page.contains("http://") && !page.contains("src="));
    // The same features from files.
    place.ok("extract model corpus --layer c,z --out features");
    let out = place.ok(&format!("probe features --layer c {PHONES} --json"));
    let files: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(files["rows"][0]["accuracy"], json["rows"][0]["accuracy"]);
    // Speakers are known from the folders.
    let out = place.ok("probe model --data corpus --labels speaker --train train.txt --test test.txt --json");
    let speakers: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&speakers["protocol"], &speakers["test"]["rows"]), (&"utterance".into(), &4.into()));
}

#[test]
fn models_and_baselines_without_what_they_need_are_usage_errors() {
    let place = recordings();
    place.ok("extract model corpus --out features");
    for (args, code, part) in [
        (format!("probe model {PHONES}"), 2, "--data"),
        (format!("probe features {PHONES} --baselines mfcc"), 2, "--data"),
        (format!("probe features --data corpus {PHONES} --baselines random"), 2, "no model whose shape"),
        (format!("probe model --data corpus --layer c:7 {PHONES}"), 2, "--layer c:7"),
        (format!("probe model --data corpus/s1/s1-0.wav {PHONES}"), 1, "s1-1: has no features"),
        (format!("probe features --layer z {PHONES}"), 2, "holds c"),
        (format!("probe features --frame-rate 50 {PHONES}"), 2, "says 100"),
        (format!("probe nothing {PHONES}"), 1, "nothing"),
    ] {
        let (message, got) = place.refused(&args);
        assert!(got == code && message.contains(part), "{args}: {got} {message}");
    }
}
