//! Discrete units from the user's point of view.

use super::place::Place;
use serde_json::Value;
use std::fs;

/// Phones of the utterances of a place's corpus: a change every 20 frames.
fn labels(place: &Place, features: &str) {
    let index: Value = serde_json::from_slice(&place.bytes(&format!("{features}/index.json"))).unwrap();
    let mut text = String::new();
    for utterance in index["utterances"].as_array().unwrap() {
        text += utterance["id"].as_str().unwrap();
        for t in 0..utterance["frames"].as_u64().unwrap() {
            text += &format!(" {}", t / 20 % 3);
        }
        text += "\n";
    }
    fs::write(place.at("phones.txt"), text).unwrap();
}

#[test]
fn units_are_fitted_beside_a_model_and_applied() {
    let place = Place::new();
    place.ok("pretrain corpus --config tiny.toml --steps 4 --out run");
    place.ok("extract run corpus --out features");
    labels(&place, "features");
    let said = place.ok("units fit run corpus --clusters 8,4 --labels phones.txt");
    for words in ["units   active", "phone purity", "PNMI", "inertia", "run/model/units-4.safetensors"] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    let hidden = |dir: &str| {
        let names = fs::read_dir(place.at(dir)).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".features") || name.starts_with(".units")).collect::<Vec<_>>()
    };
    assert!(hidden("run/model").is_empty(), "{:?}", hidden("run/model"));
    // Features that a failed call left are not mixed with those of other data, nor is anything written beside a file of weights.
    fs::write(place.at("words.tsv"), "s1-0\tyes\n").unwrap();
    place.fails(
        "units fit run corpus/s1 --clusters 3 --labels words.tsv --out mixed",
        1,
        &["a label for each utterance"],
    );
    assert_eq!(hidden("mixed").len(), 1);
    place.ok("units fit run corpus --clusters 3 --out mixed");
    place.ok("units fit features --clusters 3 --out alone");
    assert!(place.bytes("mixed/units-3.safetensors") == place.bytes("alone/units-3.safetensors"));
    assert!(hidden("mixed").is_empty());
    let said = place.ok("hub push run owner/name --dry-run --license mit");
    for part in [
        "units-4.safetensors",
        "units-8.safetensors",
        "## Discrete units",
        "| 4 | units-4.safetensors | c |",
        "## Citation",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    place.fails("units fit run nothing --clusters 4 --out none", 1, &["nothing"]);
    assert!(!place.at("none").exists());
    // From features: the same units.
    place.ok("units fit features --clusters 4 --out here");
    assert!(place.bytes("here/units-4.safetensors") == place.bytes("run/model/units-4.safetensors"));

    // What an interrupted call left after a pass is gone on with, to the same bytes.
    let said = place.ok("units fit features --clusters 6 --out whole --json");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert!(report["rows"][0]["passes"].as_u64().unwrap() > 1, "{report}");
    place.ok("units fit features --clusters 6 --passes 1 --out cut");
    let (file, partial) = (place.at("cut/units-6.safetensors"), place.at("cut/.units-6.safetensors"));
    assert!(fs::read(&file).unwrap() != place.bytes("whole/units-6.safetensors"));
    fs::rename(file, &partial).unwrap();
    place.ok("units fit features --clusters 6 --out cut");
    assert!(place.bytes("cut/units-6.safetensors") == place.bytes("whole/units-6.safetensors") && !partial.exists());

    let said = place.ok("units apply run corpus --clusters 4 --out u.jsonl --labels phones.txt");
    assert!(said.contains("PNMI") && said.contains("u.jsonl"), "{said}");
    let lines: Vec<Value> = fs::read_to_string(place.at("u.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let index: Value = serde_json::from_slice(&place.bytes("features/index.json")).unwrap();
    assert_eq!(lines.len(), index["utterances"].as_array().unwrap().len());
    assert_eq!(lines[0]["units"].as_array().unwrap().len() as u64, index["utterances"][0]["frames"].as_u64().unwrap());
    // From features, in other forms.
    place.ok("units apply here/units-4.safetensors features --format zerospeech --out u.txt");
    let joined = |line: &Value, separator: &str| {
        line["units"].as_array().unwrap().iter().map(Value::to_string).collect::<Vec<_>>().join(separator)
    };
    let want: String =
        lines.iter().map(|l| format!("{}\t{}\n", l["audio"].as_str().unwrap(), joined(l, ","))).collect();
    assert_eq!(fs::read_to_string(place.at("u.txt")).unwrap(), want);
    place.ok("units apply here/units-4.safetensors features --format km --deduplicate --out u.km");
    let first = fs::read_to_string(place.at("u.km")).unwrap();
    let runs: Vec<&str> = first.lines().next().unwrap().split(' ').collect();
    assert!(runs.windows(2).all(|pair| pair[0] != pair[1]), "{runs:?}");
    assert_eq!(fs::read_to_string(place.at("u.km.ids")).unwrap().lines().count(), lines.len());

    // Units of another model, labels of something else, and what cannot be fitted.
    place.ok("pretrain corpus --config tiny.toml --steps 2 --out other");
    place.fails(
        "units apply here/units-4.safetensors corpus --model other --out x.jsonl",
        1,
        &["units of another model"],
    );
    place.fails("units apply run corpus --clusters 5 --out x.jsonl", 1, &["has no 5 units", "--clusters 5"]);
    place.fails("units apply run corpus --out x.jsonl", 2, &["is no file of units", "--clusters K"]);
    place.fails("units fit features --clusters 100000 --out x", 1, &["there are only", "fewer --clusters"]);
    place.fails("units fit features --clusters 4", 2, &["--out is not given"]);
    fs::write(place.at("words.tsv"), "s1-0\tyes\n").unwrap();
    place.fails("units fit features --clusters 4 --labels words.tsv --out y", 1, &["a label for each utterance"]);
    fs::write(place.at("short.txt"), "s1-0 1 2 3\n").unwrap();
    place.fails("units fit features --clusters 4 --labels short.txt --out z", 1, &["s1-0: has 3 labels for"]);
    assert!(!place.at("x.jsonl").exists());
}

#[test]
fn units_are_compared_by_abx() {
    let place = Place::new();
    let line =
        |id: &str, units: &[u32]| format!("{{\"audio\": \"{id}\", \"units\": {units:?}, \"frame_rate\": 100.0}}\n");
    // Items of ten frames: a is 1 1 2 2 .., b is 3 3 4 4 .., and the last b is taken for an a.
    let (a, b) = ([1, 1, 2, 2, 1, 1, 2, 2, 1, 1], [3, 3, 4, 4, 3, 3, 4, 4, 3, 3]);
    let text = line("u", &[a, b, a, b, a].concat());
    fs::write(place.at("u.jsonl"), text).unwrap();
    let mut items = String::from("#file onset offset #phone prev-phone next-phone speaker\n");
    for (i, phone) in ["a", "b", "a", "b", "b"].iter().enumerate() {
        items += &format!("u {:.2} {:.2} {phone} x y s\n", 0.1 * i as f64, 0.1 * (i + 1) as f64);
    }
    fs::write(place.at("u.item"), items).unwrap();
    for distance in ["identical", "edit"] {
        let said =
            place.ok(&format!("abx u.jsonl u.item --mode within --slicing fastabx --distance {distance} --json"));
        let report: Value = serde_json::from_str(&said).unwrap();
        let error = |a: &str| {
            let pairs = report["rows"][0]["pairs"].as_array().unwrap();
            pairs.iter().find(|pair| pair["a"] == a).unwrap()["error"].as_f64().unwrap()
        };
        // X and A are a, B is b: of three B one is like A, at the same distance. X and A are b: where X or A is the last, B is nearer or as near.
        assert!((error("a") - 1.0 / 6.0).abs() < 1e-9, "{distance}: {report}");
        assert!(error("b") > 0.4, "{distance}: {report}");
    }
    let said = place.ok("abx u.jsonl u.item --mode within");
    assert!(said.contains("identical"), "{said}");
    place.fails("abx u.jsonl u.item --distance angular", 2, &["are units", "--distance identical or edit"]);
    fs::write(place.at("bad.jsonl"), "{\"audio\": \"u\"}\n").unwrap();
    place.fails("abx bad.jsonl u.item", 1, &["bad.jsonl line 1", "units"]);
    let twice = fs::read_to_string(place.at("u.jsonl")).unwrap().repeat(2);
    fs::write(place.at("twice.jsonl"), twice).unwrap();
    place.fails("abx twice.jsonl u.item", 1, &["two lines for u"]);
}
