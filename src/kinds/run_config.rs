//! The configuration of a run of any kind: a table of every key with its value.

use super::kind::Kind;
use crate::config::{Layers, Schedule, Sections, TrainConfig, layers};
use crate::error::{Error, Problem, Result};
use crate::hub::pins;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// A kind, and every key of its configuration with a checked value.
#[derive(Clone)]
pub struct RunConfig {
    kind: &'static dyn Kind,
    table: Table,
}

/// Keys that any resumed run may change. They affect how long it trains and what it writes, not what it computes.
const FREE: [&str; 7] = [
    "train.steps",
    "train.patience",
    "train.log_every",
    "train.valid_every",
    "train.checkpoint_every",
    "train.keep_last",
    "data.path",
];

impl RunConfig {
    /// The layers, applied on top of the defaults of a kind, and checked.
    ///
    /// # Errors
    /// An unknown preset or a malformed `--set` is [`Error::Usage`]; unknown keys and values out of range are
    /// [`Error::Config`], all of them at once.
    pub fn resolve(kind: &'static dyn Kind, from: &Layers) -> Result<RunConfig> {
        let data = from.data().unwrap_or_default();
        let defaults = kind.defaults()?;
        let table = layers::lay(kind.presets(), Some(kind.preset_for(data)), defaults, from, |t, faults| {
            kind.check(t, faults)
        })?;
        Ok(RunConfig { kind, table })
    }

    /// The configuration that consists of a kind's sections.
    ///
    /// # Errors
    /// They cannot be written as TOML, or are not sections of the kind.
    pub fn of(kind: &'static dyn Kind, sections: &impl Sections) -> Result<RunConfig> {
        Ok(RunConfig { kind, table: kind.check(layers::table(sections)?, Vec::new())? })
    }

    /// Reads a run's `config.toml`.
    ///
    /// # Errors
    /// Those of [`RunConfig::resolve`], and those of reading a file.
    pub fn read(kind: &'static dyn Kind, path: &Path) -> Result<RunConfig> {
        let from = Layers { file: Some(path.to_path_buf()), ..Layers::default() };
        let table = layers::lay(kind.presets(), None, kind.defaults()?, &from, |t, faults| kind.check(t, faults))?;
        Ok(RunConfig { kind, table })
    }

    /// This configuration of a run with other layers on top: what a command that resumes the run requests. Only what the layers name
    /// changes.
    ///
    /// # Errors
    /// As [`RunConfig::resolve`].
    pub fn overlaid(&self, from: &Layers) -> Result<RunConfig> {
        let kind = self.kind;
        let table = layers::lay(kind.presets(), None, self.table.clone(), from, |t, faults| kind.check(t, faults))?;
        Ok(RunConfig { kind, table })
    }

    /// The configuration of this run when it is resumed as `asked` requests: the same run, for more or fewer steps. `note` receives what the
    /// run keeps although something else is requested.
    ///
    /// # Errors
    /// The options would change what the run computes; the error names their keys.
    pub fn resumed(&self, asked: RunConfig, note: &dyn Fn(&str)) -> Result<RunConfig> {
        let (old, new) = (flat(&self.table), flat(&asked.table));
        let mut kept = asked;
        let mut different = Vec::new();
        for (key, value) in &new {
            let before = old.get(key);
            if before == Some(value) {
                continue;
            }
            let (before_text, text) = (before.map_or("unset".into(), plain), plain(value));
            // What is on the hub may have changed: the run keeps its commit, and what it settled by itself.
            if pins(&before_text, &text) || self.kind.settles(key, &text) {
                if let Some(before) = before {
                    set(&mut kept.table, key, before.clone());
                    note(&format!("{key} stays {before_text}, as it was when the run started"));
                }
                continue;
            }
            if FREE.contains(&key.as_str()) || self.kind.free_keys().contains(&key.as_str()) {
                continue;
            }
            different.push(format!("{key} is {before_text} in this run, and {text} is asked for"));
        }
        if !different.is_empty() {
            return Err(Error::usage(
                format!("--resume: the options would change what the run computes: {}", different.join("; ")),
                "leave them as they were; only train.steps, train.*_every, train.keep_last and data.path of a run may change. Start a new run \
                 with --init instead",
            ));
        }
        let (before, after) = (self.train()?, kept.train()?);
        if before.schedule == Schedule::Cosine && before.steps != after.steps {
            return Err(Error::usage(
                format!(
                    "--resume: the learning rate of this run falls to 0 at step {} (train.schedule = cosine)",
                    before.steps
                ),
                "start a new run from its model with --init, or leave train.steps as it was",
            ));
        }
        Ok(kept)
    }

    /// The kind.
    pub fn kind(&self) -> &'static dyn Kind {
        self.kind
    }

    /// Every key with its value.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The configuration as the types of its kind.
    ///
    /// # Errors
    /// It is the configuration of another kind.
    pub fn sections<C: Sections>(&self) -> Result<C> {
        C::deserialize(Value::Table(self.table.clone()))
            .map_err(|e| Error::Config(vec![Problem::new("configuration", e.message())]))
    }

    /// The same kind with new sections.
    ///
    /// # Errors
    /// Values out of range.
    pub fn with(self, sections: &impl Sections) -> Result<RunConfig> {
        RunConfig::of(self.kind, sections)
    }

    /// How the model is trained.
    ///
    /// # Errors
    /// The kind's configuration has no section `train`.
    pub fn train(&self) -> Result<TrainConfig> {
        let section = self.table.get("train").cloned().unwrap_or_else(|| Value::Table(Table::new()));
        section.try_into().map_err(|e: toml::de::Error| Error::Config(vec![Problem::new("train", e.message())]))
    }

    /// Whether the batches of an update draw negatives from each other.
    pub fn gathers(&self) -> bool {
        let gather = self.table.get("objective").and_then(|objective| objective.get("gather"));
        gather.and_then(Value::as_bool).unwrap_or(false)
    }

    /// Sets the number of batches of an update.
    pub fn set_accumulate(&mut self, batches: usize) {
        set(&mut self.table, "train.accumulate", Value::Integer(batches as i64));
    }

    /// The seed of every random stream.
    pub fn seed(&self) -> u64 {
        self.table.get("seed").and_then(Value::as_integer).map_or(0, |seed| seed as u64)
    }

    /// DATA; empty if there is none.
    pub fn data(&self) -> &str {
        self.table.get("data").and_then(|data| data.get("path")).and_then(Value::as_str).unwrap_or_default()
    }

    /// Sets DATA.
    pub fn set_data(&mut self, data: &str) {
        set(&mut self.table, "data.path", Value::String(data.into()));
    }

    /// The configuration as TOML. It is sufficient to repeat the run.
    ///
    /// # Errors
    /// No input of a user can cause an error.
    pub fn to_toml(&self) -> Result<String> {
        let text = toml::to_string(&self.table)
            .map_err(|e| Error::failed(format!("configuration: {e}"), "report this as a bug in cpc"))?;
        Ok(format!("kind = \"{}\"\n{text}", self.kind.name()))
    }
}

/// Values by dotted key.
fn flat(table: &Table) -> BTreeMap<String, Value> {
    fn walk(table: &Table, prefix: &str, into: &mut BTreeMap<String, Value>) {
        for (key, value) in table {
            let full = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                Value::Table(inner) => walk(inner, &full, into),
                value => {
                    into.insert(full, value.clone());
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(table, "", &mut all);
    all
}

/// A value as shown in a message.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

/// Sets the value of a dotted key.
fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.into(), value);
        }
        Some((section, key)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                set(inner, key, value);
            }
        }
    }
}
