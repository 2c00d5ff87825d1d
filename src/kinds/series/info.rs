//! What `cpc info` prints about recordings of several channels and about series models.

use super::{SeriesModel, SeriesModelConfig};
use crate::error::Result;
use crate::kinds::{Described, Inspected, Options, word};
use crate::observer::{Progress, Session};
use crate::recordings::{Overview, Scale};
use crate::report::spans::seconds;
use crate::series::TableColumns;
use crate::signal::has_heads;
use serde::Serialize;
use std::path::{Path, PathBuf};

pub(super) fn inspect(data: &Path, options: &Options, session: &Session) -> Result<Inspected> {
    options.accept(&["rate"], "recordings of several channels")?;
    let progress = |done: usize| {
        session.observer.progress(&Progress { what: "", unit: "recordings", done: done as f64, of: 0.0 });
    };
    let overview = Overview::of(data, options.get("rate")?, TableColumns::default(), &progress);
    session.observer.done();
    let overview = overview?;
    let problems = overview.problems.iter().map(|fault| crate::error::Problem::new(&fault.at, &fault.what)).collect();
    Ok(Inspected { described: Described::new(&overview, format!("{overview}\n"))?, problems })
}

#[derive(Serialize)]
struct ModelInfo<'a> {
    path: PathBuf,
    #[serde(flatten)]
    config: &'a SeriesModelConfig,
    sha256: String,
    dtype: &'static str,
    heads_present: bool,
    parameters: usize,
    hop: usize,
    receptive_field: usize,
    frames_per_second: f64,
}

pub(super) fn describe(model: &SeriesModel) -> Result<Described> {
    let trained = |name: &&String| !name.contains("running_") && !name.ends_with("num_batches_tracked");
    let parameters = model.tensors.iter().filter(|(n, _)| trained(n)).map(|(_, t)| t.elem_count()).sum();
    let (c, sha256) = (&model.config, model.sha256()?);
    let (hop, field) = (c.encoder.hop(), c.encoder.receptive_field());
    let time = |samples: usize| seconds(samples as f64 / c.sample_rate);
    let text = format!(
        "model            {} (format {}), {parameters} parameters, float32\n\
         from             {} ({})\n\
         sha256           {sha256}\n\
         input            {} channels, {} samples per second: {}\n\
         scale            {}; missing values: {}\n\
         encoder          {} layers of {} channels, norm {}\n\
         hop              {hop} samples ({}, {:.4} frames per second)\n\
         receptive field  {field} samples ({})\n\
         context          {} of {}, {} layer{}\n\
         heads            {}{} steps ahead ({})\n",
        c.kind,
        c.format,
        model.origin.reference,
        model.origin.layout,
        c.channels.len(),
        c.sample_rate,
        c.channels.join(", "),
        match c.scale {
            Scale::None => "values as they are in the files",
            Scale::Recording => "mean 0 and deviation 1 in each recording",
            Scale::Corpus => "mean 0 and deviation 1 over the corpus it was trained on",
        },
        word(&c.gaps),
        c.encoder.kernels.len(),
        c.encoder.channels_text(),
        word(&c.encoder.norm),
        time(hop),
        c.sample_rate / hop as f64,
        time(field),
        c.context.kind.title(),
        c.context.hidden_dim,
        c.context.num_layers,
        if c.context.num_layers == 1 { "" } else { "s" },
        if has_heads(&model.tensors) { "" } else { "none in this model; trained for " },
        c.heads.steps,
        time(hop * c.heads.steps),
    );
    let info = ModelInfo {
        path: model.path.clone(),
        parameters,
        hop,
        receptive_field: field,
        frames_per_second: c.sample_rate / hop as f64,
        dtype: "float32",
        sha256,
        heads_present: has_heads(&model.tensors),
        config: c,
    };
    Described::new(&info, text)
}
