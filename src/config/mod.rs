//! The configuration: one struct a component, presets that override its defaults, and the layers above them.
//!
//! A value comes from the first of these that names it: a flag, `--set key=value`, `--config FILE`, `--preset NAME`, the
//! default. [`Config::resolve`] puts them together and [`Config::validate`] names everything that is wrong at once.

mod data;
mod model;
mod train;

pub use data::{Columns, Cut, DataConfig, OnBadFile, Sampler};
pub use model::{ContextConfig, ContextKind, EncoderConfig, HeadsConfig, HeadsKind, NormKind, ScoreKind};
pub use train::{NegativesFrom, ObjectiveConfig, OptimizerKind, Schedule, TrainConfig};

use crate::error::{Error, Problem, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Everything that a run is made of.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The seed of every random stream.
    pub seed: u64,
    /// g_enc.
    pub encoder: EncoderConfig,
    /// g_ar.
    pub context: ContextConfig,
    /// W_k.
    pub heads: HeadsConfig,
    /// What InfoNCE contrasts.
    pub objective: ObjectiveConfig,
    /// Where windows come from.
    pub data: DataConfig,
    /// How the model is trained.
    pub train: TrainConfig,
}

/// The preset that is taken when none is named.
pub const USUAL: &str = "small";

/// A named set of overrides: (name, its TOML, whose first comment line says what it is).
pub const PRESETS: [(&str, &str); 4] = [
    ("demo", include_str!("../../data/presets/demo.toml")),
    ("small", include_str!("../../data/presets/small.toml")),
    ("cpc2018", include_str!("../../data/presets/cpc2018.toml")),
    ("big", include_str!("../../data/presets/big.toml")),
];

/// Where values come from besides the defaults, weakest first.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// `--preset`.
    pub preset: Option<String>,
    /// `--config`. Beside the keys of [`Config`] it may name the `preset` that it changes.
    pub file: Option<PathBuf>,
    /// `--set`, as `key=value` with a dotted key.
    pub set: Vec<String>,
    /// Other flags, as dotted key and value; stronger than all.
    pub flags: Vec<(&'static str, Value)>,
}

impl Config {
    /// The defaults under the layers, checked.
    ///
    /// # Errors
    /// An unknown preset or a malformed `--set` is [`Error::Usage`]; unknown keys and values out of range are
    /// [`Error::Config`], all of them at once.
    pub fn resolve(layers: &Layers) -> Result<Config> {
        let defaults = match Value::try_from(Config::default()) {
            Ok(Value::Table(table)) => table,
            _ => return Err(Error::failed("the defaults are no table", "report this as a fault of cpc")),
        };
        let mut table = defaults.clone();
        let mut faults = Vec::new();
        let mut lay = |over: Table, from: &str| merge(&mut table, over, "", from, &mut faults);
        let mut preset = layers.preset.clone(); // of the command line, else of the file, else the usual one
        let mut file = None;
        if let Some(path) = &layers.file {
            let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
            let from = path.display().to_string();
            let mut over = parse(&text, &from)?;
            match over.remove("preset") {
                Some(Value::String(name)) => preset = preset.or(Some(name)),
                Some(_) => return Err(Error::Config(vec![Problem::new(format!("{from}: preset"), "is not a name")])),
                None => {}
            }
            file = Some((over, from));
        }
        let name = preset.as_deref().unwrap_or(USUAL);
        let (_, text) = PRESETS.iter().find(|(n, _)| *n == name).ok_or_else(|| {
            let names: Vec<&str> = PRESETS.iter().map(|(n, _)| *n).collect();
            Error::usage(
                format!("--preset {name}: there is no such preset"),
                format!("choose one of {}", names.join(", ")),
            )
        })?;
        lay(parse(text, &format!("preset {name}"))?, &format!("preset {name}"));
        if let Some((over, from)) = file {
            lay(over, &from);
        }
        for setting in &layers.set {
            lay(parse_setting(setting)?, &format!("--set {setting}"));
        }
        for (key, value) in &layers.flags {
            lay(nested(key, value.clone()), "a flag");
        }
        // One section at a time, so that a bad type in one does not hide what is wrong in the others.
        let mut config = Table::new();
        for (key, value) in table {
            let mut alone = defaults.clone();
            alone.insert(key.clone(), value.clone());
            match Config::deserialize(Value::Table(alone)) {
                Ok(_) => config.insert(key, value),
                Err(e) => {
                    faults.push(Problem::new(key, e.message().trim()));
                    None
                }
            };
        }
        let config = Config::deserialize(Value::Table(config))
            .map_err(|e| Error::Config(vec![Problem::new("configuration", e.message())]))?;
        config.collect_faults(&mut faults);
        if faults.is_empty() { Ok(config) } else { Err(Error::Config(faults)) }
    }

    /// Checks every value, and names all that are out of range.
    pub fn validate(&self) -> Result<()> {
        let mut faults = Vec::new();
        self.collect_faults(&mut faults);
        if faults.is_empty() { Ok(()) } else { Err(Error::Config(faults)) }
    }

    fn collect_faults(&self, faults: &mut Vec<Problem>) {
        let before = faults.len();
        self.encoder.validate(faults);
        self.context.validate(faults);
        self.heads.validate(faults);
        self.objective.validate(faults);
        self.data.validate(faults);
        self.train.validate(faults);
        if faults.len() > before {
            return; // what follows relates sections that must be sound by themselves
        }
        let (frames, steps) = (self.encoder.frames(self.data.window), self.heads.steps);
        if frames <= steps {
            faults.push(Problem::new(
                "data.window",
                format!(
                    "{} samples give {frames} frames, but heads.steps = {steps} needs at least {}",
                    self.data.window,
                    steps + 1
                ),
            ));
        }
        self.heads.validate_sizes(self.encoder.hidden_dim, self.context.hidden_dim, faults);
        let same = self.objective.negatives_from == NegativesFrom::SameSequence && self.objective.exclude_positive;
        if same && frames <= steps + 1 && self.objective.num_negatives > 0 {
            faults.push(Problem::new("objective.exclude_positive", "leaves no frame of the window to draw from"));
        }
        if self.objective.negatives_from == NegativesFrom::OtherSequences && self.train.batch_size < 2 {
            faults
                .push(Problem::new("objective.negatives_from", "other-sequences needs train.batch_size of at least 2"));
        }
    }

    /// The configuration as TOML, enough to repeat the run.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::failed(format!("configuration: {e}"), "report this as a fault of cpc"))
    }

    /// Reads a run's `config.toml`.
    pub fn read(path: &Path) -> Result<Config> {
        Config::resolve(&Layers { file: Some(path.to_path_buf()), ..Default::default() })
    }
}

fn parse(text: &str, from: &str) -> Result<Table> {
    text.parse::<Table>().map_err(|e| {
        let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        Error::Config(vec![Problem::new(format!("{from}, line {line}"), e.message())])
    })
}

/// `train.lr=1e-3`: the value is TOML, or else a string.
fn parse_setting(setting: &str) -> Result<Table> {
    let malformed =
        || Error::usage(format!("--set {setting}: not of the form key=value"), "write for example --set train.lr=1e-3");
    let (key, value) = setting.split_once('=').ok_or_else(malformed)?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || key.split('.').any(str::is_empty) || value.is_empty() {
        return Err(malformed());
    }
    let parsed = format!("v = {value}").parse::<Table>().ok().filter(|t| t.len() == 1).and_then(|mut t| t.remove("v"));
    Ok(nested(key, parsed.unwrap_or_else(|| Value::String(value.to_string()))))
}

fn nested(key: &str, value: Value) -> Table {
    let mut table = Table::new();
    match key.split_once('.') {
        Some((head, tail)) => table.insert(head.to_string(), Value::Table(nested(tail, value))),
        None => table.insert(key.to_string(), value),
    };
    table
}

/// Lays `over` on `table`. Every key must be there already: the defaults name them all.
fn merge(table: &mut Table, over: Table, prefix: &str, from: &str, faults: &mut Vec<Problem>) {
    for (key, value) in over {
        let full = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let known: Vec<String> = table.keys().cloned().collect();
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(over)) => merge(inner, over, &full, from, faults),
            // An integer is a fine number; the other way round is for serde to refuse.
            (Some(slot @ Value::Float(_)), Value::Integer(i)) => *slot = Value::Float(i as f64),
            (Some(slot), value) => *slot = value,
            (None, _) => {
                faults.push(Problem::new(&full, format!("unknown key ({from}); known here: {}", known.join(", "))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(set: &[&str]) -> Result<Config> {
        Config::resolve(&Layers { set: set.iter().map(|s| s.to_string()).collect(), ..Default::default() })
    }

    #[test]
    fn every_preset_is_sound_and_small_is_the_usual_one() {
        for (name, _) in PRESETS {
            let config = Config::resolve(&Layers { preset: Some(name.into()), ..Default::default() }).unwrap();
            assert_eq!(name == USUAL, config == resolve(&[]).unwrap(), "{name}");
        }
    }

    #[test]
    fn a_flag_beats_set_beats_file_beats_preset_beats_default() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("my.toml");
        std::fs::write(&file, "[train]\nlr = 3e-4\nsteps = 30\nbatch_size = 30\n").unwrap();
        let layers = Layers {
            preset: Some("demo".into()),
            file: Some(file.clone()),
            set: vec!["train.steps=40".into(), "train.batch_size=40".into()],
            flags: vec![("train.batch_size", Value::Integer(50))],
        };
        let config = Config::resolve(&layers).unwrap();
        assert_eq!((config.train.lr, config.train.steps, config.train.batch_size), (3e-4, 40, 50));
        assert_eq!(config.encoder.hidden_dim, 128);
        std::fs::write(&file, "preset = \"big\"\n").unwrap();
        assert_eq!(Config::resolve(&Layers { file: Some(file), ..Default::default() }).unwrap().context.num_layers, 2);
    }

    #[test]
    fn a_written_configuration_reads_back_the_same() {
        let config = resolve(&["train.lr=1", "encoder.norm=batch", "data.sampler=uniform"]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, config.to_toml().unwrap()).unwrap();
        assert_eq!(Config::read(&path).unwrap(), config);
    }

    #[test]
    fn every_fault_is_named_at_once_with_its_key() {
        let Err(Error::Config(faults)) =
            resolve(&["train.lrr=1", "train.lr=-1", "data.window=0", "context.kind=rnn", "colour=red"])
        else {
            panic!("accepted")
        };
        let text: Vec<String> = faults.iter().map(|f| f.to_string()).collect();
        for needle in [
            "train.lrr: unknown key",
            "train.lr: -1",
            "data.window",
            "context: unknown variant `rnn`",
            "colour: unknown key",
        ] {
            assert!(text.iter().any(|t| t.starts_with(needle)), "{needle} is not in {text:#?}");
        }
    }

    #[test]
    fn a_window_too_short_for_the_steps_is_refused() {
        let error = resolve(&["data.window=1600"]).unwrap_err().to_string();
        assert!(error.contains("10 frames") && error.contains("at least 13"), "{error}");
    }

    #[test]
    fn a_setting_that_is_none_is_a_usage_error() {
        for setting in ["train.lr", "=3", "train..lr=3", "train.lr="] {
            assert!(matches!(resolve(&[setting]), Err(Error::Usage { .. })), "{setting}");
        }
    }
}
