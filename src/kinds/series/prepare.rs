//! Turns a configuration into a run that is ready to train.

use super::{SERIES, SeriesConfig, SeriesModel, SeriesModelConfig};
use crate::config::layers::Sections;
use crate::error::{Error, Result};
use crate::hub;
use crate::kinds::{Job, Kind, Prepared, RunConfig, Steps};
use crate::observer::Session;
use crate::recordings::{Corpus, Division, Expected, Sensors, split};
use crate::report::spans::{hours, seconds};
use crate::signal::{self, Datasets, Initial, SignalTask, begin};
use crate::train::{Start, Task};
use crate::weights::model_dir::write_model;
use std::collections::BTreeMap;

/// Frames of the longest window that is chosen.
const LONGEST: usize = 256;

pub(super) fn prepare(config: RunConfig, job: &Job) -> Result<Prepared> {
    let session = job.session;
    let mut series: SeriesConfig = config.sections()?;
    let init = match series.train.init.as_str() {
        init if !init.is_empty() && job.from.is_none() => {
            Some(session.group.first_then_others(|| initial(init, session))?)
        }
        _ => None,
    };
    if let Some(init) = init.as_ref().filter(|init| hub::is_reference(&init.origin.reference)) {
        series.train.init.clone_from(&init.origin.reference);
    }
    // A run that goes on, and one that starts from a model, have the channels, the rate and the scales of that model.
    let expected = match (&init, job.from) {
        (_, Some((path, _))) => Some(SeriesModelConfig::read(path)?.expected()),
        (Some(init), None) => Some(init.config.expected()),
        (None, None) => None,
    };
    let (corpus, expected) = corpus(&series, expected.as_ref(), job)?;
    (series.data.channels, series.data.sample_rate) = (expected.channels.clone(), expected.rate);
    if series.data.window == 0 {
        series.data.window = window(&corpus, &series);
        job.note(&format!(
            "windows of {} samples ({}), chosen by the lengths of the recordings; data.window sets another length",
            series.data.window,
            seconds(series.data.window as f64 / expected.rate)
        ));
    }
    series.validate()?;
    let Datasets { train, valid, .. } = datasets(&series, corpus, session)?;
    let model = SeriesModelConfig::of(&series, &expected);
    let training = signal::Training {
        sizes: model.sizes(),
        objective: series.objective.clone(),
        batch_size: series.train.batch_size,
        seed: series.seed,
        unit: "windows",
        amount: 1.0,
        write: Box::new(move |dir, tensors| write_model(dir, &model, tensors)),
    };
    let sizes = training.sizes.clone();
    let task = SignalTask::new(training, train, valid, job.course(), session)?;
    let start = match (&init, job.from) {
        (_, Some((path, state))) => Start::Checkpoint(path.clone(), state.clone()),
        (Some(init), None) => {
            let (tensors, reference) = (&init.tensors, init.origin.reference.as_str());
            let initial = Initial { sizes: init.config.sizes(), tensors, reference };
            let moments = || signal::moments(&init.path, reference);
            begin(&initial, moments, task.params(), &series.heads, &series.train)?
        }
        (None, None) => Start::Fresh,
    };
    let (hop, field, steps) = (series.encoder.hop(), series.encoder.receptive_field(), series.heads.steps);
    let time = |samples: usize| seconds(samples as f64 / sizes.rate);
    let about = format!(
        "model: {:.1} M parameters, a frame every {hop} samples ({}) with a receptive field of {field} samples ({}); {steps} steps ahead reach \
         {}",
        task.params().num_trainable() as f64 / 1e6,
        time(hop),
        time(field),
        time(hop * steps),
    );
    let steps =
        Steps { ahead: (1..=steps).map(|k| time(k * hop)).collect(), frame_seconds: Some(hop as f64 / sizes.rate) };
    Ok(Prepared {
        config: config.with(&series)?,
        task: Box::new(task),
        start,
        about,
        steps: Some(steps),
        conclude: Box::new(|_, _| Ok(BTreeMap::new())),
    })
}

/// The model whose weights training starts from.
fn initial(reference: &str, session: &Session) -> Result<SeriesModel> {
    let files = |name: &str| SERIES.files().contains(&name) || name == "README.md";
    let here = hub::model(reference, &files, session)?;
    SeriesModel::open(&here.path, &here.name)
}

/// The recordings, and what the model keeps of them.
fn corpus(cfg: &SeriesConfig, expected: Option<&Expected>, job: &Job) -> Result<(Corpus<Sensors>, Expected)> {
    let (corpus, expected) = Corpus::sensors(&cfg.data, job.data, expected, &|_| {})?;
    let corpus = corpus.usable(cfg.data.on_bad_file)?;
    for (key, asked, has) in [
        ("data.channels", cfg.data.channels.join(", "), expected.channels.join(", ")),
        ("data.sample_rate", cfg.data.sample_rate.to_string(), expected.rate.to_string()),
    ] {
        if !["", "0"].contains(&asked.as_str()) && asked != has {
            return Err(Error::usage(
                format!("{key}: {asked} is asked for, and the model that training starts from has {has}"),
                format!("leave {key} out, or train a new model without --init"),
            ));
        }
    }
    job.same_data(|| Ok(corpus.digest()))?;
    corpus.remarks.iter().for_each(|remark| job.session.observer.warning(&remark.to_string()));
    job.note(&format!(
        "{}: {} recordings of {} subjects, {}; {} channels ({}) at {} samples per second",
        cfg.data.path,
        corpus.utterances.len(),
        corpus.speakers.len(),
        hours(corpus.seconds() / 3600.0),
        expected.channels.len(),
        expected.channels.join(", "),
        expected.rate
    ));
    Ok((corpus, expected))
}

/// Half of what nine of ten recordings are long enough for, so that windows begin at different places in different epochs; all of it where half
/// would leave few positions to predict from.
fn window(corpus: &Corpus<Sensors>, cfg: &SeriesConfig) -> usize {
    let mut lengths: Vec<u64> = corpus.utterances.iter().map(|u| u.samples).collect();
    lengths.sort_unstable();
    let whole = lengths.get(lengths.len() / 10).map_or(LONGEST, |&n| usize::try_from(n).unwrap_or(LONGEST));
    let half = (whole / 2).min(LONGEST);
    if cfg.encoder.frames(half) >= 4 * cfg.heads.steps { half } else { whole.min(LONGEST) }
}

/// The windows to train and validate on.
fn datasets(cfg: &SeriesConfig, corpus: Corpus<Sensors>, session: &Session) -> Result<Datasets<Sensors>> {
    let observer = session.observer;
    let by_subject = cfg.data.division == Division::Subject && corpus.speakers.len() > 1;
    if !by_subject && cfg.data.division == Division::Subject && cfg.data.valid.is_empty() && cfg.data.valid_share > 0.0
    {
        observer.warning(
            "all recordings are of one subject (the first folder names it), so validation uses other recordings of the same subject",
        );
    }
    let (unit, of) = match by_subject {
        true => (split::speaker as split::Unit<Sensors>, "recordings of held-out subjects"),
        false => (split::recording as split::Unit<Sensors>, "recordings"),
    };
    Datasets::of(corpus, &cfg.data.windows(), unit, cfg.seed, of, observer)
}
