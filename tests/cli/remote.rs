//! Repositories on the hub as MODEL and as DATA of every command, and the card that is pushed with a model.

use super::hub::Site;
use super::hub_server::{HubServer, Kind};
use super::parquet::{rows, write};
use super::place::golden;
use parquet::basic::Compression;
use serde_json::Value;
use std::fs;

impl Site {
    fn read(&self, name: &str) -> String {
        String::from_utf8(self.place.bytes(name)).unwrap()
    }

    /// Puts the corpus on the hub as a data set with two configurations: `clean` in three tables of two splits, and `other`. Returns the
    /// commit.
    fn put_corpus(&self) -> String {
        let mut rows = rows(&self.place.at("corpus"));
        rows.iter_mut().enumerate().for_each(|(i, row)| row.label = Some(i as i64 % 2));
        let table = |name: &str, rows: &[super::parquet::Row]| {
            let path = self.place.at("made").join(name);
            write(&path, rows, 3, Compression::SNAPPY, "speaker_id");
            (name.to_string(), fs::read(path).unwrap())
        };
        let files = [
            table("clean/train.100-00000-of-00002.parquet", &rows[..5]),
            table("clean/train.100-00001-of-00002.parquet", &rows[5..]),
            table("clean/test-00000-of-00001.parquet", &rows[..2]),
            table("other/test-00000-of-00001.parquet", &rows[2..4]),
        ];
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        self.server.put(Kind::Dataset, "tester/speech", &files)
    }
}

#[test]
fn a_model_trained_here_is_the_same_everywhere_once_it_went_to_the_hub() {
    let site = Site::new();
    let said = site.ok(site.cpc("pretrain corpus --config tiny.toml --out run"));
    assert!(said.contains("model: run/model"));
    site.ok(site.with_token("hub push run tester/demo --license mit --language en --dataset owner/corpus"));
    let card = String::from_utf8(site.server.files("tester/demo", "main")["README.md"].clone()).unwrap();
    for said in [
        "license: \"mit\"",
        "language:\n- \"en\"",
        "datasets:\n- \"owner/corpus\"",
        "# demo",
        "| data | corpus |",
        "| 4 | 40 ms |",
        "cpc extract hf:tester/demo",
    ] {
        assert!(card.contains(said), "{said:?} is not in {card}");
    }

    // On another machine, with an empty cache: the same features, bit for bit.
    site.ok(site.cpc("extract run corpus --layer c,z --out own"));
    let output = site.cpc("extract hf:tester/demo corpus --layer c,z --out theirs").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let commit = site.json("hub list")["repositories"][0]["revisions"][0]["commit"].as_str().unwrap().to_string();
    assert!(said.contains(&format!("hf:tester/demo: commit {commit}\n")), "{said}");
    assert_eq!(site.features("own"), site.features("theirs"));
    let named = format!("hf:tester/demo@{commit}");
    let index: Value = serde_json::from_str(&site.read("theirs/index.json")).unwrap();
    assert_eq!(index["model"], named);

    // Every command that takes a MODEL accepts it, also without a connection.
    let before = site.server.requests().len();
    let address = format!("{}/tester/demo/tree/main", site.server.endpoint());
    let info = site.json(&format!("info {address} --offline"));
    assert_eq!((&info["found"]["reference"], &info["sha256"]), (&named.clone().into(), &index["model_sha256"]));
    site.ok(site.cpc("convert hf:tester/demo copy --offline"));
    assert!(site.read("copy/config.json").contains(&named));
    let probe = site.ok(site.cpc("probe hf:tester/demo --offline --data corpus --labels speaker --folds 2"));
    assert!(probe.contains("hf:tester/demo c"), "{probe}");
    site.ok(site.cpc("pretrain corpus --config tiny.toml --steps 2 --init hf:tester/demo --offline --out on"));
    assert!(site.read("on/config.toml").contains(&format!("init = \"{named}\"")));
    assert_eq!(site.server.requests().len(), before, "a connection was made");
    site.fails(site.cpc("extract hf:tester/none corpus --offline --out x"), 1, &["not in the cache", "cpc hub pull"]);
    site.fails(site.cpc("extract hf:tester/none corpus --out x"), 1, &["no such repository"]);
    site.fails(site.cpc("extract hf://datasets/tester/demo corpus --out x"), 2, &["is a data set"]);
    site.fails(site.cpc("extract run hf:tester/demo --out x"), 2, &["is a model", "hf://datasets/"]);
}

#[test]
fn a_checkpoint_of_pytorch_on_the_hub_is_a_model_too() {
    let site = Site::new();
    let case = "gru_linear_channelnorm";
    let read = |name: &str| fs::read(golden(&format!("{case}/{name}"))).unwrap();
    let (weights, args) = (read("checkpoint_0.pt"), read("checkpoint_args.json"));
    let files: [(&str, &[u8]); 3] =
        [("a/checkpoint_0.pt", &weights), ("a/checkpoint_args.json", &args), ("README.md", b"# theirs")];
    site.server.put(Kind::Model, "tester/foreign", &files);
    site.ok(site.cpc(&format!("extract {} corpus --out local", golden(&format!("{case}/checkpoint_0.pt")).display())));
    for (reference, out) in [("hf:tester/foreign/a/checkpoint_0.pt", "by-file"), ("hf:tester/foreign/a", "by-folder")] {
        site.ok(site.cpc(&format!("extract {reference} corpus --out {out}")));
        assert_eq!(site.features(out), site.features("local"), "{reference}");
    }
    // Pushed, it becomes a model directory, with a card that names its origin.
    let dry = site.json("hub push hf:tester/foreign/a tester/ours --dry-run");
    let names: Vec<_> = dry["files"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["config.json", "model.safetensors", "README.md"]);
    let card = dry["card"].as_str().unwrap();
    assert!(card.contains("CPC\\_audio training checkpoint") && card.contains("not recorded here"), "{card}");
}

#[test]
fn a_data_set_of_the_hub_trains_as_its_files_do_and_keeps_its_commit() {
    let site = Site::new();
    let commit = site.put_corpus();
    let weights = |run: &str| site.place.bytes(&format!("{run}/model/model.safetensors"));
    site.ok(site.cpc("pretrain corpus --config tiny.toml --out files"));
    let data = "hf://datasets/tester/speech/clean/train.100";
    site.ok(site.cpc(&format!("pretrain {data} --config tiny.toml --out whole")));
    assert_eq!(weights("files"), weights("whole"));
    let named = format!("hf://datasets/tester/speech@{commit}/clean/train.100");
    assert!(site.read("whole/config.toml").contains(&format!("path = \"{named}\"")));
    assert!(site.read("whole/model/README.md").contains(&named));
    // The other configuration was not fetched.
    assert!(site.server.requests().iter().all(|r| !r.path.contains("other/test") && !r.path.contains("clean/test")));
    let before = site.downloads();
    site.ok(site.cpc(&format!("pretrain {data} --config tiny.toml --steps 10 --out parts")));
    assert_eq!(site.downloads(), before, "what is in the cache is not fetched again");

    // The branch moves; the run resumes with the data it started with, and without a connection.
    site.server.put(Kind::Dataset, "tester/speech", &[("clean/train.100-00000-of-00002.parquet", b"other")]);
    site.ok(site.cpc("pretrain --resume --steps 24 --out parts --offline"));
    assert_eq!(weights("files"), weights("parts"));
    site.fails(site.cpc(&format!("pretrain {data} --config tiny.toml --out new")), 1, &["not a whole parquet file"]);
    assert!(!site.place.at("new").exists());
    // When the run is pushed, the card names the data set.
    let dry = site.json("hub push whole tester/demo --dry-run");
    assert!(dry["card"].as_str().unwrap().contains("datasets:\n- \"tester/speech\"\n"), "{dry}");
}

#[test]
fn features_and_probes_are_made_of_data_sets_of_the_hub() {
    let site = Site::new();
    site.put_corpus();
    site.ok(site.cpc("extract model hf://datasets/tester/speech/clean/test --out test"));
    assert_eq!(site.features("test").len(), 2);
    site.ok(site.cpc("extract model hf://datasets/tester/speech/clean --out clean --offline --on-bad-file skip"));
    assert_eq!(site.features("clean").len(), 2, "offline, what is in the cache");
    site.ok(site.cpc("extract model hf://datasets/tester/speech/clean/train.100 --out train"));
    let all = site.features("train");
    site.ok(site.cpc("extract model corpus --out corpus-features"));
    assert_eq!(all, site.features("corpus-features"));
    let data = "--data hf://datasets/tester/speech/clean/train.100";
    let probe = site.json(&format!("probe model {data} --labels label --folds 2"));
    assert_eq!((&probe["classes"], &probe["test"]["utterances"]), (&2.into(), &10.into()));
    let info = site.ok(site.cpc("info hf://datasets/tester/speech/clean/train.100"));
    assert!(info.contains("utterances 10\n") && info.contains("speakers   2\n"), "{info}");

    site.server.put(Kind::Dataset, "tester/texts", &[("train.csv", b"a,b")]);
    let extract = |what: &str| site.cpc(&format!("extract model hf://datasets/tester/{what} --out x"));
    site.fails(
        extract("speech"),
        2,
        &["several folders of parquet files: clean, other", "hf://datasets/tester/speech/clean"],
    );
    site.fails(extract("speech/clean/valid"), 1, &["no parquet files are called so", "clean, other"]);
    site.fails(extract("texts"), 1, &["no parquet files", "tester/texts@refs/convert/parquet"]);
    site.fails(extract("none/clean"), 1, &["no such repository"]);
    site.fails(extract("speech@v9/clean"), 1, &["has no revision v9"]);
}

#[test]
fn a_card_tells_what_was_measured_and_leaves_alone_what_somebody_wrote() {
    let site = Site::new();
    site.ok(site.cpc("pretrain corpus --config tiny.toml --out run"));
    let report = site.ok(site.cpc("probe run --data corpus --labels speaker --folds 2 --json"));
    fs::write(site.place.at("probe.json"), report).unwrap();
    let dry = site.json("hub push run tester/demo --dry-run --probe probe.json");
    let card = dry["card"].as_str().unwrap();
    assert!(card.contains("model-index:") && card.contains("### speaker, utterance, linear probe, 2 folds"), "{card}");
    assert!(site.server.requests().is_empty());
    site.fails(
        site.cpc("hub push run tester/demo --dry-run --abx probe.json"),
        1,
        &["probe.json: not what `cpc abx --json` prints"],
    );
    site.fails(site.cpc("hub push run tester/demo --dry-run --probe none.json"), 1, &["none.json"]);

    fs::write(site.place.at("run/model/README.md"), "# My own words\n").unwrap();
    assert_eq!(site.json("hub push run tester/demo --dry-run")["card"], "# My own words\n");
    site.fails(site.cpc("hub push run tester/demo --dry-run --license mit"), 2, &["not as cpc wrote it", "README.md"]);
    site.ok(site.with_token("hub push run tester/demo"));
    assert_eq!(site.server.files("tester/demo", "main")["README.md"], b"# My own words\n");
    assert!(!HubServer::token().is_empty());
}
