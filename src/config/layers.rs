//! Merging the layers of a configuration: defaults, preset, file, settings, flags.

use crate::error::{Error, Problem, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A configuration made of sections. Its defaults contain every key.
pub trait Sections: Default + Serialize + DeserializeOwned {
    /// Named sets of overrides: (name, TOML). The first comment line of the TOML describes the preset.
    const PRESETS: &'static [(&'static str, &'static str)];
    /// The default preset, used when none is named.
    const USUAL: &'static str;
    /// Keys, by section and name, that only this kind of configuration has.
    const MARKS: &'static [(&'static str, &'static str)];

    /// Whether a configuration file is of this kind, judged by the preset that it names or by its keys.
    fn is_at(path: &Path) -> bool {
        let table = std::fs::read_to_string(path).ok().and_then(|text| text.parse::<Table>().ok());
        table.is_some_and(|table| {
            let preset = table.get("preset").and_then(Value::as_str);
            let has = |section: &str, key: &str| table.get(section).is_some_and(|s| s.get(key).is_some());
            preset.is_some_and(|preset| Self::names(preset)) || Self::MARKS.iter().any(|(s, key)| has(s, key))
        })
    }

    /// Whether a preset belongs to this kind of configuration.
    fn names(preset: &str) -> bool {
        Self::PRESETS.iter().any(|(name, _)| *name == preset)
    }

    /// Adds every value that is out of range or inconsistent with another value to `faults`.
    fn collect_faults(&self, faults: &mut Vec<Problem>);

    /// Merges the layers over the defaults and checks the result.
    ///
    /// # Errors
    /// An unknown preset or a malformed `--set` is [`Error::Usage`]. Unknown keys and values out of range are
    /// [`Error::Config`], which lists all of them.
    fn resolve(layers: &Layers) -> Result<Self> {
        resolve(layers)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::Config`], which lists every value that is out of range.
    fn validate(&self) -> Result<()> {
        let mut faults = Vec::new();
        self.collect_faults(&mut faults);
        if faults.is_empty() { Ok(()) } else { Err(Error::Config(faults)) }
    }

    /// The configuration as TOML, sufficient to repeat the run.
    ///
    /// # Errors
    /// No input of a user causes one.
    fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::failed(format!("configuration: {e}"), "report this as a fault of cpc"))
    }

    /// Reads a run's `config.toml`.
    ///
    /// # Errors
    /// Those of [`Sections::resolve`], and I/O errors.
    fn read(path: &Path) -> Result<Self> {
        Self::resolve(&Layers { file: Some(path.to_path_buf()), ..Default::default() })
    }
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

fn resolve<C: Sections>(layers: &Layers) -> Result<C> {
    let defaults = match Value::try_from(C::default()) {
        Ok(Value::Table(table)) => table,
        _ => return Err(Error::failed("the defaults are not a table", "report this as a fault of cpc")),
    };
    let mut table = defaults.clone();
    let mut faults = Vec::new();
    let mut lay = |over: Table, from: &str| merge(&mut table, over, "", from, &mut faults);
    let mut preset = layers.preset.clone(); // from the command line, else from the file, else the default preset
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
    let name = preset.as_deref().unwrap_or(C::USUAL);
    let (_, text) = C::PRESETS.iter().find(|(n, _)| *n == name).ok_or_else(|| {
        let names: Vec<&str> = C::PRESETS.iter().map(|(n, _)| *n).collect();
        Error::usage(format!("--preset {name}: there is no such preset"), format!("choose one of {}", names.join(", ")))
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
    // One section at a time, so that a wrong type in one does not hide errors in the others.
    let mut config = Table::new();
    for (key, value) in table {
        let mut alone = defaults.clone();
        alone.insert(key.clone(), value.clone());
        match C::deserialize(Value::Table(alone)) {
            Ok(_) => config.insert(key, value),
            Err(e) => {
                faults.push(Problem::new(key, e.message().trim()));
                None
            }
        };
    }
    let config = C::deserialize(Value::Table(config))
        .map_err(|e| Error::Config(vec![Problem::new("configuration", e.message())]))?;
    config.collect_faults(&mut faults);
    if faults.is_empty() { Ok(config) } else { Err(Error::Config(faults)) }
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
