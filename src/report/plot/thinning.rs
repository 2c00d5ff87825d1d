//! Fewer points where there are more than a picture can show.

use crate::report::plot::axis::is_shown;
use crate::report::plot::{Figure, Series, Style};

/// Points of a series at most: about two for each pixel of a wide panel.
const OF_SERIES: usize = 1000;
/// Bytes of all points of a figure at most, less those of each panel's axes; but so many in any case.
const OF_FIGURE: usize = 185_000;
const OF_AXES: usize = 3000;
const LEAST: usize = 50_000;

/// How many points of each series may be drawn, so that short ones are drawn whole.
pub(super) fn limit(figure: &Figure) -> usize {
    let room = OF_FIGURE.saturating_sub(OF_AXES * figure.panels.len()).max(LEAST);
    let all = || figure.panels.iter().flat_map(|panel| &panel.series);
    let bytes = |limit: usize| all().map(|series| series.points.len().min(limit) * bytes(&series.style)).sum::<usize>();
    let mut limit = OF_SERIES;
    while limit > 3 && bytes(limit) > room {
        limit -= limit / 20 + 1;
    }
    limit
}

/// Approximate number of bytes that a point of a series takes in the picture.
fn bytes(style: &Style) -> usize {
    match style {
        Style::Line | Style::Dashed | Style::Faint => 12,
        Style::Steps => 14,
        Style::Band { .. } => 24,
        Style::Marked | Style::Points => 30,
    }
}

/// The indices of the points of a series that are drawn.
pub(super) fn kept(series: &Series, limit: usize) -> Vec<usize> {
    let n = series.points.len();
    match series.style {
        _ if n <= limit => (0..n).collect(),
        Style::Points | Style::Band { .. } => evenly(n, limit),
        _ => extremes(&series.points, limit),
    }
}

/// `count` evenly spaced indices out of `n`, including the first and the last.
fn evenly(n: usize, count: usize) -> Vec<usize> {
    (0..count).map(|i| (i as u128 * (n - 1) as u128 / (count - 1).max(1) as u128) as usize).collect()
}

/// The lowest and the highest point of each stretch, and one of its gaps: the area that a line covers stays the same.
fn extremes(points: &[(f64, f64)], limit: usize) -> Vec<usize> {
    let stretch = (3 * points.len()).div_ceil(limit.max(3));
    let mut kept = Vec::with_capacity(limit);
    for start in (0..points.len()).step_by(stretch) {
        let all = start..points.len().min(start + stretch);
        let shown = || all.clone().filter(|&i| is_shown(points[i]));
        let lowest = shown().min_by(|&a, &b| points[a].1.total_cmp(&points[b].1));
        let highest = shown().max_by(|&a, &b| points[a].1.total_cmp(&points[b].1));
        let gap = all.clone().find(|&i| !is_shown(points[i]));
        let mut some: Vec<usize> = [lowest, highest, gap].into_iter().flatten().collect();
        some.sort_unstable();
        some.dedup();
        kept.append(&mut some);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::Panel;

    #[test]
    fn long_lines_keep_their_peaks_and_their_gaps() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (i as f64, (i % 7) as f64)).collect();
        (points[31_234].1, points[77_777].1, points[50_000].1) = (99.0, -99.0, f64::NAN);
        let kept = kept(&Series::new("a", points, Style::Line), 1000);
        assert!(kept.len() <= 1000 && kept.is_sorted(), "{}", kept.len());
        assert!([31_234, 77_777, 50_000].iter().all(|i| kept.contains(i)));
    }

    #[test]
    fn points_are_chosen_evenly_and_short_series_whole() {
        let points: Vec<(f64, f64)> = (0..5000).map(|i| (i as f64, 0.0)).collect();
        let some = kept(&Series::new("a", points.clone(), Style::Points), 500);
        assert_eq!((some.len(), some[0], some[499]), (500, 0, 4999));
        assert_eq!(kept(&Series::new("a", points, Style::Points), 5000).len(), 5000);
    }

    #[test]
    fn many_series_share_what_a_picture_may_hold() {
        let of = |n: usize, each: usize| {
            let series = Series::new("a", vec![(0.0, 0.0); each], Style::Line);
            limit(&Figure { panels: vec![Panel { series: vec![series; n], ..Panel::default() }], ..Figure::default() })
        };
        assert_eq!(of(12, 9000), 1000);
        assert_eq!(of(500, 20), 1000);
        assert!((230..=260).contains(&of(60, 9000)), "{}", of(60, 9000));
    }
}
