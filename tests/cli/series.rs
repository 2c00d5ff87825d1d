//! CPC on series of several channels, and fine-tuning, from the user's point of view: recordings in; features, classifiers, predictions out.

use super::place::Place;
use cpc::features::NpyFile;
use std::f64::consts::TAU;
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// A run that takes a second.
const TINY: &str = "
preset = 'motion'
[encoder]
hidden_dim = 12
[context]
hidden_dim = 10
[heads]
steps = 3
[objective]
num_negatives = 16
[data]
window = 40
[train]
steps = 24
batch_size = 4
warmup_steps = 0
schedule = 'constant'
log_every = 4
valid_every = 8
checkpoint_every = 6
";

/// A table with times at `rate`: a slow or a fast swing in x, its double in y, and small steps that no two recordings share.
fn swing(place: &Place, file: &str, rate: f64, frames: usize, fast: bool, number: usize) {
    let path = place.at(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut text = String::from("time,x,y\n");
    for i in 0..frames {
        let t = i as f64 / rate;
        let value = (TAU * t * if fast { 4.0 } else { 1.0 } + number as f64).sin();
        let step = ((i * 7919 + number * 104_729) % 1000) as f64 / 5000.0;
        text += &format!("{t},{},{}\n", value + step, 2.0 * value - step);
    }
    fs::write(path, text).unwrap();
}

/// Four subjects with six recordings each, of which every second is fast.
pub fn place() -> Place {
    let place = Place::new();
    let mut labels = String::new();
    for s in 0..4 {
        for r in 0..6 {
            let name = format!("s{s}-{r}");
            swing(&place, &format!("watch/s{s}/{name}.csv"), 50.0, 120 + 10 * r, r % 2 == 0, s * 6 + r);
            labels += &format!("{name}\t{}\n", if r % 2 == 0 { "fast" } else { "slow" });
        }
    }
    fs::write(place.at("labels.tsv"), labels).unwrap();
    fs::write(place.at("series.toml"), TINY).unwrap();
    place
}

#[test]
fn a_run_on_series_makes_a_model_that_resumes_exactly() {
    let place = place();
    let run = "pretrain watch --config series.toml";
    let said = place.ok(&format!("{run} --out whole"));
    assert!(said.contains("  k   ahead") && said.contains("40.0 ms") && said.contains("model: whole/model"), "{said}");
    place.ok(&format!("{run} --steps 6 --out cut"));
    place.ok("pretrain --resume --steps 24 --out cut");
    for file in ["model.safetensors", "optimizer.safetensors", "config.json"] {
        let file = format!("checkpoints/step-24/{file}");
        assert_eq!(place.bytes(&format!("whole/{file}")), place.bytes(&format!("cut/{file}")), "{file}");
    }
    let config = fs::read_to_string(place.at("whole/config.toml")).unwrap();
    assert!(
        config.contains("channels = [\n    \"x\",\n    \"y\",\n]") || config.contains("channels = [\"x\", \"y\"]"),
        "{config}"
    );
    let told = place.ok("info whole/model");
    assert!(told.contains("2 channels, 50 samples per second: x, y") && told.contains("over the corpus"), "{told}");
    // A model goes on from another, with its channels, its rate and its scales.
    place.ok(&format!("{run} --init whole/model --steps 8 --out next"));
    let scales = |run: &str| {
        let json: serde_json::Value =
            serde_json::from_slice(&place.bytes(&format!("{run}/model/config.json"))).unwrap();
        json["moments"].clone()
    };
    assert_eq!(scales("whole"), scales("next"));
    place.fails(
        &format!("{run} --init whole/model --set data.sample_rate=25.0 --out other"),
        2,
        &["data.sample_rate: 25 is asked for, and the model that training starts from has 50"],
    );
    assert!(place.ok("info whole").contains("windows per second"));
}

#[test]
fn features_are_the_same_in_files_in_a_stream_and_for_channels_in_another_order() {
    let place = place();
    place.ok("pretrain watch --config series.toml --steps 8 --out run");
    place.ok("extract run watch --out features --layer c,z");
    let frames = |file: &str| {
        let mut rows = Vec::new();
        NpyFile::open(&place.at(file)).unwrap().read(&mut rows).unwrap();
        rows
    };
    let c = frames("features/c/s1/s1-3.npy");
    assert_eq!((c.len(), frames("features/z/s1/s1-3.npy").len()), (75 * 10, 75 * 12));
    let again = place.ok("extract run watch --out features --layer c,z");
    assert!(again.contains("24 recordings"), "{again}");

    // The same recording with its columns in another order, and one that is not the model's.
    let text = fs::read_to_string(place.at("watch/s1/s1-3.csv")).unwrap();
    let swapped: String = text
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{},{},{},{}\n", cells[0], cells[2], cells[1], if cells[0] == "time" { "other" } else { "1" })
        })
        .collect();
    fs::create_dir_all(place.at("swapped/s1")).unwrap();
    fs::write(place.at("swapped/s1/s1-3.csv"), swapped).unwrap();
    place.ok("extract run swapped --out swapped-features");
    assert_eq!(frames("swapped-features/s1/s1-3.npy"), c);

    // A stream of 32-bit floats, sample after sample.
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("cpc"))
        .args(["extract", "run", "-", "--stream", "--quiet"])
        .current_dir(place.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let values = text.lines().skip(1).flat_map(|line| line.split(',').skip(1).map(|v| v.parse::<f32>().unwrap()));
    let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    let mut stdin = child.stdin.take().unwrap();
    bytes.chunks(77).for_each(|piece| stdin.write_all(piece).unwrap());
    drop(stdin);
    let out = child.wait_with_output().unwrap();
    let streamed: Vec<f32> = out.stdout.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(streamed.len(), c.len());
    assert!(streamed.iter().zip(&c).all(|(a, b)| (a - b).abs() < 1e-5));

    // One row for each recording.
    place.ok("extract run watch --out pooled --pool mean+deviation");
    let pooled = frames("pooled/s1/s1-3.npy");
    let mean: f32 = c.chunks(10).map(|row| row[4]).sum::<f32>() / 75.0;
    assert!(pooled.len() == 20 && (pooled[4] - mean).abs() < 1e-5);
    place.ok("extract run watch --out windows --pool windows:0.4/0.2");
    assert_eq!(frames("windows/s1/s1-3.npy").len(), 14 * 10);
    place.fails(
        "extract run watch --out both --pool mean --normalize mean",
        2,
        &["the mean of normalized frames is 0"],
    );
    place.fails("extract run corpus --out x", 1, &["no file in it is a recording (looked for .npy, .csv"]);
}

#[test]
fn a_probe_compares_with_statistics_and_an_untrained_model() {
    let place = place();
    place.ok("pretrain watch --config series.toml --steps 8 --out run");
    let said = place
        .ok("probe run --data watch --labels labels.tsv --folds 3 --baselines random,statistics --pool mean+deviation");
    assert!(said.contains("run ") && said.contains("random") && said.contains("statistics"), "{said}");
    assert!(said.contains("chance     50.00 %  (2 classes)"), "{said}");
    // Folds do not divide a subject.
    let probe = "probe run --data watch --labels labels.tsv --folds 5";
    place.fails(probe, 1, &["--folds 5 with 4 subjects", "--division recording"]);
    place.ok(&format!("{probe} --division recording"));
    let told = place.ok("info watch");
    for words in ["recordings 24", "subjects   4", "50 Hz", "CSV", "problems   none"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_table_with_a_column_of_subjects_is_a_recording_of_each() {
    let place = place();
    let mut all = String::from("participant,time,x,y\n");
    for s in 0..4 {
        let text = fs::read_to_string(place.at(&format!("watch/s{s}/s{s}-0.csv"))).unwrap();
        text.lines().skip(1).for_each(|line| all += &format!("p{s},{line}\n"));
    }
    fs::create_dir(place.at("long")).unwrap();
    fs::write(place.at("long/all.csv"), all).unwrap();
    let told = place.ok("info long");
    assert!(told.contains("recordings 4") && told.contains("subjects   4"), "{told}");
    place.ok("pretrain long --config series.toml --steps 8 --set data.valid_share=0.5 --out run");
    let config: serde_json::Value = serde_json::from_slice(&place.bytes("run/model/config.json")).unwrap();
    assert_eq!(config["channels"], serde_json::json!(["x", "y"]));
    place.ok("extract run long --out features");
    assert!(place.at("features/all_p2.npy").is_file());
    let lists = ["train", "test"].map(|name| place.at(&format!("{name}.txt")));
    fs::write(&lists[0], "all:p0\nall:p1\n").unwrap();
    fs::write(&lists[1], "all:p2\nall:p3\n").unwrap();
    fs::write(place.at("whose.tsv"), "all:p0\ta\nall:p1\tb\nall:p2\ta\nall:p3\tb\n").unwrap();
    place.ok("probe run --data long --labels whose.tsv --train train.txt --test test.txt");
    place.ok("finetune run --data long --labels whose.tsv --test test.txt --steps 4 --out tuned");
    place.fails(
        "pretrain long --config series.toml --set data.subject=who --out x",
        1,
        &["all.csv: has no column who"],
    );
}

#[test]
fn a_classifier_is_tuned_resumed_and_applied() {
    let place = place();
    place.ok("pretrain watch --config series.toml --out run");
    let tune =
        "finetune run --data watch --labels labels.tsv --set train.valid_every=10 --set train.checkpoint_every=20";
    let said = place.ok(&format!("{tune} --steps 60 --set train.lr=0.02 --body-lr 0.5 --out whole"));
    assert!(said.contains("accuracy on the test recordings") && said.contains("model: whole/model"), "{said}");
    // Subjects are tested that are not trained on.
    let lists = ["train", "test"].map(|name| fs::read_to_string(place.at(&format!("whole/{name}.txt"))).unwrap());
    let subjects = |list: &str| list.lines().map(|id| id[..2].to_string()).collect::<std::collections::BTreeSet<_>>();
    assert!(subjects(&lists[0]).is_disjoint(&subjects(&lists[1])), "{lists:?}");

    // Interrupted, and resumed to the same bytes.
    place.ok(&format!("{tune} --steps 20 --set train.lr=0.02 --body-lr 0.5 --out cut"));
    place.ok(&format!("{tune} --steps 60 --set train.lr=0.02 --body-lr 0.5 --out cut"));
    for file in ["model.safetensors", "optimizer.safetensors"] {
        let file = format!("checkpoints/step-60/{file}");
        assert_eq!(place.bytes(&format!("whole/{file}")), place.bytes(&format!("cut/{file}")), "{file}");
    }
    // The body of a frozen classifier is that of the model.
    place.ok(&format!("{tune} --steps 20 --body-lr 0 --out frozen"));
    let tensors = |dir: &str| cpc::weights::read_tensors(&place.at(dir).join("model.safetensors")).unwrap();
    let (frozen, run) = (tensors("frozen/model"), tensors("run/model"));
    let values = |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!(
        run.iter().filter(|(name, _)| !name.starts_with("wPrediction")).all(|(n, t)| values(t) == values(&frozen[n]))
    );

    let told = place.ok("info whole/model");
    assert!(told.contains("classes          fast, slow") && told.contains(" test recordings"), "{told}");
    let said = place.ok("predict whole watch/s0 watch/s1");
    assert_eq!(said.lines().count(), 13, "{said}");
    place.ok("predict whole watch --out p.csv");
    let table = fs::read_to_string(place.at("p.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("recording,subject,predicted,p(fast),p(slow)"));
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let shares: f64 = cells[3..].iter().map(|p| p.parse::<f64>().unwrap()).sum();
        assert!((shares - 1.0).abs() < 1e-5 && cells[0].starts_with(cells[1]), "{line}");
    }
    place.ok("predict whole watch --out p.parquet");
    place.ok("predict whole watch --out p.npy");
    assert!(place.at("p.parquet").is_file() && place.at("p.npy").is_file());
    place.fails("predict run watch", 2, &["cpc predict is not for models of this kind"]);
    place.fails("predict whole watch --out p.doc", 2, &["no format is called `doc`"]);
    place.fails("finetune whole --data watch --labels labels.tsv --out x", 2, &["a model of the kind cpc-classifier"]);
}

#[test]
fn shares_of_the_labels_are_compared_in_one_table() {
    let place = place();
    place.ok("pretrain watch --config series.toml --steps 8 --out run");
    let curve = "finetune run --data watch --labels labels.tsv --fraction 0.2,1 --steps 20 --set train.valid_every=10 --out curve";
    let said = place.ok(curve);
    for words in ["20 %", "100 %", "fine-tuned", "linear probe", "from scratch", "statistics", "curve.svg"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let list = |share: &str| fs::read_to_string(place.at(&format!("curve/{share}-percent/tuned/train.txt"))).unwrap();
    let (few, all) = (list("20"), list("100"));
    assert!(few.lines().count() < all.lines().count() && few.lines().all(|id| all.lines().any(|other| other == id)));
    assert!(place.bytes("curve/curve.svg").starts_with(b"<svg"));
    // Again: nothing is trained twice.
    let before = place.bytes("curve/20-percent/scratch/metrics.jsonl");
    assert_eq!(place.ok(curve), said);
    assert_eq!(place.bytes("curve/20-percent/scratch/metrics.jsonl"), before);
}

#[test]
fn several_labels_a_recording_and_audio_by_speaker() {
    let place = place();
    place.ok("pretrain watch --config series.toml --steps 8 --out run");
    let labels: String = (0..4)
        .flat_map(|s| (0..6).map(move |r| (s, r)))
        .map(|(s, r)| format!("s{s}-{r}\t{}\n", ["fast, even", "-", "even", "odd;fast", "fast", "odd"][r]))
        .collect();
    fs::write(place.at("many.tsv"), labels).unwrap();
    let said = place.ok(
        "finetune run --data watch --labels many.tsv --multi-label --head attention --balanced --steps 20 --out many",
    );
    assert!(said.contains("macro auroc on the test recordings"), "{said}");
    place.ok("predict many watch --out many.csv");
    let table = fs::read_to_string(place.at("many.csv")).unwrap();
    assert!(table.starts_with("recording,subject,predicted,p(even),p(fast),p(odd)\n"), "{table}");

    place.ok("pretrain corpus --config tiny.toml --steps 6 --out audio");
    let said = place.ok(
        "finetune audio --data corpus --labels speaker --head hidden --steps 10 --set data.test_share=0.4 --out voices",
    );
    assert!(said.contains("accuracy on the test recordings"), "{said}");
    assert!(place.ok("predict voices corpus").contains("s1-0"));
}

#[test]
fn what_cannot_be_used_is_named() {
    let place = place();
    place.ok("pretrain watch --config series.toml --steps 8 --out run");
    let (run, tune) = ("pretrain bad --config series.toml --out x", "finetune run --data watch --out y");
    let write = |name: &str, text: &str| {
        let path = place.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let put = |text: &str| {
        let _ = fs::remove_dir_all(place.at("bad"));
        swing(&place, "bad/s0/a.csv", 50.0, 200, true, 1);
        swing(&place, "bad/s1/b.csv", 50.0, 200, false, 2);
        write("bad/s1/c.csv", text);
    };
    put("time,x\n0,1\n0.02,2\n0.04,4\n");
    place.fails(run, 1, &["c.csv: has 1 channels (x), not 2 (x, y)"]);
    put("time,x,y\n0,0,0\n0.02,0,0\n0.04,0,0\n");
    place.fails(run, 1, &["c.csv: is constant: no channel changes"]);
    put("time,x,y\n0,1,1e60\n0.02,2,3\n0.04,4,5\n");
    place.fails(run, 1, &["c.csv: has a value in frame 0 of channel y that no 32-bit float holds"]);
    put("time,x,y\n0,1,2\n");
    place.fails(run, 1, &["c.csv: "]);
    put("x,y\n1,2\n2,1\n");
    place.fails(run, 1, &["c.csv: does not say how many frames per second it has; give --rate"]);
    let text: String = (0..100).map(|i| format!("{},{},{}\n", f64::from(i) / 20.0, i % 7, i % 5)).collect();
    put(&format!("time,x,y\n{text}"));
    place.fails(run, 1, &["recordings have different rates: 50 and, in", "c.csv, 20"]);
    place.ok(&format!("{run} --set data.sample_rate=20.0 --set data.window=24 --steps 4"));
    put("time,x,y\n0,1,2\n0.02,2,3\n0.03,4,5\n0.1,1,1\n0.11,2,2\n");
    place.fails(&format!("{run} --overwrite"), 1, &["c.csv: is not evenly sampled"]);
    place.ok(&format!("{run} --overwrite --on-bad-file skip --steps 4"));
    // An array that ends before its header says.
    put("");
    fs::remove_file(place.at("bad/s1/c.csv")).unwrap();
    let mut npy = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (100, 2), }";
    npy.extend(format!("{header:<117}\n").bytes());
    npy.extend([0; 40]);
    fs::write(place.at("bad/s1/c.npy"), npy).unwrap();
    place.fails(&format!("{run} --overwrite --rate 50"), 1, &["c.npy: "]);
    place.fails("extract run bad --out z --rate 50", 1, &["c.npy: "]);

    write("unknown.tsv", "s0-0\tfast\ns0-1\tslow\nnobody\tslow\n");
    place.fails(&format!("{tune} --labels unknown.tsv"), 1, &["labels `nobody`, and no recording of"]);
    write("one.tsv", "s0-0\tfast\ns0-1\tfast\ns1-0\tfast\n");
    place.fails(&format!("{tune} --labels one.tsv"), 1, &["the training recordings are all of one class, `fast`"]);
    write("alone.tsv", "s0-0\tfast\ns0-1\tslow\ns1-0\todd\n");
    write("test.txt", "s1-0\n");
    place.fails(
        &format!("{tune} --labels alone.tsv --test test.txt"),
        1,
        &["s1-0.csv: is of the class `odd`, which no training recording has"],
    );
    write("both.txt", "s0-0\ns1-0\n");
    place.fails(
        &format!("{tune} --labels labels.tsv --train both.txt --test test.txt"),
        2,
        &["s1-0 is in", "either trained on or tested"],
    );
    place.fails(&format!("{tune} --labels labels.tsv --fraction 2"), 2, &["--fraction 2: not a share"]);
    assert!(!place.at("y/model").exists() && !place.at("z").exists());
}

/// Files of the form of PTB-XL: WFDB records of 12 leads in format 16, and its table of statements and folds.
fn ptbxl(place: &Place) {
    let leads = ["I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"];
    let mut table = String::from("ecg_id,patient_id,age,scp_codes,strat_fold,filename_lr,filename_hr\n");
    fs::create_dir_all(place.at("ptb-xl/records100/00000")).unwrap();
    for n in 1..=30usize {
        let name = format!("{n:05}_lr");
        let mut header = format!("{name} 12 100 400\n");
        for lead in leads {
            header += &format!("{name}.dat 16 1000.0(0)/mV 16 0 0 0 0 {lead}\n");
        }
        fs::write(place.at(&format!("ptb-xl/records100/00000/{name}.hea")), header).unwrap();
        let beat = if n % 3 == 0 { 8.0 } else { 3.0 };
        let samples = (0..400usize).flat_map(|t| {
            (0..12usize).map(move |lead| {
                let wave = (TAU * t as f64 / 100.0 * beat + lead as f64 / 3.0 + n as f64).sin();
                (800.0 * wave) as i16 + ((t * 7919 + lead * 31 + n * 104_729) % 100) as i16
            })
        });
        let bytes: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
        fs::write(place.at(&format!("ptb-xl/records100/00000/{name}.dat")), bytes).unwrap();
        let codes = if n % 3 == 0 { "{'NORM': 100.0, 'SR': 0.0}" } else { "{'IMI': 15.0, 'SR': 0.0}" };
        let codes = if n % 4 == 0 { "{'AFIB': 0.0}" } else { codes };
        let (fold, patient) = ((n - 1) % 10 + 1, 1000 + n);
        table +=
            &format!("{n},{patient}.0,56.0,\"{codes}\",{fold},records100/00000/{name},records500/00000/{n:05}_hr\n");
    }
    fs::write(place.at("ptb-xl/ptbxl_database.csv"), table).unwrap();
}

#[test]
fn the_whole_path_runs_on_files_of_the_form_of_ptb_xl() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        eprintln!("not run: there is no python3");
        return;
    }
    let place = Place::new();
    ptbxl(&place);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/ptbxl_labels.py");
    let mut python = std::process::Command::new("python3");
    let status = python.arg(script).args(["ptb-xl", "lists"]).current_dir(place.dir.path()).status().unwrap();
    assert!(status.success());
    assert!(fs::read_to_string(place.at("lists/labels.tsv")).unwrap().starts_with("00001_lr\tIMI,SR\n"));

    let told = place.ok("info ptb-xl/records100");
    for words in ["recordings 30", "100 Hz", "WFDB", "AVR      mV", "problems   none"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let small =
        "--set encoder.hidden_dim=12 --set context.hidden_dim=10 --set context.num_layers=2 --set data.window=240";
    place.ok(&format!(
        "pretrain ptb-xl/records100 --preset ecg-cpc {small} --steps 6 --batch-size 4 --set data.sample_rate=240.0 --out ecg"
    ));
    let lists = "--labels lists/labels.tsv --train lists/train.txt --test lists/test.txt --multi-label";
    let said = place.ok(&format!("probe ecg --data ptb-xl/records100 {lists} --baselines statistics"));
    for words in ["macro AUROC", "ecg ", "statistics", "4 labels; 27 training and 3 test recordings", "  IMI  "] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let said = place.ok(&format!("finetune ecg --data ptb-xl/records100 {lists} --steps 10 --out tuned"));
    assert!(said.contains("macro auroc on the test recordings"), "{said}");
    place.ok("predict tuned ptb-xl/records100 --out diagnoses.csv");
    assert!(fs::read_to_string(place.at("diagnoses.csv")).unwrap().contains("p(AFIB),p(IMI),p(NORM),p(SR)"));
}
