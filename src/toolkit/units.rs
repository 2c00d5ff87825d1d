//! Discrete units: fitting them on the features of a model, and applying them.

use super::Toolkit;
use super::work::folder;
use crate::digest::sha256;
use crate::durable;
use crate::error::{Error, Result};
use crate::eval::probe::labels::Labels;
use crate::features::{FeatureSet, Index, Made, Normalize};
use crate::hub;
use crate::kinds::{ExtractRequest, Model, Options, word};
use crate::observer::{Progress, Session};
use crate::seed::stream;
use crate::units::kmeans::{Centroids, Frames, Pass};
use crate::units::{About, Codebook, Phones, Quality, Tally, UnitFormat, UnitLine, merged};
use crate::weights::model_dir;
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The folder of features while units are fitted or applied.
const FEATURES: &str = ".features";

/// The share of all frames in one unit, from which on a user should know of it.
const LARGE: f64 = 0.5;

/// Which features units are of.
#[derive(Debug, Clone, Default)]
pub struct UnitInput {
    /// A directory of features, or a model.
    pub features: PathBuf,
    /// What the features of the model are extracted from.
    pub data: Option<PathBuf>,
    /// The layer; none for the usual one.
    pub layer: Option<String>,
    /// The other options of the extraction.
    pub options: Options,
}

/// Units to fit.
#[derive(Debug, Clone)]
pub struct FitUnits {
    /// The features.
    pub input: UnitInput,
    /// Numbers of units, a file for each.
    pub clusters: Vec<usize>,
    /// The share of the utterances that is used, drawn with the seed.
    pub share: f64,
    /// Passes over all frames, at most.
    pub passes: usize,
    /// The seed.
    pub seed: u64,
    /// Frame labels, to measure units with, and how many there are per second.
    pub labels: Option<(PathBuf, f64)>,
    /// The directory; none for that of the model.
    pub out: Option<PathBuf>,
}

/// Units to apply.
#[derive(Debug, Clone)]
pub struct ApplyUnits {
    /// A file of units.
    pub units: PathBuf,
    /// The features; a model as `features` may be left empty: then it is that which the file names.
    pub input: UnitInput,
    /// How they are written.
    pub format: UnitFormat,
    /// Whether runs of the same unit become one.
    pub merge: bool,
    /// Frame labels, to measure units with, and how many there are per second.
    pub labels: Option<(PathBuf, f64)>,
    /// The file.
    pub out: PathBuf,
}

/// What was fitted or applied.
#[derive(Debug, Clone, Serialize)]
pub struct UnitsReport {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Utterances, and frames of them.
    pub utterances: usize,
    /// A row for each number of units.
    pub rows: Vec<UnitsRow>,
    /// Seconds that it took, without the extraction of features.
    pub seconds: f64,
}

/// Some units.
#[derive(Debug, Clone, Serialize)]
pub struct UnitsRow {
    /// What they are worth.
    #[serde(flatten)]
    pub quality: Quality,
    /// The mean squared distance of a frame to its centroid; of units that were fitted.
    pub inertia_per_frame: Option<f64>,
    /// Passes over all frames; of units that were fitted.
    pub passes: Option<usize>,
}

/// Features of one layer, and how they were made.
struct Opened {
    set: FeatureSet,
    made: Made,
    /// A directory to remove at the end.
    made_here: Option<PathBuf>,
}

/// The frames of some utterances.
struct Chosen<'a> {
    set: &'a FeatureSet,
    which: Vec<usize>,
}

impl Chosen<'_> {
    /// SHA-256 of the ids and lengths of the utterances, in hexadecimal.
    fn digest(&self) -> String {
        let mut text = String::new();
        for utterance in self.which.iter().map(|&i| &self.set.utterances()[i]) {
            text += &format!("{}\t{}\n", utterance.id, utterance.frames);
        }
        sha256(text.as_bytes())
    }
}

impl Frames for Chosen<'_> {
    fn dim(&self) -> usize {
        self.set.dim()
    }

    fn count(&self) -> u64 {
        self.which.iter().map(|&i| self.set.utterances()[i].frames as u64).sum()
    }

    fn read(&self, each: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let mut rows = Vec::new();
        for &i in &self.which {
            self.set.read(i, &mut rows)?;
            each(&rows)?;
        }
        Ok(())
    }
}

impl Toolkit {
    /// Fits units on features, and writes a file for each number of them. The same call goes on where it was interrupted.
    ///
    /// # Errors
    /// The features cannot be read or extracted; there are fewer different frames than units; labels do not fit.
    pub fn fit_units(&self, what: &FitUnits, session: &Session) -> Result<UnitsReport> {
        let model = match what.input.data.is_some() {
            true => Some(self.open(&what.input.features, session)?),
            false => None,
        };
        let out = match (&what.out, &model) {
            (Some(out), _) => out.clone(),
            (None, Some(model)) if model.reference().starts_with("hf:") => {
                return Err(Error::usage("--out is not given", "name a directory: the model is on the hub"));
            }
            (None, Some(_)) => {
                let dir = model_dir::place(&what.input.features);
                // A checkpoint of another program is no directory to write to.
                match ["config.json", "model.safetensors"].iter().all(|file| dir.join(file).is_file()) {
                    true => dir,
                    false => return Err(no_out("such models")),
                }
            }
            (None, None) => return Err(no_out("features")),
        };
        let opened = features(model.as_deref(), &what.input, &out, session)?;
        std::fs::create_dir_all(&out).map_err(Error::io(&out, "create"))?;
        let (set, made) = (&opened.set, &opened.made);
        let labels = what.labels.as_ref().map(|(path, rate)| phones(path, *rate)).transpose()?;
        let drawn = |id: &str| stream(what.seed, &format!("units/share/{id}"), 0).unit64() < what.share;
        let which: Vec<usize> =
            (0..set.utterances().len()).filter(|&i| what.share >= 1.0 || drawn(&set.utterances()[i].id)).collect();
        let chosen = Chosen { set, which };
        let rate = set.frame_rate().unwrap_or(made.timing.frame_rate);
        let count = chosen.count();
        session.observer.note(&format!(
            "{} utterances, {count} frames of {} dimensions ({})",
            chosen.which.len(),
            set.dim(),
            made.layers[0].name
        ));
        let (began, utterances) = (Instant::now(), chosen.which.len());
        let (mut files, mut rows) = (Vec::new(), Vec::new());
        for &clusters in &what.clusters {
            if clusters as u64 > count {
                return Err(Error::failed(
                    format!("--clusters {clusters}: there are only {count} frames"),
                    "choose fewer --clusters, or give more data",
                ));
            }
            let about = About {
                format: 1,
                model: made.model.clone(),
                model_sha256: made.model_sha256.clone(),
                layer: made.layers[0].name.clone(),
                normalize: made.normalize,
                removed: made.removed.is_some(),
                frame_rate: rate,
                seed: what.seed,
                frames: count,
                utterances_sha256: chosen.digest(),
                pass: None,
            };
            let file = Codebook::file(&out, clusters);
            let partial = partial(&out, clusters);
            let codebook = fit(what, &about, clusters, &chosen, [&file, &partial], session)?;
            codebook.write(&file)?;
            if partial.exists() {
                std::fs::remove_file(&partial).map_err(Error::io(&partial, "remove"))?;
            }
            let mut tally = Tally::new(clusters, rate);
            units_of(&codebook, &chosen, session, &mut |id, units| {
                tally.add(id, &units, labels.as_ref());
                Ok(())
            })?;
            let quality = tally.quality(labels.is_some())?;
            warn(&quality, &tally, session);
            let pass = codebook.about.pass.as_ref();
            rows.push(UnitsRow {
                quality,
                inertia_per_frame: pass.map(|pass| pass.inertia / count as f64),
                passes: pass.map(|pass| pass.number),
            });
            files.push(file);
        }
        opened.close()?;
        Ok(UnitsReport { files, utterances, rows, seconds: began.elapsed().as_secs_f64() })
    }

    /// The file of `clusters` units of a model, or a file itself; and the model that it is beside, if there is one.
    ///
    /// # Errors
    /// There is no such file.
    pub fn find_units(
        &self,
        reference: &str,
        clusters: Option<usize>,
        session: &Session,
    ) -> Result<(PathBuf, Option<PathBuf>)> {
        let path = Path::new(reference);
        if path.is_file() {
            if clusters.is_some() {
                return Err(Error::usage("--clusters is for a model: a file has units of one number", "leave it out"));
            }
            let dir = path.parent().filter(|dir| dir.join("config.json").is_file());
            return Ok((path.to_path_buf(), dir.map(Path::to_path_buf)));
        }
        let Some(clusters) = clusters else {
            return Err(Error::usage(
                format!("{reference}: is no file of units"),
                "give a file units-K.safetensors, or a model and --clusters K",
            ));
        };
        let name = format!("units-{clusters}.safetensors");
        let here = hub::model(reference, &|file| file == name || file == "config.json", session)?;
        let file = model_dir::place(&here.path).join(&name);
        match file.is_file() {
            true => Ok((file, Some(PathBuf::from(reference)))),
            false => Err(Error::failed(
                format!("{reference}: has no {clusters} units ({name})"),
                format!("fit them: cpc units fit {reference} DATA --clusters {clusters}"),
            )),
        }
    }

    /// Writes the units of every utterance.
    ///
    /// # Errors
    /// The features cannot be read or extracted, or are of another model than the units.
    pub fn apply_units(&self, what: &ApplyUnits, session: &Session) -> Result<UnitsReport> {
        let codebook = Codebook::read(&what.units)?;
        let about = &codebook.about;
        let mut input = what.input.clone();
        input.layer.get_or_insert(about.layer.clone());
        let model = match input.data.is_some() {
            true => {
                if input.features.as_os_str().is_empty() {
                    input.features = PathBuf::from(&about.model);
                }
                if about.normalize != Normalize::None {
                    input.options = input.options.with("normalize", word(&about.normalize));
                }
                Some(self.open(&input.features, session)?)
            }
            false => None,
        };
        let folder = what.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        let work = tempfile::Builder::new().prefix(".units-").tempdir_in(folder);
        let work = work.map_err(Error::io(folder, "make a directory in"))?;
        let opened = features(model.as_deref(), &input, work.path(), session)?;
        let (set, made) = (&opened.set, &opened.made);
        let name = what.units.display();
        if made.model_sha256 != about.model_sha256 {
            return Err(Error::failed(
                format!("{name}: are units of another model ({}) than the features ({})", about.model, made.model),
                "give the model that they were fitted on, or fit units of this one",
            ));
        }
        if made.removed.is_some() != about.removed {
            let speakers = |removed: bool| if removed { "without what tells speakers apart" } else { "as they are" };
            return Err(Error::failed(
                format!(
                    "{name}: are units of features {}; these are {}",
                    speakers(about.removed),
                    speakers(!about.removed)
                ),
                "extract the features as those that the units were fitted on (cpc extract --remove)",
            ));
        }
        if (&made.layers[0].name, made.normalize, set.dim()) != (&about.layer, about.normalize, codebook.dim) {
            return Err(Error::failed(
                format!(
                    "{name}: are units of {} normalized by {}; the features are {} normalized by {}",
                    about.layer,
                    word(&about.normalize),
                    made.layers[0].name,
                    word(&made.normalize)
                ),
                "extract the features as those that the units were fitted on",
            ));
        }
        let labels = what.labels.as_ref().map(|(path, rate)| phones(path, *rate)).transpose()?;
        let began = Instant::now();
        let chosen = Chosen { set, which: (0..set.utterances().len()).collect() };
        let mut tally = Tally::new(codebook.count(), about.frame_rate);
        let mut beside = what.out.clone().into_os_string();
        beside.push(".ids");
        let paths = [what.out.clone(), PathBuf::from(beside)];
        let unfinished = [durable::unfinished(&paths[0])?, durable::unfinished(&paths[1])?];
        let open = |i: usize| {
            let file = std::fs::File::create(&unfinished[i]).map_err(Error::io(&paths[i], "create"))?;
            Ok::<_, Error>(BufWriter::new(file))
        };
        let (mut text, mut ids) = (open(0)?, open(1)?);
        units_of(&codebook, &chosen, session, &mut |id, units| {
            tally.add(id, &units, labels.as_ref());
            let (units, durations) = match what.merge {
                true => {
                    let (units, durations) = merged(&units);
                    (units, Some(durations))
                }
                false => (units, None),
            };
            let line = UnitLine { id: id.to_string(), frame_rate: about.frame_rate, units, durations };
            text.write_all(what.format.line(&line).as_bytes()).map_err(Error::io(&paths[0], "write"))?;
            writeln!(ids, "{id}").map_err(Error::io(&paths[1], "write"))
        })?;
        let quality = tally.quality(labels.is_some())?;
        text.flush().map_err(Error::io(&paths[0], "write"))?;
        ids.flush().map_err(Error::io(&paths[1], "write"))?;
        drop((text, ids));
        let [text, ids] = unfinished;
        let mut files = vec![paths[0].clone()];
        if what.format == UnitFormat::Km {
            durable::keep(ids, &paths[1])?;
            files.push(paths[1].clone());
        }
        durable::keep(text, &paths[0])?;
        warn(&quality, &tally, session);
        let row = UnitsRow { quality, inertia_per_frame: None, passes: None };
        let utterances = set.utterances().len();
        Ok(UnitsReport { files, utterances, rows: vec![row], seconds: began.elapsed().as_secs_f64() })
    }
}

fn no_out(what: &str) -> Error {
    Error::usage(format!("--out is not given, and {what} have no directory for units"), "name a directory")
}

/// The features of a model, which are extracted into a directory in `work`; or those in a directory.
fn features(model: Option<&dyn Model>, input: &UnitInput, work: &Path, session: &Session) -> Result<Opened> {
    let (dir, made_here) = match (model, &input.data) {
        (Some(model), Some(data)) => {
            let here = hub::data(data, session)?;
            // Features of other data must not be mixed with these.
            let whose = format!("{} {} {:?} {:?}", model.reference(), here.name, input.layer, input.options);
            let dir = folder(work, FEATURES, &whose)?;
            let request = ExtractRequest {
                layers: input.layer.iter().cloned().collect(),
                options: input.options.clone(),
                ..ExtractRequest::new(vec![here.path], &dir)
            };
            session.observer.note(&format!("{}: extracting features", model.reference()));
            model.extract(&request, session)?;
            (dir.clone(), Some(dir))
        }
        _ => (input.features.clone(), None),
    };
    let Some(index) = Index::read(&dir)? else {
        return Err(Error::failed(
            format!("{}: are no features that `cpc extract` wrote", dir.display()),
            "give a model and DATA, or features with their index.json",
        ));
    };
    let set = FeatureSet::open(&dir, input.layer.as_deref())?;
    let mut made = index.made;
    if let Some(layer) = &input.layer {
        made.layers.retain(|own| own.name == *layer);
    }
    if made.layers.len() != 1 {
        return Err(Error::usage("the features have several layers", "choose one with --layer"));
    }
    Ok(Opened { set, made, made_here })
}

impl Opened {
    /// Removes features that were extracted for the purpose.
    fn close(self) -> Result<()> {
        match self.made_here {
            Some(dir) => std::fs::remove_dir_all(&dir).map_err(Error::io(&dir, "remove")),
            None => Ok(()),
        }
    }
}

/// The file of units that are being fitted.
fn partial(out: &Path, clusters: usize) -> PathBuf {
    out.join(format!(".units-{clusters}.safetensors"))
}

/// Fits units, from what an interrupted call left, if that was on the same frames.
fn fit(
    what: &FitUnits,
    about: &About,
    clusters: usize,
    chosen: &Chosen,
    [file, partial]: [&Path; 2],
    session: &Session,
) -> Result<Codebook> {
    let dim = chosen.dim();
    let same = |before: &Codebook| {
        // A rate may differ in the last digit once it was written; the pass is what has been reached.
        let own = About { pass: None, frame_rate: about.frame_rate, ..before.about.clone() };
        own == *about && before.dim == dim && before.count() == clusters
    };
    let before = [partial, file].into_iter().find_map(|path| Codebook::read(path).ok().filter(same));
    let check = || match session.stop.load(Ordering::Relaxed) {
        true => Err(Error::Interrupted { kept: "the same command goes on with what is finished".into() }),
        false => Ok(()),
    };
    let mut state = match before {
        Some(before) => {
            session.observer.note(&format!("{clusters} units: resumed"));
            before.state()
        }
        None => Centroids::begin(chosen, clusters, what.seed, &check)?,
    };
    let count = chosen.count();
    let done = |pass: &Option<Pass>| pass.as_ref().is_some_and(|p| p.converged || p.number >= what.passes);
    while !done(&state.pass) {
        let number = state.pass.as_ref().map_or(1, |pass| pass.number + 1);
        let name = format!("{clusters} units, pass {number}: ");
        state.improve(chosen, &|done| {
            check()?;
            session.observer.progress(&Progress { what: &name, unit: "frames", done: done as f64, of: count as f64 });
            Ok(())
        })?;
        session.observer.done();
        let about = About { pass: state.pass.clone(), ..about.clone() };
        Codebook { about, centroids: state.values.clone(), dim }.write(partial)?;
        if let Some(pass) = &state.pass {
            let mean = pass.inertia / count as f64;
            session.observer.detail(&format!("{clusters} units, pass {number}: {mean:.5} per frame"));
        }
    }
    Ok(Codebook { about: About { pass: state.pass, ..about.clone() }, centroids: state.values, dim })
}

/// Passes the units of each utterance to `each`.
fn units_of(
    codebook: &Codebook,
    chosen: &Chosen,
    session: &Session,
    each: &mut dyn FnMut(&str, Vec<u32>) -> Result<()>,
) -> Result<()> {
    let mut rows = Vec::new();
    for &i in &chosen.which {
        if session.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted { kept: "units that were fitted are kept".into() });
        }
        chosen.set.read(i, &mut rows)?;
        each(&chosen.set.utterances()[i].id, codebook.units(&rows)?)?;
    }
    Ok(())
}

/// Frame labels.
fn phones(path: &Path, rate: f64) -> Result<Phones> {
    match Labels::read(path)? {
        Labels::Frames { ids, .. } => Ok(Phones { ids, rate }),
        _ => Err(Error::failed(
            format!("{}: has a label for each utterance", path.display()),
            "give frame labels: lines of an utterance and one id for each 10 ms",
        )),
    }
}

/// Warns of units without frames, and of one that has most of them.
fn warn(quality: &Quality, tally: &Tally, session: &Session) {
    let dead = quality.units - quality.active;
    if dead > 0 {
        session.observer.warning(&format!("{dead} of {} units have no frame", quality.units));
    }
    if let Some((unit, share)) = tally.largest().filter(|(_, share)| *share > LARGE) {
        session.observer.warning(&format!("unit {unit} has {:.0} % of all frames", 100.0 * share));
    }
}

impl fmt::Display for UnitsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labeled = self.rows.iter().any(|row| row.quality.phones.is_some());
        let fitted = self.rows.iter().any(|row| row.passes.is_some());
        let mut head =
            format!("{:>7}  {:>7}  {:>10}  {:>8}  {:>8}", "units", "active", "perplexity", "bits/s", "merged");
        if labeled {
            write!(head, "  {:>12}  {:>11}  {:>6}", "phone purity", "unit purity", "PNMI")?;
        }
        if fitted {
            write!(head, "  {:>11}  {:>6}", "inertia", "passes")?;
        }
        writeln!(f, "{head}")?;
        for UnitsRow { quality: q, inertia_per_frame, passes } in &self.rows {
            write!(
                f,
                "{:>7}  {:>7}  {:>10.1}  {:>8.1}  {:>8.1}",
                q.units, q.active, q.perplexity, q.bits_per_second, q.bits_per_second_merged
            )?;
            if let Some(p) = &q.phones {
                write!(f, "  {:>10.2} %  {:>9.2} %  {:>6.4}", 100.0 * p.phone_purity, 100.0 * p.unit_purity, p.pnmi)?;
            }
            if let Some((inertia, passes)) = inertia_per_frame.zip(*passes) {
                write!(f, "  {inertia:>11.5}  {passes:>6}")?;
            }
            writeln!(f)?;
        }
        let frames = self.rows.first().map_or(0, |row| row.quality.frames);
        writeln!(f, "\n{} utterances, {frames} frames; {:.1} s", self.utterances, self.seconds)?;
        writeln!(
            f,
            "merged: bits per second where runs of one unit are one; inertia: mean squared distance to the centroid"
        )?;
        for file in &self.files {
            writeln!(f, "{}", file.display())?;
        }
        Ok(())
    }
}
