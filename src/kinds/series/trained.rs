//! What a trained series model does for the toolkit.

use super::{SeriesModel, SeriesModelConfig, card, info};
use crate::error::{Error, Result};
use crate::kinds::recorded::{self, Words};
use crate::kinds::{Described, ExtractRequest, Extracted, Live, LiveSignal, LiveStream, Model};
use crate::nn::ParamStore;
use crate::observer::Session;
use crate::recordings::{Corpus, Expected, Scale, Sensors, SensorsConfig, scaling};
use crate::report::model_card::Details;
use crate::signal::{Network, layers, made};
use crate::weights::Origin;
use candle_core::Device;
use std::any::Any;
use std::path::{Path, PathBuf};

/// The words for what a corpus of series consists of.
pub(super) const WORDS: Words = Words {
    many: "recordings",
    seconds: "s of recordings",
    names: "use the names of the recordings in the lists: file names without their extensions",
};

/// The contents of every input. Problems are collected, to be handled together.
pub(super) fn corpora(
    paths: &[PathBuf],
    cfg: &SensorsConfig,
    expected: Option<&Expected>,
    request: &ExtractRequest,
    session: &Session,
) -> Result<Vec<Corpus<Sensors>>> {
    recorded::corpora(paths, WORDS, request, session, |path| Ok(Corpus::sensors(cfg, path, expected, &|_| {})?.0))
}

impl Model for SeriesModel {
    fn kind(&self) -> &'static str {
        SeriesModelConfig::KIND
    }

    fn subject(&self) -> &'static str {
        "series"
    }

    fn reference(&self) -> &str {
        &self.origin.reference
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn describe(&self) -> Result<Described> {
        info::describe(self)
    }

    fn layers(&self) -> Vec<String> {
        recorded::layers(self.config.context.num_layers)
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &["layer", "format", "normalize", "pool", "on-bad-file", "rate", "shard"]
    }

    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted> {
        let extractor = self.extractor(&layers(&request.layers)?, &session.device)?;
        let (normalize, pool) = (recorded::normalize(&request.options)?, recorded::pool(&request.options)?);
        let made = made(&self.origin.reference, self.sha256()?, &extractor, request.format, normalize, pool);
        let cfg = self.config.input(request.options.get("rate")?.unwrap_or(0.0));
        let expected = self.config.expected();
        let corpora = |paths: &[PathBuf]| corpora(paths, &cfg, Some(&expected), request, session);
        recorded::extract(&extractor, &made, WORDS, corpora, request, session)
    }

    fn untrained(&self, seed: u64) -> Result<Option<Box<dyn Model>>> {
        let store = ParamStore::new(seed, &Device::Cpu);
        Network::begin(&self.config.sizes(), &store)?;
        let origin = Origin { reference: "random".into(), layout: "untrained".into() };
        let tensors = store.tensors().into_iter().collect();
        Ok(Some(Box::new(SeriesModel { tensors, origin, ..self.clone() })))
    }

    fn directory(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(Some(self.path.clone()))
    }

    fn card(&self, dir: &Path, details: &Details) -> Result<Option<Vec<u8>>> {
        details.card("series models", dir, |about| card::markdown(about, &self.config)).map(Some)
    }

    fn live(&self) -> Option<&dyn Live> {
        Some(self)
    }
}

impl Live for SeriesModel {
    fn signal(&self) -> Result<LiveSignal> {
        let scale = match (self.config.scale, &self.config.moments) {
            (Scale::None, _) => vec![(0.0, 1.0); self.config.channels.len()],
            (Scale::Corpus, Some(moments)) => moments.iter().copied().map(scaling).collect(),
            _ => {
                let what = "scales each recording by its own mean and deviation, which a stream does not have yet";
                return Err(Error::failed(
                    format!("{}: {what}", self.origin.reference),
                    "train with --set data.scale=corpus to use the model on a stream, or write the recording to a file",
                ));
            }
        };
        Ok(LiveSignal::Series { rate: self.config.sample_rate, scale })
    }

    fn stream(&self, names: &[String], session: &Session) -> Result<Box<dyn LiveStream>> {
        Ok(Box::new(recorded::Live::new(self.extractor(&layers(names)?, &session.device)?)))
    }
}
