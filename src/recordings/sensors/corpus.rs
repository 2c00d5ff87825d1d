//! From a directory of recordings of several channels to a corpus.

use super::reader::{SensorInfo, Sensors, frames_at, ratio, scaling};
use super::survey::{Moments, Survey, survey};
use super::{Gaps, Scale, SensorsConfig};
use crate::error::{Error, Problem, Result};
use crate::recordings::corpus::names;
use crate::recordings::{Corpus, FoundRecording, Unused, Utterance, scan};
use crate::series::{self, EXTENSIONS, Run, Selection, SeriesInfo};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a trained model expects of its input.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The names of its channels, in order.
    pub channels: Vec<String>,
    /// Frames per second.
    pub rate: f64,
    /// The mean and the standard deviation of each channel of the corpus that it was trained on, if it scales by them.
    pub scale: Option<Vec<(f32, f32)>>,
}

/// A recording whose header was read, and its values if they matter.
struct Looked {
    info: Arc<SeriesInfo>,
    /// The subject that a column names; this is the part of the file that is the subject's.
    subject: Option<String>,
    selection: Arc<Selection>,
    rate: f64,
    survey: Option<Survey>,
}

impl Corpus<Sensors> {
    /// Opens a directory of recordings, or a single one. The subject is the first folder; of a table with a column of subjects, the rows of each
    /// subject are a recording. Returns what the model has to keep besides.
    /// `progress` is called with the number of recordings looked at so far, from several threads.
    ///
    /// # Errors
    /// No recording can be used. The recordings have different rates, and nothing says which is wanted.
    pub fn sensors(
        cfg: &SensorsConfig,
        data: &Path,
        expected: Option<&Expected>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<(Corpus<Sensors>, Expected)> {
        let Found { mut found, mut problems, mut unused, root } = find(data)?;
        let channels = expected.map_or(&cfg.channels, |expected| &expected.channels);
        let mut looked = look(&found, cfg, channels, progress);
        leave_texts(&mut found, &mut looked, &mut unused);
        let (found, ids, looked) = parted(found, looked);
        let (channels, rate) = agreed(&found, &looked, cfg, channels, expected.map(|expected| expected.rate))?;

        let fitted: Vec<_> = looked.into_iter().map(|looked| fits(looked?, &channels, rate)).collect();
        let scale = match (cfg.scale, expected) {
            (Scale::Corpus, Some(Expected { scale: Some(scale), .. })) => Some(scale.clone()),
            (Scale::Corpus, _) => Some(of_corpus(&fitted, channels.len())),
            _ => None,
        };
        let mut utterances: Vec<(&str, Utterance<Sensors>)> = Vec::new();
        for ((found, id), looked) in found.iter().zip(ids).zip(fitted) {
            let looked = match looked {
                Ok(looked) => looked,
                Err(what) => {
                    problems.push(Problem::new(&found.place, what));
                    continue;
                }
            };
            let Looked { info, selection, rate: own, survey, .. } = looked;
            let missing = survey.as_ref().map_or(0, |survey| survey.missing);
            if missing > 0 && cfg.gaps == Gaps::Fail {
                problems.push(Problem::new(&found.place, format!("has {missing} frames with missing values")));
                continue;
            }
            let runs = match &survey {
                Some(survey) if cfg.gaps != Gaps::Mean => survey.runs.clone(),
                _ => selection.runs.clone(),
            };
            let of_recording = || {
                let moments = survey.iter().flat_map(|survey| &survey.moments);
                moments.map(|m| (m.mean as f32, m.deviation() as f32)).collect::<Vec<_>>()
            };
            let figures = match (cfg.scale, &scale) {
                (Scale::None, _) => vec![(0.0, 1.0); channels.len()],
                (_, Some(scale)) => scale.clone(),
                _ => of_recording(),
            };
            let scale: Arc<[(f32, f32)]> = figures.into_iter().map(scaling).collect();
            let whole = runs.len() == 1 && (missing == 0 || cfg.gaps == Gaps::Mean);
            for run in runs {
                let second = |frame: u64| (frame as f64 / own * 1000.0).round() / 1000.0;
                let times = format!(":{}-{}", second(run.first), second(run.first + run.frames));
                let (series, selection, fill) = (info.clone(), selection.clone(), cfg.gaps == Gaps::Mean);
                let info = SensorInfo { series, selection, run, rate: own, scale: scale.clone(), fill };
                let id = if whole { id.clone() } else { id.clone() + &times };
                let samples = frames_at(run.frames, own, rate);
                let utterance = Utterance { id, speaker: 0, place: found.place.clone(), info, start: 0, samples };
                utterances.push((found.speaker.as_str(), utterance));
            }
        }
        let corpus = Corpus::new(rate, channels.len(), root).filled(utterances)?;
        let corpus = Corpus { unused, ..corpus.with_problems(problems) };
        Ok((corpus, Expected { channels, rate, scale }))
    }
}

/// The recordings at a path.
pub(super) struct Found {
    /// Sorted by path.
    pub(super) found: Vec<FoundRecording>,
    pub(super) problems: Vec<Problem>,
    pub(super) unused: Unused,
    pub(super) root: PathBuf,
}

/// The recordings in a directory, or a single one.
///
/// # Errors
/// There are none, or the path cannot be read.
pub(super) fn find(data: &Path) -> Result<Found> {
    let metadata = std::fs::metadata(data).map_err(Error::io(data, "open"))?;
    let (mut found, problems, unused, root) = match metadata.is_dir() {
        true => {
            let (found, problems, unused) = scan::files(data, &series::is_name)?;
            (found, problems, unused, data.to_path_buf())
        }
        false => {
            let root = data.parent().unwrap_or(Path::new("")).to_path_buf();
            (vec![scan::file(data, &root)], Vec::new(), Unused::default(), root)
        }
    };
    if found.is_empty() && problems.is_empty() {
        let wanted: Vec<String> = EXTENSIONS.iter().map(|e| format!(".{e}")).collect();
        return Err(Error::failed(
            format!("{}: no file in it is a recording (looked for {})", data.display(), wanted.join(", ")),
            "pass the directory that contains one folder of recordings per subject",
        ));
    }
    found.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(Found { found, problems, unused, root })
}

/// Leaves out tables of texts, such as labels beside the recordings; they are not used.
pub(super) fn leave_texts<T>(
    found: &mut Vec<FoundRecording>,
    looked: &mut Vec<std::result::Result<T, String>>,
    unused: &mut Unused,
) {
    if found.len() < 2 {
        return;
    }
    let texts: Vec<bool> =
        looked.iter().map(|looked| looked.as_ref().is_err_and(|what| what == series::NO_NUMBERS)).collect();
    found.iter().zip(&texts).filter(|(_, text)| **text).for_each(|(found, _)| unused.file(found.place.file()));
    let mut keep = texts.iter();
    found.retain(|_| keep.next() == Some(&false));
    let mut keep = texts.iter();
    looked.retain(|_| keep.next() == Some(&false));
}

/// Reads the headers of all recordings, and their values if they are needed to scale them or to find gaps.
fn look(
    found: &[FoundRecording],
    cfg: &SensorsConfig,
    channels: &[String],
    progress: &(dyn Fn(usize) + Sync),
) -> Vec<std::result::Result<Vec<Looked>, String>> {
    let done = AtomicUsize::new(0);
    let one = |found: &FoundRecording| {
        let path = found.place.file();
        let info = Arc::new(series::probe(path, cfg.columns())?);
        if cfg.rate == 0.0 && info.is_list() {
            return Err(series::NO_NUMBERS.into());
        }
        let selection = info.select(channels)?;
        let rate = selection.rate.or((cfg.rate > 0.0).then_some(cfg.rate));
        let rate = rate.ok_or("does not say how many frames per second it has; give --rate")?;
        if let Some(own) = selection.rate
            && cfg.rate > 0.0
            && (own - cfg.rate).abs() > 0.01 * own
        {
            return Err(format!("has {own} frames per second, and --rate says {}; leave --rate out", cfg.rate));
        }
        let needed = cfg.scale != Scale::None || cfg.gaps != Gaps::Mean;
        let part = |subject: Option<&String>, selection: Selection| {
            let survey = if needed { Some(survey(path, &info, &selection)?) } else { None };
            let (info, subject, selection) = (info.clone(), subject.cloned(), Arc::new(selection));
            Ok(Looked { info, subject, selection, rate, survey })
        };
        match info.subjects() {
            [] => Ok(vec![part(None, selection)?]),
            subjects => {
                let of = |(subject, runs): &(String, Vec<Run>)| {
                    part(Some(subject), Selection { runs: runs.clone(), ..selection.clone() })
                };
                subjects.iter().map(of).collect()
            }
        }
    };
    let each = found.par_iter().map(|found| {
        let looked = one(found);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        looked
    });
    each.collect()
}

/// A recording for each part of a file that is a subject's, with its id: `watch:anna` of the rows of anna in `watch.csv`.
#[allow(clippy::type_complexity)]
fn parted(
    found: Vec<FoundRecording>,
    looked: Vec<std::result::Result<Vec<Looked>, String>>,
) -> (Vec<FoundRecording>, Vec<String>, Vec<std::result::Result<Looked, String>>) {
    let ids = names(&found);
    let mut all = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |found, id, looked| {
        all.0.push(found);
        all.1.push(id);
        all.2.push(looked);
    };
    for ((found, id), looked) in found.into_iter().zip(ids).zip(looked) {
        let parts = match looked {
            Ok(parts) => parts,
            Err(what) => {
                add(found, id, Err(what));
                continue;
            }
        };
        for part in parts {
            match part.subject.clone() {
                None => add(found.clone(), id.clone(), Ok(part)),
                Some(subject) => {
                    // Ids are names of files.
                    let name = subject.replace(['/', '\\', '\0'], "_");
                    add(FoundRecording { speaker: subject, ..found.clone() }, format!("{id}:{name}"), Ok(part));
                }
            }
        }
    }
    all
}

/// The channels and the rate of the model.
fn agreed(
    found: &[FoundRecording],
    looked: &[std::result::Result<Looked, String>],
    cfg: &SensorsConfig,
    channels: &[String],
    rate: Option<f64>,
) -> Result<(Vec<String>, f64)> {
    let good = || found.iter().zip(looked).filter_map(|(found, looked)| Some((found, looked.as_ref().ok()?)));
    let Some((_, first)) = good().next() else {
        let each = found.iter().zip(looked).filter_map(|(f, l)| Some(Problem::new(&f.place, l.as_ref().err()?)));
        return Err(Error::BadFiles(each.collect()));
    };
    let name = |i: &usize| first.info.channels[*i].name.clone();
    let channels = match channels {
        [] => first.selection.channels.iter().map(name).collect(),
        channels => channels.to_vec(),
    };
    let rate = match rate.or((cfg.sample_rate > 0.0).then_some(cfg.sample_rate)) {
        Some(rate) => rate,
        None => match good().find(|(_, other)| !same(other.rate, first.rate)) {
            None => first.rate,
            Some((file, other)) => {
                return Err(Error::failed(
                    format!("recordings have different rates: {} and, in {}, {}", first.rate, file.place, other.rate),
                    format!("choose the rate of the model: --set data.sample_rate={}", first.rate.min(other.rate)),
                ));
            }
        },
    };
    Ok((channels, rate))
}

/// Whether two rates differ by no more than one in a thousand.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-3 * b
}

/// The recording with the channels of the model, in its order, if it has them.
fn fits(looked: Looked, channels: &[String], rate: f64) -> std::result::Result<Looked, String> {
    let own: Vec<&str> = looked.selection.channels.iter().map(|&i| looked.info.channels[i].name.as_str()).collect();
    if own.len() != channels.len() {
        return Err(format!(
            "has {} channels ({}), not {} ({})",
            own.len(),
            own.join(", "),
            channels.len(),
            channels.join(", ")
        ));
    }
    let selection = looked.info.select(channels)?;
    // The rates of tables are those of their times, which may be rounded.
    let own = if same(looked.rate, rate) { rate } else { looked.rate };
    if own != rate {
        ratio(own, rate)?;
    }
    // The values were looked at in the order of the file.
    let place = |i: &usize| looked.selection.channels.iter().position(|own| own == i).unwrap_or(0);
    let survey = looked.survey.map(|survey| {
        let moments = selection.channels.iter().map(|i| survey.moments[place(i)]).collect();
        Survey { moments, ..survey }
    });
    if let Some(survey) = &survey
        && survey.moments.iter().all(|m| m.deviation() == 0.0)
    {
        return Err("is constant: no channel changes".into());
    }
    Ok(Looked { selection: Arc::new(selection), rate: own, survey, ..looked })
}

/// Mean and standard deviation of each channel over all recordings.
fn of_corpus(looked: &[std::result::Result<Looked, String>], width: usize) -> Vec<(f32, f32)> {
    let mut all = vec![Moments::default(); width];
    for survey in looked.iter().filter_map(|looked| looked.as_ref().ok()?.survey.as_ref()) {
        all.iter_mut().zip(&survey.moments).for_each(|(all, own)| *all = all.and(*own));
    }
    all.iter().map(|m| (m.mean as f32, m.deviation() as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Position;
    use crate::group::Share;
    use crate::recordings::{Medium, RecordingLoader, SensorReader, Windows, validation_batches};

    fn open(root: &Path, cfg: &SensorsConfig) -> Result<(Corpus<Sensors>, Expected)> {
        let (corpus, expected) = Corpus::sensors(cfg, root, None, &|_| {})?;
        Ok((corpus.usable(cfg.on_bad_file)?, expected))
    }

    /// A table with times at `rate`, and one column for each function of the time.
    fn table(path: &Path, rate: f64, frames: usize, columns: &[(&str, &dyn Fn(f64) -> f64)]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let mut text = format!("time,{}\n", names.join(","));
        for i in 0..frames {
            let t = i as f64 / rate;
            let values: Vec<String> = columns.iter().map(|(_, f)| f(t).to_string()).collect();
            text += &format!("{t},{}\n", values.join(","));
        }
        std::fs::write(path, text).unwrap();
    }

    fn plain() -> SensorsConfig {
        SensorsConfig { scale: Scale::None, window: 50, ..SensorsConfig::default() }
    }

    #[test]
    fn channels_are_brought_into_the_order_of_the_first_recording_and_scaled() {
        let dir = tempfile::tempdir().unwrap();
        let up = |t: f64| t;
        let down = |t: f64| 10.0 - 3.0 * t;
        table(&dir.path().join("s1/a.csv"), 100.0, 300, &[("x", &up), ("y", &down)]);
        table(&dir.path().join("s2/b.csv"), 100.0, 200, &[("y", &down), ("x", &up)]);
        let (corpus, expected) = open(dir.path(), &plain()).unwrap();
        assert_eq!((expected.channels, expected.rate, corpus.width), (vec!["x".into(), "y".into()], 100.0, 2));
        assert_eq!((corpus.speakers.as_slice(), corpus.seconds()), (&["s1".to_string(), "s2".into()][..], 5.0));
        let read = |corpus: &Corpus<Sensors>, i: usize, first: u64, rate: f64, n: usize| {
            let (u, mut out) = (&corpus.utterances[i], vec![0.0; 2 * n]);
            Sensors::read(&mut SensorReader::default(), &u.place, &u.info, first, rate, &mut out).unwrap();
            out
        };
        assert_eq!(read(&corpus, 1, 100, 100.0, 1), [1.0, 7.0]);

        let (corpus, _) = open(dir.path(), &SensorsConfig { scale: Scale::Recording, ..plain() }).unwrap();
        for (i, frames) in [(0, 300), (1, 200)] {
            let values = read(&corpus, i, 0, 100.0, frames);
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            let square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
            assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3, "{mean} {square}");
        }
        let (corpus, expected) = open(dir.path(), &SensorsConfig { scale: Scale::Corpus, ..plain() }).unwrap();
        let scale = expected.scale.unwrap();
        assert!((scale[0].0 - 1.295).abs() < 1e-3 && scale[1].1 > 2.0, "{scale:?}");
        let want = (1.0 - scale[0].0) / scale[0].1;
        assert!((read(&corpus, 0, 100, 100.0, 1)[0] - want).abs() < 1e-6);
        // A model has its own figures.
        let known =
            Expected { channels: vec!["y".into(), "x".into()], rate: 100.0, scale: Some(vec![(0.0, 2.0), (1.0, 1.0)]) };
        let cfg = SensorsConfig { scale: Scale::Corpus, ..plain() };
        let (corpus, _) = Corpus::sensors(&cfg, dir.path(), Some(&known), &|_| {}).unwrap();
        assert_eq!(read(&corpus, 0, 100, 100.0, 1), [3.5, 0.0]);
    }

    #[test]
    fn other_rates_are_resampled_and_any_range_is_that_of_the_whole() {
        let dir = tempfile::tempdir().unwrap();
        let slow = |t: f64| 5.0 + (std::f64::consts::TAU * 2.0 * t).sin();
        table(&dir.path().join("s/a.csv"), 250.0, 2500, &[("x", &slow), ("y", &slow)]);
        let (corpus, _) = open(dir.path(), &SensorsConfig { sample_rate: 100.0, ..plain() }).unwrap();
        let u = &corpus.utterances[0];
        assert_eq!(u.samples, 1000);
        let mut reader = SensorReader::default();
        let mut read = |first: u64, n: usize| {
            let mut out = vec![0.0; 2 * n];
            Sensors::read(&mut reader, &u.place, &u.info, first, 100.0, &mut out).unwrap();
            out
        };
        let whole = read(0, 1000);
        for (i, frame) in whole.chunks_exact(2).enumerate() {
            // At the ends, the first and the last value go on, which the signal does not.
            let near = if (50..950).contains(&i) { 2e-3 } else { 0.2 };
            assert!(
                (f64::from(frame[0]) - slow(i as f64 / 100.0)).abs() < near && frame[0] == frame[1],
                "{i} {frame:?}"
            );
        }
        assert_eq!(read(333, 40), whole[666..746]);
        assert!(ratio(256.5, 100.0).is_ok() && ratio(100.0, 1e-9).is_err());
    }

    #[test]
    fn gaps_are_cut_out_or_filled_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let holed = |t: f64| if (1.0..1.5).contains(&t) { f64::NAN } else { t };
        table(&dir.path().join("s/a.csv"), 100.0, 300, &[("x", &holed), ("y", &|t| t)]);
        table(&dir.path().join("s/b.csv"), 100.0, 300, &[("x", &|t| t), ("y", &|t| t)]);
        let ids = |gaps: Gaps| {
            let (corpus, _) = open(
                dir.path(),
                &SensorsConfig {
                    gaps,
                    scale: if gaps == Gaps::Mean { Scale::Recording } else { Scale::None },
                    ..plain()
                },
            )?;
            Ok::<_, Error>(corpus.utterances.iter().map(|u| (u.id.clone(), u.samples)).collect::<Vec<_>>())
        };
        let cut = [("a:0-1".to_string(), 100), ("a:1.5-3".into(), 150), ("b".into(), 300)];
        assert_eq!(ids(Gaps::Cut).unwrap(), cut);
        assert_eq!(ids(Gaps::Mean).unwrap(), [("a".to_string(), 300), ("b".into(), 300)]);
        assert!(ids(Gaps::Fail).unwrap_err().to_string().contains("a.csv: has 50 frames with missing values"));
    }

    #[test]
    fn the_rows_of_each_subject_in_a_table_are_a_recording() {
        let dir = tempfile::tempdir().unwrap();
        let mut text = "user,time,x,y\n".to_string();
        for (subject, level) in [("7", 100.0), ("../9", 0.0), ("7", 300.0)] {
            let from = if level > 200.0 { 500 } else { 0 };
            for i in from..from + 200 {
                text += &format!("{subject},{},{},{}\n", f64::from(i) / 100.0, level + f64::from(i % 7), i % 5);
            }
        }
        std::fs::write(dir.path().join("all.csv"), &text).unwrap();
        let (corpus, expected) = open(dir.path(), &plain()).unwrap();
        assert_eq!((expected.channels, expected.rate), (vec!["x".into(), "y".into()], 100.0));
        let found: Vec<(&str, &str, u64)> = corpus
            .utterances
            .iter()
            .map(|u| (u.id.as_str(), corpus.speakers[u.speaker as usize].as_str(), u.samples))
            .collect();
        assert_eq!(found, [("all:.._9", "../9", 200), ("all:7:0-2", "7", 200), ("all:7:4-6", "7", 200)]);
        let u = &corpus.utterances[0];
        let mut out = [0.0; 4];
        Sensors::read(&mut SensorReader::default(), &u.place, &u.info, 1, 100.0, &mut out).unwrap();
        assert_eq!(out, [1.0, 1.0, 2.0, 2.0]);
        // Each is scaled by its own values.
        let (corpus, _) = open(dir.path(), &SensorsConfig { scale: Scale::Recording, ..plain() }).unwrap();
        Sensors::read(&mut SensorReader::default(), &u.place, &corpus.utterances[0].info, 1, 100.0, &mut out).unwrap();
        assert!(out[0].abs() < 2.0 && out[2].abs() < 2.0, "{out:?}");
        // Another column, by its name.
        std::fs::write(dir.path().join("all.csv"), text.replace("user,", "who,")).unwrap();
        let (corpus, _) = open(dir.path(), &SensorsConfig { subject: "who".into(), ..plain() }).unwrap();
        assert_eq!(corpus.speakers, ["../9", "7"]);
    }

    #[test]
    fn windows_and_batches_are_those_of_any_corpus() {
        let dir = tempfile::tempdir().unwrap();
        for s in 0..3 {
            let of = move |t: f64| f64::from(s) * 1000.0 + t;
            table(&dir.path().join(format!("s{s}/a.csv")), 100.0, 400, &[("x", &of), ("y", &|t| -t)]);
        }
        let cfg = plain();
        let (corpus, _) = open(dir.path(), &cfg).unwrap();
        let windows = Arc::new(Windows::new(Arc::new(corpus), &cfg.windows()).unwrap());
        let mut loader = RecordingLoader::start(windows.clone(), 4, 1, Position::default(), 2).unwrap();
        for _ in 0..10 {
            let batch = loader.next().unwrap();
            assert_eq!(batch.samples.len(), batch.rows * 50 * 2);
            for window in batch.samples.chunks_exact(100) {
                let (x, y) = (window[0] % 1000.0, window[1]);
                assert!((x + y).abs() < 0.02 && (window[98] - window[0] - 0.49).abs() < 0.02, "{x} {y}");
            }
        }
        let batch = validation_batches(windows, 4, Share::ALL).next().unwrap().unwrap();
        assert_eq!(batch.samples.len(), 4 * 50 * 2);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let x = |t: f64| t;
        table(&dir.path().join("s/a.csv"), 100.0, 60, &[("x", &x), ("y", &x)]);
        let message = |cfg: &SensorsConfig| {
            let error = open(dir.path(), cfg).unwrap_err();
            format!("{error}; {}", error.remedy())
        };
        for (name, rate, columns, words) in [
            ("b", 100.0, vec![("x", &x as &dyn Fn(f64) -> f64)], "has 1 channels (x), not 2 (x, y)"),
            ("b", 100.0, vec![("x", &x as &dyn Fn(f64) -> f64), ("z", &x)], "has no channel y; it has x, z"),
            (
                "b",
                100.0,
                vec![("x", &(|_| 1.0) as &dyn Fn(f64) -> f64), ("y", &|_| 2.0)],
                "is constant: no channel changes",
            ),
            ("b", 50.0, vec![("x", &x as &dyn Fn(f64) -> f64), ("y", &x)], "--set data.sample_rate="),
            (
                "b",
                100.0,
                vec![("x", &(|t| if t == 0.0 { 1e60 } else { t }) as &dyn Fn(f64) -> f64), ("y", &x)],
                "no 32-bit float holds",
            ),
        ] {
            table(&dir.path().join(format!("s/{name}.csv")), rate, 60, &columns);
            let found = message(&plain());
            assert!(found.contains(words), "{found}, not {words}");
        }
        std::fs::write(dir.path().join("s/b.csv"), "x,y\n1,2\n3,4\n").unwrap();
        assert!(message(&plain()).contains("give --rate"));
        let empty = tempfile::tempdir().unwrap();
        let error = open(empty.path(), &plain()).unwrap_err().to_string();
        assert!(error.contains("no file in it is a recording"), "{error}");
    }
}
