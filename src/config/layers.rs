//! Values from their layers: defaults, preset, file, settings, flags.

use crate::error::{Error, Problem, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A configuration of sections, whose defaults name every key.
pub trait Sections: Default + Serialize + DeserializeOwned {
    /// Named sets of overrides: (name, its TOML, whose first comment line says what it is).
    const PRESETS: &'static [(&'static str, &'static str)];
    /// The preset that is taken when none is named.
    const USUAL: &'static str;
    /// Keys, by section and name, that no other kind of configuration has.
    const MARKS: &'static [(&'static str, &'static str)];

    /// Whether a configuration file is of this kind: by the preset that it names, or by its keys.
    fn is_at(path: &Path) -> bool {
        let table = std::fs::read_to_string(path).ok().and_then(|text| text.parse::<Table>().ok());
        table.is_some_and(|table| {
            let preset = table.get("preset").and_then(Value::as_str);
            let has = |section: &str, key: &str| table.get(section).is_some_and(|s| s.get(key).is_some());
            preset.is_some_and(|preset| Self::names(preset)) || Self::MARKS.iter().any(|(s, key)| has(s, key))
        })
    }

    /// Whether a preset is of this kind.
    fn names(preset: &str) -> bool {
        Self::PRESETS.iter().any(|(name, _)| *name == preset)
    }

    /// Adds every value that is out of range, or does not fit another, to `faults`.
    fn collect_faults(&self, faults: &mut Vec<Problem>);

    /// The defaults under the layers, checked.
    ///
    /// # Errors
    /// An unknown preset or a malformed `--set` is [`Error::Usage`]; unknown keys and values out of range are
    /// [`Error::Config`], all of them at once.
    fn resolve(layers: &Layers) -> Result<Self> {
        resolve(layers)
    }

    /// Checks every value, and names all that are out of range.
    ///
    /// # Errors
    /// [`Error::Config`].
    fn validate(&self) -> Result<()> {
        let mut faults = Vec::new();
        self.collect_faults(&mut faults);
        if faults.is_empty() { Ok(()) } else { Err(Error::Config(faults)) }
    }

    /// The configuration as TOML, enough to repeat the run.
    ///
    /// # Errors
    /// None that a user can make.
    fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::failed(format!("configuration: {e}"), "report this as a fault of cpc"))
    }

    /// Reads a run's `config.toml`.
    ///
    /// # Errors
    /// As [`Sections::resolve`], and those of reading.
    fn read(path: &Path) -> Result<Self> {
        Self::resolve(&Layers { file: Some(path.to_path_buf()), ..Default::default() })
    }
}

/// Where values come from besides the defaults, weakest first.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// `--preset`.
    pub preset: Option<String>,
    /// `--config`. Beside keys it may name the `preset` that it changes.
    pub file: Option<PathBuf>,
    /// `--set`, as `key=value` with a dotted key.
    pub set: Vec<String>,
    /// Other flags, as dotted key and value; stronger than all.
    pub flags: Vec<(&'static str, Value)>,
}

fn resolve<C: Sections>(layers: &Layers) -> Result<C> {
    let defaults = match Value::try_from(C::default()) {
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
    // One section at a time, so that a bad type in one does not hide what is wrong in the others.
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
