//! The picture is well-formed, harmless, small, and the same each time, whatever the input is.

use super::*;
use crate::seed::stream;
use quick_xml::Reader;
use quick_xml::events::Event;

/// The text of every element, with the element's name; panics unless the picture is well-formed.
fn texts(svg: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(svg);
    let (mut open, mut found) = (Vec::new(), Vec::<(String, String)>::new());
    loop {
        match reader.read_event().unwrap_or_else(|e| panic!("{e} at {}", reader.error_position())) {
            Event::Start(tag) => {
                assert!(tag.attributes().all(|attribute| attribute.is_ok()));
                open.push(String::from_utf8(tag.name().as_ref().to_vec()).unwrap());
                found.push((open[open.len() - 1].clone(), String::new()));
            }
            Event::Empty(tag) => assert!(tag.attributes().all(|attribute| attribute.is_ok())),
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => found.last_mut().unwrap().1.push_str(&text.decode().unwrap()),
            Event::GeneralRef(name) => found.last_mut().unwrap().1.push_str(&format!("&{};", name.decode().unwrap())),
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    for (_, words) in &mut found {
        *words = words.trim_end().into(); // a line ends after each element
    }
    found
}

/// The texts in the picture, in order.
fn words(svg: &str) -> Vec<String> {
    texts(svg).into_iter().filter(|(element, _)| element == "text").map(|(_, words)| words).collect()
}

fn figure(series: Vec<Series>) -> Figure {
    let panel = Panel { x_label: "steps".into(), y_label: "nats".into(), series, ..Panel::default() };
    Figure { panels: vec![panel], ..Figure::default() }
}

fn wave(n: usize) -> Vec<(f64, f64)> {
    let mut rng = stream(3, "plot", 0);
    (0..n).map(|i| (i as f64, (i as f64 / 40.0).sin() + 0.2 * f64::from(rng.normal()))).collect()
}

/// One series of each style.
fn every_style(n: usize) -> Vec<Series> {
    let low: Vec<f64> = wave(n).into_iter().map(|(_, y)| y - 1.0).collect();
    let styles =
        [Style::Band { low }, Style::Faint, Style::Line, Style::Dashed, Style::Marked, Style::Points, Style::Steps];
    styles.into_iter().enumerate().map(|(i, style)| Series::new(format!("s{i}"), wave(n), style)).collect()
}

#[test]
fn every_style_with_any_number_of_points_is_well_formed() {
    for n in [0, 1, 2, 3, 50, 5000] {
        let svg = figure(every_style(n)).svg().unwrap();
        let names: Vec<String> = words(&svg).into_iter().filter(|word| word.starts_with('s')).collect();
        assert_eq!(names, ["steps", "s0", "s1", "s2", "s3", "s4", "s5", "s6"], "{n} points");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{n} points");
    }
}

#[test]
fn a_panel_without_a_value_says_so() {
    for series in [vec![], vec![Series::new("a", vec![(0.0, f64::NAN), (f64::INFINITY, 1.0)], Style::Line)]] {
        assert!(words(&figure(series).svg().unwrap()).contains(&"no data".to_string()));
    }
}

#[test]
fn names_are_escaped_and_stay_text() {
    let evil = "</text><script>alert('1')</script> & \"x\" \u{202e}\0";
    let mut figure = figure(vec![Series::new(evil, vec![(0.0, 1.0)], Style::Line)]);
    figure.title = Some(evil.into());
    figure.panels[0].title = evil.into();
    figure.panels[0].y_label = evil.into();
    let svg = figure.svg().unwrap();
    assert!(!svg.contains("<script") && !svg.contains('\0') && !svg.contains('\u{202e}'));
    let title = texts(&svg).into_iter().find(|(element, _)| element == "title").unwrap().1;
    let quoted = "&lt;/text&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot; \u{fffd}\u{fffd}";
    assert_eq!(title, quoted);
    assert_eq!(words(&svg)[0], quoted);
}

#[test]
fn values_that_are_not_finite_are_gaps() {
    let mut points: Vec<(f64, f64)> = (0..9).map(|i| (f64::from(i), 1.0)).collect();
    (points[3].1, points[6].1) = (f64::NAN, f64::NEG_INFINITY);
    let svg = figure(vec![Series::new("a", points, Style::Line)]).svg().unwrap();
    let path = svg
        .split(" d=\"")
        .find(|path| path.starts_with('M') && !path.split('"').next().unwrap().contains(['v', 'h']))
        .unwrap();
    assert_eq!(path.split('"').next().unwrap().matches('M').count(), 3);
}

#[test]
fn constant_huge_and_tiny_values_have_a_picture() {
    for values in [[2.0; 3], [0.0; 3], [-1e-320, 0.0, 1e-320], [f64::MIN, 0.0, f64::MAX], [-1e300, 1.0, 1e300]] {
        let points = values.iter().map(|&v| (v, v)).collect();
        for equal_units in [false, true] {
            let mut figure = figure(vec![Series::new("a", Vec::clone(&points), Style::Marked)]);
            figure.panels[0].equal_units = equal_units;
            let svg = figure.svg().unwrap();
            texts(&svg);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{values:?}");
        }
    }
}

#[test]
fn a_picture_is_small_whatever_it_shows() {
    let panel = |n| Panel { series: every_style(n), ..Panel::default() };
    for (panels, n) in [(1, 100_000), (6, 20_000), (20, 3000)] {
        let figure = Figure { panels: vec![panel(n); panels], columns: 4, ..Figure::default() };
        let bytes = figure.svg().unwrap().len();
        assert!(bytes < 200_000, "{panels} panels: {bytes} bytes");
    }
    let class = |i| Series::new(format!("class {i}"), wave(4000), Style::Points);
    let bytes = figure((0..25).map(class).collect()).svg().unwrap().len();
    assert!(bytes < 200_000, "25 classes: {bytes} bytes");
}

#[test]
fn the_same_figure_gives_the_same_bytes() {
    assert_eq!(figure(every_style(3000)).svg().unwrap(), figure(every_style(3000)).svg().unwrap());
}

#[test]
fn a_name_has_one_color_and_one_entry_in_all_panels() {
    let series = |name: &str, style| Series::new(name, wave(20), style);
    let panel = |series| Panel { series, ..Panel::default() };
    let panels = vec![
        panel(vec![series("NWJ", Style::Faint), series("NWJ", Style::Line)]),
        panel(vec![series("JS", Style::Line), series("NWJ", Style::Line)]),
        panel(vec![series("truth", Style::Steps).colored(Color::Ink), series("", Style::Line).colored(Color::Gray)]),
    ];
    let svg = Figure { panels, columns: 3, ..Figure::default() }.svg().unwrap();
    let names: Vec<String> = words(&svg).into_iter().filter(|word| word.contains(char::is_alphabetic)).collect();
    assert_eq!(names, ["NWJ", "JS", "truth"]);
    // NWJ has a faint line and two lines, and one of each in the legend; JS has one line in a panel and one in the legend.
    assert_eq!(svg.matches("#0072b2").count(), 5);
    assert_eq!(svg.matches("#d55e00").count(), 2);
}

#[test]
fn panels_that_share_y_label_it_once() {
    let panel = |top: f64| Panel {
        y_label: "nats".into(),
        series: vec![Series::new("", vec![(0.0, 0.5), (1.5, top)], Style::Line)],
        ..Panel::default()
    };
    let figure = |share_y| Figure { panels: vec![panel(5.0), panel(100.0)], columns: 2, share_y, ..Figure::default() };
    let count = |share_y, word: &str| words(&figure(share_y).svg().unwrap()).iter().filter(|w| *w == word).count();
    assert_eq!((count(false, "nats"), count(false, "100"), count(false, "5")), (2, 1, 1));
    assert_eq!((count(true, "nats"), count(true, "100"), count(true, "5")), (1, 1, 0));
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    assert_eq!(Figure::default().svg().unwrap_err().to_string(), "a figure of 0 panels in 1 columns shows nothing");
    let mut no_column = figure(vec![]);
    no_column.columns = 0;
    assert_eq!(no_column.svg().unwrap_err().exit_code(), 2);
    for range in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (1.0, 1.0 + 1e-15)] {
        let mut figure = figure(vec![]);
        figure.panels[0].y_range = Some(range);
        assert!(figure.svg().unwrap_err().to_string().starts_with("panel 1: y cannot go from"), "{range:?}");
    }
    let band = Series::new("b", wave(3), Style::Band { low: vec![0.0] });
    let e = figure(vec![band]).svg().unwrap_err();
    assert_eq!(e.to_string(), "panel 1: band \"b\" has 3 points above and 1 below");
}
