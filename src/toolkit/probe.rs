//! Measures how well a classifier predicts labels from features: from a model's, which are extracted for the purpose, and from directories
//! of features.

use super::Toolkit;
use crate::error::{Error, Result};
use crate::eval::boundaries::{BoundaryTask, boundaries};
use crate::eval::probe::labels::{Labels, names_beside, read_names};
use crate::eval::probe::several::probe_several;
use crate::eval::probe::split::{Split, read_list};
use crate::eval::probe::study::{ProbeTask, probe};
use crate::eval::verification::{LdaTask, read_trials, verify};
use crate::features::FeatureSet;
use crate::hub;
use crate::kinds::{Described, ExtractRequest, Kind, Model, Options, ProbeRequest, Probed, not_for};
use crate::observer::Session;
use crate::recordings::Division;
use crate::report::probe_page::{MAP_POINTS, ProbePage, render};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The options of the shared probe.
const OPTIONS: &[&str] = &[
    "labels",
    "train",
    "test",
    "folds",
    "division",
    "trials",
    "boundaries",
    "lda",
    "column",
    "level",
    "cut",
    "hidden",
    "l2",
    "names",
    "label-rate",
    "frame-rate",
    "multi-label",
    "pool",
    "rate",
    "layer",
    "baselines",
    "seed",
];

impl Toolkit {
    /// Measures how well a classifier predicts labels from features.
    ///
    /// # Errors
    /// The models are of several kinds, an option is not for their kind, or the features, the data or the labels cannot be used.
    pub fn probe(&self, request: &ProbeRequest, session: &Session) -> Result<Probed> {
        let mut given = Vec::new();
        for path in &request.features {
            let model = if self.is_model(path, session)? { Some(self.open(path, session)?) } else { None };
            given.push((path.as_path(), model));
        }
        let kind = self.kind_of_probe(&given, request)?;
        if let Some(probing) = kind.probe().filter(|_| given.iter().all(|(_, model)| model.is_some())) {
            request.options.accept(probing.options(), kind.models())?;
            if request.page && !probing.options().contains(&"report") {
                return Err(Error::usage(format!("--report is not for {}", kind.models()), "leave it out"));
            }
            let models: Vec<Box<dyn Model>> = given.into_iter().filter_map(|(_, model)| model).collect();
            return probing.probe(&models, request, session);
        }
        request.options.accept(OPTIONS, "features of utterances")?;
        Probing::new(kind, request, session)?.run(&given)
    }

    /// The kind of the given models, which must be the same for all. Without models, the kind of the data, or the default.
    fn kind_of_probe(
        &self,
        given: &[(&Path, Option<Box<dyn Model>>)],
        request: &ProbeRequest,
    ) -> Result<&'static dyn Kind> {
        let mut models = given.iter().filter_map(|(_, model)| model.as_deref());
        if let Some(first) = models.next() {
            return match models.find(|model| model.kind() != first.kind()) {
                Some(other) => Err(Error::usage(
                    format!(
                        "{} is of the kind {}, and {} of {}",
                        other.reference(),
                        other.kind(),
                        first.reference(),
                        first.kind()
                    ),
                    "give models of one kind",
                )),
                None => self.kind(first.kind()),
            };
        }
        match &request.data {
            Some(data) => self.kind_of_data(data),
            None => self.usual(),
        }
    }
}

/// A probe of features of utterances.
struct Probing<'a> {
    kind: &'static dyn Kind,
    request: &'a ProbeRequest,
    session: &'a Session<'a>,
    /// The data, on this machine.
    data: Option<PathBuf>,
    task: ProbeTask,
    /// The utterances of the split; `None` for all, if the split names none.
    wanted: Option<HashSet<String>>,
    /// Where features are extracted to. Removed after the probe.
    dir: TempDir,
    /// The number of models whose features were extracted.
    made: usize,
}

impl<'a> Probing<'a> {
    fn new(kind: &'static dyn Kind, request: &'a ProbeRequest, session: &'a Session<'a>) -> Result<Self> {
        let data = request.data.as_deref().map(|data| hub::data(data, session)).transpose()?.map(|here| here.path);
        let task = task(kind, request, data.as_deref(), session)?;
        let wanted = match &task.split {
            Split::Lists { train, test } => Some(train.iter().chain(test).cloned().collect()),
            Split::Folds { among, .. } => among.as_ref().map(|ids| ids.iter().cloned().collect()),
        };
        let dir = tempfile::Builder::new().prefix("cpc-probe-").tempdir();
        let dir = dir.map_err(Error::io(std::env::temp_dir(), "make a directory in"))?;
        Ok(Probing { kind, request, session, data, task, wanted, dir, made: 0 })
    }

    fn run(mut self, given: &[(&Path, Option<Box<dyn Model>>)]) -> Result<Probed> {
        let layers: Vec<String> = self.request.options.all("layer")?;
        let mut rows: Vec<(String, FeatureSet)> = Vec::new();
        for (path, model) in given {
            let name = path.display().to_string();
            match model {
                Some(model) => {
                    let whose = format!("{} ({})", model.reference(), model.kind());
                    self.passed(|_| true)?.accept(model.extract_options(), &whose)?;
                    rows.extend(self.extracted(&name, &**model, &layers)?);
                }
                None if layers.is_empty() => rows.push((name, FeatureSet::open(path, None)?)),
                None => {
                    for layer in &layers {
                        rows.push((format!("{name} {layer}"), FeatureSet::open(path, Some(layer))?));
                    }
                }
            }
        }
        let shape = given.iter().find_map(|(_, model)| model.as_deref());
        for name in self.request.options.all::<String>("baselines")? {
            let seed = self.task.seed;
            let (model, layers) = match name.as_str() {
                "random" => {
                    let Some(shape) = shape else {
                        return Err(Error::usage(
                            "--baselines random: there is no model whose shape it could have",
                            "give a model as FEATURES, with --data",
                        ));
                    };
                    let model = shape.untrained(seed)?.ok_or_else(|| not_for(shape, "an untrained baseline"))?;
                    (model, layers.as_slice())
                }
                _ => (self.kind.baseline(&name)?.ok_or_else(|| self.no_baseline(&name))?, &[][..]),
            };
            rows.extend(self.extracted(&name, &*model, layers)?);
        }
        if let Some((name, _)) = rows.iter().find(|(_, set)| set.is_units()) {
            return Err(Error::usage(
                format!("{name}: are units, whose numbers are no features"),
                "measure units with `cpc units apply --labels` and `cpc abx`",
            ));
        }
        let observer = self.session.observer;
        let _watch = self.session.watch();
        let options = &self.request.options;
        if let Some(path) = options.path("trials") {
            let list = || options.path("train").map(read_list).transpose();
            let lda = match (options.get("lda")?, list()?) {
                (None, _) => None,
                (Some(dims), Some(train)) => Some(LdaTask { dims, train }),
                (Some(_), None) => {
                    return Err(Error::usage("--lda is fitted on recordings", "name them with --train"));
                }
            };
            let outcome = verify(&read_trials(path)?, lda.as_ref(), &rows, self.task.seed)?;
            let described = Described::new(&outcome, outcome.to_string())?;
            return Ok(Probed { described, accuracies: Vec::new(), page: None });
        }
        if options.has("boundaries") {
            let (Labels::Frames { ids, .. }, Split::Lists { train, test }) = (&self.task.labels, &self.task.split)
            else {
                return Err(Error::usage(
                    "--boundaries needs frame labels, and two lists",
                    "give --labels with one id for each 10 ms, --train and --test",
                ));
            };
            let task = BoundaryTask {
                ids: ids.clone(),
                label_rate: self.task.label_rate,
                frame_rate: self.task.frame_rate,
                train: train.clone(),
                test: test.clone(),
                stop: self.task.stop.clone(),
            };
            let outcome = boundaries(&task, &rows)?;
            let described = Described::new(&outcome, outcome.to_string())?;
            return Ok(Probed { described, accuracies: Vec::new(), page: None });
        }
        if options.has("multi-label") {
            let Labels::Utterances { labels, .. } = &self.task.labels else {
                return Err(Error::usage(
                    "--multi-label is for a table of labels",
                    "give lines of a name, a tab and labels that are separated by commas",
                ));
            };
            let outcome = probe_several(&self.task, labels, &rows)?;
            let described = Described::new(&outcome, outcome.to_string())?;
            return Ok(Probed { described, accuracies: Vec::new(), page: None });
        }
        let outcome = probe(&self.task, &rows, &|text| observer.detail(text))?;
        Ok(Probed {
            described: Described::new(&outcome, outcome.to_string())?,
            accuracies: outcome.rows.iter().map(|row| (row.features.clone(), row.accuracy)).collect(),
            page: self.request.page.then(|| render(&ProbePage::of(&outcome))),
        })
    }

    fn no_baseline(&self, name: &str) -> Error {
        let names: Vec<&str> =
            ["random"].into_iter().chain(self.kind.baselines().iter().map(|(name, _)| *name)).collect();
        let what = format!("--baselines {name} is not for {}", self.kind.models());
        Error::usage(what, format!("choose one of {}", names.join(", ")))
    }

    /// The options that are passed on to the extraction.
    fn passed(&self, accepted: impl Fn(&str) -> bool) -> Result<Options> {
        let mut options = Options::new();
        for name in ["column", "pool", "rate"].into_iter().filter(|name| accepted(name)) {
            for value in self.request.options.all::<String>(name)? {
                options = options.with(name, value);
            }
        }
        Ok(options)
    }

    /// The features that a model extracts from the data, one set per layer.
    fn extracted(&mut self, name: &str, model: &dyn Model, layers: &[String]) -> Result<Vec<(String, FeatureSet)>> {
        let Some(data) = &self.data else {
            return Err(Error::usage(
                "models and --baselines need data",
                "name the data with --data, or give features that `cpc extract` wrote",
            ));
        };
        self.made += 1;
        let dir = self.dir.path().join(self.made.to_string());
        self.session.observer.note(&format!("{name}: extracting features"));
        // A baseline with one row for each recording has nothing to pool.
        let options = self.passed(|name| model.extract_options().contains(&name))?;
        let request = ExtractRequest {
            layers: layers.to_vec(),
            only: self.wanted.clone(),
            options,
            ..ExtractRequest::new(vec![data.clone()], &dir)
        };
        let extracted = model.extract(&request, self.session)?;
        let set = |layer: &String| {
            let row = if layer == name { name.to_string() } else { format!("{name} {layer}") };
            Ok((row, FeatureSet::open(&dir, Some(layer))?))
        };
        extracted.layers.iter().map(set).collect()
    }
}

/// The requested task, without the features.
fn task(kind: &'static dyn Kind, request: &ProbeRequest, data: Option<&Path>, session: &Session) -> Result<ProbeTask> {
    let options = &request.options;
    if let Some(trials) = options.path("trials") {
        // A file that cannot be used is refused before features are extracted.
        read_trials(trials)?;
        let mut task = ProbeTask::new(Labels::Speakers, Split::Folds { folds: 2, among: None });
        task.set(options)?;
        task.stop = session.stop.clone();
        return Ok(task);
    }
    let Some(path) = options.path("labels") else {
        return Err(Error::usage("no --labels are given", "give --labels a file of labels, `speaker`, or `label`"));
    };
    let labels = match path.to_str() {
        Some("speaker") => Labels::Speakers,
        Some("label") => {
            let Some(data) = data else {
                return Err(Error::usage(
                    "--labels label: there are no parquet files to read the labels from",
                    "name the parquet files with --data",
                ));
            };
            let column = options.columns()?.into_iter().rev().find(|(what, _)| what == "label");
            let name = column.map_or("label".into(), |(_, name)| name);
            Labels::Utterances { path: name.into(), labels: kind.labels(data, options)? }
        }
        _ => Labels::read(path)?,
    };
    let list = |name: &str| options.path(name).map(read_list).transpose();
    let split = match (options.get("folds")?, list("train")?, list("test")?) {
        (Some(folds), among, _) => Split::folds(folds, among)?,
        (None, Some(train), Some(test)) => Split::lists(train, test)?,
        _ => return Err(Error::usage("--train and --test are both needed", "give two lists, or --folds K")),
    };
    let names = options.path("names").map(Path::to_path_buf).or_else(|| names_beside(&labels));
    let mut task = ProbeTask::new(labels, split);
    task.set(options)?;
    let division = options.get("division")?.unwrap_or(kind.division());
    task.by_subject = division == Division::Subject && !matches!(task.labels, Labels::Speakers);
    task.names = names.as_deref().map(read_names).transpose()?;
    task.map_points = if request.page { MAP_POINTS } else { 0 };
    task.stop = session.stop.clone();
    Ok(task)
}
