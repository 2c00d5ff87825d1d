//! Information diagrams of two or three variables as SVG: circles that overlap, with a value in each part.

use crate::report::markup::{Escaped, short};
use std::fmt::{self, Write};

/// The radius of a circle in pixels, the distance of its center from the middle, and the margins.
const RADIUS: f64 = 130.0;
const APART: f64 = 88.0;
const MARGIN: (f64, f64) = (70.0, 52.0);
/// Letters of a name.
const LETTERS: usize = 24;
/// The colors of the circles (Okabe and Ito 2008), and of what is negative.
const COLORS: [&str; 3] = ["#0072b2", "#e69f00", "#009e73"];
const NEGATIVE: &str = "#b00020";

/// An information diagram. Circles are equally large: areas do not show amounts, because an amount may be negative. Such a part is hatched.
#[derive(Debug, Clone, Default)]
pub struct Diagram {
    /// The names of two or three variables.
    pub names: Vec<String>,
    /// The value and the name of each atom; the bits of its index say which variables it is in. The first is not drawn.
    pub atoms: Vec<(f64, String)>,
    /// The entropies of the variables.
    pub entropies: Vec<f64>,
    /// The unit of the values.
    pub unit: String,
}

impl Diagram {
    /// The picture.
    ///
    /// # Errors
    /// None, because writing to a string does not fail.
    pub fn svg(&self) -> Result<String, fmt::Error> {
        let n = self.names.len().clamp(2, 3);
        // Directions of the centers: left and right, or the corners of a triangle.
        let angles: &[f64] = if n == 2 { &[180.0, 0.0] } else { &[210.0, 330.0, 90.0] };
        let away = |angle: f64, by: f64| (angle.to_radians().cos() * by, -angle.to_radians().sin() * by);
        let low = angles.iter().map(|&a| away(a, APART).1 + RADIUS).fold(0.0, f64::max);
        let high = angles.iter().map(|&a| away(a, APART).1 - RADIUS).fold(0.0, f64::min);
        let (width, height) = (2.0 * (APART + RADIUS + MARGIN.0), low - high + 2.0 * MARGIN.1 + 20.0);
        let (mid_x, mid_y) = (width / 2.0, MARGIN.1 - high);
        let centers: Vec<(f64, f64)> =
            angles.iter().map(|&a| away(a, APART)).map(|(x, y)| (mid_x + x, mid_y + y)).collect();
        let title = format!("Information diagram of {}, in {}", self.names.join(", "), self.unit);
        let mut out = String::new();
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             role=\"img\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\" text-anchor=\"middle\">\n<title>{title}</title>\n<rect \
             width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
            title = Escaped(&title)
        )?;
        self.hatched(&mut out, &centers)?;
        for ((x, y), color) in centers.iter().zip(COLORS) {
            writeln!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{RADIUS}\" fill=\"{color}\" fill-opacity=\"0.16\" stroke=\"{color}\" stroke-width=\"1.5\"/>"
            )?;
        }
        for (at, (name, &angle)) in self.names.iter().zip(angles).enumerate() {
            let (x, y) = centers[at];
            // Below the lower circles, above the others.
            let below = n == 3 && at < 2;
            let y = if below { y + RADIUS + 20.0 } else { y - RADIUS - 26.0 };
            let x = x + away(angle, if n == 3 { 45.0 } else { 20.0 }).0;
            let entropy = self.entropies.get(at).copied().unwrap_or_default();
            let name = short(name, LETTERS);
            writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" font-weight=\"bold\">{}<tspan x=\"{x:.1}\" dy=\"17\" font-weight=\"normal\">H = {entropy:.3}</tspan></text>",
                Escaped(&name)
            )?;
        }
        for (atom, (value, name)) in self.atoms.iter().enumerate().skip(1).take((1 << n) - 1) {
            let inside: Vec<f64> = (0..n).filter(|at| atom >> at & 1 == 1).map(|at| angles[at]).collect();
            // In the middle of its part of the picture.
            let (dx, dy) = match (n, inside.len()) {
                (2, 1) => away(inside[0], APART + 55.0),
                (3, 1) => away(inside[0], APART + 58.0),
                (3, 2) => {
                    let parts = inside.iter().map(|&a| away(a, 1.0));
                    let (x, y) = parts.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
                    (86.0 * x, 86.0 * y)
                }
                _ => (0.0, 0.0),
            };
            let fill = if *value < 0.0 { NEGATIVE } else { "#111" };
            writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{fill}\" font-size=\"15\"><title>{}: {value} {}</title>{value:.3}</text>",
                mid_x + dx,
                mid_y + dy + 5.0,
                Escaped(name),
                Escaped(&self.unit)
            )?;
        }
        let negative = self.atoms.iter().skip(1).any(|(value, _)| *value < 0.0);
        let note = if negative { "; hatched: negative" } else { "" };
        writeln!(
            out,
            "<text x=\"{mid_x:.1}\" y=\"{:.1}\" font-size=\"11\">in {}; areas do not show amounts{note}</text>\n</svg>",
            height - 8.0,
            Escaped(&self.unit)
        )?;
        Ok(out)
    }

    /// Hatches the parts with a negative value: inside some circles, and outside the others.
    fn hatched(&self, out: &mut String, centers: &[(f64, f64)]) -> fmt::Result {
        let negative: Vec<usize> =
            (1..self.atoms.len()).filter(|&atom| self.atoms[atom].0 < 0.0 && atom < 1 << centers.len()).collect();
        if negative.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "<defs><pattern id=\"hatch\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path \
             d=\"M0 0V8\" stroke=\"{NEGATIVE}\" stroke-opacity=\"0.35\" stroke-width=\"4\"/></pattern>"
        )?;
        let circle = |(x, y): (f64, f64)| format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{RADIUS}\"");
        for (at, &center) in centers.iter().enumerate() {
            writeln!(out, "<clipPath id=\"in{at}\">{}/></clipPath>", circle(center))?;
        }
        for &atom in &negative {
            let outside = (0..centers.len()).filter(|at| atom >> at & 1 == 0);
            let black: String = outside.map(|at| format!("{} fill=\"#000\"/>", circle(centers[at]))).collect();
            writeln!(out, "<mask id=\"out{atom}\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>{black}</mask>")?;
        }
        writeln!(out, "</defs>")?;
        for atom in negative {
            let inside: Vec<usize> = (0..centers.len()).filter(|at| atom >> at & 1 == 1).collect();
            let open: String = inside.iter().map(|at| format!("<g clip-path=\"url(#in{at})\">")).collect();
            let close = "</g>".repeat(inside.len());
            writeln!(
                out,
                "{open}<rect width=\"100%\" height=\"100%\" fill=\"url(#hatch)\" mask=\"url(#out{atom})\"/>{close}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_atom_has_its_value_and_negative_ones_are_hatched() {
        let atoms = |values: &[f64]| values.iter().enumerate().map(|(i, &v)| (v, format!("atom {i}"))).collect();
        let mut diagram = Diagram {
            names: vec!["x".into(), "<y>".into(), "z".into()],
            atoms: atoms(&[0.0, 0.0, 0.25, 1.0, 0.5, 1.5, 2.0, -1.0]),
            entropies: vec![1.0, 2.0, 3.0],
            unit: "bits".into(),
        };
        let svg = diagram.svg().unwrap();
        for text in
            [">0.250<", ">1.500<", ">-1.000<", "&lt;y&gt;", "H = 3.000", "hatched: negative", "atom 5: 1.5 bits"]
        {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!((svg.matches("clip-path=").count(), svg.matches("<mask").count()), (3, 1));
        diagram.atoms[7].0 = 1.0;
        assert!(!diagram.svg().unwrap().contains("hatch"));
        let two =
            Diagram { names: vec!["x".into(), "y".into()], atoms: atoms(&[0.0, 0.1, 0.2, 0.3]), ..Diagram::default() };
        let svg = two.svg().unwrap();
        assert_eq!((svg.matches("<circle").count(), svg.matches("font-size=\"15\"").count()), (2, 3));
    }
}
