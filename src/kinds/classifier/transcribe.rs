//! What recordings say by a model that was trained with CTC, and how many errors that has.

use super::examples::Shop;
use super::files::ClassifierModelConfig;
use super::measure::Figure;
use super::network::ClassifierNetwork;
use crate::error::Result;
use crate::eval::transcripts::Spelling;
use crate::eval::transcripts::decode::prefix_beam;
use crate::eval::transcripts::errors::Errors;
use crate::nn::Phase;
use candle_core::{DType, Device};
use rayon::prelude::*;

/// Samples of all windows that are transcribed at once.
const AT_ONCE: u64 = 1 << 20;

/// What recordings say, as symbols (indices of the model's classes). Each is transcribed as a whole; if it is longer than the window of the
/// model, one window after the other.
///
/// # Errors
/// A recording cannot be read.
pub(super) fn transcribe(
    network: &ClassifierNetwork,
    model: &ClassifierModelConfig,
    shop: &Shop,
    recordings: &[usize],
    beam: usize,
    device: &Device,
    progress: &dyn Fn(usize),
) -> Result<Vec<Vec<usize>>> {
    let width = model.classes.len() + 1;
    let mut scores: Vec<Vec<f64>> = vec![Vec::new(); recordings.len()];
    // The shortest first, so that those of about the same length are computed together. The windows of a recording stay in their order.
    let mut order: Vec<usize> = (0..recordings.len()).collect();
    order.sort_by_key(|&n| shop.corpus.samples(recordings[n]));
    let of = |n: usize| shop.parts(recordings[n]).into_iter().map(move |row| (n, row));
    let windows: Vec<(usize, (usize, u64))> = order.into_iter().flat_map(of).collect();
    let (mut done, mut started) = (0, 0);
    while done < windows.len() {
        let (mut end, mut longest) = (done, 0);
        while end < windows.len() {
            let (i, first) = windows[end].1;
            longest = longest.max((shop.corpus.samples(i) - first).min(shop.window as u64));
            if end > done && longest * (end - done + 1) as u64 > AT_ONCE {
                break;
            }
            end += 1;
        }
        let part = &windows[done..end];
        let rows: Vec<(usize, u64)> = part.iter().map(|(_, row)| *row).collect();
        let scored = network.scores(&shop.at(&rows)?, Phase::Eval, device)?;
        let values = scored.scores.to_dtype(DType::F64)?.to_vec3::<f64>()?;
        for (((n, (_, first)), values), outputs) in part.iter().zip(values).zip(scored.outputs) {
            values.iter().take(outputs).for_each(|row| scores[*n].extend(row));
            started += usize::from(*first == 0);
        }
        done = end;
        progress(started);
    }
    Ok(scores.par_iter().map(|scores| prefix_beam(scores, width, beam)).collect())
}

/// The error rates of transcripts. `units` names what each recording belongs to, which is resampled for the intervals.
pub(super) fn figures(
    said: &[Vec<usize>],
    truth: &[Vec<usize>],
    classes: &[String],
    spelling: Spelling,
    units: &[String],
    seed: u64,
) -> Vec<Figure> {
    let rate = |name: &str, errors: Vec<Errors>| {
        Figure::new(name, units, seed, |rows| rows.iter().map(|&i| errors[i]).sum::<Errors>().rate())
    };
    let symbols = said.iter().zip(truth).map(|(said, truth)| Errors::of(said, truth)).collect();
    match spelling {
        Spelling::Phones => rate("phone_error_rate", symbols).into_iter().collect(),
        Spelling::Characters => {
            let text = |row: &[usize]| written(row, classes, spelling);
            let words = |(said, truth): (&Vec<usize>, &Vec<usize>)| {
                let (said, truth) = (text(said), text(truth));
                let words =
                    |text: &'_ str| text.split(' ').filter(|w| !w.is_empty()).map(String::from).collect::<Vec<_>>();
                Errors::of(&words(&said), &words(&truth))
            };
            let words = said.iter().zip(truth).map(words).collect();
            [rate("character_error_rate", symbols), rate("word_error_rate", words)].into_iter().flatten().collect()
        }
    }
}

/// Symbols as a transcript.
pub(super) fn written(row: &[usize], classes: &[String], spelling: Spelling) -> String {
    spelling.text(&row.iter().map(|&k| classes[k].as_str()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_characters_are_also_those_of_words() {
        let classes: Vec<String> = [" ", "a", "b"].map(String::from).into();
        let (truth, said) = (vec![vec![1, 0, 2, 1], vec![2]], vec![vec![1, 0, 2, 2], vec![2]]);
        let units: Vec<String> = ["x", "y"].map(String::from).into();
        let found = figures(&said, &truth, &classes, Spelling::Characters, &units, 1);
        let named: Vec<(&str, f64)> = found.iter().map(|f| (f.name.as_str(), f.value)).collect();
        assert_eq!(named, [("character_error_rate", 0.2), ("word_error_rate", 1.0 / 3.0)]);
        assert_eq!(found[0].ci95, Some([0.0, 0.25]));
        assert_eq!(written(&said[0], &classes, Spelling::Characters), "a bb");
    }
}
