//! The map: each class has a color and a shape, its name where most of its points are, and a button that highlights it.

use crate::report::markup::{Escaped, short, width};
use crate::report::probe_page::Map;
use std::fmt::{self, Write};

const WIDTH: f32 = 1000.0;
/// Pixels between the points and the edge.
const MARGIN: f32 = 14.0;
/// The smallest and the largest height of a map.
const HEIGHTS: (f32, f32) = (320.0, 760.0);
/// Number of colors in the style sheet (`k0` to `k7`).
const COLORS: usize = 8;
/// Largest number of letters in a name on the map.
const LETTERS: usize = 14;
/// Largest number of names on the map, so that they do not cover it.
const NAMES: usize = 60;
/// Number of points of a class that are examined to find where most of them are.
const SAMPLED: usize = 200;

/// The shapes, as paths from the center of the point: dot, square, plus, cross, triangle, diamond. The style sheet fills or strokes them.
const SHAPES: [(&str, &str); 6] = [
    ("dot", "h0"),
    ("square", "h0"),
    ("plus", "m-3 0h6m-3-3v6"),
    ("cross", "m-2.2-2.2l4.4 4.4m0-4.4l-4.4 4.4"),
    ("up", "m0-3.2l3 5.4h-6z"),
    ("diamond", "m0-3.4l3 3.4l-3 3.4l-3-3.4z"),
];

/// A class's style names and shape: neighbors differ in color, and the shape changes every eight classes.
fn style(class: usize) -> (String, &'static str) {
    let (name, path) = SHAPES[class / COLORS % SHAPES.len()];
    (format!("k{} {name}", class % COLORS), path)
}

/// Writes the figure; `number` distinguishes the figures of a page.
pub(super) fn write(out: &mut String, map: &Map, names: &[String], number: usize) -> fmt::Result {
    let mut points: Vec<Vec<(f32, f32)>> = vec![Vec::new(); names.len()];
    let mut left_out = 0usize;
    for &(x, y, class) in &map.points {
        match points.get_mut(class as usize) {
            Some(of_class) if x.is_finite() && y.is_finite() => of_class.push((x, y)),
            _ => left_out += 1,
        }
    }
    let shown: usize = points.iter().map(Vec::len).sum();
    writeln!(out, "<h3>Map</h3>")?;
    let note = if left_out > 0 { format!(" {left_out} points could not be shown.") } else { String::new() };
    if shown == 0 {
        return writeln!(out, "<p>{}: there is no point to show.{note}</p>", Escaped(&map.method));
    }
    let height = fit(&mut points);
    write!(
        out,
        "<figure class=\"map\">\n<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labeledby=\"p{number}t p{number}d\">\n\
         <title id=\"p{number}t\">Map of the features, colored by class</title>\n<desc id=\"p{number}d\">{shown} points of {} classes; \
         each class has a color, a shape, and its name where most of its points are.</desc>\n<g>\n",
        points.iter().filter(|of_class| !of_class.is_empty()).count(),
    )?;
    for (class, of_class) in points.iter().enumerate().filter(|(_, of_class)| !of_class.is_empty()) {
        let (style, shape) = style(class);
        write!(out, "<path class=\"{style}\" data-class=\"{class}\" d=\"")?;
        of_class.iter().try_for_each(|(x, y)| write!(out, "M{x:.1} {y:.1}{shape}"))?;
        writeln!(out, "\"><title>{}</title></path>", Escaped(&names[class]))?;
    }
    out.push_str("</g>\n<g class=\"names\" text-anchor=\"middle\">\n");
    for (class, (x, y), hidden) in placed(&points, names) {
        writeln!(
            out,
            "<text data-class=\"{class}\"{} x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            if hidden { " class=\"crowded\"" } else { "" },
            y + 5.0,
            Escaped(&short(&names[class], LETTERS))
        )?;
    }
    write!(
        out,
        "</g>\n</svg>\n<figcaption>{}, {shown} point{}.{note} <span class=\"scripted\">Choose a class to highlight it; choose it again to show all.</span>\
         </figcaption>\n<div class=\"keys\">\n",
        Escaped(&map.method),
        if shown == 1 { "" } else { "s" }
    )?;
    for (class, of_class) in points.iter().enumerate().filter(|(_, of_class)| !of_class.is_empty()) {
        let (style, shape) = style(class);
        let name = Escaped(&names[class]);
        writeln!(
            out,
            "<button type=\"button\" value=\"{class}\" aria-pressed=\"false\" title=\"{name} ({})\"><svg viewBox=\"0 0 10 10\" \
             aria-hidden=\"true\"><path class=\"{style}\" d=\"M5 5{shape}\"/></svg><span>{}</span></button>",
            of_class.len(),
            Escaped(&short(&names[class], 2 * LETTERS))
        )?;
    }
    out.push_str("</div>\n</figure>\n");
    Ok(())
}

/// Transforms the points to picture coordinates, with the same scale on both axes and y upwards; returns the picture's height.
fn fit(points: &mut [Vec<(f32, f32)>]) -> f32 {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for &(x, y) in points.iter().flatten() {
        for (axis, v) in [f64::from(x), f64::from(y)].into_iter().enumerate() {
            (low[axis], high[axis]) = (low[axis].min(v), high[axis].max(v));
        }
    }
    let span = [0, 1].map(|axis| (high[axis] - low[axis]).max(f64::MIN_POSITIVE));
    let inner = f64::from(WIDTH - 2.0 * MARGIN);
    let height = ((span[1] / span[0] * inner) as f32 + 2.0 * MARGIN).clamp(HEIGHTS.0, HEIGHTS.1);
    let scale = (inner / span[0]).min(f64::from(height - 2.0 * MARGIN) / span[1]);
    let scale = if scale.is_finite() { scale } else { 1.0 };
    let middle = [0, 1].map(|axis| low[axis] / 2.0 + high[axis] / 2.0);
    for (x, y) in points.iter_mut().flatten() {
        *x = WIDTH / 2.0 + (scale * (f64::from(*x) - middle[0])) as f32;
        *y = height / 2.0 - (scale * (f64::from(*y) - middle[1])) as f32;
    }
    height
}

/// The position of each class's name, and whether it is hidden for lack of space; larger classes are placed first.
fn placed(points: &[Vec<(f32, f32)>], names: &[String]) -> Vec<(usize, (f32, f32), bool)> {
    let mut order: Vec<usize> = (0..points.len()).filter(|&class| !points[class].is_empty()).collect();
    order.sort_by_key(|&class| (std::cmp::Reverse(points[class].len()), class));
    let mut taken: Vec<(f32, f32, f32)> = Vec::new();
    let mut all = Vec::new();
    for class in order {
        let half = 5.0 * width(&names[class], LETTERS) as f32;
        let (x, y) = densest(&points[class]);
        let x = x.clamp(half, WIDTH - half);
        let covers = |&(at, high, wide): &(f32, f32, f32)| (at - x).abs() < wide + half && (high - y).abs() < 17.0;
        let hidden = taken.len() >= NAMES || taken.iter().any(covers);
        if !hidden {
            taken.push((x, y, half));
        }
        all.push((class, (x, y), hidden));
    }
    all
}

/// The point whose nearest quarter of the other points is closest: a class may form several clusters, and have no points at its mean.
fn densest(points: &[(f32, f32)]) -> (f32, f32) {
    let some: Vec<(f32, f32)> = points.iter().copied().step_by(points.len().div_ceil(SAMPLED).max(1)).collect();
    let reach = |of: &(f32, f32)| {
        let mut distances: Vec<f32> = some.iter().map(|p| (p.0 - of.0).powi(2) + (p.1 - of.1).powi(2)).collect();
        *distances.select_nth_unstable_by(some.len() / 4, f32::total_cmp).1
    };
    let best = some.iter().map(|p| (reach(p), *p)).min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or((0.0, 0.0), |(_, point)| point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_keep_their_proportions_and_stay_in_the_picture() {
        let mut points = vec![vec![(-1.0, 0.0), (1.0, 0.0)], vec![], vec![(0.0, 1.0)]];
        let height = fit(&mut points);
        assert!((height - 514.0).abs() < 0.1, "{height}"); // (1000 - 28) / 2 + 28
        assert_eq!(points[0], [(14.0, 500.0), (986.0, 500.0)]);
        assert_eq!(points[2], [(500.0, 14.0)]);
    }

    #[test]
    fn points_on_one_spot_or_far_apart_still_have_a_place() {
        for points in
            [vec![(3.0, 3.0); 4], vec![(f32::MIN, 0.0), (f32::MAX, 1.0)], vec![(1.0, f32::MIN), (1.0, f32::MAX)]]
        {
            let mut all = vec![points];
            let height = fit(&mut all);
            for &(x, y) in &all[0] {
                assert!((0.0..=WIDTH).contains(&x) && (0.0..=height).contains(&y), "{x} {y}");
            }
        }
    }

    #[test]
    fn a_name_stands_where_its_class_is_densest_and_never_on_another() {
        let near = |x: f32, y: f32, n: usize| (0..n).map(move |i| (x + i as f32, y));
        let split: Vec<_> = near(100.0, 100.0, 12).chain(near(700.0, 500.0, 8)).collect();
        let (x, y) = densest(&split);
        assert!((100.0..112.0).contains(&x) && y == 100.0, "{x} {y}");
        let names = ["a", "b", "c", "d"].map(String::from);
        let points = [near(105.0, 101.0, 5).collect(), split, vec![], near(500.0, 101.0, 1).collect()];
        let hidden: Vec<_> = placed(&points, &names).into_iter().map(|(class, _, hidden)| (class, hidden)).collect();
        assert_eq!(hidden, [(1, false), (0, true), (3, false)]);
    }

    #[test]
    fn the_first_48_classes_all_look_different() {
        let looks: std::collections::BTreeSet<String> = (0..48).map(|class| style(class).0).collect();
        assert_eq!(looks.len(), 48);
    }
}
