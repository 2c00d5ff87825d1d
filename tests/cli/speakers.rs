//! Speakers in features: removed, verified; and boundaries of phones.

use super::place::Place;
use serde_json::Value;
use std::fs;

#[test]
fn speakers_are_removed_from_features_and_others_by_the_same_directions() {
    let place = Place::with_model();
    let said = place.ok("extract model corpus --remove speaker --out without");
    assert!(
        said.contains("removed: ") && said.contains("speakers are told apart") && !said.contains(".plain"),
        "{said}"
    );
    let index: Value = serde_json::from_slice(&place.bytes("without/index.json")).unwrap();
    let speakers = index["removed"]["speakers"].as_u64().unwrap();
    assert_eq!(index["removed"]["directions"].as_u64().unwrap(), speakers - 1);
    assert!(!place.at("without/.plain").exists() && place.at("without/removal.safetensors").is_file());
    // The mean of each speaker is 0.
    let set = cpc::features::FeatureSet::open(&place.at("without"), None).unwrap();
    let (mut rows, mut sums) = (Vec::new(), vec![0.0f64; set.dim()]);
    for (i, utterance) in set.utterances().iter().enumerate().filter(|(_, u)| u.speaker.as_deref() == Some("s1")) {
        set.read(i, &mut rows).unwrap();
        assert_eq!(rows.len(), utterance.frames * set.dim());
        rows.chunks(set.dim()).for_each(|row| sums.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v)));
    }
    assert!(sums.iter().all(|sum| sum.abs() < 1e-2), "{sums:?}");
    // Applied to other recordings: those of one speaker, who could not be told apart from others here.
    place.fails("extract model corpus/s1 --remove speaker --out one", 1, &["one speaker alone"]);
    place.ok("extract model corpus/s1 --remove without --out applied");
    let index: Value = serde_json::from_slice(&place.bytes("applied/index.json")).unwrap();
    assert_eq!(index["removed"]["speakers"].as_u64().unwrap(), speakers);
    place.fails("extract model corpus --remove nothing --out x", 1, &["nothing"]);
    place.fails("extract model corpus --remove speaker --layer c,z --out x", 2, &["--remove is for one layer"]);
    place.ok("extract model corpus --out plain");
    place.fails("extract model corpus --remove speaker --out plain", 2, &["holds features already"]);
    // Units of these features are not units of others.
    place.ok("units fit without --clusters 4 --out units");
    place.fails("units apply units/units-4.safetensors plain --out u.jsonl", 1, &["without what tells speakers apart"]);
}

#[test]
fn trials_are_scored_and_boundaries_found() {
    let place = Place::with_model();
    place.ok("extract model corpus --out features");
    let index: Value = serde_json::from_slice(&place.bytes("features/index.json")).unwrap();
    let ids: Vec<(String, String)> = index["utterances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| (u["id"].as_str().unwrap().to_string(), u["speaker"].as_str().unwrap().to_string()))
        .collect();
    let mut trials = String::new();
    for (i, (a, speaker)) in ids.iter().enumerate() {
        for (b, other) in &ids[i + 1..] {
            trials += &format!("{} {speaker}/{a}.wav {b}\n", u8::from(speaker == other));
        }
    }
    fs::write(place.at("trials.txt"), &trials).unwrap();
    let said = place.ok("probe features --trials trials.txt");
    assert!(said.contains("equal error rate") && said.contains("minDCF .01"), "{said}");
    let said = place.ok("probe model --data corpus --trials trials.txt --baselines mfcc --json");
    let outcome: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(outcome["rows"].as_array().unwrap().len(), 2);
    let list: String = ids.iter().map(|(id, _)| format!("{id}\n")).collect();
    fs::write(place.at("all.txt"), &list).unwrap();
    place.ok("probe features --trials trials.txt --lda 1 --train all.txt");
    place.fails("probe features --trials trials.txt --lda 900 --train all.txt", 2, &["--lda 900", "leave at most"]);
    fs::write(place.at("bad.txt"), trials + "1 s9/nobody.wav s1-0\n").unwrap();
    place.fails("probe features --trials bad.txt", 1, &["s9/nobody.wav: is not among the features"]);

    let mut phones = String::new();
    for utterance in index["utterances"].as_array().unwrap() {
        phones += utterance["id"].as_str().unwrap();
        (0..utterance["frames"].as_u64().unwrap()).for_each(|t| phones += &format!(" {}", t / 15 % 4));
        phones += "\n";
    }
    fs::write(place.at("phones.txt"), phones).unwrap();
    let half = ids.len() / 2;
    for (name, part) in [("train", &ids[..half]), ("test", &ids[half..])] {
        let list: String = part.iter().map(|(id, _)| format!("{id}\n")).collect();
        fs::write(place.at(&format!("{name}.txt")), list).unwrap();
    }
    let said = place.ok("probe features --boundaries --labels phones.txt --train train.txt --test test.txt");
    for words in ["harsh", "lenient", "R-value", "within 20 ms"] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    place.fails("probe features --boundaries --labels speaker --train train.txt --test test.txt", 2, &["frame labels"]);
}
