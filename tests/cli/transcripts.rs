//! Transcripts with CTC from the user's point of view: recordings of tones and the names of the tones in, a model that writes them down out.

use super::place::{Place, samples, wav};
use serde_json::Value;
use std::f64::consts::TAU;
use std::fmt::Write;
use std::fs;

/// Recordings of three to six tones of 120 ms each, of two speakers, and what they say in `said.txt`.
fn place() -> Place {
    let place = Place::with_model();
    let mut text = String::new();
    for i in 0..30usize {
        let mut tones: Vec<usize> = (0..3 + i % 4).map(|j| (i * 7 + j * j * 5 + j * i) % 3).collect();
        tones.dedup();
        let sample = |n: usize| {
            let pitch = [400.0, 1100.0, 2900.0][tones[n / 1920]];
            ((n as f64 / 16_000.0 * pitch * TAU).sin() * 12_000.0) as i16 + (n * 7919 % 400) as i16
        };
        let speaker = ["s1", "s2"][i % 2];
        samples(&place.at(&format!("tones/{speaker}/{speaker}-{i}.wav")), (0..tones.len() * 1920).map(sample));
        let names: Vec<&str> = tones.iter().map(|&k| ["low", "mid", "high"][k]).collect();
        writeln!(text, "{speaker}-{i} {}", names.join(" ")).unwrap();
    }
    fs::write(place.at("said.txt"), text).unwrap();
    place
}

const TUNE: &str = "finetune model --data tones --labels said.txt --ctc --layer z --set train.lr=1e-2 --body-lr 1 --set train.valid_every=20 \
                    --set train.checkpoint_every=40 --set train.batch_size=6 --set data.division=recording --set finetune.ctc_stride=2";

#[test]
fn transcripts_are_learned_resumed_exactly_and_written() {
    let place = place();
    let said = place.ok(&format!("{TUNE} --steps 200 --out whole"));
    assert!(said.contains("phone error rate on the test recordings"), "{said}");
    let test: Value = serde_json::from_slice(&place.bytes("whole/test.json")).unwrap();
    assert_eq!((&test["tested"], &test["trained_on"]), (&6.into(), &24.into()));
    assert_eq!((&test["figures"][0]["name"], &test["classes"][0]), (&"phone_error_rate".into(), &"high".into()));
    assert!(test["figures"][0]["value"].as_f64().unwrap() < 0.15, "{test}");
    place.ok(&format!("{TUNE} --steps 80 --out cut"));
    place.ok(&format!("{TUNE} --steps 200 --out cut"));
    for file in ["model.safetensors", "optimizer.safetensors", "config.json", "state.json"] {
        let file = format!("checkpoints/step-200/{file}");
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("cut/{file}")), "{file}");
    }
    // The best model is the one with the fewest errors, not the one with the lowest loss.
    let lines = place.metrics("whole");
    let errors: Vec<f64> =
        lines.iter().filter_map(|line| line["error_rate"].as_f64().filter(|_| line["kind"] == "valid")).collect();
    let state: Value = serde_json::from_slice(&place.bytes("whole/checkpoints/step-200/state.json")).unwrap();
    assert!(!errors.is_empty(), "{:?}", lines.last());
    assert_eq!(state["best"]["loss"].as_f64(), errors.iter().copied().reduce(f64::min));

    let wanted = fs::read_to_string(place.at("said.txt")).unwrap();
    let told = place.ok("predict whole tones --beam 1");
    let right = wanted.lines().filter(|line| {
        let (name, text) = line.split_once(' ').unwrap();
        told.lines().any(|line| line.split_once("  ").is_some_and(|(n, t)| n == name && t.trim() == text))
    });
    assert!(told.starts_with("recording  predicted\n") && right.count() >= 24, "{told}");
    place.ok("predict whole tones --out said.csv");
    let table = fs::read_to_string(place.at("said.csv")).unwrap();
    assert!(table.starts_with("recording,subject,predicted\ns1-0,s1,") && table.lines().count() == 31, "{table}");
    let json: Value = serde_json::from_str(&place.ok("predict whole tones --json")).unwrap();
    assert!(json["rows"][0]["transcript"].is_string() && json["rows"][0].get("probabilities").is_none());
    place.fails("predict whole tones --out said.npy", 2, &["said.npy", ".npy holds numbers"]);
    place.fails("predict whole tones --beam 0", 2, &["--beam is not between 1 and 1000"]);
    let info = place.ok("info whole/model");
    assert!(info.contains("symbols          high low mid") && info.contains("phone error rate"), "{info}");
    // A recording that is longer than any that was trained on is transcribed one window after the other.
    wav(&place.at("long.wav"), 5.0, 400.0);
    assert!(place.ok("predict whole long.wav").contains("\nlong "));
}

#[test]
fn shares_of_transcripts_are_compared_with_the_model_as_it_is() {
    let place = place();
    let said = place.ok(&format!("{TUNE} --steps 4 --fraction 0.5,1 --out curve"));
    for part in ["fine-tuned", "frozen", "from scratch", "50 %          12", "phone error rate"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!said.contains("linear probe"), "{said}");
    // The weights of the model are as they were.
    let read = |file: &str| candle_core::safetensors::load(place.at(file), &candle_core::Device::Cpu).unwrap();
    let (frozen, model) = (read("curve/100-percent/frozen/model/model.safetensors"), read("model/model.safetensors"));
    let values = |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let mut body = frozen.iter().filter(|(name, _)| !name.starts_with("classifier."));
    assert!(body.clone().count() > 5 && body.all(|(name, t)| values(t) == values(&model[name])));
    let said = place.ok(
        "finetune model --data tones --labels said.txt --ctc=characters --set finetune.ctc_stride=1 --steps 2 --set train.batch_size=4 --out letters",
    );
    assert!(said.contains("character error rate"), "{said}");
    let test: Value = serde_json::from_slice(&place.bytes("letters/test.json")).unwrap();
    assert_eq!(test["figures"][1]["name"], "word_error_rate");
}

#[test]
fn what_ctc_cannot_learn_is_named() {
    let place = place();
    let text = fs::read_to_string(place.at("said.txt")).unwrap();
    let tested: String = text.lines().take(3).map(|line| format!("{}\n", line.split(' ').next().unwrap())).collect();
    fs::write(place.at("test.txt"), tested).unwrap();
    let with = |text: &str| fs::write(place.at("said.txt"), text).unwrap();
    with(&text.replacen("low", "LOW", 1));
    place.fails(&format!("{TUNE} --test test.txt --out x"), 1, &["has the symbol `LOW`", "no training recording has"]);
    with(&text.replace("low", "low low low low low low low low low low low low low low low low low low low low"));
    place.fails(
        &format!("{TUNE} --out x"),
        1,
        &["more symbols than the recordings have outputs", "each run of the same"],
    );
    with(&format!("{text}nobody low\n"));
    place.fails(&format!("{TUNE} --out x"), 1, &["labels `nobody`"]);
    with(&format!("{text}{}\n", text.lines().next().unwrap()));
    place.fails(&format!("{TUNE} --out x"), 1, &["line 31: s1-0 was in line 1 already"]);
    with(&text.lines().map(|line| format!("{}\n", line.split(' ').next().unwrap())).collect::<String>());
    place.fails(&format!("{TUNE} --out x"), 1, &["the transcripts of the training recordings are empty"]);
    with(&text);
    place.fails(&format!("{TUNE} --multi-label --out x"), 2, &["finetune.multi_label", "is not for finetune.ctc"]);
    place.fails(&format!("{TUNE} --head attention --out x"), 2, &["finetune.head", "is not for finetune.ctc"]);
    place.fails(
        "finetune model --data tones --labels speaker --ctc --out x",
        2,
        &["data.labels", "a speaker is no transcript"],
    );
    place.fails(&format!("{TUNE} --set data.window=1000 --out x"), 1, &["no recordings remain to train on"]);
    assert!(!place.at("x").exists());
    // Some that are too dense are left out, and said to be.
    with(&text.replacen(
        "s2-1 ",
        "s2-1 low low low low low low low low low low low low low low low low low low low low ",
        1,
    ));
    let output = place.cpc(&format!("{TUNE} --steps 2 --out some")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("not trained on: 1 with more symbols than outputs, such as `s2-1`"),
        "{said}"
    );
}
