//! `cpc extract --shard I/N`: any order, several at once, killed and repeated, to the bytes of one run.

use super::place::Place;
use super::{images, text};
use std::fs;

/// Extracts with one command and in shards, to the same bytes.
fn the_same(place: &Place, command: &str) {
    for dir in ["whole", "shards"] {
        let _ = fs::remove_dir_all(place.at(dir));
    }
    place.ok(&format!("{command} --out whole"));
    // One of them twice, one not at all, and one of another division.
    for shard in ["2/4", "0/4", "2/4", "1/3"] {
        let said = place.ok(&format!("{command} --out shards --shard {shard}"));
        assert!(said.starts_with(&format!("shard {shard}: ")) && said.contains("without --shard"), "{said}");
    }
    let unfinished = place.tree("shards");
    assert!(unfinished.keys().any(|name| name.starts_with('.')), "{:?}", unfinished.keys());
    place.ok(&format!("{command} --out shards"));
    let (whole, shards) = (place.tree("whole"), place.tree("shards"));
    assert_eq!(whole.keys().collect::<Vec<_>>(), shards.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole {
        assert!(*bytes == shards[name], "{command}: {name}");
    }
}

#[test]
fn shards_of_every_kind_and_format_come_to_the_bytes_of_one_run() {
    let place = Place::with_model();
    for format in ["npy", "safetensors", "parquet"] {
        the_same(&place, &format!("extract model corpus --layer c,z --format {format}"));
    }
    let walk = text::place();
    walk.ok("pretrain walk.txt --config text.toml --out run");
    // More than one chunk of sentences.
    let sentences = fs::read_to_string(walk.at("walk.txt")).unwrap().repeat(22);
    fs::write(walk.at("long.txt"), sentences).unwrap();
    for format in ["npy", "parquet"] {
        the_same(&walk, &format!("extract run long.txt walk.txt --format {format}"));
    }
    let squares = images::place();
    squares.ok(&format!("pretrain squares --preset dim-local {} --steps 2 --out run", images::DIM));
    images::write_idx(&squares.at("many"), [900, 60]);
    the_same(&squares, "extract run many --layer y,conv");
}

#[test]
fn shards_run_at_once_and_one_that_runs_already_is_named() {
    let place = Place::with_model();
    let whole = "extract model corpus --layer c,z";
    place.ok(&format!("{whole} --out whole"));
    for round in 0..3 {
        let out = format!("out-{round}");
        let start = |shard: &str| {
            let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("cpc"));
            command.current_dir(place.dir.path()).args(whole.split_whitespace()).args(["--out", &out]);
            if !shard.is_empty() {
                command.args(["--shard", shard]);
            }
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        };
        // All three shards, each of them twice, and the whole: each works, or says that another does.
        let children: Vec<_> = ["0/3", "1/3", "", "2/3", "0/3", "1/3", "2/3"].into_iter().map(start).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            match output.status.code() {
                Some(0) => {}
                Some(1) => assert!(said.contains("another process is w") && said.contains("help:"), "{said}"),
                code => panic!("{code:?} {said}"),
            }
        }
        place.ok(&format!("{whole} --out {out}"));
        assert!(place.tree("whole") == place.tree(&out));
    }
}

#[test]
fn a_shard_that_is_killed_is_repeated() {
    let place = Place::with_model();
    place.ok("extract model corpus --out whole");
    let cut = |name: &str| place.at("out").join(name);
    place.ok("extract model corpus --out out --shard 0/2");
    // As a process that is killed leaves it: half a line, a file that is not finished, and a lock that nobody holds.
    let journal = cut(".finished-0-of-2.jsonl");
    let lines = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, &lines[..lines.len() - 20]).unwrap();
    fs::write(cut(".lock-shard-0-2"), "").unwrap();
    place.ok("extract model corpus --out out --shard 0/2");
    place.ok("extract model corpus --out out --shard 1/2");
    place.ok("extract model corpus --out out");
    assert!(place.tree("whole") == place.tree("out"));
    // A shard of a complete directory does nothing, and finds what has changed since.
    place.ok("extract model corpus --out out --shard 1/2");
    place.ok("extract model corpus --out out");
    assert!(place.tree("whole") == place.tree("out"));
    fs::copy(place.at("corpus/s1/s1-0.wav"), place.at("corpus/s1/s1-1.wav")).unwrap();
    place.ok("extract model corpus --out whole");
    for shard in ["1/2", "0/2"] {
        place.ok(&format!("extract model corpus --out out --shard {shard}"));
    }
    place.ok("extract model corpus --out out");
    assert!(place.tree("whole") == place.tree("out"));
}

#[test]
fn a_shard_that_there_cannot_be_is_refused() {
    let place = Place::with_model();
    place.fails("extract model corpus --out out --shard 2/2", 2, &["--shard 2/2", "0/2 to 1/2"]);
    place.fails("extract model corpus --out out --shard 2", 2, &["I/N"]);
    place.fails("extract mfcc corpus --out out --shard 0/2", 2, &["--shard is not for mfcc"]);
    assert!(!place.at("out").exists());
    // More shards than utterances.
    let said = place.ok("extract model corpus --out out --shard 63/64");
    assert!(said.contains("0 utterances"), "{said}");
    place.fails("extract model corpus --out out --layer z --shard 0/64", 2, &["of other settings"]);
}
