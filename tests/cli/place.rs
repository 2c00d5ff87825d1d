//! A directory with a corpus, a configuration and, if requested, a model, in which commands are run.

use assert_cmd::Command;
use candle_core::Device;
use cpc::kinds::audio::{AudioConfig, AudioModelConfig, AudioModelDir};
use cpc::nn::ParamStore;
use cpc::signal::Network;
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A model with a few thousand parameters and a run that takes half a second.
pub const TINY: &str = "
preset = 'cpc-audio'
[encoder]
hidden_dim = 12
[context]
hidden_dim = 10
[heads]
steps = 4
[objective]
num_negatives = 16
[data]
window = 4000
valid_share = 0.2
[train]
steps = 24
batch_size = 4
lr = 1e-3
schedule = 'constant'
log_every = 4
valid_every = 8
checkpoint_every = 6
";

/// A directory with a corpus and the results of commands.
pub struct Place {
    pub dir: TempDir,
}

/// A file of the golden cases.
pub fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// A file of `tests/audio`.
pub fn recording(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio").join(file)
}

/// Writes a recording of a tone with varying loudness.
pub fn wav(path: &Path, seconds: f64, pitch: f64) {
    let sample = |i: usize| {
        let t = i as f64 / 16_000.0;
        let wave = (t * pitch * TAU).sin() * (t * 3.0 * TAU).sin() + 0.1 * ((i * 7919 % 1000) as f64 / 1000.0 - 0.5);
        (wave * 12_000.0) as i16
    };
    samples(path, (0..(seconds * 16_000.0) as usize).map(sample));
}

/// Writes a recording of these samples, 16,000 a second.
pub fn samples(path: &Path, samples: impl Iterator<Item = i16>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    samples.for_each(|sample| file.write_sample(sample).unwrap());
    file.finalize().unwrap();
}

impl Place {
    /// A place with a corpus of two speakers, `corpus/`, and the small configuration, `tiny.toml`.
    pub fn new() -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        for (s, speaker) in ["s1", "s2"].iter().enumerate() {
            for u in 0..5 {
                let pitch = 150.0 + 90.0 * s as f64 + 25.0 * u as f64;
                wav(&place.at(&format!("corpus/{speaker}/{speaker}-{u}.wav")), 1.3 + 0.2 * u as f64, pitch);
            }
        }
        fs::write(place.at("tiny.toml"), TINY).unwrap();
        place
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Waits until a running process has written a file.
    pub fn wait_for(&self, file: &str, child: &mut std::process::Child) {
        let began = Instant::now();
        while !self.at(file).exists() {
            assert!(began.elapsed() < Duration::from_secs(120), "{file} does not come");
            assert!(child.try_wait().unwrap().is_none(), "ended before {file} came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// `cpc ARGS` in this place; words are separated by blanks.
    pub fn cpc(&self, args: &str) -> Command {
        let mut command = Command::cargo_bin("cpc").unwrap();
        command.current_dir(self.dir.path()).args(args.split_whitespace()).env("NO_COLOR", "1");
        command
    }

    /// Runs a command that must fail with the given code and print each of `words` on stderr, along with a remedy.
    pub fn fails(&self, args: &str, code: i32, words: &[&str]) -> String {
        let output = self.cpc(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args}: {said}");
        for word in words {
            assert!(said.contains(word), "{args}: {word:?} is not in {said}");
        }
        assert!(said.contains("help:") || said.contains("--help"), "{args}: no help in {said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    /// Runs `cpc info DATA` on data of which a part cannot be used, which it must say, and print each of `words` on stdout.
    pub fn info_names(&self, args: &str, words: &[&str]) -> String {
        self.fails(&format!("info {args}"), 1, &["listed above"]);
        let told = String::from_utf8(self.cpc(&format!("info {args}")).output().unwrap().stdout).unwrap();
        for word in words {
            assert!(told.contains(word), "info {args}: {word:?} is not in {told}");
        }
        told
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn metrics(&self, run: &str) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.bytes(&format!("{run}/metrics.jsonl"))).unwrap();
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// A place that also has a model with random weights, `model/`.
    pub fn with_model() -> Place {
        let place = Place::new();
        let mut config = AudioConfig::default();
        (config.encoder.hidden_dim, config.context.hidden_dim, config.heads.steps) = (12, 10, 4);
        let config = AudioModelConfig::audio(&config);
        let store = ParamStore::new(3, &Device::Cpu);
        Network::new(&config.sizes(), &store.builder()).unwrap();
        fs::create_dir(place.at("model")).unwrap();
        AudioModelDir::write(&place.at("model"), &config, &store.tensors()).unwrap();
        place
    }

    /// Runs `cpc ARGS`, which must succeed, and returns what it prints.
    pub fn ok(&self, args: &str) -> String {
        let output = self.cpc(args).output().unwrap();
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `cpc ARGS`, which must fail, and returns its stderr and exit code.
    pub fn refused(&self, args: &str) -> (String, i32) {
        let output = self.cpc(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && !said.contains("panicked"), "{args}: {said}");
        (said, output.status.code().unwrap())
    }

    /// Makes the files of a run as they were before configurations named their kind: `config.toml` has no `kind`, and `config.json` calls it
    /// `model_type`.
    pub fn age(&self, run: &str) {
        let mut aged = 0;
        for (name, bytes) in self.tree(run) {
            let new = String::from_utf8_lossy(&bytes).into_owned();
            let old = match name.rsplit('/').next() {
                Some("config.toml") => new.replacen("kind = ", "# ", 1),
                Some("config.json") => new.replacen("\"kind\":", "\"model_type\":", 1),
                _ => continue,
            };
            aged += usize::from(old != new);
            fs::write(self.at(run).join(name), old).unwrap();
        }
        assert!(aged >= 2, "{run}: a file already was as before");
    }

    /// Every file below a directory, with its bytes.
    pub fn tree(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![self.at(name)]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let below = path.strip_prefix(self.at(name)).unwrap().to_string_lossy().into_owned();
                    files.insert(below, fs::read(&path).unwrap());
                }
            }
        }
        files
    }
}
