//! CPC on series as a kind of model.

use super::statistics::{self, Statistics};
use super::{SeriesConfig, SeriesModel, SeriesModelConfig, info, prepare};
use crate::audio::is_audio_name;
use crate::config::{Preset, layers};
use crate::error::{Problem, Result};
use crate::kinds::{Inspected, Job, Kind, Model, Options, Prepared, RunConfig};
use crate::observer::Session;
use crate::recordings::Division;
use crate::series::{self, TableColumns};
use std::path::Path;
use toml::Table;

/// CPC on series.
pub static SERIES: Series = Series;

/// CPC on series.
#[derive(Debug, Clone, Copy)]
pub struct Series;

/// Files of a directory that are looked into to see whether they are series.
const ASKED: usize = 20;

const PRESETS: [Preset; 3] = [
    Preset { name: "series-small", toml: include_str!("../../../data/presets/series-small.toml") },
    Preset { name: "motion", toml: include_str!("../../../data/presets/motion.toml") },
    Preset { name: "ecg-cpc", toml: include_str!("../../../data/presets/ecg-cpc.toml") },
];

impl Kind for Series {
    fn name(&self) -> &'static str {
        SeriesModelConfig::KIND
    }

    fn models(&self) -> &'static str {
        "series models"
    }

    fn presets(&self) -> &'static [Preset] {
        &PRESETS
    }

    fn defaults(&self) -> Result<Table> {
        layers::defaults::<SeriesConfig>()
    }

    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table> {
        layers::check::<SeriesConfig>(config, faults)
    }

    fn free_keys(&self) -> &'static [&'static str] {
        &["data.prefetch", "data.on_bad_file"]
    }

    /// The recordings decide what is not given.
    fn settles(&self, key: &str, value: &str) -> bool {
        match key {
            "data.window" => value == "0",
            "data.sample_rate" => value == "0.0",
            "data.channels" => value == "[]",
            _ => false,
        }
    }

    /// Accepts a recording of numbers, or a directory that contains any at any depth and no audio. A table that lists recordings is none.
    fn claims(&self, data: &Path) -> Result<bool> {
        if !data.is_dir() {
            return Ok(is_series(data));
        }
        let below = walkdir::WalkDir::new(data).follow_links(true).sort_by_file_name().into_iter().flatten();
        let files = below.into_iter().filter(|entry| !entry.file_type().is_dir()).map(walkdir::DirEntry::into_path);
        let (mut found, mut asked) = (false, 0);
        for path in files {
            if is_audio_name(&path) {
                return Ok(false);
            }
            if !found && asked < ASKED && series::is_name(&path) {
                (found, asked) = (is_series(&path), asked + 1);
            }
        }
        Ok(found)
    }

    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared> {
        prepare::prepare(config, job)
    }

    fn open(&self, path: &Path, reference: &str, _: &Session) -> Result<Box<dyn Model>> {
        Ok(Box::new(SeriesModel::open(path, reference)?))
    }

    fn division(&self) -> Division {
        Division::Subject
    }

    fn baselines(&self) -> &'static [(&'static str, &'static str)] {
        &[(statistics::NAME, statistics::ABOUT)]
    }

    fn baseline(&self, name: &str) -> Result<Option<Box<dyn Model>>> {
        Ok((name == statistics::NAME).then(|| Box::new(Statistics) as Box<dyn Model>))
    }

    fn inspect(&self, data: &Path, options: &Options, session: &Session) -> Result<Inspected> {
        info::inspect(data, options, session)
    }
}

/// Whether a file is a recording of numbers, by its name; a table by what stands in it: it has a column of times, or numbers alone.
fn is_series(path: &Path) -> bool {
    let table = ["csv", "tsv", "parquet"].iter().any(|e| path.extension().is_some_and(|x| x.eq_ignore_ascii_case(e)));
    series::is_name(path) && (!table || series::probe(path, TableColumns::default()).is_ok_and(|info| !info.is_list()))
}
