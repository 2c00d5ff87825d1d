//! The model card: `README.md` of a model directory, with the header that the Hugging Face hub reads.
//!
//! It says what the run knows and nothing else: what is not known is left out.

use crate::config::{Config, ContextKind, HeadsKind};
use crate::weights::ModelConfig;
use std::fmt::Write;

/// The program that reads a model in PyTorch.
const PYTORCH: &str = include_str!("model_card.py.txt");

/// What a model was trained on, and how well it did.
#[derive(Debug, Clone)]
pub struct Training<'a> {
    /// The configuration of the run.
    pub config: &'a Config,
    /// What the corpus is called.
    pub data: &'a str,
    /// Hours of recordings trained on.
    pub hours: f64,
    /// Utterances trained on.
    pub utterances: usize,
    /// Speakers trained on.
    pub speakers: usize,
    /// Updates made before the figures.
    pub step: u64,
    /// What the figures were taken on: `validation` or `training`.
    pub on: &'a str,
    /// InfoNCE of each step k, in nats.
    pub loss_per_step: &'a [f64],
    /// The share of positions whose true future scores highest, of each step k.
    pub accuracy_per_step: &'a [f64],
    /// What guessing gives: one of the candidates.
    pub chance: f64,
}

/// The card of a model, as Markdown.
///
/// `name` is what the model is called.
pub fn model_card(name: &str, model: &ModelConfig, parameters: usize, training: &Training) -> String {
    let mut card = header();
    let name = plain(name);
    let _ = write!(
        card,
        "# {name}\n\n\
        A model of contrastive predictive coding (CPC, [van den Oord et al. 2018](https://arxiv.org/abs/1807.03748)) on raw waveform, trained with \
        [cpc-toolkit](https://crates.io/crates/cpc-toolkit) {}. It turns mono audio of {} samples a second into features without labels: z of the \
        samples around each frame, and c of everything up to it.\n",
        env!("CARGO_PKG_VERSION"),
        model.sample_rate
    );
    architecture(&mut card, model, parameters);
    trained(&mut card, model, training);
    let _ = write!(
        card,
        "\n## Use\n\n\
        With cpc, to `.npy` files of (frames, {}) that numpy reads:\n\n\
        ```sh\ncpc extract MODEL recordings/ --out features    # MODEL: this directory\n```\n\n\
        ```python\nimport numpy\nnumpy.load(\"features/speaker/utterance.npy\")\n```\n\n\
        In PyTorch:\n\n```python\n{PYTORCH}```\n",
        model.context.hidden_dim
    );
    card
}

fn header() -> String {
    let tags = ["cpc", "contrastive-predictive-coding", "self-supervised", "audio", "speech"];
    let tags: String = tags.iter().map(|tag| format!("- {tag}\n")).collect();
    format!("---\nlibrary_name: cpc-toolkit\npipeline_tag: feature-extraction\ntags:\n{tags}---\n\n")
}

/// A name in one line of Markdown, with nothing that Markdown would read.
fn plain(name: &str) -> String {
    let special = |c: char| "\\`*_{}[]<>#|$".contains(c);
    name.chars().filter(|c| !c.is_control()).flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn architecture(card: &mut String, model: &ModelConfig, parameters: usize) {
    let (e, c, h) = (&model.encoder, &model.context, &model.heads);
    let ms = |samples: usize| 1e3 * samples as f64 / f64::from(model.sample_rate);
    let list = |sizes: &[usize]| sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let norm = format!("{:?}", e.norm).to_lowercase();
    let kind = match c.kind {
        ContextKind::Gru => "GRU",
        ContextKind::Lstm => "LSTM",
    };
    let heads = match h.kind {
        HeadsKind::Linear => "linear",
        HeadsKind::Transformer => "transformer",
    };
    let _ = write!(
        card,
        "\n## Architecture\n\n| | |\n|---|---|\n\
        | parameters | {parameters} |\n\
        | encoder | {} convolutions of {} channels, kernels {}, strides {}, paddings {}, norm {norm}, ReLU |\n\
        | hop | {} samples, {:.1} ms, {:.1} frames a second |\n\
        | receptive field of z | {} samples, {:.1} ms |\n\
        | context | {kind} of {}, layers: {} |\n\
        | prediction heads | {heads}, {} steps ahead ({:.0} ms), scores {} |\n",
        e.kernels.len(),
        e.hidden_dim,
        list(&e.kernels),
        list(&e.strides),
        list(&e.paddings),
        e.hop(),
        ms(e.hop()),
        1e3 / ms(e.hop()),
        e.receptive_field(),
        ms(e.receptive_field()),
        c.hidden_dim,
        c.num_layers,
        h.steps,
        ms(e.hop() * h.steps),
        h.score.name(),
    );
}

fn trained(card: &mut String, model: &ModelConfig, training: &Training) {
    let config = training.config;
    let seconds = config.data.window as f64 / f64::from(model.sample_rate);
    let amount = match training.hours {
        hours if hours < 1.0 => format!("{:.1} minutes", hours * 60.0),
        hours => format!("{hours:.1} hours"),
    };
    let candidates = (1.0 / training.chance).round();
    let _ = write!(
        card,
        "\n## Training\n\n\
        On {amount} of {} ({} utterances, {} speakers): {} updates with batches of {} windows of {seconds:.2} s, learning rate {:e}, seed {}.\n\n\
        Figures on {}, after {} updates, of telling the true future from {:.0} others. Loss and bound are in nats; chance is a loss of {:.3} and an accuracy of \
        {:.2} %. The bound is log({candidates:.0}) - loss: at least so much information has c about z that far ahead.\n\n\
        | k | ahead | loss | bound | accuracy |\n|---|---|---|---|---|\n",
        plain(training.data),
        training.utterances,
        training.speakers,
        training.step,
        config.train.batch_size * config.train.accumulate,
        config.train.lr,
        config.seed,
        training.on,
        training.step,
        candidates - 1.0,
        candidates.ln(),
        training.chance * 100.0,
    );
    let hop = 1e3 * model.encoder.hop() as f64 / f64::from(model.sample_rate);
    for (i, (loss, accuracy)) in training.loss_per_step.iter().zip(training.accuracy_per_step).enumerate() {
        let (k, bound) = (i + 1, candidates.ln() - loss);
        let _ =
            writeln!(card, "| {k} | {:.0} ms | {loss:.3} | {bound:.3} | {:.2} % |", k as f64 * hop, accuracy * 100.0);
    }
    if !config.train.init.is_empty() {
        let from = config.train.init.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default();
        let _ = writeln!(card, "\nIt began with the weights of {}.", plain(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(data: &str, init: &str) -> String {
        let mut config = Config::default();
        config.train.init = init.into();
        let training = Training {
            config: &config,
            data,
            hours: 1.5,
            utterances: 40,
            speakers: 3,
            step: 700,
            on: "validation",
            loss_per_step: &[2.0, 4.0],
            accuracy_per_step: &[0.5, 0.125],
            chance: 1.0 / 129.0,
        };
        model_card("runs_a", &ModelConfig::audio(&config), 1234, &training)
    }

    #[test]
    fn a_card_says_what_the_run_knows() {
        let card = card("LibriSpeech", "");
        assert!(card.starts_with("---\nlibrary_name: cpc-toolkit\n"), "{card}");
        for said in [
            "# runs\\_a",
            "1.5 hours of LibriSpeech (40 utterances, 3 speakers)",
            "| parameters | 1234 |",
            "kernels 10, 8, 4, 4, 4",
            "160 samples, 10.0 ms, 100.0 frames a second",
            "465 samples, 29.1 ms",
            "from 128 others",
            "| 1 | 10 ms | 2.000 | 2.860 | 50.00 % |", // ln 129 = 4.8598
            "| 2 | 20 ms | 4.000 | 0.860 | 12.50 % |",
            "load_state_dict",
        ] {
            assert!(card.contains(said), "{said:?} is not in {card}");
        }
        // Nothing that is not known: no license, no language, no dataset of the hub.
        for unsaid in ["license", "language", "datasets:", "It began"] {
            assert!(!card.contains(unsaid), "{unsaid:?} is in {card}");
        }
    }

    #[test]
    fn names_are_only_names() {
        let card = card("a|b\n---\n# <script>", "/data/old/checkpoint_3.pt");
        assert!(
            card.contains("of a\\|b---\\# \\<script\\> (40") || card.contains("of a\\|b---\\# \\<script\\>"),
            "{card}"
        );
        assert!(card.contains("weights of checkpoint\\_3.pt") && !card.contains("/data/old"), "{card}");
        assert_eq!(card.lines().filter(|line| *line == "---").count(), 2);
    }
}
