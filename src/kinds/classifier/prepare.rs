//! Turns a configuration into a run that is ready to train.

use super::body::{Body, Opened};
use super::examples::Shop;
use super::files::{ClassifierModel, ClassifierModelConfig, Ctc};
use super::measure::{Figure, Measured, figures, probabilities, truth};
use super::network::ClassifierNetwork;
use super::targets::{Targets, by_subject, unit};
use super::task::ClassifierTask;
use super::{ClassifierConfig, TuneConfig, transcribe};
use crate::durable;
use crate::error::{Error, Result};
use crate::eval::transcripts::Spelling;
use crate::kinds::{Job, Prepared, RunConfig};
use crate::nn::FrameClassifier;
use crate::ops::ctc::frames_needed;
use crate::recordings::{AnyCorpus, Division};
use crate::train::{Finished, Start, Task};
use candle_core::Device;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What a run measures of its classifier, in its directory.
pub(super) const MEASURED: &str = "test.json";

pub(super) fn prepare(config: RunConfig, job: &Job) -> Result<Prepared> {
    let (session, observer) = (job.session, job.session.observer);
    let mut cfg: ClassifierConfig = config.sections()?;
    if cfg.finetune.model.is_empty() {
        return Err(Error::usage("finetune.model is not given", "give MODEL; `cpc finetune` does"));
    }
    // A run that goes on has its own weights, whatever became of the model that it started from.
    let opened = match job.from {
        Some((path, _)) => ClassifierModel::resumed(path)?,
        None => {
            let mut opened = session.group.first_then_others(|| Body::open(&cfg.finetune.model, session))?;
            cfg.finetune.model = std::mem::take(&mut opened.name);
            if cfg.finetune.scratch {
                opened.tensors.clear();
            }
            opened
        }
    };
    let Opened { body, tokenizer, .. } = &opened;
    if cfg.finetune.layer.is_empty() {
        cfg.finetune.layer = body.default_layer().into();
    }
    body.dim(&cfg.finetune.layer)?;
    let data = body.data(job.data, cfg.data.rate, tokenizer.as_ref(), true)?;
    match (&data.labels, cfg.data.labels.is_empty()) {
        (None, true) => return Err(Error::usage("there are no labels", "give them with --labels (data.labels)")),
        (Some(_), false) => {
            let what = format!("--labels is not for {}", body.items());
            return Err(Error::usage(what, "leave it out: the data state the label of each (data.labels)"));
        }
        _ => (),
    }
    if cfg.finetune.multi_label && body.items() == "images" {
        return Err(Error::usage("--multi-label is not for images", "leave it out: an image has one label"));
    }
    if cfg.finetune.ctc.is_some() && body.items() != "recordings" {
        return Err(Error::usage(format!("--ctc is not for {}", body.items()), "leave it out: it is for recordings"));
    }
    if cfg.data.on_bad_file == crate::config::OnBadFile::Skip && body.items() != "recordings" {
        return Err(Error::usage(format!("--on-bad-file skip is not for {}", body.items()), "leave it out"));
    }
    let corpus = data.corpus.clone();
    if !corpus.problems().is_empty() {
        match cfg.data.on_bad_file {
            crate::config::OnBadFile::Fail => return Err(Error::BadFiles(corpus.problems().to_vec())),
            crate::config::OnBadFile::Skip => {
                corpus.problems().iter().for_each(|problem| observer.warning(&format!("left out: {problem}")));
            }
        }
    }
    job.same_data(|| Ok(corpus.digest()))?;
    let mut targets = Targets::read(&cfg, &data, body.items(), &|text| job.note(text))?;
    let transcribes = cfg.finetune.ctc.is_some();
    let (window, least) = body.window((0..corpus.count()).map(|i| corpus.samples(i)).collect(), transcribes);
    if cfg.data.window == 0 {
        cfg.data.window = window;
    }
    if body.frames(cfg.data.window) == 0 {
        return Err(Error::usage(
            format!("data.window: {} samples give no frame", cfg.data.window),
            format!("choose at least {least} samples"),
        ));
    }
    if transcribes {
        leave_out(&mut targets, &cfg, body, &*corpus, job)?;
    }
    let short = targets.train.iter().filter(|&&i| body.frames(corpus.samples(i) as usize) == 0).count();
    if short > 0 {
        observer.warning(&format!("{short} training recordings are shorter than a frame, and are padded with zeros"));
    }
    describe(&cfg, &targets, &*corpus, body, job);
    let TuneConfig { layer, multi_label, .. } = &cfg.finetune;
    let model = ClassifierModelConfig {
        kind: ClassifierModelConfig::KIND.into(),
        format: 1,
        body: body.to_json()?,
        layer: layer.clone(),
        head: cfg.finetune.size(),
        classes: targets.classes.clone(),
        multi_label: *multi_label,
        window: cfg.data.window,
        ctc: cfg.finetune.ctc.map(|spelling| Ctc { spelling, stride: cfg.finetune.ctc_stride }),
    };
    let fitted = model.ctc.map(|_| least);
    let shop = Arc::new(Shop::new(corpus, targets, cfg.data.window, fitted, cfg.seed));
    let task = ClassifierTask::new(&cfg, model, &opened, shop.clone(), job.course(), &session.device)?;
    let trained = match cfg.finetune.body_lr {
        0.0 => "the head alone is trained".to_string(),
        rate => format!("the model's learning rate is {rate} of the head's"),
    };
    let span = body.span(cfg.data.window);
    let about = format!(
        "classifier: {:.2} M parameters on {} of {}{}{span}; {trained}",
        task.params().num_trainable() as f64 / 1e6,
        cfg.finetune.layer,
        if cfg.finetune.scratch { "a new network" } else { cfg.finetune.model.as_str() },
        if span.is_empty() { "" } else { ", " },
    );
    let (device, asked) = (session.device.clone(), cfg.clone());
    Ok(Prepared {
        config: config.with(&cfg)?,
        task: Box::new(task),
        start: job.from.map_or(Start::Fresh, |(path, state)| Start::Checkpoint(path.clone(), state.clone())),
        about,
        steps: None,
        conclude: Box::new(move |finished, _| conclude(finished, &asked, &shop, &device)),
    })
}

/// Takes recordings that cannot be learned with CTC from the training and validation parts: those that are longer than a window, and those that
/// have fewer outputs than their transcripts need.
///
/// # Errors
/// Most have too few outputs, or none is left.
fn leave_out(
    targets: &mut Targets,
    cfg: &ClassifierConfig,
    body: &Body,
    corpus: &dyn AnyCorpus,
    job: &Job,
) -> Result<()> {
    let Targets { of, train, valid, .. } = targets;
    let (mut long, mut dense) = (0, Vec::new());
    let all = train.len() + valid.len();
    for part in [train, valid] {
        part.retain(|&i| {
            let samples = corpus.samples(i);
            if samples > cfg.data.window as u64 {
                long += 1;
                return false;
            }
            let outputs = FrameClassifier::outputs_of(body.frames(samples as usize), cfg.finetune.ctc_stride);
            let enough = of[i].as_ref().is_none_or(|said| frames_needed(said) <= outputs);
            if !enough {
                dense.push(i);
            }
            enough
        });
    }
    if long > 0 {
        let longest = body.lasts(cfg.data.window as u64);
        job.note(&format!("not trained on: {long} longer than {longest} (data.window)"));
    }
    if let Some(&i) = dense.first() {
        let symbols = of[i].as_ref().map_or(0, Vec::len);
        let lasts = body.lasts(corpus.samples(i));
        if 2 * dense.len() > all {
            return Err(Error::failed(
                format!(
                    "{}: most transcripts have more symbols than the recordings have outputs, such as `{}`: {symbols} in {lasts}",
                    cfg.data.labels,
                    corpus.id(i)
                ),
                "if these are labels of frames, write each run of the same label once; if the symbols are short, choose a smaller \
                 finetune.ctc_stride",
            ));
        }
        job.note(&format!(
            "not trained on: {} with more symbols than outputs, such as `{}` ({symbols} in {lasts}); a smaller finetune.ctc_stride gives more outputs",
            dense.len(),
            corpus.id(i)
        ));
    }
    if targets.train.is_empty() {
        return Err(Error::failed(
            "no recordings remain to train on",
            "choose a larger data.window, or cut the recordings where their transcripts can be cut",
        ));
    }
    Ok(())
}

/// Tells what is trained on.
fn describe(cfg: &ClassifierConfig, targets: &Targets, corpus: &dyn AnyCorpus, body: &Body, job: &Job) {
    let items = body.items();
    let subjects = |of: &[usize]| of.iter().map(|&i| corpus.subject(i)).collect::<HashSet<_>>().len();
    let Targets { classes, train, valid, test, unlabeled, .. } = targets;
    let each: Vec<String> =
        classes.iter().zip(targets.counts(train)).take(12).map(|(name, n)| format!("{name} {n}")).collect();
    let more = if classes.len() > 12 { format!(" and {} more", classes.len() - 12) } else { String::new() };
    let of = |part: &[usize]| match items {
        "recordings" => format!(" of {} subjects", subjects(part)),
        _ => String::new(),
    };
    let lasts = |part: &[usize]| format!("{} in all", body.lasts(part.iter().map(|&i| corpus.samples(i)).sum()));
    let (what, which) = match cfg.finetune.ctc {
        Some(Spelling::Phones) => ("symbols", lasts(train)),
        Some(Spelling::Characters) => ("characters", lasts(train)),
        None => ("classes", format!("{}{more}", each.join(", "))),
    };
    job.note(&format!(
        "{} {what}; training on {} {items}{} ({which}), validating on {}, testing {}{}",
        classes.len(),
        train.len(),
        of(train),
        valid.len(),
        test.len(),
        of(test)
    ));
    if *unlabeled > 0 {
        job.note(&format!("{unlabeled} {items} have no label, and are not used"));
    }
    if valid.is_empty() {
        job.note("no validation: there are too few labels that can be used; model/ will be the model of the last step");
    }
    let shared = |part: &[usize]| {
        let trained: HashSet<&str> = train.iter().map(|&i| corpus.subject(i)).collect();
        part.iter().any(|&i| trained.contains(corpus.subject(i)))
    };
    if cfg.data.division == Division::Subject && cfg.data.labels != "speaker" && subjects(train) > 1 && shared(test) {
        job.session.observer.warning("subjects that are tested are also trained on: the figures are of known subjects");
    }
}

/// Tests the best model of a run, and writes what it does to the run directory.
fn conclude(
    finished: &Finished,
    cfg: &ClassifierConfig,
    shop: &Shop,
    device: &Device,
) -> Result<BTreeMap<&'static str, f64>> {
    let model = ClassifierModel::open(&finished.model, &finished.model.display().to_string())?;
    let network = model.network(device)?;
    let Targets { classes, train, valid, test, .. } = &shop.targets;
    if test.is_empty() {
        return Ok(BTreeMap::new());
    }
    let subjects = by_subject(cfg, &*shop.corpus, test);
    let units: Vec<String> = test.iter().map(|&i| unit(&*shop.corpus, i, subjects)).collect();
    let measured = Measured {
        items: model.config.body()?.items().into(),
        tested: test.len(),
        trained_on: train.len() + valid.len(),
        classes: classes.clone(),
        figures: tested(&network, &model.config, cfg, shop, &units, device)?,
    };
    durable::write_json(&finished.run().join(MEASURED), &measured)?;
    // Lists of the recordings, in the form that `cpc probe` reads.
    let body = model.config.body()?;
    for (name, parts) in body.lists().into_iter().zip([vec![train, valid], vec![test]]) {
        let label = |i: usize| shop.targets.of[i].iter().flatten().map(|&k| classes[k].as_str()).collect::<Vec<_>>();
        let line = |&i: &usize| body.listed(&*shop.corpus, i, &label(i).join(","));
        let lines: String = parts.into_iter().flatten().map(line).collect();
        durable::write(&finished.run().join(name), format!("{}{lines}", body.list_header()).as_bytes())?;
    }
    let names = [
        ("accuracy", "test_accuracy"),
        ("macro_f1", "test_macro_f1"),
        ("macro_auroc", "test_macro_auroc"),
        ("phone_error_rate", "test_phone_error_rate"),
        ("character_error_rate", "test_character_error_rate"),
        ("word_error_rate", "test_word_error_rate"),
    ];
    let named = |(name, shown): (&str, &'static str)| {
        measured.figures.iter().find(|figure| figure.name == name).map(|figure| (shown, figure.value))
    };
    Ok(names.into_iter().filter_map(named).collect())
}

/// The figures of the tested recordings.
fn tested(
    network: &ClassifierNetwork,
    model: &ClassifierModelConfig,
    cfg: &ClassifierConfig,
    shop: &Shop,
    units: &[String],
    device: &Device,
) -> Result<Vec<Figure>> {
    let Targets { of, test, .. } = &shop.targets;
    let Some(ctc) = model.ctc else {
        let found = probabilities(network, model, shop, test, device, &|_| {})?;
        return Ok(figures(&found, &truth(shop, test), units, cfg.finetune.multi_label, cfg.seed));
    };
    let said = transcribe::transcribe(network, model, shop, test, cfg.finetune.beam, device, &|_| {})?;
    let truth: Vec<Vec<usize>> = test.iter().map(|&i| of[i].clone().unwrap_or_default()).collect();
    Ok(transcribe::figures(&said, &truth, &model.classes, ctc.spelling, units, cfg.seed))
}
