//! What `cpc info` prints about recordings and about audio models.

use super::columns::columns;
use super::{AudioModel, AudioModelConfig};
use crate::config::{EncoderKind, HeadsKind};
use crate::error::{Error, Result};
use crate::kinds::{Described, Inspected, Options, word};
use crate::observer::Session;
use crate::recordings::{Corpus, Summary};
use crate::weights::Origin;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The sample rate at which a corpus is counted, unless an option sets it.
const RATE: u32 = 16_000;

pub(super) fn inspect(data: &Path, options: &Options, _: &Session) -> Result<Inspected> {
    options.accept(&["rate", "column"], "recordings")?;
    let rate = options.get("rate")?.unwrap_or(RATE);
    if !(1000..=192_000).contains(&rate) {
        let what = format!("--rate {rate}: not a rate of audio");
        return Err(Error::usage(what, "give a whole number from 1000 to 192000"));
    }
    let mut corpus = Corpus::inspect_columns(data, &columns(options)?, rate, &|_| {})?;
    corpus.remarks.extend(corpus.constant(usize::MAX));
    let summary = Summary::new(&corpus);
    Ok(Inspected { described: Described::new(&summary, format!("{summary}\n"))?, problems: corpus.problems })
}

#[derive(Serialize)]
struct ModelInfo<'a> {
    path: PathBuf,
    #[serde(flatten)]
    config: &'a AudioModelConfig,
    found: &'a Origin,
    sha256: String,
    dtype: &'static str,
    heads_present: bool,
    mapped: usize,
    ignored: &'a [(String, String)],
    parameters: usize,
    hop: usize,
    receptive_field: usize,
    frames_per_second: f64,
}

pub(super) fn describe(model: &AudioModel) -> Result<Described> {
    let trained = |name: &&String| !name.contains("running_") && !name.ends_with("num_batches_tracked");
    let parameters = model.tensors.iter().filter(|(n, _)| trained(n)).map(|(_, t)| t.elem_count()).sum();
    let sha256 = model.sha256()?;
    let c = &model.config;
    let (hop, field) = (c.encoder.hop(), c.encoder.receptive_field());
    let ms = |samples: usize| 1e3 * samples as f64 / f64::from(c.sample_rate);
    let mut text = format!(
        "model            {} (format {}), {parameters} parameters, float32\n\
         from             {} ({})\n\
         sha256           {sha256}\n\
         input            mono, {} samples per second\n\
         encoder          {} layers of {} channels{}, norm {}\n\
         hop              {hop} samples ({:.1} ms, {:.1} frames per second)\n\
         receptive field  {field} samples ({:.1} ms)\n\
         context          {} of {}, {} layer{}\n\
         heads            {}{} steps ahead ({:.0} ms)\n",
        c.kind,
        c.format,
        model.origin.reference,
        model.origin.layout,
        c.sample_rate,
        c.encoder.kernels.len(),
        c.encoder.channels_text(),
        match c.encoder.kind {
            EncoderKind::Conv => "",
            EncoderKind::Gabor => ", the first initialized as a Gabor filterbank",
            EncoderKind::Mel => ", the first log-mel bands (not learned)",
        },
        word(&c.encoder.norm),
        ms(hop),
        1e3 / ms(hop),
        ms(field),
        c.context.kind.title(),
        c.context.hidden_dim,
        c.context.num_layers,
        if c.context.num_layers == 1 { "" } else { "s" },
        match (model.has_heads(), c.heads.kind) {
            (false, _) => "none in this model; trained for ",
            (true, HeadsKind::Linear) => "linear, ",
            (true, HeadsKind::Transformer) => "transformer, ",
        },
        c.heads.steps,
        ms(hop * c.heads.steps),
    );
    if let Some(origin) = &c.origin {
        writeln!(text, "converted from   {} ({})", origin.reference, origin.layout).ok();
    }
    for (name, why) in &model.ignored {
        writeln!(text, "left out         {name}: {why}").ok();
    }
    let info = ModelInfo {
        path: model.path.clone(),
        parameters,
        hop,
        receptive_field: field,
        frames_per_second: 1e3 / ms(hop),
        dtype: "float32",
        found: &model.origin,
        sha256,
        heads_present: model.has_heads(),
        mapped: model.tensors.len(),
        ignored: &model.ignored,
        config: &model.config,
    };
    Described::new(&info, text)
}
