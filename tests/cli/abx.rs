//! `cpc abx` from the user's point of view, and its golden case.

use assert_cmd::Command;
use cpc::eval::abx::{AbxConfig, AbxReport, AbxRow, Distance, ItemContext, ItemFile, Mode, Sampling, Slicing, abx};
use cpc::features::FeatureSet;
use cpc::seed::stream;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const HEADER: &str = "#file onset offset #phone prev-phone next-phone speaker\n";

fn write_npy(path: &Path, rows: &[f32], dim: usize) {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {dim}), }}", rows.len() / dim);
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    rows.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    fs::write(path, bytes).unwrap();
}

/// A directory of features and an item file.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("features")).unwrap();
        Place { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn utterance(&self, name: &str, rows: &[f32], dim: usize) {
        write_npy(&self.path(&format!("features/{name}.npy")), rows, dim);
    }

    fn items(&self, lines: &str) {
        fs::write(self.path("x.item"), format!("{HEADER}{lines}")).unwrap();
    }

    /// Two utterances of 20 frames by two speakers, and triples for both modes.
    fn small() -> Place {
        let place = Place::new();
        let mut chance = stream(4, "small", 0);
        let mut lines = String::new();
        for speaker in ["s1", "s2"] {
            let rows: Vec<f32> = (0..40).map(|_| chance.normal()).collect();
            place.utterance(&format!("u-{speaker}"), &rows, 2);
            for (on, phone) in [(0.00, "a"), (0.05, "a"), (0.10, "b")] {
                writeln!(lines, "u-{speaker} {on:.2} {:.2} {phone} x y {speaker}", on + 0.06).unwrap();
            }
        }
        place.items(&lines);
        place
    }

    fn report(&self, config: &AbxConfig) -> AbxReport {
        let features = FeatureSet::open(&self.path("features"), None).unwrap();
        abx(&features, &ItemFile::read(&self.path("x.item")).unwrap(), config, &|_, _, _| {}).unwrap()
    }

    fn cpc(&self, args: &[&str]) -> (String, String, i32) {
        let mut command = Command::cargo_bin("cpc").unwrap();
        let out = command.arg("abx").arg(self.path("features")).arg(self.path("x.item")).args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(out.stdout), text(out.stderr), out.status.code().unwrap())
    }

    /// The complete message of a run that must fail, and its exit code.
    fn failure(&self, args: &[&str]) -> (String, i32) {
        let (stdout, stderr, code) = self.cpc(args);
        assert_eq!(stdout, "", "{stderr}");
        (stderr, code)
    }
}

#[test]
fn agrees_with_cpc_audio_on_the_golden_case() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/abx");
    let expected: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.join("expected.json")).unwrap()).unwrap();
    let features = FeatureSet::open(&dir.join("features"), None).unwrap();
    let items = ItemFile::read(&dir.join("triphones.item")).unwrap();
    let config = AbxConfig {
        distances: vec![Distance::Angular, Distance::Euclidean],
        frame_rate: Some(100.0),
        ..AbxConfig::default()
    };
    let report = abx(&features, &items, &config, &|_, _, _| {}).unwrap();
    assert_eq!((report.items, report.too_short, report.rows.len()), (7319, 0, 4));
    for row in &report.rows {
        let distance = if row.distance == Distance::Angular { "cosine" } else { "euclidian" };
        let (mode, triples) = if row.mode == Mode::Within { ("within", 34_226) } else { ("across", 97_270) };
        let want = expected["scores"][distance][mode].as_f64().unwrap();
        // In single precision, CPC_audio decides one angular triple of the within mode differently from double precision (0.39170429),
        // which agrees with the result here: a difference of 1e-5. The other scores agree to 1e-7.
        assert!((row.error.unwrap() - want).abs() < 2e-5, "{mode} {distance}: {:?}, not {want}", row.error);
        // Counted from the item file alone.
        assert_eq!(row.triples, triples, "{mode}");
        assert_eq!(row.pairs.iter().map(|p| p.triples).sum::<u64>(), row.triples);
    }
}

/// An item of a random test: context, speaker, phone and frames.
struct Token {
    context: usize,
    speaker: usize,
    phone: usize,
    frames: Vec<Vec<f64>>,
}

/// CPC_audio's distance between two items, in double precision.
fn plain_distance(x: &Token, a: &Token, distance: Distance) -> f64 {
    let (n, m) = (x.frames.len(), a.frames.len());
    let mut c = vec![vec![0.0f64; m]; n];
    for i in 0..n {
        for j in 0..m {
            let apart = x.frames[i].iter().zip(&a.frames[j]).map(|(p, q)| (p - q).powi(2)).sum::<f64>().sqrt();
            let d = match distance {
                Distance::Angular => 2.0 * (apart / 2.0).asin() / std::f64::consts::PI,
                _ => apart,
            };
            let before = |i: usize, j: usize| if i < n && j < m { c[i][j] } else { f64::INFINITY };
            let (up, left) = (before(i.wrapping_sub(1), j), before(i, j.wrapping_sub(1)));
            let least = up.min(left).min(before(i.wrapping_sub(1), j.wrapping_sub(1)));
            c[i][j] = d + if i + j == 0 { 0.0 } else { least };
        }
    }
    let (mut i, mut j, mut cells) = (n - 1, m - 1, 1);
    while i > 0 && j > 0 {
        let (up, left, diagonal) = (c[i - 1][j], c[i][j - 1], c[i - 1][j - 1]);
        if diagonal <= left && diagonal <= up {
            (i, j) = (i - 1, j - 1);
        } else if left <= up {
            j -= 1;
        } else {
            i -= 1;
        }
        cells += 1;
    }
    c[n - 1][m - 1] / (cells + i + j) as f64
}

/// The score computed triple by triple, following the definition: (error, triples).
fn plain_score(tokens: &[Token], mode: Mode, distance: Distance, pooled: bool) -> (f64, u64) {
    let near: Vec<Vec<f64>> =
        tokens.iter().map(|x| tokens.iter().map(|a| plain_distance(x, a, distance)).collect()).collect();
    // For (a, b, speaker of A, context, speaker of X): failures and triples.
    let mut cells: BTreeMap<[usize; 5], (f64, u64)> = BTreeMap::new();
    let context = |t: &Token| if pooled { 0 } else { t.context };
    for (x, tx) in tokens.iter().enumerate() {
        for (a, ta) in tokens.iter().enumerate() {
            let who = if mode == Mode::Within { x != a && tx.speaker == ta.speaker } else { tx.speaker != ta.speaker };
            if !who || tx.phone != ta.phone || context(tx) != context(ta) {
                continue;
            }
            for (b, tb) in tokens.iter().enumerate() {
                if tb.phone != ta.phone && tb.speaker == ta.speaker && context(tb) == context(ta) {
                    let (da, db) = (near[x][a], near[x][b]);
                    let fails = if da > db {
                        1.0
                    } else if da == db {
                        0.5
                    } else {
                        0.0
                    };
                    let cell = cells.entry([ta.phone, tb.phone, ta.speaker, context(ta), tx.speaker]).or_default();
                    *cell = (cell.0 + fails, cell.1 + 1);
                }
            }
        }
    }
    let mut by_speaker: BTreeMap<(usize, usize, usize), Vec<f64>> = BTreeMap::new();
    for ([a, b, s, ..], (fails, n)) in &cells {
        by_speaker.entry((*a, *b, *s)).or_default().push(fails / *n as f64);
    }
    let mean = |v: &Vec<f64>| v.iter().sum::<f64>() / v.len() as f64;
    let mut by_pair: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for ((a, b, _), errors) in &by_speaker {
        by_pair.entry((*a, *b)).or_default().push(mean(errors));
    }
    (mean(&by_pair.values().map(mean).collect()), cells.values().map(|c| c.1).sum())
}

/// Random items of 3 speakers, 4 phones and 3 contexts, in groups of 0 to about 6 items with 1 to 30 frames each.
fn random_place(seed: u64, dim: usize) -> (Place, Vec<Token>) {
    let place = Place::new();
    let mut chance = stream(seed, "items", 0);
    let (mut tokens, mut lines) = (Vec::new(), String::new());
    for speaker in 0..3 {
        let mut rows: Vec<f32> = Vec::new();
        for _ in 0..40 {
            let (phone, context) = (chance.below(4) as usize, chance.below(3) as usize);
            let (from, frames) = (rows.len() / dim, 1 + chance.below(30) as usize);
            rows.extend((0..frames * dim).map(|i| chance.normal() + if i % dim == phone { 1.0 } else { 0.0 }));
            let unit = |row: &[f32]| -> Vec<f64> {
                let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                row.iter().map(|&x| f64::from(x) / length).collect()
            };
            let frames = rows[from * dim..].chunks(dim).map(unit).collect();
            let (on, off) = (from as f64 / 50.0, (rows.len() / dim) as f64 / 50.0);
            writeln!(lines, "u{speaker} {on:.2} {off:.2} p{phone} c{context} z s{speaker}").unwrap();
            tokens.push(Token { context, speaker, phone, frames });
        }
        place.utterance(&format!("u{speaker}"), &rows, dim);
    }
    place.items(&lines);
    (place, tokens)
}

#[test]
fn agrees_with_the_definition_triple_by_triple() {
    for (seed, dim, context) in [(1, 3, ItemContext::Triphone), (2, 20, ItemContext::Any)] {
        let (place, tokens) = random_place(seed, dim);
        let config = AbxConfig {
            distances: vec![Distance::Angular, Distance::Euclidean],
            context,
            slicing: Slicing::Fastabx,
            frame_rate: Some(50.0),
            ..AbxConfig::default()
        };
        let report = place.report(&config);
        assert_eq!(report.items, tokens.len());
        for row in report.rows {
            let (error, triples) = plain_score(&tokens, row.mode, row.distance, context == ItemContext::Any);
            assert_eq!(row.triples, triples, "{:?} {:?}", row.mode, row.distance);
            let got = row.error.unwrap();
            assert!((got - error).abs() < 1e-4, "{:?} {:?}: {got}, not {error}", row.mode, row.distance);
            assert!((0.05..0.48).contains(&error), "the case says nothing: {error}");
        }
    }
}

#[test]
fn sub_sampling_is_the_same_for_a_seed_and_takes_fewer_triples() {
    let (place, _) = random_place(3, 4);
    let run = |max_group, max_x_across, seed| {
        let sampling = Sampling { max_group, max_x_across, seed };
        let config = AbxConfig {
            context: ItemContext::Any,
            slicing: Slicing::Fastabx,
            frame_rate: Some(50.0),
            sampling,
            ..AbxConfig::default()
        };
        place.report(&config).rows
    };
    let all = run(None, None, 1);
    assert_eq!(run(Some(1000), Some(1000), 2), all, "limits above every group change nothing");
    let few = run(Some(3), None, 1);
    assert_eq!(few, run(Some(3), None, 1));
    assert_ne!(few, run(Some(3), None, 2));
    // 3 speakers, 4 phones with 3 items: 3 x 4 x 3 (3 x 2 x 3) within and 3 x 4 x 3 x 2 (3 x 3 x 3) across.
    assert_eq!(few.iter().map(|r| r.triples).collect::<Vec<_>>(), [648, 1944]);
    // One of the two other speakers for each A: half of the across triples.
    let one = run(Some(3), Some(1), 1);
    assert_eq!(one.iter().map(|r| r.triples).collect::<Vec<_>>(), [648, 972]);
    assert_ne!(one[1].error, run(Some(3), Some(1), 7)[1].error);
}

#[test]
fn equal_items_count_half_and_are_never_nan() {
    // All frames equal: every distance is 0, and every triple is a tie. The same with all zeros.
    for value in [1.5f32, 0.0] {
        let place = Place::small();
        for u in ["u-s1", "u-s2"] {
            place.utterance(u, &[value; 40], 2);
        }
        for row in place.report(&AbxConfig { frame_rate: Some(100.0), ..AbxConfig::default() }).rows {
            assert_eq!(row.error, Some(0.5), "{value} {:?}", row.mode);
        }
    }
}

#[test]
fn prints_a_table_and_json() {
    let place = Place::small();
    let (table, stderr, code) = place.cpc(&["--frame-rate", "100", "--distance", "angular,euclidean"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stderr, "");
    let words: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["mode", "distance", "error", "%", "triples"]);
    assert_eq!(words.len(), 5, "{table}");
    // Within: 2 x 1 triples for each speaker (A, X = a, a). Across: for each speaker 2 x 2 x 1 with X = a, and 1 x 2 x 1 with X = b.
    assert_eq!((words[1][0], words[1][1], words[1][3]), ("within", "angular", "4"));
    assert_eq!((words[2][0], words[2][1], words[2][3]), ("across", "angular", "12"));
    let (json, _, _) =
        place.cpc(&["--frame-rate", "100", "--mode", "across", "--max-group", "5", "--seed", "3", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for (key, value) in [("slicing", "libri-light"), ("context", "triphone")] {
        assert_eq!(json[key], value);
    }
    assert_eq!(
        (&json["frame_rate"], &json["seed"], &json["sampling"]["max_group"]),
        (&100.0.into(), &3.into(), &5.into())
    );
    assert_eq!(json["rows"].as_array().unwrap().len(), 1);
    let row = &json["rows"][0];
    assert_eq!((&row["mode"], &row["distance"], &row["triples"]), (&"across".into(), &"angular".into(), &12.into()));
    assert_eq!(format!("{:.3}", 100.0 * row["error"].as_f64().unwrap()), words[2][2]);
    let pairs: Vec<_> = row["pairs"].as_array().unwrap().iter().map(|p| (&p["a"], &p["b"], &p["triples"])).collect();
    assert_eq!(pairs, [(&"a".into(), &"b".into(), &8.into()), (&"b".into(), &"a".into(), &4.into())]);
}

#[test]
fn takes_the_frame_rate_from_the_index_and_refuses_another_one() {
    let place = Place::small();
    let (message, code) = place.failure(&[]);
    assert_eq!(code, 2);
    assert!(message.contains("frame rate") && message.contains("--frame-rate HZ"), "{message}");
    for rate in ["0", "-1", "nan", "inf"] {
        assert_eq!(place.failure(&[&format!("--frame-rate={rate}")]).1, 2, "{rate}");
    }
    let files = ["u-s1", "u-s2"]
        .map(|id| format!(r#"{{"id": "{id}", "speaker": "-", "frames": 20, "seconds": 0.2, "file": "{id}.npy"}}"#));
    let index = format!(
        r#"{{"complete": true, "model": "m", "model_sha256": "0", "layers": [{{"name": "c", "dim": 2, "path": "."}}],
            "format": "npy", "normalize": "none", "sample_rate": 16000, "hop": 160, "receptive_field": 465,
            "frame_rate": 100.0, "first_frame_seconds": 0.005, "delay_ms": 19.5, "utterances": [{}]}}"#,
        files.join(", ")
    );
    fs::write(place.path("features/index.json"), index).unwrap();
    let (known, stderr, code) = place.cpc(&[]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(known, place.cpc(&["--frame-rate", "100"]).0);
    let (message, code) = place.failure(&["--frame-rate", "50"]);
    assert_eq!(code, 2);
    assert!(message.contains("--frame-rate 50") && message.contains("says 100"), "{message}");
}

#[test]
fn names_all_that_does_not_fit_at_once() {
    let place = Place::small();
    let mut lines = fs::read_to_string(place.path("x.item")).unwrap();
    // There are 20 frames: the last item may end at most one frame after them.
    lines += "u-s1 0.10 0.205 b x y s1\nu-s2 0.10 0.225 b x y s2\nu-s2 0.20 0.90 b x y s2\nlost 0.10 0.20 b x y s2\n";
    lines += "bad 0.0 0.1 a x y s2\n";
    place.items(lines.strip_prefix(HEADER).unwrap());
    place.utterance("bad", &[&[1.0, f32::NAN][..], &[1.0; 38][..]].concat(), 2);
    let (message, code) = place.failure(&["--frame-rate", "100", "--slicing", "fastabx"]);
    assert_eq!(code, 1);
    for part in [
        "x.item:9: `u-s2` has 20 frames, but at 100 frames per second its items reach to frame 90 (2 such items in all)",
        "x.item:11: the features have no utterance `lost`",
        "bad: dimension 1 of frame 0",
        "NaN",
        "--frame-rate, here 100",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
    assert!(!message.contains("`u-s1`"), "{message}");
}

#[test]
fn names_the_lines_that_are_no_items() {
    let place = Place::small();
    place.items("u-s1 0.0 0.1 a x y\nu-s1 0.1 zero a x y s1\n");
    let (message, code) = place.failure(&["--frame-rate", "100"]);
    assert_eq!(code, 1);
    assert!(message.contains("x.item:2: has 6 fields") && message.contains("x.item:3: offset `zero`"), "{message}");
}

#[test]
fn says_when_there_is_no_triple_and_why() {
    let place = Place::small();
    let one: String = fs::read_to_string(place.path("x.item")).unwrap();
    let one: String = one.lines().filter(|l| l.ends_with(" s1")).map(|l| format!("{l}\n")).collect();
    place.items(&one);
    let (message, code) = place.failure(&["--frame-rate", "100", "--mode", "across"]);
    assert_eq!(code, 1);
    assert!(message.contains("has no triple (across: ") && message.contains("--mode within"), "{message}");
    // With the other mode there is a result, and a warning about the mode that has none.
    let (table, stderr, code) = place.cpc(&["--frame-rate", "100"]);
    assert_eq!(code, 0);
    assert!(stderr.contains("warning: no triple across"), "{stderr}");
    let across = table.lines().find(|l| l.starts_with("across")).unwrap();
    assert_eq!(across.split_whitespace().collect::<Vec<_>>(), ["across", "angular", "-", "0"]);
}

#[test]
fn leaves_out_items_without_a_frame_and_says_so() {
    let place = Place::small();
    let lines = fs::read_to_string(place.path("x.item")).unwrap() + "u-s1 0.151 0.154 b x y s1\n";
    place.items(lines.strip_prefix(HEADER).unwrap());
    let (_, stderr, code) = place.cpc(&["--frame-rate", "100"]);
    assert_eq!(code, 0);
    assert!(stderr.contains("warning: 1 of 7 items are shorter than a frame"), "{stderr}");
    let features = FeatureSet::open(&place.path("features"), None).unwrap();
    let items = ItemFile::read(&place.path("x.item")).unwrap();
    let config = AbxConfig { frame_rate: Some(100.0), ..AbxConfig::default() };
    let report = abx(&features, &items, &config, &|_, _, _| {}).unwrap();
    assert_eq!((report.items, report.too_short), (6, 1));
    let triples = |rows: &[AbxRow]| rows.iter().map(|r| r.triples).collect::<Vec<_>>();
    assert_eq!(triples(&report.rows), [4, 12]);
}
