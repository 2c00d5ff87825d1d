//! CPC_audio checkpoints as MODEL, and `cpc convert` in both directions.

use super::place::{Place, golden};
use candle_core::Tensor;
use cpc::kinds::audio::AudioModel;
use cpc::weights::read_tensors;
use cpc::weights::torch::{Value, read_torch, write_torch};
use serde_json::Value as Json;
use std::fs;

const CASES: [&str; 4] =
    ["gru_linear_channelnorm", "gru_linear_batchnorm", "lstm2_linear_channelnorm", "lstm_transformer_channelnorm"];

fn npy(file: &str) -> Tensor {
    Tensor::read_npy(golden(file)).unwrap()
}

/// Writes the windows of a case as recordings `CASE/ITEM.wav` of floats.
fn recordings(place: &Place, case: &str) {
    let audio = npy(&format!("{case}/audio.npy")).flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    fs::create_dir_all(place.at(case)).unwrap();
    for (i, samples) in audio.iter().enumerate() {
        let mut file = hound::WavWriter::create(place.at(&format!("{case}/{i}.wav")), spec).unwrap();
        samples.iter().for_each(|&s| file.write_sample(s).unwrap());
        file.finalize().unwrap();
    }
}

fn assert_features(place: &Place, case: &str, features: &str, what: &str) {
    for layer in ["z", "c"] {
        let want = npy(&format!("{case}/{layer}.npy"));
        for i in 0..want.dim(0).unwrap() {
            let got = Tensor::read_npy(place.at(&format!("{features}/{layer}/{i}.npy"))).unwrap();
            let want = want.get(i).unwrap();
            let size = want.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert_eq!(got.dims(), want.dims(), "{what}");
            let far = (got - want).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(far <= 1e-5 * size, "{what}: {layer} of {i} is {far} away (largest {size})");
        }
    }
}

#[test]
fn every_form_of_checkpoint_gives_cpc_audios_features() {
    let place = Place::new();
    for case in CASES {
        recordings(&place, case);
        for form in ["released_legacy.pt", "checkpoint_0.pt"] {
            let file = golden(&format!("{case}/{form}"));
            let out = format!("{case}-{form}");
            place.ok(&format!("extract {} {case} --layer z,c --out {out}", file.display()));
            assert_features(&place, case, &out, &format!("{case}/{form}"));
        }
    }
}

#[test]
fn a_converted_checkpoint_is_the_same_model_and_says_where_it_came_from() {
    let place = Place::new();
    let case = CASES[0];
    recordings(&place, case);
    let checkpoint = golden(&format!("{case}/checkpoint_0.pt"));
    place.ok(&format!("convert {} model", checkpoint.display()));
    place.ok(&format!("extract model {case} --layer z,c --out out"));
    assert_features(&place, case, "out", "converted");

    let of = |what: &str| -> Json { serde_json::from_str(&place.ok(&format!("info {what} --json"))).unwrap() };
    let (before, after) = (of(&checkpoint.display().to_string()), of("model"));
    for key in ["sha256", "parameters", "hop", "encoder", "context", "heads", "heads_present"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    assert_eq!(after["heads"]["score"], "mean");
    assert_eq!(after["origin"]["layout"], "CPC_audio training checkpoint");
    let ignored = before["ignored"].to_string();
    assert!(ignored.contains("best") && ignored.contains("optimizer"), "{ignored}");
    let index: Json = serde_json::from_slice(&place.bytes("out/index.json")).unwrap();
    assert_eq!(index["model_sha256"], after["sha256"]);
    // The tensors of the golden case, bit for bit.
    let want = read_tensors(&golden(&format!("{case}/initial.safetensors"))).unwrap();
    let got = AudioModel::open(&place.at("model")).unwrap().tensors;
    assert_eq!(got.len(), want.len());
    for (name, tensor) in &want {
        assert_eq!(
            got[name].flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            "{name}"
        );
    }
}

#[test]
fn there_and_back_is_the_same_model_with_heads_for_means() {
    let place = Place::with_model(); // heads of kind `scaled`, 12 channels
    place.ok("convert model out/checkpoint_7.pt");
    let args: Json = serde_json::from_slice(&place.bytes("out/checkpoint_args.json")).unwrap();
    assert_eq!((&args["hiddenEncoder"], &args["hiddenGar"], &args["arMode"]), (&12.into(), &10.into(), &"GRU".into()));
    let (ours, back) = (AudioModel::open(&place.at("model")).unwrap(), AudioModel::open(&place.at("out")).unwrap());
    for (name, tensor) in &ours.tensors {
        // <W c, z> / sqrt(12) = <W' c, z> / 12
        let factor = if name.starts_with("wPrediction") { 12f32.sqrt() } else { 1.0 };
        let (a, b) = (tensor.flatten_all().unwrap(), back.tensors[name].flatten_all().unwrap());
        for (a, b) in a.to_vec1::<f32>().unwrap().iter().zip(b.to_vec1::<f32>().unwrap()) {
            assert!((a * factor - b).abs() <= 1e-6 * a.abs(), "{name}: {a} became {b}");
        }
    }
    let value = read_torch(&place.at("out/checkpoint_7.pt")).unwrap();
    assert!(value.get("weights").unwrap().get("gAR.baseNet.weight_hh_l0").is_some());
    assert!(value.get("weights").unwrap().entries().iter().all(|(n, _)| !n.as_str().unwrap().starts_with("wPred")));
    assert!(value.get("cpcCriterion").unwrap().get("wPrediction.predictors.3.weight").is_some());
}

#[test]
fn converting_overwrites_nothing_unasked() {
    let place = Place::with_model();
    place.ok("convert model one.pt");
    place.fails("convert model one.pt", 2, &["one.pt", "--overwrite"]);
    place.ok("convert model one.pt --overwrite");
    place.fails("convert model corpus", 2, &["corpus"]);
    place.fails("convert model corpus --overwrite", 2, &["corpus", "not a model"]);
    assert!(place.at("corpus/s1/s1-0.wav").exists());
}

#[test]
fn what_is_no_model_is_refused_in_words() {
    let place = Place::with_model();
    fs::write(place.at("empty.pt"), b"").unwrap();
    fs::write(place.at("text.pt"), b"weights, honestly").unwrap();
    let whole = fs::read(golden("gru_linear_channelnorm/checkpoint_0.pt")).unwrap();
    fs::write(place.at("cut.pt"), &whole[..whole.len() / 2]).unwrap();
    let legacy = fs::read(golden("gru_linear_channelnorm/released_legacy.pt")).unwrap();
    fs::write(place.at("short.pt"), &legacy[..legacy.len() - 100]).unwrap();
    for file in ["empty.pt", "text.pt", "cut.pt", "short.pt", "nowhere.pt"] {
        place.fails(&format!("extract {file} corpus --out features"), 1, &[file]);
        assert!(!place.at("features").exists());
    }
    // A pickle that would run a command: refused, with the name of the function it asks for.
    let mut evil = b"\x80\x02cos\nsystem\nX\x0c\x00\x00\x00touch gotcha\x85R.".to_vec();
    fs::write(place.at("bare.pkl.pt"), &evil).unwrap();
    place.fails("info bare.pkl.pt", 1, &["bare.pkl.pt"]);
    let mut zip = zip::ZipWriter::new(fs::File::create(place.at("evil.pt")).unwrap());
    zip.start_file("evil/data.pkl", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, &std::mem::take(&mut evil)).unwrap();
    zip.finish().unwrap();
    place.fails("extract evil.pt corpus --out features", 1, &["evil.pt", "os.system"]);
    assert!(!place.at("gotcha").exists());
}

#[test]
fn the_names_of_bshalls_cpc_are_the_same_network() {
    let place = Place::new();
    let case = "lstm2_linear_channelnorm";
    recordings(&place, case);
    let value = read_torch(&golden(&format!("{case}/released_legacy.pt"))).unwrap();
    let renamed = |name: &str| {
        let name = name.replace("gEncoder.batchNorm", "encoder.norm").replace("gEncoder.", "encoder.");
        name.replace("gAR.baseNet.", "context.lstm.")
    };
    let entries = value.get("weights").unwrap().entries().iter();
    let theirs = entries.map(|(n, v)| (Value::Text(renamed(n.as_str().unwrap())), v.clone())).collect();
    write_torch(&place.at("cpc.pt"), &Value::Dict(theirs)).unwrap();
    place.ok(&format!("extract cpc.pt {case} --layer z,c --out out"));
    assert_features(&place, case, "out", "bshall's names");
    assert!(place.ok("info cpc.pt").contains("bshall/cpc state dictionary"));
}

#[test]
fn networks_that_cpc_does_not_have_are_named() {
    let place = Place::new();
    let mut value = read_torch(&golden("gru_linear_channelnorm/released_legacy.pt")).unwrap();
    let Value::Dict(entries) = &mut value else { panic!("no dictionary") };
    let Some((_, Value::Dict(config))) = entries.iter_mut().find(|(n, _)| n.as_str() == Some("config")) else {
        panic!("no config")
    };
    for (name, said) in [("arMode", "transformer"), ("encoder_type", "mfcc"), ("cpc_mode", "reverse")] {
        let (_, slot) = config.iter_mut().find(|(n, _)| n.as_str() == Some(name)).unwrap();
        let old = std::mem::replace(slot, Value::Text(said.into()));
        let file = place.at("other.pt");
        let mut whole = vec![(Value::Text("config".into()), Value::Dict(config.clone()))];
        let weights = read_torch(&golden("gru_linear_channelnorm/released_legacy.pt")).unwrap();
        whole.push((Value::Text("weights".into()), weights.get("weights").unwrap().clone()));
        write_torch(&file, &Value::Dict(whole)).unwrap();
        place.fails("info other.pt", 1, &[&format!("{name} = {said}")]);
        let (_, slot) = config.iter_mut().find(|(n, _)| n.as_str() == Some(name)).unwrap();
        *slot = old;
    }
    write_torch(&place.at("gan.pt"), &Value::Dict(vec![(Value::Text("generator".into()), Value::None)])).unwrap();
    place.fails("info gan.pt", 1, &["not a CPC checkpoint", "generator"]);
}

#[test]
fn training_goes_on_from_cpc_audios_checkpoint_with_its_optimizer_and_resumes() {
    let place = Place::new();
    let checkpoint = golden("gru_linear_channelnorm/checkpoint_3.pt");
    let sizes = "--preset cpc-audio --set encoder.hidden_dim=16 --set context.hidden_dim=12 --set data.window=5120 \
        --set heads.steps=12 --set train.warmup_steps=0 --set train.schedule=constant --batch-size 2 --seed 4";
    let begin = format!("pretrain corpus {sizes} --init {} --resume-optimizer", checkpoint.display());
    place.fails(&format!("{begin} --out a --steps 2"), 2, &["heads.score=mean"]);
    let begin = format!("{begin} --set heads.score=mean");
    place.ok(&format!("{begin} --out a --steps 4"));
    let state: Json = serde_json::from_slice(&place.bytes("a/checkpoints/step-4/state.json")).unwrap();
    assert_eq!((&state["step"], &state["updates_before"]), (&4.into(), &3.into()));
    place.ok(&format!("{begin} --out b --steps 2"));
    place.ok("pretrain --out b --resume --steps 4");
    let last = "checkpoints/step-4/model.safetensors";
    assert!(place.bytes(&format!("a/{last}")) == place.bytes(&format!("b/{last}")), "resuming changed the weights");
    // Weights without the moments develop differently.
    place.ok(&format!("{} --out c --steps 4", begin.replace("--resume-optimizer", "")));
    assert!(place.bytes(&format!("a/{last}")) != place.bytes(&format!("c/{last}")));
    place.fails(
        &format!("{begin} --out d --steps 2").replace("checkpoint_3.pt", "released_legacy.pt"),
        2,
        &["--resume-optimizer"],
    );
    // Released weights have no heads: these are initialized at random, and a message says so.
    let released = begin.replace("checkpoint_3.pt", "released_legacy.pt").replace("--resume-optimizer", "");
    let output = place.cpc(&format!("{released} --out d --steps 2")).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("no prediction heads"));
}

#[test]
fn transformer_heads_train_resume_and_go_there_and_back() {
    let place = Place::new();
    let begin = "pretrain corpus --config tiny.toml --set heads.kind=transformer --set encoder.hidden_dim=16 --set context.hidden_dim=16 --set heads.score=mean";
    place.ok(&format!("{begin} --steps 6 --out a"));
    place.ok(&format!("{begin} --steps 3 --out b"));
    place.ok("pretrain --out b --resume --steps 6");
    let last = "checkpoints/step-6/model.safetensors";
    assert!(place.bytes(&format!("a/{last}")) == place.bytes(&format!("b/{last}")), "resuming changed the weights");
    place.ok("convert a a.pt");
    place.ok("convert a.pt back");
    assert!(place.bytes("a/model/model.safetensors") == place.bytes("back/model.safetensors"));
    assert!(place.ok("info back").contains("transformer, 4 steps"));
    place.fails(&format!("{begin} --set context.hidden_dim=12 --out c"), 2, &["heads.kind", "multiple of 8"]);
    place.fails(&format!("{begin} --init back --set data.window=4800 --out c"), 1, &["back", "Krelpos"]);
}
