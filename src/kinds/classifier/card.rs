//! The card of a classifier.

use super::ClassifierModelConfig;
use super::measure::{Measured, Shown};
use crate::eval::transcripts::Spelling;
use crate::report::model_card::{About, CITATION, facts, plain, repository, table};

/// Tags for searches on the hub.
const TAGS: [&str; 4] = ["cpc", "contrastive-predictive-coding", "fine-tuned", "classification"];

/// The card as Markdown; `subject` is what is classified, such as `audio`.
pub(super) fn markdown(
    about: About,
    config: &ClassifierModelConfig,
    subject: &str,
    measured: Option<&Measured>,
) -> String {
    let (pipeline, items, input) = match subject {
        "audio" if config.ctc.is_some() => ("automatic-speech-recognition", "recordings", "recordings/"),
        "audio" => ("audio-classification", "recordings", "recordings/"),
        "images" => ("image-classification", "images", "images/"),
        "text" => ("text-classification", "sentences", "sentences.txt"),
        _ => ("feature-extraction", "recordings", "recordings/"),
    };
    let have = if items == "recordings" { "recordings have" } else { "each has" };
    let classes: Vec<String> = config.classes.iter().map(|class| plain(class)).collect();
    let head = ("head", format!("{:?} on {}", config.head.kind, config.layer).to_lowercase());
    let mut rows = match config.ctc.map(|ctc| ctc.spelling) {
        None => vec![
            (if config.multi_label { "labels" } else { "classes" }, classes.join(", ")),
            (have, if config.multi_label { "any number of them".into() } else { "one of them".into() }),
            head,
        ],
        Some(Spelling::Phones) => vec![("symbols", classes.join(" ")), ("trained with", "CTC".into()), head],
        Some(Spelling::Characters) => vec![("characters", classes.join(" ")), ("trained with", "CTC".into()), head],
    };
    if subject != "images" {
        let unit = if subject == "text" { "tokens" } else { "samples" };
        let longer = match config.ctc {
            None => format!("of longer {items}, the mean over windows"),
            Some(_) => format!("longer {items} are transcribed one window after the other"),
        };
        rows.push(("window", format!("{} {unit}; {longer}", config.window)));
    }
    let measured = measured.map_or(String::new(), |measured| {
        let rows = measured.figures.iter().map(|f| vec![f.name.replace('_', " "), Shown(f.value, f.ci95).to_string()]);
        format!(
            "\n## Evaluation\n\nTrained on {} labeled {}, tested on {} others (95 % intervals).\n\n{}",
            measured.trained_on,
            measured.items,
            measured.tested,
            table(&["figure", "test"], &rows.collect::<Vec<_>>())
        )
    });
    let model = about.repo.and_then(repository).map_or("MODEL".into(), |repo| format!("hf:{repo}"));
    format!(
        "{}\n# {}\n\nA {} of {subject}, fine-tuned from a model of contrastive predictive coding ([van den Oord et al. \
         2018](https://arxiv.org/abs/1807.03748)).\n\n{}{measured}\n## Use\n\nWith [cpc](https://crates.io/crates/cpc-toolkit):\n\n```sh\ncpc \
         predict {model} {input} --out predictions.csv\n```\n{CITATION}",
        about.header(&TAGS, pipeline),
        plain(about.name),
        if config.ctc.is_some() { "transcriber" } else { "classifier" },
        facts(rows),
    )
}
