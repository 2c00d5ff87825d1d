//! Times of the frames of a table: its rate, its gaps, and whether the frames are evenly spaced.

use crate::data::decimal::number;
use crate::series::Run;

/// A step longer than this many usual ones is a gap.
const GAP: f64 = 1.5;

/// Frames may be this far from where an even spacing would put them, in steps.
const UNEVEN: f64 = 0.5;

/// The times of frames, one after another.
#[derive(Debug, Default)]
pub(super) struct Clock {
    times: Vec<f64>,
}

impl Clock {
    /// The time of the next frame, in seconds.
    ///
    /// # Errors
    /// It is not later than the last one; as the rest of a sentence that begins with its place.
    pub(super) fn next(&mut self, at: f64) -> Result<(), String> {
        if let Some(last) = self.times.last()
            && at <= *last
        {
            return Err(format!("the time {at} does not come after {last}, which is before it"));
        }
        self.times.push(at);
        Ok(())
    }

    /// The rate in frames per second, if there are several frames, and the stretches without gaps.
    ///
    /// # Errors
    /// The frames are not evenly spaced: how much they are not.
    pub(super) fn runs(&self) -> Result<(Option<f64>, Vec<Run>), String> {
        let mut steps: Vec<f64> = self.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if steps.is_empty() {
            return Ok((None, self.times.iter().map(|_| Run { first: 0, frames: 1 }).collect()));
        }
        steps.sort_by(f64::total_cmp);
        let usual = steps[steps.len() / 2];
        let mut runs = vec![Run { first: 0, frames: 1 }];
        for (i, pair) in (1..).zip(self.times.windows(2)) {
            match runs.last_mut() {
                Some(run) if pair[1] - pair[0] <= GAP * usual => run.frames += 1,
                _ => runs.push(Run { first: i, frames: 1 }),
            }
        }
        // The rate is that of all frames together: times are often rounded.
        let (mut inside, mut lasting) = (0, 0.0);
        for run in &runs {
            let (first, last) = (run.first as usize, (run.first + run.frames) as usize - 1);
            inside += last - first;
            lasting += self.times[last] - self.times[first];
        }
        let step = if inside > 0 { lasting / inside as f64 } else { usual };
        let worst = runs.iter().flat_map(|run| {
            let first = run.first as usize;
            (0..run.frames as usize).map(move |i| (self.times[first + i] - self.times[first] - i as f64 * step).abs())
        });
        let worst = worst.fold(0.0, f64::max);
        if worst > UNEVEN * step {
            let (least, most) = (steps[0], steps.iter().rev().find(|s| **s <= GAP * usual).copied().unwrap_or(usual));
            return Err(format!(
                "is not evenly sampled: from one frame to the next it takes {least:.6} to {most:.6} s, and frames are up to {worst:.6} s from \
                 an even spacing of {step:.6} s"
            ));
        }
        // Dates in seconds have seven decimals: a rate that is whole but for them is whole. Of others, nine digits are kept.
        let rate = 1.0 / step;
        let digits = 10f64.powf(8.0 - rate.log10().floor());
        let near = (rate - rate.round()).abs() < 1e-6 * rate;
        Ok((Some(if near { rate.round() } else { (digits * rate).round() / digits }), runs))
    }
}

/// A time in seconds: a number, a date, or a date and a time of day such as `2024-05-01T13:00:00.25`, in UTC if nothing is said.
pub(super) fn seconds(cell: &str, comma: bool) -> Option<f64> {
    match number(cell, comma) {
        Some(number) => number.is_finite().then_some(number),
        None => moment(cell),
    }
}

/// Seconds since the beginning of 1970.
fn moment(cell: &str) -> Option<f64> {
    let (date, rest) = cell.split_once(['T', ' ']).unwrap_or((cell, "00:00"));
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let rest = rest.strip_suffix('Z').unwrap_or(rest);
    let zone = rest.rfind(['+', '-']);
    let (clock, zone) = zone.map_or((rest, ""), |at| rest.split_at(at));
    let of = |text: &str| -> Option<f64> {
        let mut parts = text.split(':').map(|part| part.parse::<f64>().ok());
        let (hours, minutes) = (parts.next()??, parts.next()??);
        Some(3600.0 * hours + 60.0 * minutes + parts.next().unwrap_or(Some(0.0))?)
    };
    let shift = match zone.split_at_checked(1) {
        Some((sign, zone)) => of(zone)? * if sign == "-" { 1.0 } else { -1.0 },
        None => 0.0,
    };
    if date.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970, counting years from March (Hinnant's `days_from_civil`).
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(86_400.0 * days as f64 + of(clock)? + shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(times: &[f64]) -> Result<(Option<f64>, Vec<Run>), String> {
        let mut clock = Clock::default();
        times.iter().for_each(|t| clock.next(*t).unwrap());
        clock.runs()
    }

    #[test]
    fn rounded_times_are_even_and_a_long_step_is_a_gap() {
        // 300 per second, in whole milliseconds.
        let times: Vec<f64> = (0..900).map(|i| (f64::from(i) / 0.3).round() / 1000.0).collect();
        let (rate, found) = runs(&times).unwrap();
        assert!((rate.unwrap() - 300.0).abs() < 0.2 && found == [Run { first: 0, frames: 900 }]);
        let (rate, found) = runs(&[0.0, 1.0, 2.0, 7.0, 8.0, 9.0, 20.0]).unwrap();
        let want = [(0, 3), (3, 3), (6, 1)].map(|(first, frames)| Run { first, frames });
        assert_eq!((rate, found.as_slice()), (Some(1.0), &want[..]));
        let dated: Vec<f64> = (0..50).map(|i| 1.7e9 + f64::from(i) / 50.0).collect();
        assert_eq!(runs(&dated).unwrap().0, Some(50.0));
        assert_eq!(runs(&[5.0]).unwrap(), (None, vec![Run { first: 0, frames: 1 }]));
        assert_eq!(runs(&[]).unwrap(), (None, vec![]));
    }

    #[test]
    fn uneven_times_are_refused_with_how_uneven_they_are() {
        let error = runs(&[0.0, 1.0, 2.0, 2.2, 2.4, 2.6, 3.6, 4.6]).unwrap_err();
        assert!(error.contains("takes 0.2") && error.contains("even spacing of"), "{error}");
        let mut clock = Clock::default();
        clock.next(1.0).unwrap();
        assert!(clock.next(1.0).unwrap_err().contains("does not come after"));
    }

    #[test]
    fn dates_are_seconds() {
        assert_eq!(seconds("1970-01-02T00:00:01.5Z", false), Some(86_401.5));
        assert_eq!(seconds("2024-02-29 13:30", false), Some(1_709_213_400.0));
        assert_eq!(seconds("2024-02-29T13:30:00+01:00", false), Some(1_709_209_800.0));
        assert_eq!(
            (seconds("1,5", true), seconds("12", true), seconds("x", false), seconds("nan", false)),
            (Some(1.5), Some(12.0), None, None)
        );
    }
}
