//! What a trained classifier does for the toolkit.

use super::examples::Shop;
use super::files::{ClassifierModel, ClassifierModelConfig, TOKENIZER};
use super::measure::{Measured, probabilities};
use super::network::ClassifierNetwork;
use super::prepare::MEASURED;
use super::targets::Targets;
use super::{body::Body, card, config::BEAM, transcribe};
use crate::config::OnBadFile;
use crate::error::{Error, Problem, Result};
use crate::eval::transcripts::Spelling;
use crate::hub;
use crate::kinds::{
    Classes, Described, ExtractRequest, Extracted, Model, Options, Prediction, Predictions, not_for, word,
};
use crate::observer::{Progress, Session};
use crate::report::model_card::{About, Details};
use serde_json::json;
use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

impl ClassifierModel {
    /// The model below the head.
    fn body(&self) -> Option<Body> {
        Body::from_json(&self.config.body).ok()
    }

    /// What the run measured, if this is the model of a run.
    fn measured(&self) -> Option<Measured> {
        let text = std::fs::read_to_string(self.path.parent()?.join(MEASURED)).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl ClassifierModel {
    /// The probabilities of recordings, or their transcripts.
    fn said(
        &self,
        network: &ClassifierNetwork,
        shop: &Shop,
        part: &[usize],
        beam: usize,
        session: &Session,
        progress: &dyn Fn(usize),
    ) -> Result<Vec<(Vec<f64>, Option<String>)>> {
        let (config, device) = (&self.config, &session.device);
        Ok(match config.ctc {
            None => {
                let found = probabilities(network, config, shop, part, device, progress)?;
                found.into_iter().map(|probabilities| (probabilities, None)).collect()
            }
            Some(ctc) => {
                let found = transcribe::transcribe(network, config, shop, part, beam, device, progress)?;
                let text = |said: Vec<usize>| transcribe::written(&said, &config.classes, ctc.spelling);
                found.into_iter().map(|said| (Vec::new(), Some(text(said)))).collect()
            }
        })
    }
}

impl Model for ClassifierModel {
    fn kind(&self) -> &'static str {
        ClassifierModelConfig::KIND
    }

    fn subject(&self) -> &'static str {
        self.body().map_or("recordings", |body| body.subject())
    }

    fn reference(&self) -> &str {
        &self.origin.reference
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn describe(&self) -> Result<Described> {
        let (c, sha256) = (&self.config, self.sha256()?);
        let body = c.body()?;
        let trained = |name: &&String| !name.contains("running_") && !name.ends_with("num_batches_tracked");
        let parameters: usize = self.tensors.iter().filter(|(n, _)| trained(n)).map(|(_, t)| t.elem_count()).sum();
        let measured = self.measured();
        let mut text = format!(
            "model            {} (format {}), {parameters} parameters, float32\n\
             from             {} ({})\n\
             sha256           {sha256}\n\
             input            {}\n\
             {:<16} {}{}\n\
             head             {} on {}\n",
            c.kind,
            c.format,
            self.origin.reference,
            self.origin.layout,
            body.input(),
            match c.ctc.map(|ctc| ctc.spelling) {
                None => "classes",
                Some(Spelling::Phones) => "symbols",
                Some(Spelling::Characters) => "characters",
            },
            c.classes.join(if c.ctc.is_some() { " " } else { ", " }),
            if c.multi_label { " (any number of them)" } else { "" },
            word(&c.head.kind),
            c.layer,
        );
        let span = body.span(c.window);
        if !span.is_empty() {
            text += &format!("window           {} samples ({span})\n", c.window);
        }
        for (figure, measured) in measured.iter().flat_map(|m| m.figures.iter().map(move |figure| (figure, m))) {
            let shown = super::Shown(figure.value, figure.ci95);
            let (name, items) = (figure.name.replace('_', " "), &measured.items);
            text += &format!("{name:<16} {shown} on {} test {items}\n", measured.tested);
        }
        let info = json!({
            "path": self.path, "config": c, "sha256": sha256, "dtype": "float32", "parameters": parameters, "test": measured,
        });
        Described::new(&info, text)
    }

    fn layers(&self) -> Vec<String> {
        Vec::new()
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &[]
    }

    fn extract(&self, _: &ExtractRequest, _: &Session) -> Result<Extracted> {
        Err(not_for(self, "extraction of features"))
    }

    fn files(&self) -> &'static [&'static str] {
        match self.tokenizer {
            Some(_) => &["config.json", TOKENIZER, "model.safetensors"],
            None => &["config.json", "model.safetensors"],
        }
    }

    fn directory(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(Some(self.path.clone()))
    }

    fn card(&self, dir: &Path, details: &Details) -> Result<Option<Vec<u8>>> {
        let measured = self.measured();
        let make = |about: About| card::markdown(about, &self.config, self.subject(), measured.as_ref());
        details.card("classifiers", dir, make).map(Some)
    }

    fn classes(&self) -> Option<&dyn Classes> {
        Some(self)
    }
}

impl Classes for ClassifierModel {
    fn predict(&self, inputs: &[PathBuf], options: &Options, session: &Session) -> Result<Predictions> {
        options.accept(&["rate", "on-bad-file", "beam"], "classifiers")?;
        let body = self.config.body()?;
        let beam: Option<usize> = options.get("beam")?;
        if beam.is_some() && self.config.ctc.is_none() {
            return Err(Error::usage("--beam is for transcripts", "leave it out: this model predicts classes"));
        }
        if beam.is_some_and(|beam| !(1..=1000).contains(&beam)) {
            return Err(Error::usage("--beam is not between 1 and 1000", "choose 10, or 1 for the best path"));
        }
        let network = self.network(&session.device)?;
        let on_bad_file: OnBadFile = options.get("on-bad-file")?.unwrap_or(OnBadFile::Fail);
        let (mut rows, mut problems) = (Vec::new(), Vec::<Problem>::new());
        let _watch = session.watch();
        for input in inputs {
            let here = hub::data(input, session)?;
            let rate = options.get("rate")?.unwrap_or(0.0);
            let corpus = body.data(&here.path, rate, self.tokenizer.as_ref(), false)?.corpus;
            problems.extend_from_slice(corpus.problems());
            if !problems.is_empty() && on_bad_file == OnBadFile::Fail {
                return Err(Error::BadFiles(problems));
            }
            let all: Vec<usize> = (0..corpus.count()).collect();
            let (count, classes) = (all.len(), self.config.classes.clone());
            let targets = Targets {
                classes,
                of: vec![None; count],
                train: Vec::new(),
                valid: Vec::new(),
                test: Vec::new(),
                unlabeled: count,
            };
            let fitted = self.config.ctc.map(|_| body.window(Vec::new(), true).1);
            let shop = Shop::new(corpus, targets, self.config.window, fitted, 0);
            let progress = |done: usize| {
                session.observer.progress(&Progress {
                    what: "",
                    unit: body.items(),
                    done: done as f64,
                    of: count as f64,
                });
            };
            // In parts, so that an interrupt ends it.
            for part in all.chunks(256) {
                if session.stop.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted { kept: "nothing was written".into() });
                }
                let progress = |n| progress(part.first().map_or(0, |first| first + n));
                let found = self.said(&network, &shop, part, beam.unwrap_or(BEAM), session, &progress)?;
                rows.extend(part.iter().zip(found).map(|(&i, (probabilities, transcript))| Prediction {
                    name: shop.corpus.id(i).to_string(),
                    subject: shop.corpus.subject(i).to_string(),
                    probabilities,
                    transcript,
                }));
            }
            session.observer.done();
        }
        if rows.is_empty() {
            return Err(Error::BadFiles(problems));
        }
        problems.iter().for_each(|problem| session.observer.warning(&format!("left out: {problem}")));
        let (classes, multi_label) = (self.config.classes.clone(), self.config.multi_label);
        Ok(Predictions { items: body.items(), classes, multi_label, rows })
    }
}
