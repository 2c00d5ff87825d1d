//! What the commands and their options are, for the functions of Python that are made from them.

use clap::builder::{PossibleValue, ValueParser};
use clap::{Arg, ArgAction, Command};
use pyo3::prelude::*;
use serde_json::{Value, json};
use std::any::TypeId;

/// The commands with their options, types, defaults and help, as JSON.
#[pyfunction]
pub fn commands() -> String {
    let mut all = Vec::new();
    collect(&cpc::command::described(), &mut Vec::new(), &mut all);
    Value::Array(all).to_string()
}

/// The commands that do something: those that have no others below them.
fn collect(command: &Command, path: &mut Vec<String>, all: &mut Vec<Value>) {
    let below: Vec<&Command> = command.get_subcommands().filter(|below| below.get_name() != "help").collect();
    if below.is_empty() {
        all.push(json!({
            "path": path,
            "about": command.get_about().map(ToString::to_string),
            "long": command.get_long_about().map(ToString::to_string),
            "options": command.get_arguments().filter(|arg| !arg.is_global_set()).filter_map(option).collect::<Vec<_>>(),
        }));
    }
    for command in below {
        path.push(command.get_name().into());
        collect(command, path, all);
        path.pop();
    }
}

/// The type of an option's values, as Python calls it.
fn kind(parser: &ValueParser) -> &'static str {
    let id = parser.type_id();
    let is = |types: &[TypeId]| types.iter().any(|t| id == *t);
    if is(&[TypeId::of::<f64>(), TypeId::of::<f32>()]) {
        "float"
    } else if is(&[
        TypeId::of::<u64>(),
        TypeId::of::<u32>(),
        TypeId::of::<u16>(),
        TypeId::of::<usize>(),
        TypeId::of::<i64>(),
    ]) {
        "int"
    } else if is(&[TypeId::of::<std::path::PathBuf>()]) {
        "path"
    } else {
        "str"
    }
}

fn option(arg: &Arg) -> Option<Value> {
    let name = arg.get_id().as_str();
    if matches!(name, "help" | "version") {
        return None;
    }
    let flag = matches!(arg.get_action(), ArgAction::SetTrue);
    let several =
        matches!(arg.get_action(), ArgAction::Append) || arg.get_num_args().is_some_and(|n| n.max_values() > 1);
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value: &PossibleValue| value.get_name().to_string())
        .collect();
    let defaults: Vec<String> = arg.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect();
    Some(json!({
        "name": name,
        "long": arg.get_long(),
        "value_names": arg.get_value_names().map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>()),
        "position": arg.get_index(),
        "required": arg.is_required_set(),
        "flag": flag,
        "optional_value": arg.get_num_args().is_some_and(|n| n.min_values() == 0 && n.max_values() == 1) && !flag,
        "several": several,
        "delimited": arg.get_value_delimiter().is_some(),
        "kind": kind(arg.get_value_parser()),
        "values": if flag { Vec::new() } else { values },
        "default": if flag { Vec::new() } else { defaults },
        "help": arg.get_help().map(ToString::to_string),
        "long_help": arg.get_long_help().map(ToString::to_string),
    }))
}
