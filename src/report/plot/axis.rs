//! An axis: the range it spans, the positions of its ticks, and their labels.

use crate::report::plot::{Panel, Style};

/// The ends of an axis.
pub(super) type Range = (f64, f64);

/// Values beyond this are gaps, like infinity: the span of an axis must be finite too.
const LARGEST: f64 = 1e300;
/// A span smaller than this fraction of its values counts as a single value.
const FLAT: f64 = 1e-9;
/// Padding at either end, as a fraction of the span.
const AIR: f64 = 0.03;
/// How far from 0 the data may begin for the axis to begin at 0, as a fraction of their end (x, y).
const NEAR: [f64; 2] = [0.05, 0.3];
/// The smallest distance between ticks, as a fraction of the requested distance; this keeps them from being much further apart.
const TIGHT: f64 = 0.85;
/// The fraction of a faint line's values that its axis ignores at either end.
const LEFT_OUT: f64 = 0.005;

/// Whether a point with these values can be drawn.
pub(super) fn is_shown((x, y): (f64, f64)) -> bool {
    x.abs() <= LARGEST && y.abs() <= LARGEST
}

/// Whether an axis can have these ends.
pub(super) fn is_usable((low, high): Range) -> bool {
    is_shown((low, high)) && high - low > (FLAT * low.abs().max(high.abs())).max(f64::MIN_POSITIVE / FLAT)
}

/// The ranges of x and y that a panel's data span; `None` if there is no point.
pub(super) fn spans(panel: &Panel) -> [Option<Range>; 2] {
    let (mut all_x, mut all_y) = (None, None);
    for series in &panel.series {
        let shown = |&(x, y): &(f64, f64)| {
            is_shown((x, y)) && panel.x_range.is_none_or(|(low, high)| (low..=high).contains(&x))
        };
        let points = || series.points.iter().copied().filter(shown);
        all_x = joined(all_x, span(points().map(|p| p.0)));
        all_y = joined(all_y, if series.style == Style::Faint { most(points()) } else { span(points().map(|p| p.1)) });
        if let Style::Band { low } = &series.style {
            let edge = series.points.iter().zip(low).map(|(p, &low)| (p.0, low));
            all_y = joined(all_y, span(edge.filter(shown).map(|p| p.1)));
        }
    }
    [all_x, all_y]
}

fn span(values: impl Iterator<Item = f64>) -> Option<Range> {
    values.fold(None, |range, v| joined(range, Some((v, v))))
}

/// The range of y that contains most of the points.
fn most(points: impl Iterator<Item = (f64, f64)>) -> Option<Range> {
    let mut values: Vec<f64> = points.map(|p| p.1).collect();
    values.sort_unstable_by(f64::total_cmp);
    let skip = (LEFT_OUT * values.len() as f64) as usize;
    span(values[skip..values.len() - skip].iter().copied())
}

/// The range that two ranges span together.
pub(super) fn joined(a: Option<Range>, b: Option<Range>) -> Option<Range> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// The ends of an axis (0 x, 1 y) for data with this span: with some padding, starting at 0 if the data begin near it, and never of length
/// 0.
pub(super) fn fitted(span: Option<Range>, axis: usize) -> Range {
    let Some((low, high)) = span else { return (0.0, 1.0) };
    if !is_usable((low, high)) {
        let size = low.abs().max(high.abs());
        let air = if size > f64::MIN_POSITIVE / FLAT / FLAT { 0.1 * size } else { 1.0 };
        return (low - air, high + air);
    }
    let air = AIR * (high - low);
    let near = |end: f64, other: f64| end / other >= 0.0 && end / other < NEAR[axis];
    (if near(low, high) { 0.0 } else { low - air }, if near(high, low) { 0.0 } else { high + air })
}

/// Extends both axes to the length of the longer one, around their centers.
pub(super) fn equal(axes: [Range; 2]) -> [Range; 2] {
    let half = axes.map(|(low, high)| high / 2.0 - low / 2.0);
    let half = half[0].max(half[1]);
    axes.map(|(low, high)| (low / 2.0 + high / 2.0 - half, low / 2.0 + high / 2.0 + half))
}

/// The ticks of an axis with a length of `pixels`, about `apart` pixels from each other: their values and labels. If all values are `whole`
/// numbers, so are the ticks.
pub(super) fn ticks((low, high): Range, pixels: f64, apart: f64, whole: bool) -> Vec<(f64, String)> {
    let rough = (high - low) / (pixels / apart).max(1.0);
    let power = 10f64.powf(rough.log10().floor());
    let mut step =
        [1.0, 2.0, 5.0].map(|m| m * power).into_iter().find(|&step| step >= TIGHT * rough).unwrap_or(10.0 * power);
    if whole && high - low >= 1.0 {
        step = step.max(1.0);
    }
    // A tick at the very end must not be lost to rounding.
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    let values: Vec<f64> = (first..=last).map(|i| i as f64 * step).collect();
    let largest = values.iter().fold(0.0f64, |largest, v| largest.max(v.abs()));
    values.into_iter().map(|v| (v, label(v, step, largest))).collect()
}

/// A tick's value with enough digits to distinguish it from its neighbors; all ticks of an axis are written in the same way.
fn label(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let power = |v: f64| (v.log10() + 1e-9).floor() as i32;
    if !(1e-3..1e9).contains(&largest) {
        let digits = (power(largest) - power(step)).max(0) as usize;
        return format!("{value:.digits$e}").replace('-', "−");
    }
    let (unit, letter) = match largest {
        v if v >= 1e6 && step >= 1e4 => (1e6, "M"),
        v if v >= 1e4 && step >= 1e2 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let decimals = (-power(step / unit)).max(0) as usize;
    format!("{:.decimals$}{letter}", value / unit).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(range: Range, whole: bool) -> String {
        ticks(range, 300.0, 60.0, whole).into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round_and_have_the_digits_they_need() {
        assert_eq!(labels((0.0, 10.0), false), "0 2 4 6 8 10");
        assert_eq!(labels((-0.99, 0.99), false), "−0.5 0 0.5");
        assert_eq!(labels((0.0, 20_000.0), false), "0 5k 10k 15k 20k");
        assert_eq!(labels((0.0, 3_000_000.0), false), "0 1M 2M 3M");
        assert_eq!(labels((0.0, 9_000.0), false), "0 2000 4000 6000 8000");
        assert_eq!(labels((1.0, 1.001), false), "1.0000 1.0002 1.0004 1.0006 1.0008 1.0010");
        assert_eq!(labels((0.0, 5e-5), false), "0 1e−5 2e−5 3e−5 4e−5 5e−5");
        assert_eq!(labels((0.0, 5e12), false), "0 1e12 2e12 3e12 4e12 5e12");
        assert_eq!(labels((1.0, 3.0), false), "1.0 1.5 2.0 2.5 3.0");
        assert_eq!(labels((1.0, 3.0), true), "1 2 3");
    }

    #[test]
    fn any_range_has_a_few_ticks() {
        let ends = [-LARGEST, -1e9, -3.3, -1e-200, 0.0, 1e-280, 1e-3, 1.0, 1.0 + 1e-8, 7e7, LARGEST];
        for (low, high) in ends.iter().flat_map(|&a| ends.iter().map(move |&b| (a, b))) {
            for axis in 0..2 {
                let range = fitted(Some((low.min(high), low.max(high))), axis);
                assert!(range.0 < range.1, "{low} {high}");
                let n = ticks(range, 300.0, 60.0, false).len();
                assert!((1..=7).contains(&n), "{low} {high}: {n} ticks");
            }
        }
    }

    #[test]
    fn an_axis_begins_at_0_where_the_data_begin_near_it() {
        assert_eq!(fitted(Some((0.2, 5.0)), 1).0, 0.0);
        assert_eq!(fitted(Some((-5.0, -0.2)), 1).1, 0.0);
        assert!(fitted(Some((1.0, 12.0)), 0).0 > 0.5);
        assert!(fitted(Some((4.0, 5.0)), 1).0 > 3.9);
    }

    #[test]
    fn one_value_and_no_value_have_an_axis_too() {
        assert_eq!(fitted(None, 1), (0.0, 1.0));
        assert_eq!(fitted(Some((0.0, 0.0)), 1), (-1.0, 1.0));
        assert_eq!(fitted(Some((5.0, 5.0)), 1), (4.5, 5.5));
    }
}
