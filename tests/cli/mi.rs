//! Mutual information as its users meet it.

use super::place::Place;
use serde_json::Value;
use std::fs;

fn quantity<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["quantities"].as_array().unwrap().iter().find(|q| q["name"] == name).unwrap_or_else(|| panic!("{report}"))
}

#[test]
fn a_joint_table_gives_the_figures_of_the_textbook() {
    // Cover and Thomas, Elements of Information Theory, example 2.2.1.
    let place = Place::new();
    let table = "X\\Y,a,b,c,d\n1,0.125,0.0625,0.0625,0.25\n2,0.0625,0.125,0.0625,0\n3,0.03125,0.03125,0.0625,0\n4,0.03125,0.03125,0.0625,0\n";
    fs::write(place.at("p.csv"), table).unwrap();
    let report: Value = serde_json::from_str(&place.ok("mi discrete --joint p.csv --unit bits --json")).unwrap();
    for (name, bits) in [
        ("H(X)", 1.75),
        ("H(Y)", 2.0),
        ("H(X | Y)", 1.375),
        ("H(Y | X)", 1.625),
        ("H(X, Y)", 3.375),
        ("I(X; Y)", 0.375),
    ] {
        let got = quantity(&report, name)["value"].as_f64().unwrap();
        assert!((got - bits).abs() < 1e-9, "{name}: {got}");
    }
    assert_eq!((&report["estimator"], &report["unit"]), (&"exact".into(), &"bits".into()));
    let said = place.ok("mi discrete --joint p.csv --unit bits");
    assert!(said.contains("probabilities, exact") && said.contains("I(X; Y)      0.3750"), "{said}");
    // KL(p || p) = 0; where q has nothing, it is infinite and says where.
    fs::write(place.at("q.csv"), table.replace("0.25\n", "0\n").replace("0.0625,0\n2", "0.3125,0\n2")).unwrap();
    let against = |q: &str| {
        let said = place.ok(&format!("mi discrete --joint p.csv --against {q} --json"));
        quantity(&serde_json::from_str(&said).unwrap(), "KL(p || q)").clone()
    };
    assert_eq!(against("p.csv")["value"], 0.0);
    let infinite = against("q.csv");
    assert_eq!((&infinite["value"], &infinite["infinite_at"][0]), (&Value::Null, &"X = 1, Y = d".into()));
}

#[test]
fn columns_of_samples_are_estimated_and_conditioned() {
    let place = Place::new();
    // y is x where z is 0, and the other value where z is 1: nothing without z, a bit with it.
    let rows: String = (0..400).map(|i| format!("{},{},{}\n", i % 2, (i % 2) ^ (i / 2 % 2), i / 2 % 2)).collect();
    fs::write(place.at("s.csv"), format!("x,y,z\n{rows}")).unwrap();
    let said = place.ok("mi discrete s.csv --x x --y y --given z --unit bits --estimator plug-in --json");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert!(quantity(&report, "I(x; y)")["value"].as_f64().unwrap().abs() < 1e-9);
    assert!((quantity(&report, "I(x; y | z)")["value"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(report["n"], 400);
    let together = place.ok("mi discrete s.csv --x x,z --y y --unit bits");
    assert!(together.contains("I((x, z); y)") && together.contains("400 samples, miller-madow"), "{together}");
    place.fails("mi discrete s.csv --x w --y y", 2, &["no column `w`", "x, y, z"]);
    place.fails("mi discrete s.csv --x x --y x", 2, &["named twice"]);
    place.fails("mi discrete s.csv --x x", 2, &["--y"]);
    place.fails("mi discrete none.csv --x x --y y", 1, &["none.csv"]);
    fs::write(place.at("bad.csv"), "0.5,0.2\n0.2,-0.1\n").unwrap();
    place.fails("mi discrete --joint bad.csv", 1, &["bad.csv line 2"]);
    fs::write(place.at("sum.csv"), "0.5,0.2\n0.2,0.2\n").unwrap();
    place.fails("mi discrete --joint sum.csv", 1, &["not 1", "counts"]);
}
