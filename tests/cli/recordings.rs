//! Recordings and lists that people have trouble with elsewhere: nothing of them is silently wrong.

use super::place::{Place, recording, samples, wav};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;

fn index(place: &Place, dir: &str) -> Value {
    serde_json::from_slice(&place.bytes(&format!("{dir}/index.json"))).unwrap()
}

fn ids(index: &Value) -> Vec<&str> {
    index["utterances"].as_array().unwrap().iter().map(|u| u["id"].as_str().unwrap()).collect()
}

/// What a command prints, whether it succeeds or not.
fn printed(place: &Place, args: &str) -> (String, String) {
    let output = place.cpc(args).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_recording_of_the_same_name_is_another_recording() {
    let place = Place::with_model();
    wav(&place.at("a/x.wav"), 1.0, 200.0);
    wav(&place.at("b/x.wav"), 1.0, 300.0);
    place.ok("extract model a/x.wav --out features");
    let first = place.bytes("features/x.npy");
    place.fails(
        "extract model b/x.wav --out features",
        1,
        &["`x` names", "a/x.wav there", "b/x.wav here", "another --out"],
    );
    assert_eq!(place.bytes("features/x.npy"), first);
    assert_eq!(index(&place, "features")["complete"], true);
    // The recording has changed, and nothing else: neither its name, nor its size, nor its time.
    let time = fs::metadata(place.at("a/x.wav")).unwrap().modified().unwrap();
    fs::copy(place.at("b/x.wav"), place.at("a/x.wav")).unwrap();
    fs::File::options().write(true).open(place.at("a/x.wav")).unwrap().set_modified(time).unwrap();
    place.ok("extract model a/x.wav --out features");
    place.ok("extract model b/x.wav --out other");
    assert_ne!(place.bytes("features/x.npy"), first);
    assert_eq!(place.bytes("features/x.npy"), place.bytes("other/x.npy"));
    // The corpus has moved.
    fs::rename(place.at("a"), place.at("moved")).unwrap();
    let written = fs::metadata(place.at("features/x.npy")).unwrap().modified().unwrap();
    place.ok("extract model moved/x.wav --out features");
    assert_eq!(fs::metadata(place.at("features/x.npy")).unwrap().modified().unwrap(), written);
    assert!(
        index(&place, "features")["utterances"][0]["source"]["recording"].as_str().unwrap().ends_with("moved/x.wav")
    );
}

#[test]
fn what_other_inputs_gave_is_kept_or_the_command_is_refused() {
    let place = Place::with_model();
    let all = "extract model corpus --out all";
    place.ok(all);
    for format in ["npy", "safetensors", "parquet"] {
        place.ok(&format!("extract model corpus/s1 --out {format} --format {format}"));
        let second = format!("extract model corpus/s2 --out {format} --format {format}");
        if format == "npy" {
            place.ok(&second);
            let index = index(&place, format);
            assert_eq!(ids(&index).len(), 10);
            for utterance in index["utterances"].as_array().unwrap() {
                let (file, id) = (utterance["file"].as_str().unwrap(), utterance["id"].as_str().unwrap());
                assert_eq!(place.bytes(&format!("npy/{file}")), place.bytes(&format!("all/{}/{id}.npy", &id[..2])));
            }
        } else {
            let before = place.tree(format);
            place.fails(&second, 2, &["holds 5 utterances of other inputs", "corpus/s1/", "--format npy"]);
            assert_eq!(place.tree(format), before);
            // The same again finds that all is there.
            place.ok(&format!("extract model corpus/s1 --out {format} --format {format}"));
            assert_eq!(place.tree(format), before);
            // An utterance more, and everything is in the table.
            wav(&place.at("corpus/s1/s1-9.wav"), 1.0, 200.0);
            place.ok(&format!("extract model corpus/s1 --out {format} --format {format}"));
            assert_eq!(ids(&index(&place, format)).len(), 6);
            fs::remove_file(place.at("corpus/s1/s1-9.wav")).unwrap();
        }
    }
}

#[test]
fn what_was_left_out_is_said_as_long_as_it_is() {
    let place = Place::with_model();
    let left_out = || index(&place, "features")["left_out"].as_array().unwrap().clone();
    fs::write(place.at("corpus/s1/bad.wav"), "x").unwrap();
    for input in ["corpus", "corpus", "./corpus"] {
        place.ok(&format!("extract model {input} --out features --on-bad-file skip"));
        assert_eq!(left_out().len(), 1, "{:?}", left_out());
    }
    wav(&place.at("more/a.wav"), 1.0, 200.0);
    place.ok("extract model more --out features");
    assert!(left_out()[0].as_str().unwrap().contains("corpus/s1/bad.wav: is not audio"), "{:?}", left_out());
    wav(&place.at("corpus/s1/bad.wav"), 1.0, 200.0);
    place.ok("extract model corpus --out features");
    assert!(left_out().is_empty(), "{:?}", left_out());
}

#[test]
fn a_killed_extraction_believes_only_what_its_journal_says() {
    let place = Place::with_model();
    place.ok("extract model corpus --out whole");
    place.ok("extract model corpus --out features");
    // As if it had been killed: an index that is not complete, files of which the journal names two, one of them wrongly.
    let mut index: Value = serde_json::from_slice(&place.bytes("features/index.json")).unwrap();
    let finished = index["utterances"].as_array().unwrap().clone();
    (index["complete"], index["utterances"]) = (false.into(), json!([]));
    fs::write(place.at("features/index.json"), index.to_string()).unwrap();
    let mut wrong = finished[1].clone();
    wrong["source"]["sha256"] = "00".into();
    let journal = format!("{}\n{wrong}\n{}", finished[0], &finished[2].to_string()[..40]);
    fs::write(place.at("features/.finished.jsonl"), journal).unwrap();
    let kept = finished[0]["file"].as_str().unwrap();
    let zeros = |file: &str| {
        let mut bytes = place.bytes(&format!("features/{file}"));
        let end = bytes.len();
        bytes[end - 400..].fill(0);
        fs::write(place.at(&format!("features/{file}")), bytes).unwrap();
    };
    finished.iter().for_each(|u| zeros(u["file"].as_str().unwrap()));
    place.ok("extract model corpus --out features");
    // What the journal names rightly is not made again, all else is.
    for (name, bytes) in place.tree("whole") {
        let same = place.bytes(&format!("features/{name}")) == bytes;
        assert_eq!(same, name != kept, "{name}");
    }
    assert_eq!(place.tree("features").len(), place.tree("whole").len());
}

#[test]
fn each_recording_has_a_file_of_its_own_in_every_format() {
    let place = Place::with_model();
    wav(&place.at("in/s1/a.wav"), 1.4, 200.0);
    wav(&place.at("in/s1/a.wav.wav"), 1.2, 300.0);
    fs::copy(recording("tone.flac"), place.at("in/s1/a.flac")).unwrap();
    fs::copy(recording("tone.m4a"), place.at("in/s1/A.m4a")).unwrap();
    for format in ["npy", "safetensors"] {
        place.ok(&format!("extract model in --out {format} --format {format}"));
        let set = cpc::features::FeatureSet::open(&place.at(format), None).unwrap();
        assert_eq!(set.utterances().iter().map(|u| u.frames).collect::<std::collections::BTreeSet<_>>().len(), 3);
        assert_eq!(set.utterances().len(), 4);
    }
    let files = index(&place, "npy");
    let files = files["utterances"].as_array().unwrap().iter().map(|u| u["file"].as_str().unwrap().to_lowercase());
    assert_eq!(files.collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn one_process_writes_to_a_directory() {
    let place = Place::with_model();
    for (dir, args) in [
        ("features", "extract model corpus --out features"),
        ("run", "pretrain corpus --config tiny.toml --out run --resume"),
    ] {
        fs::create_dir(place.at(dir)).unwrap();
        let held = fs::File::create(place.at(dir).join(".lock")).unwrap();
        held.try_lock().unwrap();
        place.fails(args, 1, &["another process is writing to this directory", "wait until it has finished"]);
        drop(held);
        place.ok(args);
        assert!(!place.at(dir).join(".lock").exists());
    }
}

#[test]
fn what_a_directory_holds_besides_is_counted_and_named() {
    let place = Place::new();
    for name in ["a.opus", "b.OPUS", "c.mp4"] {
        fs::write(place.at("corpus/s1").join(name), "x").unwrap();
    }
    fs::write(place.at("corpus/words.txt"), "x").unwrap();
    fs::write(place.at("corpus/s1/table.parquet"), "x").unwrap();
    fs::copy(recording("opus.ogg"), place.at("corpus/s2/really.ogg")).unwrap();
    let (told, error) = printed(&place, "info corpus");
    assert!(told.contains("not read: 2 .opus, 1 .mp4; convert them with `ffmpeg -i IN OUT.flac`"), "{told}");
    assert!(told.contains("files that are not audio: 1 .parquet, 1 .txt"), "{told}");
    assert!(told.contains("tables beside recordings, which are not read: 1 .parquet"), "{told}");
    assert!(told.contains("really.ogg: holds Opus, which is not read"), "{told}");
    assert!(error.contains("1 problem, listed above") && error.contains("--on-bad-file skip"), "{error}");
    let (_, warned) = printed(&place, "pretrain corpus --config tiny.toml --out run --steps 2 --on-bad-file skip");
    assert!(warned.contains("not read: 2 .opus, 1 .mp4") && warned.contains("really.ogg"), "{warned}");
    let (_, warned) = printed(&place, "extract logmel corpus --out mel --on-bad-file skip");
    assert!(warned.contains("not read: 2 .opus, 1 .mp4"), "{warned}");
    fs::create_dir(place.at("only")).unwrap();
    fs::write(place.at("only/a.opus"), "x").unwrap();
    place.fails("info only", 1, &["none of the 1 files in it is audio", "1 .opus; convert"]);
}

#[test]
fn however_much_is_wrong_the_answer_is_short() {
    let place = Place::new();
    for i in 0..300 {
        fs::write(place.at(&format!("corpus/s1/bad{i}.wav")), "x").unwrap();
    }
    let (told, error) = printed(&place, "info corpus");
    assert!(told.contains("problems   300") && told.contains("... and 290 more; --json lists all"), "{told}");
    assert!(told.lines().count() < 40 && error.lines().count() < 5, "{told}{error}");
    let (json, _) = printed(&place, "info corpus --json");
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["problems"].as_array().unwrap().len(), 300);
    let (_, error) = printed(&place, "extract logmel corpus --out mel");
    assert!(error.contains("... and 280 more") && error.lines().count() < 25, "{error}");
}

#[test]
fn headers_that_lie_are_remarked_on() {
    let place = Place::with_model();
    let mut bytes = place.bytes("corpus/s1/s1-0.wav");
    bytes[40..44].fill(0);
    fs::write(place.at("corpus/s1/s1-0.wav"), &bytes).unwrap();
    let said = "s1-0.wav: its header does not say how long it is: read to its end, 1.300 s";
    let told = place.ok("info corpus");
    assert!(told.contains("remarks    1") && told.contains(said) && told.contains("problems   none"), "{told}");
    let (_, warned) = printed(&place, "extract model corpus --out features");
    assert!(warned.contains(said), "{warned}");
    let (_, warned) = printed(&place, "pretrain corpus --config tiny.toml --out run --steps 2");
    assert!(warned.contains(said), "{warned}");
}

#[test]
fn keys_of_a_manifest_are_heeded_or_named() {
    let place = Place::with_model();
    let lines = [
        json!({"path": "corpus/s1/s1-4.wav", "sart": 0.5, "end": 0.9}),
        json!({"audio_filepath": "corpus/s1/s1-3.wav", "offset": 0.25, "duration": 0.5, "text": "a"}),
        json!({"audio_filepath": "corpus/s2/s2-0.wav", "duration": 1.3, "text": "b"}),
    ];
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    for (name, text) in [("nemo.jsonl", text.join("\n")), ("nemo.json", format!("[{}]", text.join(",\n")))] {
        fs::write(place.at(name), text).unwrap();
        let told = place.ok(&format!("info {name}"));
        assert!(
            told.contains("keys of the manifest that are not used, and in how many lines: 2 text, 1 sart"),
            "{told}"
        );
        let out = format!("features-{name}");
        let (_, warned) = printed(&place, &format!("extract model {name} --out {out}"));
        assert!(warned.contains("not used, and in how many lines: 2 text, 1 sart"), "{warned}");
        let index = index(&place, &out);
        let mut seconds: Vec<f64> =
            index["utterances"].as_array().unwrap().iter().map(|u| u["seconds"].as_f64().unwrap()).collect();
        seconds.sort_by(f64::total_cmp);
        assert_eq!(seconds, [0.5, 0.9, 1.3]);
        assert_eq!(ids(&index), ["s1-3:0.25-0.75", "s1-4:0-0.9", "s2-0"]);
    }
    let both = json!({"path": "corpus/s1/s1-4.wav", "start": 0.5, "end": 0.9, "duration": 0.5});
    fs::write(place.at("both.jsonl"), both.to_string()).unwrap();
    let (told, _) = printed(&place, "info both.jsonl");
    assert!(told.contains("both.jsonl:1: ends at 0.9 s by its end, and at 1 s by its duration"), "{told}");
}

#[test]
fn the_manifests_of_other_tools_are_read() {
    let place = Place::new();
    let names = |list: &str| {
        let corpus = cpc::recordings::Corpus::inspect(&place.at(list), 16_000, &|_| {}).unwrap();
        assert!(corpus.problems.is_empty(), "{list}: {:?}", corpus.problems);
        let of = |u: &cpc::recordings::Utterance| {
            (u.id.clone(), corpus.speakers[u.speaker as usize].clone(), u.start, u.samples)
        };
        corpus.utterances.iter().map(of).collect::<Vec<_>>()
    };
    let named = |id: &str, speaker: &str, start, samples| (id.to_string(), speaker.to_string(), start, samples);
    // lhotse: recordings and cuts, compressed.
    let source = |file: &str| json!([{"type": "file", "channels": [0], "source": place.at(file)}]);
    let recording = json!({"id": "r", "sources": source("corpus/s1/s1-0.wav"), "sampling_rate": 16000, "num_samples": 20800, "duration": 1.3, "channel_ids": [0]});
    let cut = json!({"id": "cut", "start": 0.25, "duration": 0.5, "channel": 0, "type": "MonoCut", "recording": recording,
        "supervisions": [{"id": "x", "recording_id": "r", "start": 0.0, "duration": 0.5, "speaker": "ann"}]});
    for (file, value) in [("recordings.jsonl.gz", &recording), ("cuts.jsonl.gz", &cut)] {
        let mut zip =
            flate2::write::GzEncoder::new(fs::File::create(place.at(file)).unwrap(), flate2::Compression::fast());
        writeln!(zip, "{value}").unwrap();
        zip.finish().unwrap();
    }
    assert_eq!(names("recordings.jsonl.gz"), [named("r", "corpus", 0, 20_800)]);
    assert_eq!(names("cuts.jsonl.gz"), [named("cut", "ann", 4_000, 8_000)]);
    fs::write(
        place.at("supervisions.jsonl"),
        json!({"id": "x", "recording_id": "r", "start": 0.0, "duration": 0.5}).to_string(),
    )
    .unwrap();
    let (told, _) = printed(&place, "info supervisions.jsonl");
    assert!(told.contains("is one of lhotse's supervisions"), "{told}");
    // Kaldi.
    fs::create_dir(place.at("kaldi")).unwrap();
    let scp = format!("u1 {}\nu2 ../corpus/s2/s2-0.wav\n", place.at("corpus/s1/s1-0.wav").display());
    fs::write(place.at("kaldi/wav.scp"), &scp).unwrap();
    fs::write(place.at("kaldi/utt2spk"), "u1 ann\nu2 bob\nseg ann\n").unwrap();
    assert_eq!(names("kaldi/wav.scp"), [named("u1", "ann", 0, 20_800), named("u2", "bob", 0, 20_800)]);
    fs::write(place.at("kaldi/segments"), "seg u2 0.5 1.0\n").unwrap();
    assert_eq!(names("kaldi/wav.scp"), [named("seg", "ann", 8_000, 8_000)]);
    fs::remove_file(place.at("kaldi/segments")).unwrap();
    fs::write(place.at("kaldi/wav.scp"), format!("{scp}u3 sph2pipe -f wav x.sph |\n")).unwrap();
    let (told, _) = printed(&place, "info kaldi/wav.scp");
    assert!(told.contains("wav.scp:3: is a command, not a file"), "{told}");
    // Common Voice: columns by name, in any order, and the folder clips.
    fs::create_dir_all(place.at("cv/clips")).unwrap();
    fs::copy(super::place::recording("tone.mp3"), place.at("cv/clips/one.mp3")).unwrap();
    fs::write(place.at("cv/validated.tsv"), "sentence\tclient_id\tpath\nIt's \"so.\t99ab\tone.mp3\n").unwrap();
    assert_eq!(names("cv/validated.tsv"), [named("one", "99ab", 0, 16_000)]);
    // SpeechBrain.
    fs::write(place.at("sb.csv"), "ID,duration,wav,spk_id,wrd\nu1,1.3,corpus/s1/s1-0.wav,ann,\"a, b\"\n").unwrap();
    assert_eq!(names("sb.csv"), [named("u1", "ann", 0, 20_800)]);
    fs::write(place.at("none.csv"), "a,b\nx,y\n").unwrap();
    place.fails(
        "info none.csv",
        1,
        &["none of its columns is a path: a, b", "name the column of the recordings `path`"],
    );
}

#[test]
fn a_file_in_the_pipe_is_not_taken_for_samples() {
    let place = Place::with_model();
    for (name, kind, encoding) in [("corpus/s1/s1-0.wav", "WAV", "s16"), ("x.flac", "FLAC", "f32")] {
        fs::copy(recording("tone.flac"), place.at("x.flac")).unwrap();
        for args in ["--stream", "--out piped"] {
            let mut child = place.cpc(&format!("extract model - {args} --encoding {encoding}"));
            let output = child.write_stdin(place.bytes(name)).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(&format!("standard input is {kind}, and raw samples are expected")), "{said}");
            assert!(said.contains("ffmpeg -v error -i FILE -f") && output.stdout.is_empty(), "{said}");
        }
    }
    // What the remedy gives is read: the samples without the header.
    let raw = place.bytes("corpus/s1/s1-0.wav")[44..].to_vec();
    let output = place.cpc("extract model - --stream").write_stdin(raw).output().unwrap();
    assert!(output.status.success() && output.stdout.len() == 130 * 10 * 4);
}

#[test]
fn silence_is_at_chance_and_is_named() {
    let place = Place::new();
    for name in ["s1/a", "s1/b", "s2/c", "s2/d"] {
        samples(&place.at(&format!("silence/{name}.wav")), std::iter::repeat_n(0, 64_000));
    }
    let told = place.ok("info silence");
    assert!(told.contains("remarks    4") && told.contains("a.wav: is digital silence: all samples are 0"), "{told}");
    let (_, said) = printed(&place, "pretrain silence --config tiny.toml --out run");
    assert!(said.contains("4 of 4 recordings that were looked at cannot be learned from"), "{said}");
    assert!(said.contains("a.wav: is digital silence") && said.contains("`cpc info` lists all"), "{said}");
    for line in place.metrics("run") {
        let (Some(accuracies), Some(chance)) = (line["accuracy_per_step"].as_array(), line["chance"].as_f64()) else {
            continue;
        };
        for accuracy in accuracies {
            assert!(accuracy.as_f64().unwrap() < 2.0 * chance, "{line}");
        }
    }
}

#[test]
fn before_a_validation_the_newest_checkpoint_is_the_model() {
    let place = Place::new();
    place.ok("pretrain corpus --config tiny.toml --out run");
    place.ok("extract run/checkpoints/step-24 corpus/s1 --out expected");
    let expected = place.bytes("expected/s1-0.npy");
    // As if it had been stopped before the first validation; and as a version that wrote one file after the other left it.
    for left in [None, Some("config.json")] {
        let config = place.bytes("run/checkpoints/step-24/config.json");
        let _ = fs::remove_dir_all(place.at("run/model"));
        if let Some(name) = left {
            fs::create_dir(place.at("run/model")).unwrap();
            fs::write(place.at("run/model").join(name), config).unwrap();
        }
        let out = format!("got{}", left.is_some());
        place.ok(&format!("extract run corpus/s1 --out {out}"));
        assert_eq!(place.bytes(&format!("{out}/s1-0.npy")), expected);
        place.ok(&format!("convert run converted{}", left.is_some()));
    }
}

#[test]
fn advice_fits_what_it_is_given_for() {
    let place = Place::with_model();
    place.fails("extract model corpus --out x --layer c,c", 2, &["--layer: c is named twice", "name each layer once"]);
    place.fails("convert model x.onnx", 2, &[".onnx files are not written", "a model directory", ".pt"]);
    assert!(!place.at("x").exists() && !place.at("x.onnx").exists());
    wav(&place.at("a/x.wav"), 1.0, 200.0);
    wav(&place.at("b/x.wav"), 1.0, 300.0);
    place.fails("extract model a b --out x", 1, &["`x` names", "a manifest with an `id` for each"]);
    // The remedy works.
    let lines = ["a", "b"].map(|dir| json!({"path": format!("{dir}/x.wav"), "id": format!("{dir}-x")}).to_string());
    fs::write(place.at("both.jsonl"), lines.join("\n")).unwrap();
    place.ok("extract model both.jsonl --out x");
    assert_eq!(ids(&index(&place, "x")), ["a-x", "b-x"]);
    // One id for two lines: skipping bad files would not help.
    let lines = ["a", "b"].map(|dir| json!({"path": format!("{dir}/x.wav"), "id": "x"}).to_string());
    fs::write(place.at("twice.jsonl"), lines.join("\n")).unwrap();
    let said = place.fails("extract model twice.jsonl --out y", 1, &["id `x`: names", "give an `id` of its own"]);
    assert!(!said.contains("--on-bad-file"), "{said}");
}
