//! The card of a classifier.

use super::ClassifierModelConfig;
use super::measure::{Measured, Shown};
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
    let pipeline = if subject == "audio" { "audio-classification" } else { "feature-extraction" };
    let classes: Vec<String> = config.classes.iter().map(|class| plain(class)).collect();
    let rows = vec![
        (if config.multi_label { "labels" } else { "classes" }, classes.join(", ")),
        ("recordings have", if config.multi_label { "any number of them".into() } else { "one of them".into() }),
        ("head", format!("{:?} on {}", config.head.kind, config.layer).to_lowercase()),
        ("window", format!("{} samples; of longer recordings, the mean over windows", config.window)),
    ];
    let measured = measured.map_or(String::new(), |measured| {
        let rows = measured.figures.iter().map(|f| vec![f.name.replace('_', " "), Shown(f.value, f.ci95).to_string()]);
        format!(
            "\n## Evaluation\n\nTrained on {} labeled recordings, tested on {} others (95 % intervals).\n\n{}",
            measured.trained_on,
            measured.recordings,
            table(&["figure", "test"], &rows.collect::<Vec<_>>())
        )
    });
    let model = about.repo.and_then(repository).map_or("MODEL".into(), |repo| format!("hf:{repo}"));
    format!(
        "{}\n# {}\n\nA classifier of {subject}, fine-tuned from a model of contrastive predictive coding ([van den Oord et al. \
         2018](https://arxiv.org/abs/1807.03748)).\n\n{}{measured}\n## Use\n\nWith [cpc](https://crates.io/crates/cpc-toolkit):\n\n```sh\ncpc \
         predict {model} recordings/ --out predictions.csv\n```\n{CITATION}",
        about.header(&TAGS, pipeline),
        plain(about.name),
        facts(rows),
    )
}
