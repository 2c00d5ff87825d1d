//! `cpc extract` from the user's point of view: what it writes, what it streams, how it resumes, how it fails.

use super::place::{Place, recording, wav};
use candle_core::{Device, Tensor};
use cpc::config::NormKind;
use cpc::features::{FeatureSet, Frames};
use cpc::kinds::audio::{AudioConfig, AudioModelConfig};
use cpc::nn::{ContextKind, ParamStore, Phase};
use cpc::signal::{Extractor, Layer, Network};

use proptest::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// An item file with one item.
const ITEM: &str = "#file onset offset #phone prev-phone next-phone speaker\ns1-0 0.1 0.2 a b c s1\n";

/// A model with random weights, small but with CPC's structure; the statistics in its batch norm are not the initial ones.
fn model(norm: NormKind, kind: ContextKind) -> (AudioModelConfig, ParamStore) {
    let mut config = AudioConfig::default();
    (config.encoder.hidden_dim, config.encoder.norm) = (40, norm);
    (config.context.hidden_dim, config.context.kind, config.context.num_layers) = (24, kind, 2);
    let config = AudioModelConfig::audio(&config);
    let store = ParamStore::new(5, &Device::Cpu);
    let model = Network::new(&config.sizes(), &store.builder()).unwrap();
    for _ in 0..3 {
        model.forward(&Tensor::from_vec(sound(8_000), (1, 8_000), &Device::Cpu).unwrap(), Phase::Train).unwrap();
    }
    (config, store)
}

fn sound(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (i as f32 * 0.05).sin() * (i as f32 * 0.0007).sin() * 0.5 + ((i * 7919 % 1000) as f32 / 5e4))
        .collect()
}

const LAYERS: [Layer; 3] = [Layer::Z, Layer::Context(1), Layer::C];

fn far(a: &Frames, b: &Frames) -> f32 {
    assert_eq!(a.count, b.count);
    let pairs = a.layers.iter().flatten().zip(b.layers.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_stream_in_any_pieces_gives_the_frames_of_the_whole(
        length in 465usize..40_000,
        pieces in prop::collection::vec(1usize..3_000, 1..6),
    ) {
        let kinds = [ContextKind::GRU, ContextKind::LSTM, ContextKind::S4D];
        for (norm, kind) in [NormKind::Batch, NormKind::Channel, NormKind::Channel].into_iter().zip(kinds) {
            let (config, store) = model(norm, kind);
            let samples = sound(length);
            let offline = Network::new(&config.sizes(), &store.frozen()).unwrap();
            let x = Tensor::from_slice(&samples, (1, length), &Device::Cpu).unwrap();
            let latents = offline.forward(&x, Phase::Eval).unwrap();
            let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let extractor = Extractor::new(&config.sizes(), &store, &LAYERS).unwrap();
            let mut stream = extractor.stream();
            stream.push(&sound(1_000)).unwrap();
            stream.reset();
            let (mut got, mut at) = (Frames::default(), 0);
            for piece in pieces.iter().cycle() {
                let to = (at + piece).min(length);
                got.extend(&stream.push(&samples[at..to]).unwrap());
                at = to;
                // A frame is emitted as soon as its receptive field is complete, and no later.
                let lead = config.encoder.lead();
                let seen = (at + lead).checked_sub(config.encoder.receptive_field());
                prop_assert_eq!(got.count, seen.map_or(0, |n| n / config.encoder.hop() + 1));
                if at == length {
                    break;
                }
            }
            got.extend(&stream.finish().unwrap());
            prop_assert_eq!(got.count, config.encoder.frames(length));
            let want = Frames { count: got.count, layers: vec![values(&latents.z), got.layers[1].clone(), values(&latents.c)] };
            prop_assert!(far(&got, &want) < 1e-5, "{}", far(&got, &want));
            // Long pieces processed on all threads give the same features, layer by layer.
            let (mut whole, mut at) = (Frames::default(), 0);
            let next = || {
                let piece = samples[at..(at + 9_000).min(length)].to_vec();
                at += piece.len();
                Ok(piece)
            };
            stream.run(false, next, |frames| { whole.extend(&frames); Ok(()) }).unwrap();
            prop_assert!(far(&got, &whole) < 1e-5, "{}", far(&got, &whole));
        }
    }
}

#[test]
fn writes_a_file_an_utterance_in_the_tree_of_the_input() {
    let place = Place::with_model();
    let out = place.ok("extract model corpus --out features");
    assert!(out.contains("10 utterances") && out.contains("c (10)"), "{out}");
    let index: Value = serde_json::from_str(&fs::read_to_string(place.at("features/index.json")).unwrap()).unwrap();
    assert_eq!(index["complete"], true);
    assert_eq!((&index["hop"], &index["receptive_field"]), (&160.into(), &465.into()));
    assert_eq!(index["frame_rate"], 100.0);
    assert_eq!(index["utterances"][0]["id"], "s1-0");
    assert_eq!(index["utterances"][0]["file"], "s1/s1-0.npy");
    let tensor = Tensor::read_npy(place.at("features/s1/s1-0.npy")).unwrap();
    assert_eq!(tensor.dims(), [130, 10]);
    let set = FeatureSet::open(&place.at("features"), None).unwrap();
    assert_eq!((set.utterances().len(), set.dim(), set.frame_rate()), (10, 10, Some(100.0)));
    assert_eq!(set.utterances()[9].speaker.as_deref(), Some("s2"));
}

#[test]
fn concatenated_layers_are_the_layers_side_by_side() {
    let place = Place::with_model();
    place.ok("extract model corpus --layer c,z,c+z --out features");
    let rows = |layer: &str| {
        Tensor::read_npy(place.at("features").join(layer).join("s1/s1-0.npy")).unwrap().to_vec2::<f32>().unwrap()
    };
    let (c, z, both) = (rows("c"), rows("z"), rows("c+z"));
    assert!(both.iter().zip(c.iter().zip(&z)).all(|(row, (c, z))| *row == [c.as_slice(), z].concat()));
    place.fails("extract model corpus --layer c+c --out other", 2, &["c+c", "twice"]);
    place.fails("extract model corpus --layer c+q --out other", 2, &["`q` is none of"]);
}

#[test]
fn every_format_holds_the_same_numbers() {
    let place = Place::with_model();
    place.ok("extract model corpus --out npy --layer c,z");
    place.ok("extract model corpus --out st --layer c,z --format safetensors");
    place.ok("extract model corpus --out pq --layer c,z --format parquet");
    let mut names: Vec<_> =
        fs::read_dir(place.at("st")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["c.safetensors", "index.json", "z.safetensors"]);
    for layer in ["c", "z"] {
        let npy = FeatureSet::open(&place.at("npy"), Some(layer)).unwrap();
        let st = FeatureSet::open(&place.at("st"), Some(layer)).unwrap();
        assert_eq!(npy.utterances(), st.utterances());
        let read = candle_core::safetensors::load(place.at(&format!("st/{layer}.safetensors")), &Device::Cpu).unwrap();
        let (mut a, mut b, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for (i, utterance) in npy.utterances().iter().enumerate() {
            npy.read(i, &mut a).unwrap();
            st.read(i, &mut b).unwrap();
            assert_eq!(a, b);
            assert_eq!(read[&utterance.id].flatten_all().unwrap().to_vec1::<f32>().unwrap(), a);
            all.extend_from_slice(&a);
        }
        assert_eq!(parquet_vectors(&place.at(&format!("pq/{layer}.parquet"))), all);
    }
    fs::write(place.at("x.item"), ITEM).unwrap();
    let (message, code) = place.refused("abx npy x.item");
    assert!(code == 2 && message.contains("several layers: c, z"), "{message}");
}

/// The values of the vectors in a parquet file, in row order.
fn parquet_vectors(path: &Path) -> Vec<f32> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    let file = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let mut values = Vec::new();
    for (i, row) in file.get_row_iter(None).unwrap().enumerate() {
        let row = row.unwrap();
        if i == 131 {
            // The second frame of the second utterance.
            assert_eq!((row.get_string(0).unwrap().as_str(), row.get_string(1).unwrap().as_str()), ("s1-1", "s1"));
            assert_eq!((row.get_int(2).unwrap(), row.get_double(3).unwrap()), (1, 79.0 / 16_000.0 + 0.01));
        }
        values.extend(list_values(row.get_list(4).unwrap()));
    }
    values
}

/// The values of a list.
pub(super) fn list_values(list: &parquet::record::List) -> Vec<f32> {
    let float = |field: &parquet::record::Field| match field {
        parquet::record::Field::Float(v) => *v,
        other => panic!("{other}"),
    };
    list.elements().iter().map(float).collect()
}

#[test]
fn normalized_utterances_have_mean_zero_and_variance_one() {
    let place = Place::with_model();
    place.ok("extract model corpus --out raw");
    place.ok("extract model corpus --out mean --normalize mean");
    place.ok("extract model corpus --out both --normalize mean-var");
    let open = |name: &str| FeatureSet::open(&place.at(name), None).unwrap();
    let (raw, mean, both) = (open("raw"), open("mean"), open("both"));
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    raw.read(3, &mut a).unwrap();
    mean.read(3, &mut b).unwrap();
    both.read(3, &mut c).unwrap();
    let column = |rows: &[f32]| rows.iter().step_by(10).copied().map(f64::from).collect::<Vec<_>>();
    let moments = |v: &[f64]| {
        let m = v.iter().sum::<f64>() / v.len() as f64;
        (m, v.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / v.len() as f64)
    };
    let (a, b, c) = (column(&a), column(&b), column(&c));
    let (m, v) = moments(&a);
    assert!(a.iter().zip(&b).all(|(a, b)| (a - m - b).abs() < 1e-6));
    assert!(a.iter().zip(&c).all(|(a, c)| ((a - m) / v.sqrt() - c).abs() < 1e-4));
}

#[test]
fn goes_on_where_it_was_and_refuses_another_models_directory() {
    let place = Place::with_model();
    place.ok("extract model corpus --out features");
    let path = place.at("features/s1/s1-0.npy");
    let whole = fs::read(&path).unwrap();
    // As after a kill: one file is finished, the others are missing or half-written, and the index is not complete.
    fs::remove_file(place.at("features/s1/s1-1.npy")).unwrap();
    fs::write(place.at("features/s2/s2-0.npy"), &whole[..500]).unwrap();
    fs::rename(place.at("features/s2/s2-1.npy"), place.at("features/s2/.s2-1.npy.tmp")).unwrap();
    let index = fs::read_to_string(place.at("features/index.json")).unwrap();
    fs::write(place.at("features/index.json"), index.replace("\"complete\": true", "\"complete\": false")).unwrap();
    fs::write(place.at("x.item"), ITEM).unwrap();
    let (message, code) = place.refused("abx features x.item");
    assert!(code == 1 && message.contains("was not finished"), "{message}");
    let marker = fs::metadata(&path).unwrap().modified().unwrap();
    place.ok("extract model corpus --out features");
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), marker, "made again");
    place.ok("extract model corpus --out anew");
    let (a, b) = (place.tree("features"), place.tree("anew"));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    assert!(a.iter().all(|(name, bytes)| name.ends_with("index.json") || *bytes == b[name]));
    for args in ["extract model corpus --out features --layer z", "extract model corpus --out corpus"] {
        let (message, code) = place.refused(args);
        assert!(code == 2 && message.contains("--out"), "{message}");
    }
}

#[test]
fn bad_files_are_all_named_or_left_out() {
    let place = Place::with_model();
    wav(&place.at("corpus/s1/short.wav"), 0.02, 200.0);
    let whole = fs::read(recording("tone.flac")).unwrap();
    fs::write(place.at("corpus/s2/cut.flac"), &whole[..whole.len() / 2]).unwrap();
    let (message, code) = place.refused("extract model corpus --out features");
    assert_eq!(code, 1);
    assert!(message.contains("short.wav: is 0.020 s long, shorter than the 0.029 s that a frame sees"), "{message}");
    assert!(message.contains("cut.flac"), "{message}");
    assert!(!place.at("features").exists());
    place.ok("extract model corpus --out features --on-bad-file skip");
    let index: Value = serde_json::from_str(&fs::read_to_string(place.at("features/index.json")).unwrap()).unwrap();
    assert_eq!(index["utterances"].as_array().unwrap().len(), 10);
    assert_eq!(index["left_out"].as_array().unwrap().len(), 2);
    // A file that turns out to be damaged during extraction leaves nothing behind.
    fs::remove_file(place.at("corpus/s1/short.wav")).unwrap();
    fs::remove_file(place.at("corpus/s2/cut.flac")).unwrap();
    for (args, part) in [
        ("extract model corpus --layer c:3 --out x", "the context network has 1 layers"),
        ("extract model corpus --layer d --out x", "none of z, c"),
        ("extract model - corpus --out x", "`-`"),
        ("extract model corpus --out x --rate 8000", "--rate is for standard input"),
        ("extract nothing corpus --out x", "nothing"),
        ("extract model corpus", "--out"),
    ] {
        let (message, _) = place.refused(args);
        assert!(message.contains(part), "{args}: {message}");
        assert!(!place.at("x").exists());
    }
}

#[test]
fn single_files_and_several_inputs_are_taken() {
    let place = Place::with_model();
    place.ok("extract model corpus/s1/s1-0.wav corpus/s2 --out features");
    let set = FeatureSet::open(&place.at("features"), None).unwrap();
    assert_eq!(set.utterances().len(), 6);
    let (message, code) = place.refused("extract model corpus corpus/s1/s1-0.wav --out twice");
    assert!(code == 1 && message.contains("`s1-0` names"), "{message}");
}

#[test]
fn spectral_features_are_written_like_a_models() {
    let place = Place::with_model();
    let out = place.ok("extract mfcc corpus --out mfcc");
    // The features have a directory of that name now; the word still means the features.
    place.ok("extract mfcc corpus/s1 --out mfcc-s1");
    place.ok("probe mfcc --labels speaker --folds 2");
    place.fails("extract mfcc corpus --layer z --out q", 2, &["--layer z", "no layers"]);
    assert!(out.contains("10 utterances") && out.contains("mfcc (39)"), "{out}");
    let set = FeatureSet::open(&place.at("mfcc"), None).unwrap();
    assert_eq!((set.dim(), set.frame_rate(), set.utterances()[0].frames), (39, Some(100.0), 130));
    assert!(place.at("mfcc/s2/s2-4.npy").is_file());
    place.ok("extract mfcc corpus --normalize mean --out mean");
    let (mut raw, mut mean) = (Vec::new(), Vec::new());
    set.read(3, &mut raw).unwrap();
    FeatureSet::open(&place.at("mean"), None).unwrap().read(3, &mut mean).unwrap();
    let of = |rows: &[f32]| rows.iter().step_by(39).map(|&v| f64::from(v)).collect::<Vec<_>>();
    let (raw, mean) = (of(&raw), of(&mean));
    let middle = raw.iter().sum::<f64>() / raw.len() as f64;
    assert!(raw.iter().zip(&mean).all(|(a, b)| (a - middle - b).abs() < 1e-4));
    let (message, code) = place.refused("extract logmel corpus --out x --format parquet");
    assert!(code == 2 && message.contains("logmel"), "{message}");
}

fn bytes(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[test]
fn a_stream_is_what_the_file_gives() {
    let place = Place::with_model();
    place.ok("extract model corpus/s1/s1-0.wav --out file --layer c,z");
    let set = |layer| FeatureSet::open(&place.at("file"), Some(layer)).unwrap();
    let (mut c, mut z) = (Vec::new(), Vec::new());
    set("c").read(0, &mut c).unwrap();
    set("z").read(0, &mut z).unwrap();
    let mut reader = hound::WavReader::open(place.at("corpus/s1/s1-0.wav")).unwrap();
    let pcm: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    let raw: Vec<u8> = pcm.iter().flat_map(|v| v.to_le_bytes()).collect();
    let run = |args: &str, input: Vec<u8>| place.cpc(args).write_stdin(input).output().unwrap();
    let out = run("extract model - --stream --layer c,z", raw.clone());
    assert!(out.status.success());
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.contains("22 numbers every 10.0 ms, final 19.5 ms"), "{said}");
    let rows = floats(&out.stdout);
    assert_eq!(rows.len(), 130 * 22);
    let close = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(rows.chunks_exact(22).zip(c.chunks_exact(10)).all(|(row, c)| close(&row[..10], c)));
    assert!(rows.chunks_exact(22).zip(z.chunks_exact(12)).all(|(row, z)| close(&row[10..], z)));
    let out = run("extract model - --stream --json", raw.clone());
    let lines: Vec<Value> =
        String::from_utf8(out.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((lines.len(), &lines[129]["frame"]), (130, &129.into()));
    assert_eq!(lines[1]["time"], 0.014938);
    let row: Vec<f32> = lines[129]["c"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    assert!(close(&row, &c[1290..]));
    // To files, from integers and from floats.
    let samples: Vec<f32> = pcm.iter().map(|&v| f32::from(v) / 32_768.0).collect();
    for (args, input) in
        [("extract model - --out pipe", raw.clone()), ("extract model - --encoding f32 --out pipe32", bytes(&samples))]
    {
        assert!(run(args, input).status.success());
        let set = FeatureSet::open(&place.at(args.rsplit(' ').next().unwrap()), None).unwrap();
        let mut rows = Vec::new();
        set.read(set.find("stdin").unwrap(), &mut rows).unwrap();
        assert!(close(&rows, &c));
    }
    let failed = run("extract model - --stream", raw[..1001].to_vec());
    assert!(String::from_utf8(failed.stderr).unwrap().contains("ends within a sample"));
    let failed = run("extract model - --stream --encoding f32", bytes(&[0.0, f32::NAN]));
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn a_stream_gives_frames_before_its_end_and_stops_when_nobody_reads() {
    use std::io::{Read, Write};
    let place = Place::with_model();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cpc"))
        .current_dir(place.at("."))
        .args(["extract", "model", "-", "--stream", "--rate", "8000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&vec![0; 16_000]).unwrap(); // one second at 8 kHz
    input.flush().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut frames = vec![0; 70 * 40];
    output.read_exact(&mut frames).unwrap(); // the input is still open
    drop(output);
    // The next frames are written to a closed pipe, which is not a failure.
    for _ in 0..50 {
        if input.write_all(&vec![0; 16_000]).is_err() {
            break;
        }
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_stream_that_waits_for_its_input_ends_at_once_when_asked_to() {
    use std::io::{Read, Write};
    let place = Place::with_model();
    for signal in ["INT", "TERM"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cpc"))
            .current_dir(place.at("."))
            .args(["extract", "model", "-", "--stream"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&vec![0; 32_000]).unwrap();
        input.flush().unwrap();
        child.stdout.take().unwrap().read_exact(&mut vec![0; 70 * 40]).unwrap(); // now it waits for more
        assert!(Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        drop(input);
    }
}
