//! The page is well-formed, complete, harmless, and the same each time.

use super::*;
use quick_xml::Reader;
use quick_xml::events::Event;

fn page(classes: &[&str], confusion: Vec<Vec<u64>>, map: Option<Map>) -> ProbePage {
    ProbePage {
        title: "Phones of the test set".into(),
        facts: vec![("protocol".into(), "frame".into())],
        unit: "frames".into(),
        chance: Some(1.0 / classes.len() as f64),
        majority: Some(0.4),
        table: vec![
            PageRow { features: "c".into(), accuracy: 0.75, ci95: Some([0.7312, 0.769]), macro_f1: 0.7 },
            PageRow { features: "mfcc".into(), accuracy: 0.5, ci95: None, macro_f1: f64::NAN },
        ],
        classes: classes.iter().map(|c| c.to_string()).collect(),
        details: vec![Detail { features: "c".into(), confusion, map, picture: None }],
    }
}

fn small() -> ProbePage {
    let map = Map { method: "PCA".into(), points: vec![(0.0, 0.0, 0), (1.0, 2.0, 1), (2.0, 1.0, 2)] };
    page(&["a", "b", "c"], vec![vec![8, 2, 0], vec![1, 9, 0], vec![3, 0, 7]], Some(map))
}

/// The text of every element with its path (`html>body>main>h1`); panics unless the page is well-formed.
fn elements(html: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(html);
    reader.config_mut().check_end_names = true;
    let (mut open, mut found) = (Vec::<String>::new(), Vec::new());
    let mut ids = std::collections::BTreeSet::new();
    loop {
        let event = reader.read_event().unwrap_or_else(|e| panic!("{e} at {}", reader.error_position()));
        match &event {
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    if attribute.key.as_ref() == b"id" {
                        assert!(ids.insert(attribute.value.to_vec()), "an id stands twice: {attribute:?}");
                    }
                }
                if matches!(event, Event::Start(_)) {
                    open.push(String::from_utf8(tag.name().as_ref().to_vec()).unwrap());
                }
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => found.push((open.join(">"), text.decode().unwrap().into_owned())),
            Event::GeneralRef(name) => {
                let text = match name.decode().unwrap().as_ref() {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "quot" => "\"",
                    "#39" => "'",
                    other => panic!("&{other}; is not XML's"),
                };
                found.push((open.join(">"), text.into()));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    found
}

/// All the text within elements whose path ends with `path`.
fn text_of(html: &str, path: &str) -> String {
    elements(html).into_iter().filter(|(at, _)| at.ends_with(path)).map(|(_, text)| text).collect()
}

#[test]
fn pages_are_well_formed_with_any_number_of_classes() {
    for n in [0usize, 1, 2, 4, 12, 13, 41, 64, 65, 250] {
        let names: Vec<String> = (0..n).map(|i| format!("speaker-{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let confusion =
            (0..n).map(|i| (0..n).map(|j| if i == j { 90 } else { (i * j % 3) as u64 }).collect()).collect();
        let points = (0..n * 5).map(|i| ((i as f32).sin(), (i as f32 * 0.7).cos(), (i % n) as u32)).collect();
        let html = render(&page(&names, confusion, Some(Map { method: "PCA".into(), points })));
        assert!(text_of(&html, "h1").starts_with("Phones"), "{n} classes");
        assert!(html.len() < 1_500_000, "{n} classes: {} bytes", html.len());
    }
}

#[test]
fn the_table_has_the_figures_and_the_marks() {
    let html = render(&small());
    let text = text_of(&html, "");
    for part in [
        "75.0\u{a0}%",
        "73.1\u{a0}to\u{a0}76.9",
        "chance 33.3\u{a0}%",
        "the largest class alone 40.0\u{a0}%",
        "protocol",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(html.contains(r#"<rect class="bar" y="4" width="75.000" height="12"/>"#));
    assert!(html.contains(r#"<path class="majority" d="M40.000 0v1"/>"#));
    assert!(html.contains("M73.120 10H76.900"));
}

#[test]
fn pairs_are_listed_by_count_and_recalls_by_share() {
    let html = render(&small());
    let pairs = html.split("Most often confused").nth(1).unwrap();
    let order: Vec<usize> = ["<td>c</td><td>a</td>", "<td>a</td><td>b</td>", "<td>b</td><td>a</td>"]
        .iter()
        .map(|pair| pairs.find(pair).unwrap())
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    let recalls = html.split("Recall of each class").nth(1).unwrap();
    let order: Vec<usize> =
        ["90.0\u{a0}%", "80.0\u{a0}%", "70.0\u{a0}%"].iter().map(|r| recalls.find(r).unwrap()).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn cells_are_painted_by_their_share_of_the_row() {
    let html = render(&page(&["a", "b"], vec![vec![3, 1], vec![0, 9]], None));
    // 0.75 and 0.25 are steps 8 (from 0.6) and 6 (from 0.2); 1 is step 9 (from 0.8).
    for cell in [r#"s8" d="M0 0h1v1h-1z""#, r#"s6" d="M1 0h1v1h-1z""#, r#"s9" d="M1 1h1v1h-1z""#] {
        assert!(html.contains(cell), "{cell}");
    }
}

#[test]
fn the_counts_stand_as_text_for_people_and_for_the_script() {
    let html = render(&page(&["a\tb", "c<d"], vec![vec![3, 1], vec![0, 9]], None));
    assert_eq!(text_of(&html, "details>pre"), "true\ta b\tc<d\na b\t3\t1\nc<d\t0\t9");
}

#[test]
fn hostile_names_stay_text() {
    let evil = "</title></script><script>alert(1)</script><img src=x onerror='a' \"b\"> & \u{202e}\0";
    let mut page = page(&[evil, "", "ok"], vec![vec![1, 2, 3], vec![4, 5, 6], vec![7, 8, 9]], None);
    page.title = evil.into();
    page.unit = evil.into();
    page.facts = vec![(evil.into(), evil.into())];
    page.table[0].features = evil.into();
    page.details[0].features = evil.into();
    page.details[0].map = Some(Map { method: evil.into(), points: vec![(0.0, 0.0, 0), (1.0, 1.0, 1)] });
    let html = render(&page);
    let shown = evil.replace(['\u{202e}', '\0'], "\u{fffd}");
    assert_eq!(text_of(&html, "body>main>h1"), shown);
    assert_eq!(html.matches("<script").count(), 1);
    assert!(!html.contains("<img") && !html.contains("onerror='") && !html.contains('\0'));
    assert!(html.contains("(no name)"));
    assert!(!elements(&html).iter().any(|(at, _)| at.ends_with("img")));
}

#[test]
fn the_page_loads_nothing() {
    let html = render(&small());
    assert!(html.contains("default-src 'none'"));
    for word in ["http:", "https:", "src=", "@import", "<link", "url(http", "fetch(", "XMLHttpRequest", "import("] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn a_class_without_an_example_is_said_to_have_none() {
    let html = render(&page(&["a", "b"], vec![vec![3, 1], vec![0, 0]], None));
    assert!(html.contains(">no example<") && html.contains("Hatched rows") && html.contains("url(#m0p)"));
    assert!(!text_of(&html, "").contains("NaN"));
    let complete = render(&small());
    assert!(!complete.contains(">no example<") && !complete.contains("Hatched rows") && !complete.contains("url(#"));
}

#[test]
fn a_confusion_matrix_that_is_too_small_counts_as_zeros() {
    let html = render(&page(&["a", "b", "c"], vec![vec![3]], None));
    assert_eq!(text_of(&html, "details>pre"), "true\ta\tb\tc\na\t3\t0\t0\nb\t0\t0\t0\nc\t0\t0\t0");
    assert!(html.contains("No class was taken for another."));
}

#[test]
fn a_map_without_points_says_so_and_points_that_cannot_be_shown_are_counted() {
    let with = |points| render(&page(&["a", "b"], vec![], Some(Map { method: "t-SNE".into(), points })));
    assert!(text_of(&with(vec![]), "section>p").contains("t-SNE: there is no point to show."));
    let html = with(vec![(0.0, 1.0, 0), (f32::NAN, 0.0, 1), (0.0, f32::INFINITY, 1), (1.0, 1.0, 9)]);
    assert!(html.contains("t-SNE, 1 point. 3 points could not be shown."));
    assert!(!html.contains("NaN") && !html.contains("inf"));
    assert!(!render(&page(&["a"], vec![], None)).contains("<h3>Map"));
}

#[test]
fn shares_out_of_range_do_not_leave_the_bars() {
    let mut page = small();
    page.table[0] = PageRow { features: "x".into(), accuracy: 1.7, ci95: Some([-0.2, f64::NAN]), macro_f1: -1.0 };
    let html = render(&page);
    assert!(html.contains("width=\"100.000\"") && html.contains("M0.000 10H0.000"));
}

#[test]
fn the_same_result_gives_the_same_bytes() {
    assert_eq!(render(&small()), render(&small()));
    let mut other = small();
    other.details[0].confusion[0][1] += 1;
    assert_ne!(render(&small()), render(&other));
}
