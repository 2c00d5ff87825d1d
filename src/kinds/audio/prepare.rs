//! Turns a configuration into a run that is ready to train.

use super::card::Record;
use super::pretrained::open;
use super::remarks::{remark, silence};
use super::{AudioConfig, AudioModelConfig, AudioModelDir, Training, Validation};
use crate::error::Result;
use crate::hub;
use crate::kinds::{Job, Kind, Prepared, RunConfig, Steps};
use crate::observer::Session;
use crate::recordings::{Corpus, NoiseCorpus, split};
use crate::report::spans;
use crate::signal::{self, Amount, Datasets, Initial, SignalTask, begin};
use crate::train::{Finished, Start, Task};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub(super) fn prepare(config: RunConfig, job: &Job) -> Result<Prepared> {
    let session = job.session;
    let mut audio: AudioConfig = config.sections()?;
    let init = match audio.train.init.as_str() {
        init if !init.is_empty() && job.from.is_none() => {
            Some(session.group.first_then_others(|| initial(init, session))?)
        }
        _ => None,
    };
    // A repository on the hub may change: the run records the commit.
    if let Some(init) = init.as_ref().filter(|init| hub::is_reference(&init.origin.reference)) {
        audio.train.init.clone_from(&init.origin.reference);
    }
    let Datasets { train, valid, amount } = datasets(&audio, job)?;
    let model = AudioModelConfig::audio(&audio);
    let sizes = model.sizes();
    let training = signal::Training {
        objective: audio.objective.clone(),
        batch_size: audio.train.batch_size,
        seed: audio.seed,
        unit: "audio_seconds",
        amount: audio.data.window as f64 / sizes.rate,
        write: Box::new(move |dir, tensors| AudioModelDir::write(dir, &model, tensors)),
        sizes,
    };
    let task = SignalTask::new(training, train, valid, job.course(), session)?;
    let start = match (&init, job.from) {
        (_, Some((path, state))) => {
            AudioModelDir::read_config(path)?;
            Start::Checkpoint(path.clone(), state.clone())
        }
        (Some(init), None) => {
            if !init.has_heads() {
                job.note("the initial weights have no prediction heads: the heads start from random weights");
            }
            let (tensors, reference) = (&init.tensors, init.origin.reference.as_str());
            let initial = Initial { sizes: init.config.sizes(), tensors, reference };
            begin(&initial, || init.moments(), task.params(), &audio.heads, &audio.train)?
        }
        (None, None) => Start::Fresh,
    };
    let parameters = task.params().num_trainable();
    let rate = f64::from(audio.data.sample_rate);
    let (hop, field) = (audio.encoder.hop(), audio.encoder.receptive_field());
    let about = format!(
        "model: {:.1} M parameters, a frame every {hop} samples ({:.1} ms) with a receptive field of {field} samples ({:.1} ms); {} steps \
         ahead reach {:.0} ms",
        parameters as f64 / 1e6,
        1e3 * hop as f64 / rate,
        1e3 * field as f64 / rate,
        audio.heads.steps,
        1e3 * (hop * audio.heads.steps) as f64 / rate,
    );
    let frame = hop as f64 / rate;
    let ahead = (1..=audio.heads.steps).map(|k| format!("{:.0} ms", 1e3 * k as f64 * frame)).collect();
    let config = config.with(&audio)?;
    Ok(Prepared {
        config,
        task: Box::new(task),
        start,
        about,
        steps: Some(Steps { ahead, frame_seconds: Some(frame) }),
        conclude: Box::new(move |finished, name| {
            write_card(&audio, name, finished, &amount, parameters)?;
            Ok(BTreeMap::new())
        }),
    })
}

/// The model whose weights training starts from.
fn initial(reference: &str, session: &Session) -> Result<super::AudioModel> {
    let files = |name: &str| {
        super::AUDIO.files().contains(&name)
            || name.ends_with(".safetensors")
            || name.ends_with(".pt")
            || name == "README.md"
    };
    let here = hub::model(reference, &files, session)?;
    open(&here.path, &here.name, session)
}

/// Writes `model/README.md` and the record that it is generated from.
fn write_card(config: &AudioConfig, name: &str, finished: &Finished, amount: &Amount, parameters: usize) -> Result<()> {
    let Some((on, step, figures)) = finished.best() else { return Ok(()) };
    let last = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let data = &config.data.path;
    let training = Training {
        cpc_version: env!("CARGO_PKG_VERSION").into(),
        // Only the last part of a path: a card does not reveal where the data were stored.
        data: if hub::is_reference(data) { data.clone() } else { last(Path::new(data)) },
        hours: Some(amount.hours),
        utterances: Some(amount.utterances),
        speakers: Some(amount.speakers),
        steps: finished.steps,
        validation: Some(Validation {
            on: on.into(),
            step,
            loss: figures.loss,
            loss_per_step: figures.loss_per_step.clone(),
            accuracy_per_step: figures.accuracy_per_step.clone(),
            negatives_met: 1.0 / figures.chance - 1.0,
        }),
        ..Training::of(config)
    };
    Record::new(parameters, training).write(&finished.model, name, &AudioModelConfig::audio(config))
}

/// The recordings of noise that the configuration names.
fn noise(config: &AudioConfig, job: &Job) -> Result<Option<NoiseCorpus>> {
    if config.data.noise.is_empty() {
        return Ok(None);
    }
    let corpus = Corpus::open(Path::new(&config.data.noise), &config.data, &|_| {})?;
    job.note(&format!("noise: {} recordings, {:.1} minutes", corpus.utterances.len(), corpus.seconds() / 60.0));
    Ok(Some(NoiseCorpus::new(Arc::new(corpus))?))
}

/// The windows to train and validate on.
pub(super) fn datasets(config: &AudioConfig, job: &Job) -> Result<Datasets> {
    let observer = job.session.observer;
    let corpus = Corpus::open(job.data, &config.data, &|_| {})?;
    job.same_data(|| Ok(corpus.digest()))?;
    remark(&corpus, observer);
    silence(&corpus, observer);
    job.note(&format!(
        "{}: {} utterances, {} speakers, {}",
        config.data.path,
        corpus.utterances.len(),
        corpus.speakers.len(),
        spans::hours(corpus.seconds() / 3600.0)
    ));
    let datasets = Datasets::of(corpus, &config.data, split::utterance, config.seed, "utterances", observer)?;
    let train = datasets.train.with_noise(noise(config, job)?);
    Ok(Datasets { train, ..datasets })
}
