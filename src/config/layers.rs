//! Merging the layers of a configuration: defaults, preset, file, settings, flags.

use crate::error::{Error, Problem, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A configuration made of sections. Its defaults contain every key.
pub trait Sections: Default + Serialize + DeserializeOwned {
    /// Adds every value that is out of range or inconsistent with another value to `faults`.
    fn collect_faults(&self, faults: &mut Vec<Problem>);

    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::Config`], which lists every value that is out of range.
    fn validate(&self) -> Result<()> {
        let mut faults = Vec::new();
        self.collect_faults(&mut faults);
        if faults.is_empty() { Ok(()) } else { Err(Error::Config(faults)) }
    }
}

/// A named set of overrides of a configuration's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Its TOML. The first comment line describes the preset.
    pub toml: &'static str,
}

/// The sources of values besides the defaults, in order of increasing precedence.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// `--preset`.
    pub preset: Option<String>,
    /// `--config`. In addition to keys, the file may name the `preset` that it overrides.
    pub file: Option<PathBuf>,
    /// `--set`, as `key=value` with a dotted key.
    pub set: Vec<String>,
    /// Other flags, as dotted key and value; they take precedence over all other layers.
    pub flags: Vec<(&'static str, Value)>,
}

impl Layers {
    /// Layers that set only DATA.
    pub fn of_data(data: &str) -> Layers {
        Layers::default().with("data.path", data)
    }

    /// The same layers with a preset.
    pub fn preset(mut self, name: &str) -> Layers {
        self.preset = Some(name.into());
        self
    }

    /// The same layers with the value of one more key.
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Layers {
        self.flags.push((key, value.into()));
        self
    }

    /// DATA, if a layer other than the file sets it.
    pub fn data(&self) -> Option<&str> {
        let flag = self.flags.iter().rev().find(|(key, _)| *key == "data.path").and_then(|(_, value)| value.as_str());
        let set = || {
            self.set.iter().rev().find_map(|text| {
                let (key, value) = text.split_once('=')?;
                (key.trim() == "data.path").then(|| value.trim().trim_matches(['"', '\'']))
            })
        };
        flag.or_else(set)
    }

    /// Whether a flag, a setting or the file sets a key of the section `train`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn sets_train(&self, key: &str) -> Result<bool> {
        let dotted = format!("train.{key}");
        let in_file = match &self.file {
            Some(file) => read_file(file)?.get("train").is_some_and(|train| train.get(key).is_some()),
            None => false,
        };
        Ok(in_file || self.keys().iter().flatten().any(|set| *set == dotted))
    }

    /// The keys that flags set, and those that settings set.
    pub fn keys(&self) -> [Vec<&str>; 2] {
        let set = self.set.iter().filter_map(|text| text.split_once('=')).map(|(key, _)| key.trim());
        [self.flags.iter().map(|(key, _)| *key).collect(), set.collect()]
    }
}

/// Sections as a table.
///
/// # Errors
/// They cannot be written as TOML.
pub fn table(sections: &impl Sections) -> Result<Table> {
    match Value::try_from(sections) {
        Ok(Value::Table(table)) => Ok(table),
        _ => Err(Error::failed("a configuration is not a table", "report this as a bug in cpc")),
    }
}

/// Every key of a configuration with its default.
///
/// # Errors
/// They cannot be written as TOML.
pub fn defaults<C: Sections>() -> Result<Table> {
    table(&C::default())
}

/// Checks a table that has every key, and returns it with every value in its proper type. `faults` are those already known.
///
/// # Errors
/// [`Error::Config`] with all faults.
pub fn check<C: Sections>(config: Table, mut faults: Vec<Problem>) -> Result<Table> {
    let defaults = defaults::<C>()?;
    // Each section is checked separately, so that a bad type in one does not hide faults in the others.
    let mut sound = Table::new();
    for (key, value) in config {
        let mut alone = defaults.clone();
        alone.insert(key.clone(), value.clone());
        match C::deserialize(Value::Table(alone)) {
            Ok(_) => {
                sound.insert(key, value);
            }
            Err(e) => faults.push(Problem::new(key, e.message().trim())),
        }
    }
    let config = C::deserialize(Value::Table(sound))
        .map_err(|e| Error::Config(vec![Problem::new("configuration", e.message())]))?;
    config.collect_faults(&mut faults);
    if faults.is_empty() { table(&config) } else { Err(Error::Config(faults)) }
}

/// Whether a table has a dotted key.
pub fn has(table: &Table, key: &str) -> bool {
    match key.split_once('.') {
        None => table.contains_key(key),
        Some((section, key)) => table.get(section).and_then(Value::as_table).is_some_and(|inner| has(inner, key)),
    }
}

/// Reads a configuration file.
///
/// # Errors
/// It cannot be read, or is not TOML.
pub fn read_file(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    parse(&text, &path.display().to_string())
}

/// Applies the layers to `base`, which has every key, and checks the result. `usual` is the preset that is used if none is named, except
/// under the configuration of a run, which names its `kind`: what such a file does not set had no key when it was written, and keeps its
/// default.
///
/// # Errors
/// An unknown preset or a malformed `--set` is [`Error::Usage`]. Unknown keys, and the faults that `check` finds, are [`Error::Config`].
pub fn lay(
    presets: &[Preset],
    usual: Option<&str>,
    base: Table,
    from: &Layers,
    check: impl Fn(Table, Vec<Problem>) -> Result<Table>,
) -> Result<Table> {
    let mut config = base;
    let mut faults = Vec::new();
    let mut merged = |over: Table, from: &str| merge(&mut config, over, "", from, &mut faults);
    let mut usual = usual;
    let mut preset = from.preset.clone(); // from the command line, otherwise from the file, otherwise the default
    let mut file = None;
    if let Some(path) = &from.file {
        let place = path.display().to_string();
        let mut over = read_file(path)?;
        if over.remove("kind").is_some() {
            usual = None;
        }
        match over.remove("preset") {
            Some(Value::String(name)) => preset = preset.or(Some(name)),
            Some(_) => return Err(Error::Config(vec![Problem::new(format!("{place}: preset"), "is not a name")])),
            None => {}
        }
        file = Some((over, place));
    }
    if let Some(name) = preset.as_deref().or(usual) {
        let preset = presets.iter().find(|preset| preset.name == name).ok_or_else(|| {
            let names: Vec<&str> = presets.iter().map(|preset| preset.name).collect();
            let what = format!("--preset {name}: there is no such preset");
            Error::usage(what, format!("choose one of {}", names.join(", ")))
        })?;
        merged(parse(preset.toml, &format!("preset {name}"))?, &format!("preset {name}"));
    }
    if let Some((over, place)) = file {
        merged(over, &place);
    }
    for setting in &from.set {
        merged(parse_setting(setting)?, &format!("--set {setting}"));
    }
    for (key, value) in &from.flags {
        merged(nested(key, value.clone()), "a flag");
    }
    check(config, faults)
}

fn parse(text: &str, from: &str) -> Result<Table> {
    text.parse::<Table>().map_err(|e| {
        let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        Error::Config(vec![Problem::new(format!("{from}, line {line}"), e.message())])
    })
}

/// Parses `train.lr=1e-3`. The value is TOML if it parses as such, otherwise a string.
fn parse_setting(setting: &str) -> Result<Table> {
    let malformed = || {
        Error::usage(format!("--set {setting}: not of the form key=value"), "write, for example, --set train.lr=1e-3")
    };
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

/// Merges `over` into `table`. Every key must be present already, since the defaults contain all keys.
fn merge(table: &mut Table, over: Table, prefix: &str, from: &str, faults: &mut Vec<Problem>) {
    for (key, value) in over {
        let full = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let known: Vec<String> = table.keys().cloned().collect();
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(over)) => merge(inner, over, &full, from, faults),
            // An integer is accepted for a float. The reverse is left to serde, which rejects it.
            (Some(slot @ Value::Float(_)), Value::Integer(i)) => *slot = Value::Float(i as f64),
            (Some(slot), value) => *slot = value,
            (None, _) => {
                faults.push(Problem::new(&full, format!("unknown key ({from}); known keys: {}", known.join(", "))));
            }
        }
    }
}
