//! CPC on text from the user's point of view: sentences in, sentence vectors out.

use super::extract::list_values;
use super::place::Place;
use candle_core::Tensor;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::Value;
use std::fs;

/// A run that takes about a second, on a small text.
const TINY: &str = "
[encoder]
vocab_size = 200
embedding_dim = 8
hidden_dim = 12
[context]
hidden_dim = 10
[data]
window = 5
valid_share = 0.2
[train]
steps = 12
batch_size = 4
lr = 1e-2
warmup_steps = 0
schedule = 'constant'
log_every = 4
valid_every = 4
checkpoint_every = 6
";

/// Documents in which each sentence determines the next: a walk around a circle of words.
pub fn place() -> Place {
    let place = Place::new();
    let words = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
    let mut text = String::new();
    for document in 0..40 {
        for sentence in 0..12 {
            let word = |k: usize| words[(document + sentence + k) % words.len()];
            text += &format!("The {} and the {} went to {} {}.\n", word(0), word(1), word(2), word(3));
        }
        text += "\n";
    }
    fs::write(place.at("walk.txt"), text).unwrap();
    fs::write(place.at("text.toml"), TINY).unwrap();
    place
}

#[test]
fn a_run_on_text_makes_a_model_that_resumes_exactly() {
    let place = place();
    let run = "pretrain walk.txt --config text.toml";
    let said = place.ok(&format!("{run} --out whole"));
    assert!(said.contains("  k   ahead") && said.contains("+3") && said.contains("model: whole/model"), "{said}");
    place.ok(&format!("{run} --steps 6 --out cut"));
    place.age("cut");
    place.ok("pretrain --resume --steps 12 --out cut");
    for file in ["model.safetensors", "optimizer.safetensors", "tokenizer.json", "config.json"] {
        let file = format!("checkpoints/step-12/{file}");
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("cut/{file}")), "{file}");
    }
    let config: Value = serde_json::from_slice(&place.bytes("whole/model/config.json")).unwrap();
    assert_eq!((&config["kind"], &config["heads"]["bias"]), (&"cpc-text".into(), &true.into()));
    let metrics = place.metrics("whole");
    assert!(metrics.iter().any(|l| l["kind"] == "valid") && metrics[0]["loss_per_step"].as_array().unwrap().len() == 3);
    // The text is tokenized only once.
    let before = fs::metadata(place.at("cut/tokens.bin")).unwrap().modified().unwrap();
    let output = place.cpc(&format!("{run} --resume --steps 13 --vocab-size 5000 --out cut")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("encoder.vocab_size stays"), "{said}");
    assert_eq!(fs::metadata(place.at("cut/tokens.bin")).unwrap().modified().unwrap(), before);
}

#[test]
fn a_run_learns_what_sentences_follow() {
    let place = place();
    place.ok("pretrain walk.txt --config text.toml --steps 300 --set train.valid_every=100 --out run");
    let valid: Vec<Value> = place.metrics("run").into_iter().filter(|l| l["kind"] == "valid").collect();
    let (loss, chance) = (valid[2]["loss"].as_f64().unwrap(), valid[2]["chance"].as_f64().unwrap());
    // A batch contains many equal sentences, so the loss cannot fall to 0; it falls well below that of guessing.
    assert!(loss < (1.0 / chance).ln() - 0.5, "{loss}, chance {chance}");
}

#[test]
fn vectors_are_rows_in_the_files_order_whatever_stands_beside_them() {
    let place = place();
    place.ok("pretrain walk.txt --config text.toml --steps 2 --out run");
    fs::write(place.at("a.txt"), "The one went.\n\nUnheard of words only\nthe six and the one\n").unwrap();
    fs::write(place.at("b.txt"), "the six and the one\n").unwrap();
    let said = place.ok("extract run a.txt b.txt --out vectors");
    assert!(said.contains("4 sentences, vectors of 12"), "{said}");
    let read = |name: &str| Tensor::read_npy(place.at(name)).unwrap().to_vec2::<f32>().unwrap();
    let (a, b) = (read("vectors/a.npy"), read("vectors/b.npy"));
    assert_eq!((a.len(), b.len()), (3, 1));
    assert!(a[2].iter().zip(&b[0]).all(|(x, y)| (x - y).abs() <= 1e-6) && a[0] != a[2]);
    let index: Value = serde_json::from_slice(&place.bytes("vectors/index.json")).unwrap();
    assert_eq!((&index["files"][0]["sentences"], &index["complete"]), (&3.into(), &true.into()));
    fs::write(place.at("bad.txt"), b"good\nbad \xff\n").unwrap();
    place.fails("extract run bad.txt --out x", 1, &["bad.txt", "2", "UTF-8"]);
    assert!(!place.at("x").exists());
    place.ok("extract run a.txt --format parquet --out table");
    let table = SerializedFileReader::new(fs::File::open(place.at("table/a.parquet")).unwrap()).unwrap();
    let sentences = ["The one went.", "Unheard of words only", "the six and the one"];
    for ((row, sentence), vector) in table.get_row_iter(None).unwrap().zip(sentences).zip(&a) {
        let row = row.unwrap();
        assert_eq!((row.get_string(0).unwrap().as_str(), &list_values(row.get_list(1).unwrap())), (sentence, vector));
    }
    assert_eq!(table.metadata().file_metadata().num_rows(), 3);
    place.fails("extract run a.txt --format safetensors --out x", 2, &["without names"]);
    place.fails("extract run a.txt --layer c:1 --out x", 2, &["--layer"]);
    place.fails("extract run corpus/s1 --out x", 2, &["named like text"]);
}

#[test]
fn sentences_are_probed_against_baselines() {
    let place = place();
    place.ok("pretrain walk.txt --config text.toml --steps 2 --out run");
    let rows: String = (0..40)
        .map(|i| format!("{}\tthe {} went to {i}\n", if i % 2 == 0 { "even" } else { "odd" }, ["one", "two"][i % 2]))
        .collect();
    fs::write(place.at("task.tsv"), rows).unwrap();
    let said = place.ok("probe run --data task.tsv --folds 4 --baselines random,bag,tfidf --json");
    let outcome: Value = serde_json::from_str(&said).unwrap();
    let names: Vec<&str> =
        outcome["rows"].as_array().unwrap().iter().map(|r| r["features"].as_str().unwrap()).collect();
    assert_eq!(names, ["run", "random", "bag 1024", "tfidf"]);
    assert!(outcome["rows"][3]["accuracy"].as_f64().unwrap() > 0.9, "{said}");
    place.fails("probe run", 2, &["labeled sentences", "--data FILE"]);
    place.fails("probe run --data task.tsv --labels speaker", 2, &["--labels is not for text models"]);
    place.fails("probe run --data task.tsv --baselines mfcc", 2, &["mfcc is not for text models"]);
    place.fails("probe run --data task.tsv --l2=-1", 2, &["--l2 -1"]);
    for option in ["--level frame", "--frame-rate 50", "--label-rate 50", "--hidden 8"] {
        place.fails(&format!("probe run --data task.tsv {option}"), 2, &["is not for text models"]);
    }
    place.fails("probe run --data none.tsv", 1, &["none.tsv"]);
}

#[test]
fn a_file_of_word_vectors_teaches_words_and_changes_no_known_sentence() {
    let place = place();
    place.ok("pretrain walk.txt --config text.toml --steps 2 --out run");
    // Three-dimensional vectors for every word of the text, and for some more words, so that the map from 3 to 8 dimensions can be fitted.
    let known = ["one", "two", "three", "four", "five", "six", "seven", "eight", "the", "and", "went", "to"];
    let line = |i: usize, word: &str| format!("{word} {} {} {}\n", (i as f32).sin(), (i as f32 * 1.7).cos(), i % 3);
    let all = known.iter().chain(&["twelve", "thirteen", "Thirteen", "two-fold"]).enumerate();
    fs::write(place.at("words.txt"), all.map(|(i, word)| line(i, word)).collect::<String>()).unwrap();
    let said = place.ok("text expand run --vectors words.txt --out more --json");
    let result: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&result["words_added"], &result["fitted_on"]), (&2.into(), &12.into()), "{said}");
    fs::write(place.at("s.txt"), "the one went to two\nthe twelve\nthe thirteen\nthe unheard\n").unwrap();
    place.ok("extract run s.txt --out before");
    place.ok("extract more s.txt --out after");
    let read = |name: &str| Tensor::read_npy(place.at(name)).unwrap().to_vec2::<f32>().unwrap();
    let (before, after) = (read("before/s.npy"), read("after/s.npy"));
    assert!(before[0] == after[0] && before[3] == after[3] && before[1] == before[2]);
    assert!(after[1] != before[1] && after[1] != after[2]);
    place.fails("text expand run --vectors words.txt --out more", 2, &["--overwrite"]);
    place.fails("text expand run --vectors walk.txt --out x", 1, &["walk.txt"]);
    place.ok("pretrain walk.txt --config text.toml --steps 2 --tokenizer bpe --vocab-size 1000 --out pieces");
    place.fails("text expand pieces --vectors words.txt --out x", 2, &["BPE"]);
    assert!(!place.at("x").exists());
}

#[test]
fn documents_that_are_shorter_than_a_window_are_learned_from() {
    let place = place();
    let mut text = fs::read_to_string(place.at("walk.txt")).unwrap();
    for document in 0..60 {
        text += &"A short one has two, three or four sentences.\n".repeat(1 + document % 4);
        text += "\n";
    }
    fs::write(place.at("mixed.txt"), text).unwrap();
    let run = "pretrain mixed.txt --config text.toml --set data.valid_share=0.1";
    let whole = place.cpc(&format!("{run} --out whole")).output().unwrap();
    let said = String::from_utf8(whole.stderr).unwrap();
    assert!(said.contains("training on 72 windows of 5 sentences, 53 of 2"), "{said}");
    assert!(said.contains("documents that are too short (with 15 sentences in all) are left out"), "{said}");
    place.ok(&format!("{run} --steps 6 --out cut"));
    place.ok("pretrain --resume --steps 12 --out cut");
    for file in ["model.safetensors", "optimizer.safetensors"] {
        let file = format!("checkpoints/step-12/{file}");
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("cut/{file}")), "{file}");
    }
    // Windows of two sentences predict one step: with them alone, the table has no other.
    fs::write(place.at("short.txt"), "one two\nthree four\n\n".repeat(40)).unwrap();
    place.ok("pretrain short.txt --config text.toml --out short");
    let metrics = place.metrics("short");
    assert!(metrics.iter().all(|line| line["loss_per_step"].as_array().unwrap().len() == 1), "{metrics:?}");
}

#[test]
fn masked_duplicates_are_fewer_negatives() {
    let place = place();
    let chance = |more: &str, out: &str| {
        place.ok(&format!("pretrain walk.txt --config text.toml --steps 4 --out {out} {more}"));
        place.metrics(out)[0]["chance"].as_f64().unwrap()
    };
    // Of 40 documents, every eighth is the same.
    let (all, masked) = (chance("", "all"), chance("--set objective.mask_duplicates=true", "masked"));
    assert!(masked > all && (1.0 / all - 20.0).abs() < 1e-3, "{all} {masked}");
    place.fails("pretrain corpus --preset cpc-audio --set objective.mask_duplicates=true --out x", 2, &["is for text"]);
}

#[test]
fn what_does_not_fit_is_said() {
    let place = place();
    fs::write(place.at("short.txt"), "one\ntwo\n\nthree\n").unwrap();
    place.fails("pretrain short.txt --config text.toml --out x", 1, &["longer than every document"]);
    place.fails(
        "pretrain walk.txt --config text.toml --set data.window=3 --out x",
        2,
        &["data.window", "heads.steps = 3"],
    );
    place.fails("pretrain walk.txt --preset small --out x", 2, &["walk.txt"]);
    place.fails("pretrain walk.txt --config text.toml --tokenizer text.toml --out x", 1, &["text.toml"]);
    assert!(!place.at("x/config.toml").exists());
    fs::write(place.at("empty.txt"), "").unwrap();
    place.fails("pretrain empty.txt --config text.toml --out y", 1, &["no words"]);
    assert!(!place.at("y").exists());
    place.ok("pretrain walk.txt --config text.toml --steps 2 --out run");
    // Documents are text, whatever reads other files of this name.
    fs::write(place.at("docs.jsonl"), "{\"text\": \"one two three\"}\n").unwrap();
    assert!(place.ok("pretrain docs.jsonl --print-config").contains("kind = \"cpc-text\""));
    place.fails("convert run/model x.pt", 2, &["model of text"]);
    fs::write(place.at("run/model/tokenizer.json"), "{}").unwrap();
    place.fails("extract run walk.txt --out x", 1, &["tokenizer.json"]);
}

#[test]
fn a_run_and_its_model_are_described_and_go_to_the_hub_with_their_tokenizer() {
    let place = place();
    place.ok("pretrain walk.txt --config text.toml --out run");
    let said = place.ok("info run");
    assert!(
        said.contains("walk.txt\nsteps ") && said.contains("12 of 12") && said.contains("sentences per second"),
        "{said}"
    );
    let said = place.ok("info run/model");
    assert!(
        said.contains("cpc-text") && said.contains("z of 12 numbers") && said.contains("3 sentences ahead"),
        "{said}"
    );
    let sent: Value =
        serde_json::from_str(&place.ok("hub push run owner/walk --license mit --dry-run --json")).unwrap();
    let names: Vec<&str> = sent["files"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["config.json", "tokenizer.json", "model.safetensors", "README.md"]);
    let card = sent["card"].as_str().unwrap();
    assert!(card.contains("license: \"mit\"") && card.contains("cpc extract hf:owner/walk sentences.txt"), "{card}");
    fs::write(place.at("run/model/README.md"), "# mine\n").unwrap();
    let sent: Value = serde_json::from_str(&place.ok("hub push run owner/walk --dry-run --json")).unwrap();
    assert_eq!(sent["card"], "# mine\n");
    place.fails("hub push run owner/walk --license mit --dry-run", 2, &["README.md", "header"]);
}
