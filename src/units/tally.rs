//! What units have to do with phones, and how much they say.

use super::format::merged;
use crate::error::{Error, Problem, Result};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// The phone of each interval of utterances.
#[derive(Debug, Clone)]
pub struct Phones {
    /// The ids of phones of each utterance.
    pub ids: HashMap<String, Vec<u32>>,
    /// Intervals per second.
    pub rate: f64,
}

/// Counts of units, and of the phones that they occur with.
#[derive(Debug, Clone)]
pub struct Tally {
    count: usize,
    frame_rate: f64,
    /// Frames of each unit.
    frames: Vec<u64>,
    /// Runs of each unit.
    runs: Vec<u64>,
    /// Frames of each unit and phone.
    joint: BTreeMap<(u32, u32), u64>,
    problems: Vec<Problem>,
}

/// What units are worth. Shares are from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// K.
    pub units: usize,
    /// Frames.
    pub frames: u64,
    /// Units that some frame has.
    pub active: usize,
    /// The exponential of the entropy of the units of frames: as many equally frequent units would be as surprising.
    pub perplexity: f64,
    /// The entropy of a frame's unit, in bits, times frames per second.
    pub bits_per_second: f64,
    /// The same of runs of one unit: their number per second, times their entropy. It leaves out how long they are.
    pub bits_per_second_merged: f64,
    /// Runs of one unit per second.
    pub merged_per_second: f64,
    /// With phones, if they are known.
    pub phones: Option<WithPhones>,
}

/// What units have to do with phones (Hsu et al. 2021, HuBERT, section IV C).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WithPhones {
    /// Phones that occur.
    pub count: usize,
    /// Frames that have a phone.
    pub frames: u64,
    /// The accuracy of guessing the phone of a frame from its unit.
    pub phone_purity: f64,
    /// The accuracy of guessing the unit of a frame from its phone (cluster purity).
    pub unit_purity: f64,
    /// The mutual information of phone and unit, as a share of the entropy of phones.
    pub pnmi: f64,
}

fn entropy(counts: impl Iterator<Item = u64> + Clone) -> f64 {
    let total: u64 = counts.clone().sum();
    let of = |n: u64| {
        let p = n as f64 / total as f64;
        if n == 0 { 0.0 } else { -p * p.ln() }
    };
    counts.map(of).sum()
}

impl Tally {
    /// Nothing yet, of `count` units.
    pub fn new(count: usize, frame_rate: f64) -> Tally {
        let (frames, runs) = (vec![0; count], vec![0; count]);
        Tally { count, frame_rate, frames, runs, joint: BTreeMap::new(), problems: Vec::new() }
    }

    /// Counts the units of an utterance. Frame t has the phone floor((t + 0.5) * rate of phones / rate of frames).
    pub fn add(&mut self, id: &str, units: &[u32], phones: Option<&Phones>) {
        units.iter().for_each(|&unit| self.frames[unit as usize] += 1);
        merged(units).0.iter().for_each(|&unit| self.runs[unit as usize] += 1);
        let Some(phones) = phones else { return };
        let Some(ids) = phones.ids.get(id) else { return };
        let ratio = phones.rate / self.frame_rate;
        let whole = (ids.len() as f64 / ratio).round() as usize;
        if whole.abs_diff(units.len()) > units.len().max(whole) / 20 + 2 {
            let what = format!("has {} labels for {} frames", ids.len(), units.len());
            self.problems.push(Problem::new(id, what));
            return;
        }
        for (t, &unit) in units.iter().enumerate() {
            if let Some(&phone) = ids.get(((t as f64 + 0.5) * ratio) as usize) {
                *self.joint.entry((unit, phone)).or_default() += 1;
            }
        }
    }

    /// The unit with most frames, and its share of all.
    pub fn largest(&self) -> Option<(usize, f64)> {
        let total: u64 = self.frames.iter().sum();
        let (unit, most) = self.frames.iter().enumerate().max_by_key(|(_, n)| **n)?;
        (total > 0).then(|| (unit, *most as f64 / total as f64))
    }

    /// What the units are worth.
    ///
    /// # Errors
    /// Labels of an utterance do not fit its frames; there are labels, and none is of an utterance that was counted.
    pub fn quality(&self, labeled: bool) -> Result<Quality> {
        if !self.problems.is_empty() {
            let remedy = "give labels of this data, and with --label-rate how many there are per second";
            return Err(Error::problems(self.problems.clone(), remedy));
        }
        let frames: u64 = self.frames.iter().sum();
        let runs: u64 = self.runs.iter().sum();
        let seconds = frames as f64 / self.frame_rate;
        let of_frames = entropy(self.frames.iter().copied());
        let of_runs = entropy(self.runs.iter().copied());
        let bits = std::f64::consts::LN_2.recip();
        let phones = match (labeled, self.joint.is_empty()) {
            (false, _) => None,
            (true, true) => {
                return Err(Error::failed(
                    "the labels are of none of the utterances",
                    "use the ids of the utterances, as in index.json of their features",
                ));
            }
            (true, false) => Some(self.with_phones()),
        };
        Ok(Quality {
            units: self.count,
            frames,
            active: self.frames.iter().filter(|n| **n > 0).count(),
            perplexity: of_frames.exp(),
            bits_per_second: bits * of_frames * self.frame_rate,
            bits_per_second_merged: bits * of_runs * runs as f64 / seconds,
            merged_per_second: runs as f64 / seconds,
            phones,
        })
    }

    fn with_phones(&self) -> WithPhones {
        let (mut units, mut phones) = (BTreeMap::<u32, u64>::new(), BTreeMap::<u32, u64>::new());
        let (mut best_phone, mut best_unit) = (BTreeMap::<u32, u64>::new(), BTreeMap::<u32, u64>::new());
        for (&(unit, phone), &n) in &self.joint {
            *units.entry(unit).or_default() += n;
            *phones.entry(phone).or_default() += n;
            let best = best_phone.entry(unit).or_default();
            *best = n.max(*best);
            let best = best_unit.entry(phone).or_default();
            *best = n.max(*best);
        }
        let frames: u64 = units.values().sum();
        let share = |best: &BTreeMap<u32, u64>| best.values().sum::<u64>() as f64 / frames as f64;
        let of_phones = entropy(phones.values().copied());
        let shared = of_phones + entropy(units.values().copied()) - entropy(self.joint.values().copied());
        WithPhones {
            count: phones.len(),
            frames,
            phone_purity: share(&best_phone),
            unit_purity: share(&best_unit),
            pnmi: if of_phones > 0.0 { shared / of_phones } else { 0.0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_counts() {
        let mut tally = Tally::new(4, 100.0);
        let phones = Phones { ids: HashMap::from([("a".into(), vec![7, 7, 8, 8])]), rate: 50.0 };
        // Eight frames, two for each label.
        tally.add("a", &[0, 0, 0, 1, 1, 1, 2, 2], Some(&phones));
        let found = tally.quality(true).unwrap();
        assert_eq!((found.units, found.active, found.frames), (4, 3, 8));
        // Counts 3, 3, 2 in eight frames.
        let h = -(2.0 * 0.375 * 0.375f64.ln() + 0.25 * 0.25f64.ln());
        assert!((found.perplexity - h.exp()).abs() < 1e-12);
        assert!((found.bits_per_second - 100.0 * h / 2f64.ln()).abs() < 1e-9);
        assert!((found.merged_per_second - 37.5).abs() < 1e-9);
        assert!((found.bits_per_second_merged - 37.5 * 3f64.log2()).abs() < 1e-9);
        let with = found.phones.unwrap();
        // Unit 0 is of phone 7 in 3 frames, unit 1 once of 7 and twice of 8, unit 2 of 8 in 2.
        assert_eq!((with.count, with.phone_purity, with.unit_purity), (2, 7.0 / 8.0, 5.0 / 8.0));
        let joint = [3.0, 1.0, 2.0, 2.0].iter().map(|n: &f64| -n / 8.0 * (n / 8.0).ln()).sum::<f64>();
        assert!((with.pnmi - (2f64.ln() + h - joint) / 2f64.ln()).abs() < 1e-12);
        assert!(tally.quality(false).unwrap().phones.is_none());
        tally.add("a", &[0; 20], Some(&phones));
        assert!(tally.quality(true).unwrap_err().to_string().contains("a: has 4 labels for 20 frames"));
        assert!(Tally::new(2, 100.0).quality(true).unwrap_err().to_string().contains("none of the utterances"));
    }
}
