//! The card of an audio model.

mod evaluation;
mod record;
mod training;

pub(super) use record::{Record, card};
pub use training::{Training, Validation};

use super::AudioModelConfig;
use crate::config::{EncoderKind, HeadsKind, NormKind};
use crate::report::model_card::{CITATION, called, facts, percent, plain, repository, short, table, yaml};
use crate::signal::pytorch;
use evaluation::Evaluation;
use serde_json::Value;
use std::fmt::Write;

/// What a card can state. Everything except the name and the architecture is optional. What is not known is omitted.
#[derive(Debug, Clone, Copy)]
pub struct AudioCard<'a> {
    /// The name of the model.
    pub name: &'a str,
    /// Its architecture.
    pub config: &'a AudioModelConfig,
    /// Its trainable parameters, prediction heads included; 0 if they were not counted.
    pub parameters: usize,
    /// How it was trained.
    pub training: Option<&'a Training>,
    /// The hub's id of its license, such as `mit`.
    pub license: Option<&'a str>,
    /// ISO 639 codes of the languages it was trained on.
    pub language: &'a [String],
    /// Data sets on the hub that it was trained on, `owner/name`.
    pub datasets: &'a [String],
    /// Its repository on the hub, `owner/name`; anything else is ignored.
    pub repo: Option<&'a str>,
    /// Outputs of `cpc probe --json` on its features.
    pub probes: &'a [Value],
    /// Outputs of `cpc abx --json` on its features.
    pub abx: &'a [Value],
}

/// Tags for searches on the hub.
const TAGS: [&str; 6] =
    ["cpc", "contrastive-predictive-coding", "self-supervised", "speech", "audio", "feature-extraction"];

impl AudioCard<'_> {
    /// The card as Markdown.
    pub fn markdown(&self) -> String {
        let evaluation = Evaluation::new(self.probes, self.abx);
        let mut card = self.header(&evaluation);
        card += &self.introduction();
        card += &self.architecture();
        card += &self.trained();
        if !evaluation.is_empty() {
            card += "\n## Evaluation\n";
            card += &evaluation.sections();
        }
        card += &self.usage();
        card += &self.limits(&evaluation);
        card + CITATION
    }

    /// Whether a card includes a report: whether it is the output of `cpc probe --json` or of `cpc abx --json`.
    pub fn shows(command: &str, report: &Value) -> bool {
        let reports = std::slice::from_ref(report);
        let evaluation = if command == "abx" { Evaluation::new(&[], reports) } else { Evaluation::new(reports, &[]) };
        !evaluation.is_empty()
    }

    /// The duration of a number of samples in milliseconds.
    fn ms(&self, samples: usize) -> f64 {
        1e3 * samples as f64 / f64::from(self.config.sample_rate)
    }

    fn frame_rate(&self) -> f64 {
        f64::from(self.config.sample_rate) / self.config.encoder.hop() as f64
    }

    fn header(&self, evaluation: &Evaluation) -> String {
        let list = |key: &str, values: &[String]| match values {
            [] => String::new(),
            _ => format!("{key}:\n{}", values.iter().map(|v| format!("- {}\n", yaml(v))).collect::<String>()),
        };
        let license = self.license.map_or(String::new(), |license| format!("license: {}\n", yaml(license)));
        format!(
            "---\nlibrary_name: cpc-toolkit\npipeline_tag: feature-extraction\n{}{license}{}{}{}---\n",
            list("tags", &TAGS.map(String::from)),
            list("language", self.language),
            list("datasets", self.datasets),
            evaluation.model_index(self.name),
        )
    }

    fn introduction(&self) -> String {
        let (e, c) = (&self.config.encoder, &self.config.context);
        format!(
            "\n# {}\n\nA model of contrastive predictive coding ([van den Oord et al. 2018](https://arxiv.org/abs/1807.03748)): it turns mono audio of {} \
            samples per second into {} feature vectors per second, learned without labels by distinguishing the true future from false ones. It has two kinds of features: \
            c ({} dimensions) summarizes everything that came before and is the usual choice; z ({} dimensions) sees the {} ms around its frame.\n",
            plain(self.name),
            self.config.sample_rate,
            short(self.frame_rate()),
            c.hidden_dim,
            e.hidden_dim,
            short(self.ms(e.receptive_field())),
        )
    }

    fn architecture(&self) -> String {
        let (e, c, h) = (&self.config.encoder, &self.config.context, &self.config.heads);
        let list = |sizes: &[usize]| sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let norm = match e.norm {
            NormKind::Channel => "over the channels of each frame",
            NormKind::Batch => "batch norm",
            NormKind::None => "none",
        };
        let context = c.kind.title();
        let heads = match h.kind {
            HeadsKind::Linear => "one matrix",
            HeadsKind::Transformer => "one transformer layer",
        };
        let layers = |n: usize| if n == 1 { "1 layer".to_string() } else { format!("{n} layers") };
        let mut rows = vec![
            (
                "encoder",
                format!(
                    "{} with {} channels: {}convolution, norm, ReLU",
                    layers(e.kernels.len()),
                    e.channels_text(),
                    match e.kind {
                        EncoderKind::Conv => "",
                        EncoderKind::Gabor => "the first initialized as a Gabor filterbank; ",
                        EncoderKind::Mel => "the first log-mel bands, not learned; then ",
                    }
                ),
            ),
            ("kernels", list(&e.kernels)),
            ("strides", list(&e.strides)),
            ("paddings", list(&e.paddings)),
            ("norm", norm.into()),
            (
                "hop",
                format!(
                    "{} samples ({} ms), {} frames per second",
                    e.hop(),
                    short(self.ms(e.hop())),
                    short(self.frame_rate())
                ),
            ),
            (
                "receptive field of z",
                format!("{} samples ({} ms)", e.receptive_field(), short(self.ms(e.receptive_field()))),
            ),
            ("context", format!("{context} of {}, {}", c.hidden_dim, layers(c.num_layers))),
            (
                "prediction heads",
                format!("{heads} for each of K = {} steps ({} ms)", h.steps, short(self.ms(e.hop() * h.steps))),
            ),
            ("score", format!("inner product, {}", h.score.name())),
        ];
        if self.parameters > 0 {
            rows.push(("parameters", self.parameters.to_string()));
        }
        format!("\n## Architecture\n\n{}", facts(rows))
    }

    fn trained(&self) -> String {
        let mut section = String::from("\n## Training\n\n");
        if let Some(origin) = self.config.origin.as_ref().filter(|o| o.layout != "model directory") {
            let _ =
                write!(section, "Converted from {} ({}).\n\n", plain(called(&origin.reference)), plain(&origin.layout));
        }
        let Some(training) = self.training.filter(|training| **training != Training::default()) else {
            return section + "How it was trained is not recorded here.\n";
        };
        if !training.cpc_version.is_empty() {
            let version = plain(&training.cpc_version);
            let _ = write!(section, "Trained with [cpc-toolkit](https://crates.io/crates/cpc-toolkit) {version}.\n\n");
        }
        section += &facts(self.training_facts(training));
        if let Some(validation) = &training.validation {
            section += &self.validation(validation);
        }
        section
    }

    fn training_facts(&self, training: &Training) -> Vec<(&'static str, String)> {
        let count = |n: Option<usize>, unit: &str| n.map(|n| format!("{n} {unit}"));
        let amount = [
            training.hours.filter(|h| h.is_finite()).map(|h| match h {
                h if h < 1.0 => format!("{} minutes", short(60.0 * h)),
                h => format!("{} hours", short(h)),
            }),
            count(training.utterances, "utterances"),
            count(training.speakers, "speakers"),
        ];
        let windows = [
            (training.batch_size > 0).then(|| format!("{} windows an update", training.batch_size)),
            (training.window_samples > 0).then(|| format!("{} ms a window", short(self.ms(training.window_samples)))),
        ];
        let negatives = match (training.num_negatives, training.negatives_from.as_str()) {
            (None, _) => String::new(),
            (Some(n), from) => {
                let number = if n == 0 { "every candidate".to_string() } else { format!("{n} for each position") };
                if from.is_empty() { number } else { format!("{number}, from: {}", plain(from)) }
            }
        };
        let rule = [
            Some(plain(&training.optimizer)).filter(|s| !s.is_empty()),
            training.lr.map(|lr| format!("learning rate {lr:e}")),
            Some(plain(&training.schedule)).filter(|s| !s.is_empty()).map(|s| format!("schedule {s}")),
        ];
        let known = |parts: &[Option<String>]| parts.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        vec![
            ("data", plain(called(&training.data))),
            ("amount", known(&amount)),
            ("initial weights", plain(called(&training.init))),
            ("updates", if training.steps > 0 { training.steps.to_string() } else { String::new() }),
            ("batch", known(&windows)),
            ("windows that share a batch", plain(&training.sampler)),
            ("negatives", negatives),
            ("optimizer", known(&rule)),
            ("seed", training.seed.map_or(String::new(), |seed| seed.to_string())),
        ]
    }

    fn validation(&self, validation: &Validation) -> String {
        let (candidates, hop) = (validation.candidates(), self.ms(self.config.encoder.hop()));
        let nats = |x: f64| if x.is_finite() { format!("{x:.3}") } else { "-".into() };
        let per_step = validation.loss_per_step.iter().zip(&validation.accuracy_per_step).zip(1..);
        let rows: Vec<Vec<String>> = per_step
            .map(|((loss, accuracy), k)| {
                let times = format!("{} x", short(accuracy * candidates));
                let ahead = format!("{} ms", short(f64::from(k) * hop));
                vec![k.to_string(), ahead, nats(*loss), nats(candidates.ln() - loss), percent(*accuracy), times]
            })
            .collect();
        format!(
            "\n### Loss and accuracy by step\n\nOn {} windows after {} updates: telling the true z, k frames ahead, from {} others. The mean loss is {} nats. \
            Chance level is a loss of {} nats (the logarithm of {}) and an accuracy of {}. The bound, log({}) - loss, is InfoNCE's lower bound in nats on the mutual \
            information between c and the z that far ahead; it cannot exceed log({}).\n\n{}",
            plain(&validation.on),
            validation.step,
            short(validation.negatives_met),
            nats(validation.loss),
            nats(candidates.ln()),
            short(candidates),
            percent(1.0 / candidates),
            short(candidates),
            short(candidates),
            table(&["k", "ahead", "loss (nats)", "bound (nats)", "accuracy", "times chance"], &rows),
        )
    }

    fn usage(&self) -> String {
        let repo = self.repo.and_then(repository);
        let command = match repo {
            Some(repo) => format!("cpc extract hf:{repo} audio/ --out features"),
            None => "cpc extract MODEL audio/ --out features    # MODEL: the directory of this file".into(),
        };
        format!(
            "\n## Use\n\nWith [cpc](https://crates.io/crates/cpc-toolkit), which reads and resamples WAV, FLAC, MP3 and Ogg Vorbis:\n\n```sh\n{command}\n```\n\nIn \
            NumPy, from the files that this command writes:\n\n```python\nimport json, numpy\n\nindex = json.load(open(\"features/index.json\"))\n\
            for utterance in index[\"utterances\"]:\n    c = numpy.load(\"features/\" + utterance[\"file\"])  # (frames, {}), float32\n    \
            seconds = index[\"first_frame_seconds\"] + numpy.arange(len(c)) / index[\"frame_rate\"]\n```\n{}",
            self.config.context.hidden_dim,
            self.pytorch(repo).map_or(String::new(), |program| {
                format!("\nIn PyTorch, without cpc:\n\n```python\n{program}```\n")
            }),
        )
    }

    /// A program that loads exactly this architecture. `None` if PyTorch has no such context network.
    fn pytorch(&self, repo: Option<&str>) -> Option<String> {
        pytorch(&self.config.sizes(), "from -1 to 1", repo)
    }

    fn limits(&self, evaluation: &Evaluation) -> String {
        let e = &self.config.encoder;
        let mut limits = vec![
            "It is meant for features: the input of a classifier or of another audio model. It neither transcribes nor generates anything by itself.".to_string(),
            format!(
                "Input must be mono audio of {} samples per second, from -1 to 1; in PyTorch, you have to resample it yourself.",
                self.config.sample_rate
            ),
            format!(
                "c depends only on the past, starting at the beginning of the recording: its first frames have seen little audio. A frame is final {} ms after its beginning.",
                short(self.ms(e.receptive_field().saturating_sub(e.lead())))
            ),
            "Features of speech identify the speaker as well as what is said (the paper, section 3.1); they are not anonymous.".into(),
        ];
        limits.push(match self.training {
            Some(t) if !t.data.is_empty() => format!(
                "It was trained on {}. On other languages, voices, channels and noise it may perform worse.",
                plain(called(&t.data))
            ),
            _ => "What it was trained on is not recorded here, so nothing is known about the languages, voices and noise for which it is suitable.".into(),
        });
        if self.training.is_some_and(|t| t.validation.is_some()) {
            limits.push(
                "The bounds on mutual information hold for negatives drawn independently of c. Here they are frames of the same batch, which are correlated, so \
                the bounds are estimates. Losses of different models are comparable only if the number and choice of negatives are the same."
                    .into(),
            );
        }
        if evaluation.is_empty() {
            limits.push("No probe and no ABX test of it is reported here.".into());
        }
        format!("\n## Intended use and limits\n\n{}", limits.iter().map(|l| format!("- {l}\n")).collect::<String>())
    }
}

#[cfg(test)]
mod tests;
