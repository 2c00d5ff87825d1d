//! The card of a series model.

use super::SeriesModelConfig;
use crate::recordings::Scale;
use crate::report::model_card::{About, CITATION, facts, plain, repository, short};
use crate::report::spans::seconds;
use crate::signal::pytorch;

/// Tags for searches on the hub.
const TAGS: [&str; 6] =
    ["cpc", "contrastive-predictive-coding", "self-supervised", "time-series", "sensors", "feature-extraction"];

/// The card as Markdown.
pub(super) fn markdown(about: About, config: &SeriesModelConfig) -> String {
    let (e, c, h) = (&config.encoder, &config.context, &config.heads);
    let list = |sizes: &[usize]| sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let time = |samples: usize| seconds(samples as f64 / config.sample_rate);
    let scale = match (config.scale, &config.moments) {
        (Scale::None, _) => "none: values are in the units of the files".into(),
        (Scale::Recording, _) => "each channel to mean 0 and standard deviation 1 in each recording".into(),
        (Scale::Corpus, moments) => {
            let each = moments.iter().flatten().zip(&config.channels);
            let each: Vec<String> = each.map(|((mean, sd), name)| format!("{} {mean} ({sd})", plain(name))).collect();
            format!("each channel by its mean (standard deviation) in the training corpus: {}", each.join(", "))
        }
    };
    let rows = vec![
        ("channels", config.channels.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ")),
        ("sample rate", format!("{} per second", short(config.sample_rate))),
        ("scale", scale),
        ("kernels", list(&e.kernels)),
        ("strides", list(&e.strides)),
        ("padding", if e.causal { "causal".into() } else { list(&e.paddings) }),
        ("hop", format!("{} samples ({})", e.hop(), time(e.hop()))),
        ("receptive field of z", format!("{} samples ({})", e.receptive_field(), time(e.receptive_field()))),
        ("context", format!("{} of {}, {} layer(s)", c.kind.title(), c.hidden_dim, c.num_layers)),
        ("prediction heads", format!("one for each of K = {} steps ({})", h.steps, time(e.hop() * h.steps))),
    ];
    let repo = about.repo.and_then(repository);
    let command = match repo {
        Some(repo) => format!("cpc extract hf:{repo} recordings/ --out features"),
        None => "cpc extract MODEL recordings/ --out features    # MODEL: the directory of this file".into(),
    };
    let program = pytorch(&config.sizes(), "scaled as above", repo)
        .map_or(String::new(), |program| format!("\nIn PyTorch, without cpc:\n\n```python\n{program}```\n"));
    format!(
        "{}\n# {}\n\nA model of contrastive predictive coding ([van den Oord et al. 2018](https://arxiv.org/abs/1807.03748)) on series of {} \
         channels: it turns a recording into {} feature vectors per second, learned without labels by distinguishing the true future from false \
         ones. c ({} dimensions) summarizes everything that came before and is the usual choice; z ({} dimensions) sees the {} around its \
         frame.\n\n## Architecture\n\n{}\n## Use\n\nWith [cpc](https://crates.io/crates/cpc-toolkit), for recordings with these channels in any \
         order (npy, csv, parquet, EDF, WFDB):\n\n```sh\n{command}\n```\n{program}\n## Intended use and limits\n\n- It is meant for features: the input of a \
         classifier. It is not a medical device, and no diagnosis may rest on it alone.\n- Recordings of other sensors, or of other people than those \
         it was trained on, may give features of less use: measure with `cpc probe` on your own labels.\n{CITATION}",
        about.header(&TAGS, "feature-extraction"),
        plain(about.name),
        config.channels.len(),
        short(config.sample_rate / e.hop() as f64),
        c.hidden_dim,
        e.hidden_dim,
        time(e.receptive_field()),
        facts(rows),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::series::SeriesConfig;
    use crate::recordings::Expected;

    #[test]
    fn it_says_what_the_input_is_and_how_to_use_the_model() {
        let mut config = SeriesConfig::default();
        config.data.scale = Scale::Corpus;
        (config.encoder.causal, config.encoder.paddings) = (true, vec![0; 5]);
        let scale = Some(vec![(1.5, 0.5), (0.0, 2.0)]);
        let expected = Expected { channels: vec!["I".into(), "a|b".into()], rate: 240.0, scale };
        let config = SeriesModelConfig::of(&config, &expected);
        let about = About { name: "ecg", license: Some("mit"), language: &[], datasets: &[], repo: Some("owner/ecg") };
        let card = markdown(about, &config);
        for words in [
            "license: \"mit\"",
            "series of 2 channels",
            "I 1.5 (0.5)",
            "| 240 per second |",
            "causal",
            "cpc extract hf:owner/ecg recordings/",
            "samples):  # (batch, samples, 2), 240 per second, scaled as above",
            "nn.functional.pad(x, (305, 0))",
            "torch.zeros(1, 465, 2)",
        ] {
            assert!(card.contains(words), "{words} is not in {card}");
        }
        assert!(!card.contains("<<"), "{card}");
    }
}
