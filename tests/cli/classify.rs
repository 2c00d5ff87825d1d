//! Fine-tuning on images and on text from the user's point of view: labels with the data, classifiers and predictions out.

use super::images::{self, DIM};
use super::text;
use serde_json::Value;
use std::fs;

#[test]
fn a_classifier_of_images_resumes_exactly_and_is_compared() {
    let place = images::place();
    place.ok(&format!("pretrain squares --preset dim-local {DIM} --steps 10 --out run"));
    let tune = "finetune run --data squares --set train.lr=1e-2 --body-lr 1 --set train.valid_every=10 --set train.checkpoint_every=10";
    let said = place.ok(&format!("{tune} --steps 60 --out whole"));
    assert!(said.contains("model: whole/model"), "{said}");
    place.ok(&format!("{tune} --steps 30 --out cut"));
    place.ok(&format!("{tune} --steps 60 --out cut"));
    for file in ["model.safetensors", "optimizer.safetensors", "config.json"] {
        let file = format!("checkpoints/step-60/{file}");
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("cut/{file}")), "{file}");
    }
    let test: Value = serde_json::from_slice(&place.bytes("whole/test.json")).unwrap();
    assert_eq!((&test["tested"], &test["trained_on"]), (&60.into(), &240.into()));
    // The place of a square is its label.
    assert!(test["figures"][0]["value"].as_f64().unwrap() > 0.8, "{test}");
    place.ok("predict whole squares --out p.csv");
    let table = fs::read_to_string(place.at("p.csv")).unwrap();
    let right = table.lines().skip(1).enumerate().filter(|(i, line)| {
        let cells: Vec<&str> = line.split(',').collect();
        cells[1] == ((if *i < 240 { *i } else { i - 240 }) % 10).to_string()
    });
    assert!(table.starts_with("image,predicted,p(0),p(1)") && right.count() > 240, "{table}");
    assert!(table.contains("\ntest/59,"), "{table}");
    let said = place.ok("info whole/model");
    assert!(said.contains("images of 28 x 28"), "{said}");

    let curve = place.ok(&format!("{tune} --steps 10 --fraction 0.2,1 --out curve"));
    for part in ["fine-tuned", "linear probe", "from scratch", "pca", "20 %          50"] {
        assert!(curve.contains(part), "{part} is not in {curve}");
    }
    place.ok(&format!("{tune} --steps 2 --layer fc --out fc"));
    place.fails(&format!("{tune} --layer c --out x"), 2, &["finetune.layer", "choose conv, fc or y"]);
    place.fails(&format!("{tune} --labels speaker --out x"), 2, &["--labels is not for images"]);
    place.fails(&format!("{tune} --rate 100 --out x"), 2, &["--rate is not for images"]);
    place.fails(&format!("{tune} --multi-label --out x"), 2, &["--multi-label is not for images"]);
    assert!(!place.at("x").exists());
    fs::write(place.at("train.txt"), "train/0\ntrain/1\ntrain/2\ntrain/3\n").unwrap();
    fs::write(place.at("test.txt"), "test/0\ntest/60\n").unwrap();
    place.fails("probe run --data squares --train train.txt --test test.txt", 2, &["no image `test/60`"]);
}

#[test]
fn a_classifier_of_sentences_resumes_exactly_and_is_compared() {
    let place = text::place();
    place.ok("pretrain walk.txt --config text.toml --steps 4 --out run");
    let rows: String = (0..80)
        .map(|i| format!("{}\tthe {} went to {i}\n", ["even", "odd"][i % 2], ["one and two", "five"][i % 2]))
        .collect();
    fs::write(place.at("task.tsv"), &rows).unwrap();
    let tune = "finetune run --data task.tsv --set train.lr=3e-2 --body-lr 1 --set train.valid_every=10 --set train.checkpoint_every=10";
    place.ok(&format!("{tune} --steps 60 --out whole"));
    place.ok(&format!("{tune} --steps 30 --out cut"));
    place.ok(&format!("{tune} --steps 60 --out cut"));
    for file in ["model.safetensors", "optimizer.safetensors", "tokenizer.json", "config.json"] {
        let file = format!("checkpoints/step-60/{file}");
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("cut/{file}")), "{file}");
    }
    let test: Value = serde_json::from_slice(&place.bytes("whole/test.json")).unwrap();
    assert_eq!((&test["tested"], &test["trained_on"]), (&16.into(), &64.into()));
    assert!(test["figures"][0]["value"].as_f64().unwrap() > 0.9, "{test}");
    fs::write(place.at("new.txt"), "The one and two.\n\nThe five.\n").unwrap();
    let said = place.ok("predict whole new.txt");
    assert!(said.starts_with("sentence  predicted\nnew:1     even") && said.contains("new:3     odd"), "{said}");
    place.ok("predict whole task.tsv --out p.csv");
    let table = fs::read_to_string(place.at("p.csv")).unwrap();
    assert!(table.starts_with("sentence,predicted,p(even),p(odd)\ntask:1,even"), "{table}");

    let curve = place.ok(&format!("{tune} --steps 10 --fraction 0.2,1 --out curve"));
    for part in ["fine-tuned", "linear probe", "from scratch", "bag", "100 %          64"] {
        assert!(curve.contains(part), "{part} is not in {curve}");
    }
    fs::create_dir(place.at("parts")).unwrap();
    fs::write(place.at("parts/train.tsv"), &rows).unwrap();
    fs::write(place.at("parts/test.csv"), "label,sentence\neven,\"the one, and two\"\n").unwrap();
    place.ok("finetune run --data parts --steps 2 --out parts-run");
    let test: Value = serde_json::from_slice(&place.bytes("parts-run/test.json")).unwrap();
    assert_eq!((&test["tested"], &test["trained_on"]), (&1.into(), &80.into()));
    fs::write(place.at("pairs.tsv"), "a\tx\ty\nb\tz\tw\n").unwrap();
    place.fails("finetune run --data pairs.tsv --out x", 1, &["pairs.tsv line 1", "pair of sentences"]);
    place.fails("finetune run --data task.tsv --layer c --out x", 2, &["the only layer of sentences is z"]);
    fs::write(place.at("many.tsv"), rows.replace("even\t", "even,all\t").replace("odd\t", "odd,all\t")).unwrap();
    let said = place.ok("finetune run --data many.tsv --multi-label --steps 4 --fraction 1 --out many");
    assert!(said.contains("macro auroc") && !said.contains("linear probe"), "{said}");
    fs::remove_file(place.at("whole/model/tokenizer.json")).unwrap();
    place.fails("predict whole new.txt", 1, &["tokenizer.json"]);
}

#[test]
fn sentences_of_a_document_are_pooled() {
    let place = text::place();
    place.ok("pretrain walk.txt --config text.toml --steps 2 --out run");
    fs::write(
        place.at("a.txt"),
        "The one went.\nthe two\nthe six and the one\n\nThe four.\nThe five went to one.\n\nThe three.\n",
    )
    .unwrap();
    let read = |name: &str| candle_core::Tensor::read_npy(place.at(name)).unwrap().to_vec2::<f32>().unwrap();
    place.ok("extract run a.txt --out plain");
    let plain = read("plain/a.npy");
    let mean = |rows: &[Vec<f32>]| -> Vec<f32> {
        (0..rows[0].len()).map(|j| rows.iter().map(|row| row[j]).sum::<f32>() / rows.len() as f32).collect()
    };
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6) && a.len() == b.len();
    let lines = |dir: &str| -> Vec<String> {
        let text = fs::read_to_string(place.at(&format!("{dir}/a-lines.tsv"))).unwrap();
        text.lines().skip(1).map(|line| line.split('\t').nth(1).unwrap().to_string()).collect()
    };
    let said = place.ok("extract run a.txt --pool mean --out mean");
    assert!(said.contains("6 sentences in 3 rows (mean of each document), vectors of 12"), "{said}");
    let rows = read("mean/a.npy");
    assert!(rows.len() == 3 && close(&rows[0], &mean(&plain[..3])) && close(&rows[1], &mean(&plain[3..5])));
    assert_eq!(lines("mean"), ["1", "5", "8"]);
    place.ok("extract run a.txt --pool windows:2/1 --out windows");
    let rows = read("windows/a.npy");
    let want = [&plain[..2], &plain[1..3], &plain[3..5], &plain[5..]];
    assert!(rows.len() == 4 && rows.iter().zip(want).all(|(row, of)| close(row, &mean(of))));
    assert_eq!(lines("windows"), ["1", "2", "5", "8"]);
    place.ok("extract run a.txt --pool last --out last");
    assert!(close(&read("last/a.npy")[1], &plain[4]));
    place.fails(
        "extract run a.txt --pool last --format parquet --out x",
        2,
        &["these rows have no texts", "choose npy"],
    );
    place.ok("extract run a.txt --pool mean+deviation --out deviation");
    assert_eq!(read("deviation/a.npy")[0].len(), 24);
    for shard in ["0/2", "1/2"] {
        place.ok(&format!("extract run a.txt --pool mean --shard {shard} --out shards"));
    }
    place.ok("extract run a.txt --pool mean --out shards");
    assert!(place.bytes("shards/a.npy") == place.bytes("mean/a.npy"));
    place.fails("extract run a.txt --pool median --out x", 2, &["`median` is none of mean"]);
}
