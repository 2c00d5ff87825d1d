//! `cpc pretrain` and `cpc info`.

use super::place::{Place, recording};
use std::fs;
use std::process::Stdio;

/// Starts a run, and waits until `file` exists.
fn start_and_wait(place: &Place, args: &str, file: &str) -> std::process::Child {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("cpc"))
        .current_dir(place.dir.path())
        .args(args.split_whitespace())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    place.wait_for(file, &mut child);
    child
}

const LONG: &str = "--config tiny.toml --steps 300 --set train.checkpoint_every=20 --set train.keep_last=99";

#[test]
fn pretrain_makes_a_run_that_says_what_it_did() {
    let place = Place::new();
    let output = place.cpc("pretrain corpus --config tiny.toml --out run").output().unwrap();
    let (said, table) = (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap());
    assert!(output.status.success(), "{said}");
    assert!(said.contains("10 utterances, 2 speakers") && said.contains("validation: loss"), "{said}");
    assert!(table.contains("times chance") && table.lines().filter(|l| l.contains(" ms ")).count() == 4, "{table}");
    let lines = place.metrics("run");
    let train: Vec<_> = lines.iter().filter(|l| l["kind"] == "train").collect();
    let valid: Vec<_> = lines.iter().filter(|l| l["kind"] == "valid").collect();
    assert_eq!((train.len(), valid.len()), (6, 3));
    for key in [
        "step",
        "epoch",
        "lr",
        "loss",
        "loss_per_step",
        "accuracy_per_step",
        "grad_norm",
        "step_seconds",
        "data_wait_seconds",
        "audio_seconds_per_second",
        "peak_rss_bytes",
    ] {
        assert!(!train[0][key].is_null(), "{key} is missing");
    }
    assert_eq!(train[5]["step"], 24);
    assert_eq!(train[0]["loss_per_step"].as_array().unwrap().len(), 4);
    assert!((train[0]["chance"].as_f64().unwrap() - 1.0 / 17.0).abs() < 1e-9);
    // The first figures are near chance level: the loss of guessing among 17 candidates is log 17.
    assert!((train[0]["loss"].as_f64().unwrap() - 17f64.ln()).abs() < 0.4);
    for file in [
        "config.toml",
        "model/config.json",
        "model/model.safetensors",
        "checkpoints/step-24/state.json",
        "checkpoints/step-18/optimizer.safetensors",
    ] {
        assert!(place.at("run").join(file).exists(), "{file}");
    }
    assert_eq!(fs::read_dir(place.at("run/checkpoints")).unwrap().count(), 2);
    assert!(
        fs::read_dir(place.at("run")).unwrap().any(|f| f
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("events.out.tfevents."))
    );
    let card = String::from_utf8(place.bytes("run/model/README.md")).unwrap();
    for said in ["library_name: cpc-toolkit", "| data | corpus |", "on validation windows", "| 4 | 40 ms |"] {
        assert!(card.to_lowercase().contains(said), "{said}: {card}");
    }
}

#[test]
fn a_run_learns_to_tell_the_future_of_speech_from_negatives() {
    let place = Place::new();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/data/demo");
    let sizes =
        "--set encoder.hidden_dim=32 --set context.hidden_dim=32 --set encoder.norm=batch --set data.sampler=uniform";
    let data = "--set data.window=8000 --set train.lr=4e-3 --set train.warmup_steps=200";
    place.cpc(&format!("pretrain {demo} --config tiny.toml {sizes} {data} --out run --steps 300")).assert().success();
    let last = place.metrics("run").into_iter().rfind(|l| l["kind"] == "valid").unwrap();
    let (loss, first) = (last["loss"].as_f64().unwrap(), last["accuracy_per_step"][0].as_f64().unwrap());
    assert!(loss < 17f64.ln() - 0.25 && first > 3.0 / 17.0, "loss {loss}, accuracy {first}");
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_seed_others() {
    let place = Place::new();
    for (run, seed) in [("a", 1), ("b", 1), ("c", 2)] {
        place.cpc(&format!("pretrain corpus --config tiny.toml --out {run} --seed {seed}")).assert().success();
    }
    for file in
        ["model/model.safetensors", "checkpoints/step-24/optimizer.safetensors", "checkpoints/step-24/state.json"]
    {
        assert_eq!(place.bytes(&format!("a/{file}")), place.bytes(&format!("b/{file}")), "{file}");
        assert_ne!(place.bytes(&format!("a/{file}")), place.bytes(&format!("c/{file}")), "{file}");
    }
}

#[test]
fn a_killed_run_resumes_to_the_bytes_of_one_that_was_never_stopped() {
    let place = Place::new();
    // Batch norm has its own state; accumulation and warm-up depend on the position in the run.
    let args = format!(
        "pretrain corpus {LONG} --set encoder.norm=batch --set train.accumulate=2 --set train.warmup_steps=50 --set train.clip_norm=1"
    );
    place.cpc(&format!("{args} --out whole")).assert().success();
    let mut child = start_and_wait(&place, &format!("{args} --out cut"), "cut/checkpoints/step-60");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    assert!(!place.at("cut/checkpoints/step-300").exists(), "the run was over before it was killed");
    place.cpc("pretrain --resume --out cut").assert().success();
    for file in [
        "model/model.safetensors",
        "checkpoints/step-300/model.safetensors",
        "checkpoints/step-300/optimizer.safetensors",
        "checkpoints/step-300/state.json",
    ] {
        assert_eq!(place.bytes(&format!("whole/{file}")), place.bytes(&format!("cut/{file}")), "{file}");
    }
    let figures = |run: &str| -> Vec<(u64, String)> {
        let lines = place.metrics(run);
        lines.iter().map(|l| (l["step"].as_u64().unwrap(), l["loss_per_step"].to_string())).collect()
    };
    let (whole, cut) = (figures("whole"), figures("cut"));
    assert_eq!(whole, cut, "every line of metrics is there once");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_writes_a_checkpoint_and_resumes_exactly() {
    let place = Place::new();
    place.cpc(&format!("pretrain corpus {LONG} --out whole")).assert().success();
    for signal in ["INT", "TERM"] {
        let run = format!("run-{signal}");
        let mut child = start_and_wait(
            &place,
            &format!("pretrain corpus {LONG} --out {run}"),
            &format!("{run}/checkpoints/step-20"),
        );
        let sent =
            std::process::Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        assert!(!place.at(&format!("{run}/checkpoints/step-300")).exists());
        place.cpc(&format!("pretrain --resume --out {run}")).assert().success();
        let last = "checkpoints/step-300/model.safetensors";
        assert_eq!(place.bytes(&format!("whole/{last}")), place.bytes(&format!("{run}/{last}")), "{signal}");
    }
}

const AUGMENTED: &str = "--set data.augment=[\"pitch\",\"noise\",\"reverb\",\"band-reject\",\"time-dropout\",\"gain\"]";

#[test]
fn an_augmented_run_resumes_exactly_with_made_and_with_recorded_noise() {
    let place = Place::new();
    for (name, noise) in [("made", ""), ("recorded", "--set data.noise=corpus/s1")] {
        let args = format!("--config tiny.toml {AUGMENTED} {noise}");
        place.ok(&format!("pretrain corpus {args} --out {name}-whole"));
        place.ok(&format!("pretrain corpus {args} --steps 12 --out {name}-parts"));
        place.ok(&format!("pretrain --resume --steps 24 --out {name}-parts"));
        let weights = |run: &str| place.bytes(&format!("{run}/checkpoints/step-24/model.safetensors"));
        assert!(weights(&format!("{name}-whole")) == weights(&format!("{name}-parts")), "{name}");
    }
    assert!(place.bytes("made-whole/model/model.safetensors") != place.bytes("recorded-whole/model/model.safetensors"));
}

#[test]
fn an_augmentation_that_is_none_or_out_of_range_is_named_with_what_there_is() {
    let place = Place::new();
    let with = |set: &str| format!("pretrain corpus --config tiny.toml --out run --set {set}");
    place.fails(&with("data.augment=[\"echo\"]"), 2, &["echo", "pitch, noise, reverb"]);
    place.fails(&with("data.augment=[\"pitch:9999\"]"), 2, &["pitch takes 1 to 1200 cents"]);
    place.fails(&with("data.augment=[\"pitch\",\"pitch:100\"]"), 2, &["data.augment", "pitch twice"]);
    place.fails(&with("data.augment_side=left"), 2, &["past", "future", "both", "each"]);
    place.fails(&with("data.noise=corpus"), 2, &["data.noise", "does not list noise"]);
    place.fails(&with("encoder.kind=mel"), 2, &["encoder.channels", "number of bands"]);
    place.fails(&with("encoder.kind=mel --set encoder.channels=[99]"), 2, &["99 mel bands are too many"]);
    place.fails(&with("data.noise=nowhere --set data.augment=[\"noise\"]"), 1, &["nowhere"]);
    assert!(!place.at("run").exists());
}

#[test]
fn the_configuration_of_a_run_from_before_a_key_gets_the_default_of_the_key_and_not_a_presets() {
    let place = Place::new();
    place.ok("pretrain corpus --config tiny.toml --out run");
    let config = String::from_utf8(place.bytes("run/config.toml")).unwrap();
    let newer =
        |line: &&str| !["kind = \"conv\"", "channels", "augment", "noise"].iter().any(|key| line.starts_with(key));
    let older: Vec<&str> = config.lines().filter(newer).collect();
    assert_eq!(older.len() + 5, config.lines().count(), "{config}");
    fs::write(place.at("older.toml"), older.join("\n")).unwrap();
    fs::write(place.at("run/config.toml"), older.join("\n")).unwrap();
    place.ok("pretrain --resume --steps 30 --out run");
    place.ok("pretrain corpus --config older.toml --steps 30 --out again");
    assert!(place.bytes("run/model/config.json") == place.bytes("again/model/config.json"));
    assert!(String::from_utf8(place.bytes("again/config.toml")).unwrap().contains("augment = []"));
}

#[test]
fn listen_writes_the_windows_of_both_sides_as_recordings() {
    let place = Place::new();
    let said = place.ok(&format!("pretrain corpus --config tiny.toml --listen heard {AUGMENTED}"));
    assert!(said.contains("1-past.wav") && said.contains("s1-") && said.lines().count() == 16, "{said}");
    let samples = |file: &str| -> Vec<i16> {
        hound::WavReader::open(place.at("heard").join(file)).unwrap().samples().map(Result::unwrap).collect()
    };
    for number in 1..=8 {
        let (past, future) = (samples(&format!("{number}-past.wav")), samples(&format!("{number}-future.wav")));
        assert!(past.len() == 4000 && future.len() == 4000 && past != future);
    }
    place.ok("pretrain corpus --config tiny.toml --listen plain --json");
    assert!(place.at("plain/8.wav").exists() && !place.at("plain/1-past.wav").exists());
    place.fails("pretrain corpus --listen heard --out run", 2, &["--listen", "--out"]);
}

#[test]
fn encoders_of_every_kind_train_resume_extract_and_say_what_they_are() {
    let place = Place::new();
    for (kind, said) in [("gabor", "Gabor filterbank"), ("mel", "log-mel bands")] {
        let args = format!(
            "--config tiny.toml --set encoder.kind={kind} --set encoder.channels=[20] --set encoder.kernels=[256,8,3] \
             --set encoder.strides=[40,4,1] --set encoder.paddings=[108,2,1]"
        );
        place.ok(&format!("pretrain corpus {args} --out {kind}-whole"));
        place.ok(&format!("pretrain corpus {args} --steps 12 --out {kind}"));
        place.ok(&format!("pretrain --resume --steps 24 --out {kind}"));
        let weights = |run: &str| place.bytes(&format!("{run}/checkpoints/step-24/model.safetensors"));
        assert!(weights(&format!("{kind}-whole")) == weights(kind), "{kind}");
        let info = place.ok(&format!("info {kind}/model"));
        assert!(info.contains(said) && info.contains("20, 12, 12 channels"), "{info}");
        let said = place.ok(&format!("extract {kind} corpus --layer c,c+z --out {kind}-features"));
        assert!(said.contains("c+z (22)"), "{said}");
        place.fails(&format!("convert {kind} {kind}.pt"), 1, &["CPC_audio has only one encoder", "model directory"]);
    }
}

#[test]
fn a_finished_run_can_be_made_longer_but_not_another_one() {
    let place = Place::new();
    place.cpc("pretrain corpus --config tiny.toml --out whole --steps 30").assert().success();
    place.cpc("pretrain corpus --config tiny.toml --out run").assert().success();
    let first = place.bytes("run/model/model.safetensors");
    let described = place.ok("info run/model --json");
    place.age("run");
    assert_eq!(place.ok("info run/model --json"), described);
    // The line that started the run may be repeated.
    place.ok("pretrain corpus --config tiny.toml --resume --out run --steps 30");
    let last = "checkpoints/step-30/model.safetensors";
    assert_eq!(place.bytes(&format!("whole/{last}")), place.bytes(&format!("run/{last}")));
    place.fails("pretrain --resume --out run --set train.lr=0.5", 2, &["would change what the run computes"]);
    place.cpc("pretrain corpus --config tiny.toml --out falling --set train.schedule=cosine").assert().success();
    place.fails("pretrain --resume --out falling --steps 30", 2, &["falls to 0 at step 24", "--init"]);
    place.fails("pretrain --resume --out elsewhere", 2, &["there is no run"]);
    // So may the line of a run that was stopped before it started.
    place.ok("pretrain corpus --config tiny.toml --resume --out fresh");
    assert_eq!(place.bytes("fresh/model/model.safetensors"), first);
    place.fails("pretrain corpus --config tiny.toml --out run", 2, &["there is a run already", "--overwrite"]);
    place.cpc("pretrain corpus --config tiny.toml --out run --overwrite --steps 6").assert().success();
    assert!(!place.at("run/checkpoints/step-30").exists());
}

#[test]
fn init_starts_from_the_weights_of_a_model() {
    let place = Place::new();
    place.cpc("pretrain corpus --config tiny.toml --out first").assert().success();
    place.cpc("pretrain corpus --config tiny.toml --out second --init first --steps 1 --set train.lr=1e-12 --set train.log_every=1").assert().success();
    let loss = |run: &str| place.metrics(run).iter().rfind(|l| l["kind"] == "valid").unwrap()["loss"].as_f64().unwrap();
    let best = place
        .metrics("first")
        .iter()
        .filter(|l| l["kind"] == "valid")
        .map(|l| l["loss"].as_f64().unwrap())
        .fold(9.0, f64::min);
    assert!((loss("second") - best).abs() < 1e-5);
    place.fails(
        "pretrain corpus --config tiny.toml --set context.hidden_dim=11 --out third --init first",
        1,
        &["not this model's", "gAR.baseNet"],
    );
    place.fails("pretrain corpus --config tiny.toml --out third --init corpus", 1, &["corpus", "config.json"]);
}

#[test]
fn transformer_heads_train_validate_and_resume_exactly() {
    let place = Place::new();
    let sizes =
        "--set encoder.hidden_dim=16 --set context.hidden_dim=16 --set heads.steps=2 --set heads.kind=transformer";
    let args = format!("pretrain corpus --config tiny.toml {sizes}");
    place.ok(&format!("{args} --out whole --steps 8"));
    place.ok(&format!("{args} --out cut --steps 6"));
    place.ok("pretrain --resume --out cut --steps 8");
    for file in ["model.safetensors", "optimizer.safetensors"] {
        let file = format!("checkpoints/step-8/{file}");
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("cut/{file}")), "{file}");
    }
    assert!(place.metrics("whole").iter().any(|l| l["kind"] == "valid"));
    assert!(place.ok("info whole/model").contains("transformer, 2 steps ahead"));
    // A model fits only its window size; the error names the sizes that its heads need. (4000 samples are 25 frames.)
    place.fails(
        &format!("{args} --set data.window=4800 --out other --init whole"),
        1,
        &["Krelpos is [2, 23], not [2, 28]"],
    );
    place.fails(
        "pretrain corpus --config tiny.toml --set heads.kind=transformer --out other",
        2,
        &["heads.kind", "not 12 and 10"],
    );
}

#[test]
fn a_checkpoint_whose_configuration_is_damaged_is_not_gone_on_from() {
    let place = Place::new();
    place.ok("pretrain corpus --config tiny.toml --steps 6 --out run");
    fs::write(place.at("run/checkpoints/step-6/config.json"), "{").unwrap();
    place.fails("pretrain --resume --out run --steps 8", 1, &["step-6/config.json"]);
}

#[test]
fn a_model_from_before_there_were_kinds_of_heads_opens() {
    let place = Place::with_model();
    let path = place.at("model/config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&place.bytes("model/config.json")).unwrap();
    let heads = config["heads"].as_object_mut().unwrap();
    assert!(heads.remove("kind").is_some() && heads.remove("positions").is_some());
    fs::write(&path, config.to_string()).unwrap();
    assert!(place.ok("info model").contains("linear, 4 steps ahead"));
    config["heads"]["kind"] = "transformer".into();
    fs::write(&path, config.to_string()).unwrap();
    place.fails("info model", 1, &["config.json", "not 12 and 10"]);
}

#[test]
fn divergence_stops_the_run_names_step_and_files_and_leaves_the_last_checkpoint() {
    let place = Place::new();
    let args = "pretrain corpus --config tiny.toml --out run --set train.lr=1e37 --set train.warmup_steps=0 --set train.checkpoint_every=1 --set train.log_every=1";
    let said = place.fails(args, 1, &["not finite", "corpus/s"]);
    assert!(said.contains("step"), "{said}");
    for entry in fs::read_dir(place.at("run")).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.ends_with("model"), "a model was written by a run that never was well");
    }
}

#[test]
fn lists_say_what_is_trained_and_validated_on() {
    let place = Place::new();
    fs::write(place.at("train.txt"), "s1-0\ns1-1\ns2-0\ns2-1 \n\n# a comment\n").unwrap();
    fs::write(place.at("valid.txt"), "s1-4\ns2-4\n").unwrap();
    let output =
        place.cpc("pretrain corpus --config tiny.toml --out run --train train.txt --valid valid.txt").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("from 2 utterances"), "{said}");
    fs::write(place.at("bad.txt"), "s1-0\nnobody\n").unwrap();
    place.fails("pretrain corpus --config tiny.toml --out other --train bad.txt", 2, &["bad.txt", "nobody"]);
}

#[test]
fn bad_input_is_named_with_its_place_and_nothing_is_written() {
    let place = Place::new();
    fs::create_dir(place.at("empty")).unwrap();
    let tiny = "--config tiny.toml --out run";
    place.fails(&format!("pretrain empty {tiny}"), 1, &["empty", "no files"]);
    place.fails(&format!("pretrain nowhere {tiny}"), 1, &["nowhere"]);
    place.fails(&format!("pretrain corpus {tiny} --set data.window=200000"), 1, &["window", "longest"]);
    place.fails(&format!("pretrain corpus {tiny} --set train.lrr=1"), 2, &["train.lrr", "unknown key"]);
    place.fails(
        &format!("pretrain corpus {tiny} --set train.lr=-1 --set heads.steps=0"),
        2,
        &["train.lr", "heads.steps"],
    );
    place.fails(&format!("pretrain corpus {tiny} --preset huge"), 2, &["huge", "cpc2018"]);
    place.fails(&format!("pretrain corpus {tiny} --device tpu"), 2, &["tpu"]);
    place.fails("pretrain corpus --config no.toml --out run", 1, &["no.toml"]);
    fs::write(place.at("broken.toml"), "[train]\nlr = = 3\n").unwrap();
    place.fails("pretrain corpus --config broken.toml --out run", 2, &["broken.toml, line 2"]);
    place.fails("pretrain corpus --config tiny.toml --out tiny.toml", 2, &["tiny.toml", "is a file"]);
    place.fails("pretrain --config tiny.toml", 2, &["--out"]);
    for precision in ["tf32", "bf16"] {
        place.fails(
            &format!("pretrain corpus {tiny} --device cpu --set train.precision={precision}"),
            2,
            &["only NVIDIA GPUs have tf32 and bf16", "choose --device cuda, or train.precision=auto"],
        );
    }
    if cfg!(not(feature = "cuda")) {
        place.fails(&format!("pretrain corpus {tiny} --device cuda"), 2, &["built without cuda", "--features cuda"]);
    }
    assert!(!place.at("run").exists());
}

#[test]
fn bad_files_are_named_all_at_once_or_left_out_and_counted() {
    let place = Place::new();
    fs::write(place.at("corpus/s1/nothing.wav"), b"").unwrap();
    fs::write(place.at("corpus/s2/words.flac"), b"these are words, not sound").unwrap();
    let whole = fs::read(recording("tone.flac")).unwrap();
    fs::write(place.at("corpus/s1/cut.flac"), &whole[..whole.len() / 2]).unwrap();
    let names = ["nothing.wav", "words.flac", "cut.flac"];
    place.fails("pretrain corpus --config tiny.toml --out run", 1, &names);
    assert!(!place.at("run").exists());
    let output = place.cpc("pretrain corpus --config tiny.toml --out run --on-bad-file skip").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("3 files are left out") && names.iter().all(|n| said.contains(n)), "{said}");
    place.fails("info corpus", 1, &["3 problems, listed above"]);
    let told = String::from_utf8(place.cpc("info corpus").output().unwrap().stdout).unwrap();
    assert!(names.iter().all(|n| told.contains(n)), "{told}");
}

#[cfg(unix)]
#[test]
fn a_disk_that_is_full_leaves_nothing_half_written() {
    let place = Place::new();
    let cpc = assert_cmd::cargo::cargo_bin("cpc");
    // A limit on the file size simulates a full disk: the weights do not fit, the configuration does.
    let script =
        format!("trap '' XFSZ; ulimit -f 16; exec {} pretrain corpus --config tiny.toml --out run", cpc.display());
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(place.dir.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write") && said.contains(".safetensors") && said.contains("help:"), "{said}");
    let name = |e: walkdir::Result<walkdir::DirEntry>| e.unwrap().file_name().to_string_lossy().into_owned();
    let left: Vec<String> = walkdir::WalkDir::new(place.at("run")).into_iter().map(name).collect();
    assert!(left.iter().all(|name| !name.ends_with(".tmp") && !name.ends_with(".safetensors")), "{left:?}");
}

#[test]
fn info_describes_a_corpus_a_model_and_a_run() {
    let place = Place::new();
    let shown = |args: &str| {
        let output = place.cpc(args).output().unwrap();
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let corpus = shown("info corpus");
    assert!(corpus.contains("speakers   2") && corpus.contains("16000 Hz"), "{corpus}");
    let json: serde_json::Value = serde_json::from_str(&shown("info corpus --json")).unwrap();
    assert_eq!((json["files"].as_u64(), json["speakers"].as_u64()), (Some(10), Some(2)));
    shown("pretrain corpus --config tiny.toml --out run");
    let model = shown("info run/model");
    assert!(model.contains("160 samples") && model.contains("465 samples") && model.contains("GRU of 10"), "{model}");
    // The best model is the last one: everything is the same except its path.
    assert_eq!(shown("info run/checkpoints/step-24"), model.replace("run/model", "run/checkpoints/step-24"));
    let run = shown("info run");
    assert!(run.contains("24 of 24") && run.contains("validation"), "{run}");
    assert_eq!(shown("info run --svg curves.svg"), run);
    let curves = fs::read_to_string(place.at("curves.svg")).unwrap();
    assert!(curves.starts_with("<svg") && curves.contains("training") && curves.contains("k = 4"), "{curves}");
    for data in ["corpus", "run/model"] {
        let refused = place.cpc(&format!("info {data} --svg other.svg")).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8(refused.stderr).unwrap().contains("is not a run"));
    }
    let json: serde_json::Value =
        serde_json::from_str(&shown("pretrain corpus --config tiny.toml --out other --json")).unwrap();
    assert_eq!(json["figures"]["loss_per_step"].as_array().unwrap().len(), 4);
}

#[test]
fn a_corpus_may_bring_its_recipe() {
    let place = Place::new();
    fs::copy(place.at("tiny.toml"), place.at("corpus/cpc.toml")).unwrap();
    place.cpc("pretrain corpus --out run").assert().success();
    let shown = |args: &str| String::from_utf8(place.cpc(args).output().unwrap().stdout).unwrap();
    assert!(shown("info run/model").contains("GRU of 10"));
    assert!(shown("pretrain corpus --print-config").contains("hidden_dim = 12"));
    assert!(shown("pretrain corpus --print-config --preset cpc2018").contains("hidden_dim = 512"));
    // A run that is resumed keeps its own configuration.
    place.ok("pretrain corpus --out longer --steps 30");
    place.ok("pretrain corpus --out longer --resume");
    assert!(fs::read_to_string(place.at("longer/config.toml")).unwrap().contains("steps = 30"));
}

#[test]
fn help_completions_and_the_manual_are_there() {
    let place = Place::new();
    for (args, word) in [
        ("--help", "pretrain"),
        ("pretrain --help", "--resume"),
        ("completions bash", "complete"),
        ("completions zsh", "#compdef"),
        ("man", ".TH"),
        ("man pretrain", "resume"),
        ("--version", "cpc"),
    ] {
        let output = place.cpc(args).output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(word), "{args}");
    }
    place.fails("man nothing", 2, &["nothing"]);
    place.fails("pretrain corpus --out run --stepz 3", 2, &["--stepz"]);
}

#[test]
fn threads_are_as_many_as_asked_for_and_quiet_is_quiet() {
    let place = Place::new();
    let output = place.cpc("pretrain corpus --config tiny.toml --out run --threads 1 --quiet").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty() && !output.stdout.is_empty());
    place.fails("pretrain corpus --config tiny.toml --out run --threads 0", 2, &["--threads"]);
}
