//! The mutual information commands from the user's point of view.

use super::place::Place;
use serde_json::Value;
use std::fs;

fn quantity<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["quantities"].as_array().unwrap().iter().find(|q| q["name"] == name).unwrap_or_else(|| panic!("{report}"))
}

#[test]
fn series_are_recognized_and_the_cure_holds() {
    let place = Place::new();
    // Two independent series that drift: y(t) = 0.95 y(t - 1) + noise.
    let (mut state, mut values) = (1u64, [0.0f64; 2]);
    let mut noise = || {
        (0..12)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 11) as f64 / (1u64 << 53) as f64
            })
            .sum::<f64>()
            - 6.0
    };
    let mut text = String::from("x,y\n");
    for _ in 0..600 {
        values.iter_mut().for_each(|v| *v = 0.95 * *v + noise());
        text += &format!("{},{}\n", values[0], values[1]);
    }
    fs::write(place.at("series.csv"), text).unwrap();
    let args = "mi estimate series.csv --x x --y y --seed 1";
    let json =
        |args: &str| -> serde_json::Value { serde_json::from_str(&place.ok(&format!("{args} --json"))).unwrap() };
    for estimator in ["auto", "ksg"] {
        let told = json(&format!("{args} --estimator {estimator}"));
        assert!(told["warnings"].to_string().contains("use auto with --split blocked"), "{told}");
    }
    let blocked = json(&format!("{args} --split blocked"));
    assert!(!blocked["warnings"].to_string().contains("--split blocked"), "{blocked}");
    let ci: Vec<f64> = blocked["ci95"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!(ci[0] <= 0.0 && 0.0 <= ci[1], "{blocked}");
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
    // KL(p || p) = 0; if q is zero somewhere, the divergence is infinite and the message names the place.
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
    // y is x where z is 0, and the other value where z is 1: no information without z, one bit with it.
    let rows: String = (0..400).map(|i| format!("{},{},{}\n", i % 2, (i % 2) ^ (i / 2 % 2), i / 2 % 2)).collect();
    fs::write(place.at("s.csv"), format!("x,y,z\n{rows}")).unwrap();
    let said = place.ok("mi discrete s.csv --x x --y y --given z --unit bits --estimator plug-in --json");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert!(quantity(&report, "I(x; y)")["value"].as_f64().unwrap().abs() < 1e-9);
    assert!((quantity(&report, "I(x; y | z)")["value"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(report["n"], 400);
    let said = place.ok("mi discrete s.csv --x x --y y --given z --unit bits --estimator plug-in --diagram d.svg");
    assert!(said.contains("I(x; y; z)") && said.contains("co-information") && said.contains("H(z | x, y)"), "{said}");
    assert!(fs::read_to_string(place.at("d.svg")).unwrap().contains("Information diagram of x, y, z, in bits"));
    place.fails("mi discrete s.csv --x x --y y --diagram d.png", 2, &["--diagram", ".svg"]);
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

/// Writes n rows of t, u, flow = sin(2t) with noise, and a state determined by t + u.
fn sensors(place: &Place, n: usize) {
    let mut s = cpc::seed::stream(1, "sensors", 0);
    let mut text = String::from("t,u,flow,state\n");
    for _ in 0..n {
        let (t, u) = (f64::from(s.normal()), f64::from(s.normal()));
        let flow = (2.0 * t).sin() + 0.3 * f64::from(s.normal());
        text += &format!("{t},{u},{flow},{}\n", if t + u > 0.0 { "on" } else { "off" });
    }
    fs::write(place.at("s.csv"), text).unwrap();
}

#[test]
fn an_estimate_says_how_much_with_its_interval_unit_and_kind() {
    let place = Place::new();
    sensors(&place, 600);
    let json =
        |args: &str| -> Value { serde_json::from_str(&place.ok(&format!("mi estimate {args} --json"))).unwrap() };
    let ksg = json("s.csv --x t --y flow --estimator ksg");
    let nats = ksg["estimate"].as_f64().unwrap();
    assert!((0.7..1.1).contains(&nats), "{ksg}");
    for key in ["estimator", "estimate", "unit", "ci95", "bound", "n", "warnings"] {
        assert!(!ksg[key].is_null(), "{key}: {ksg}");
    }
    assert!(ksg["ci95"][0].as_f64().unwrap() < nats && nats < ksg["ci95"][1].as_f64().unwrap());
    let bits = json("s.csv --x t --y flow --estimator ksg --unit bits")["estimate"].as_f64().unwrap();
    assert!((bits - nats / std::f64::consts::LN_2).abs() < 1e-12);
    let plain = place.ok("mi estimate s.csv --x t --y flow --estimator ksg --plain");
    assert_eq!(plain.trim().parse::<f64>().unwrap(), nats);
    // A label on one side; and data from standard input.
    let state = json("s.csv --x t,u --y state --discrete y");
    assert!((0.55..0.75).contains(&state["estimate"].as_f64().unwrap()), "{state}"); // ln 2 = 0.693
    let piped = place
        .cpc("mi estimate - --x t --y flow --estimator ksg --plain")
        .write_stdin(place.bytes("s.csv"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(piped.stdout).unwrap(), plain);
}

#[test]
fn critics_are_trained_repeatably_and_leave_their_curve_and_pointwise_values() {
    let place = Place::new();
    sensors(&place, 400);
    let run = "mi estimate s.csv --x t --y flow --estimator infonce --steps 200 --folds 3";
    let first = place.ok(&format!("{run} --json --curve c.csv --pointwise p.npy"));
    assert_eq!(first, place.ok(&format!("{run} --json")));
    assert_ne!(first, place.ok(&format!("{run} --json --seed 1")));
    let report: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&report["bound"], &report["n"]), (&"lower bound".into(), &400.into()));
    assert!(
        report["warnings"].as_array().unwrap().iter().any(|w| w.as_str().unwrap().contains("still rising")),
        "{report}"
    );
    let curve = fs::read_to_string(place.at("c.csv")).unwrap();
    assert!(
        curve.starts_with("fold,step,train_nats,valid_nats\n0,0,") && curve.lines().count() == 1 + 3 * 5,
        "{curve}"
    );
    let values = npyz::NpyFile::new(&place.bytes("p.npy")[..]).unwrap().into_vec::<f32>().unwrap();
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 400.0;
    assert!((mean - report["estimate"].as_f64().unwrap()).abs() < 1e-4, "{mean} {report}");
    place.ok(&format!("{run} --curve c.svg"));
    assert!(fs::read_to_string(place.at("c.svg")).unwrap().starts_with("<svg"));
    place.fails(&format!("{run} --curve c.txt"), 2, &["c.txt", ".csv"]);
    place.fails("mi estimate s.csv --x t --y flow --estimator cca --curve c.svg", 2, &["--curve"]);
}

#[test]
fn estimators_stand_in_one_table_and_permutations_give_a_p_value() {
    let place = Place::new();
    sensors(&place, 300);
    let table = place.ok("mi estimate s.csv --x t --y flow --compare ksg,cca,copula,histogram --permutations 19");
    assert!(
        table.contains("p-value") && ["ksg", "cca", "copula", "histogram"].iter().all(|e| table.contains(e)),
        "{table}"
    );
    let report: Value =
        serde_json::from_str(&place.ok("mi estimate s.csv --x u --y flow --estimator ksg --permutations 19 --json"))
            .unwrap();
    assert!(
        report["p_value"].as_f64().unwrap() >= 0.05 && report["null_mean"].as_f64().unwrap().abs() < 0.05,
        "{report}"
    );
    let shifted = "mi estimate s.csv --x t --y flow --estimator ksg --permutations 19 --split blocked --json";
    let report: Value = serde_json::from_str(&place.ok(shifted)).unwrap();
    assert_eq!(report["p_value"], 0.05);
    let repeats: Value = serde_json::from_str(
        &place.ok("mi estimate s.csv --x t --y flow --estimator dv --steps 50 --folds 3 --repeats 2 --json"),
    )
    .unwrap();
    assert!(repeats["spread_of_repeats"].as_f64().unwrap() > 0.0, "{repeats}");
}

#[test]
fn data_that_auto_cannot_take_as_it_is_has_a_warning_with_a_remedy() {
    let place = Place::new();
    let mut s = cpc::seed::stream(2, "copies", 0);
    let rows: Vec<[f64; 2]> = (0..60).map(|_| [f64::from(s.normal()), f64::from(s.normal())]).collect();
    let text: String = (0..240).map(|i| format!("{},{},1,{}\n", rows[i / 4][0], rows[i / 4][1], i % 2)).collect();
    fs::write(place.at("c.csv"), format!("a,b,one,kind\n{text}")).unwrap();
    let json = |args: &str| -> Value {
        serde_json::from_str(&place.ok(&format!("mi estimate c.csv {args} --steps 50 --json"))).unwrap()
    };
    let copies = json("--x a --y b");
    assert!(copies["warnings"][0].as_str().unwrap().contains("copies of other rows"), "{copies}");
    assert!(copies["estimate"].as_f64().unwrap().abs() < 0.2 && copies["n"] == 60, "{copies}");
    let constant = json("--x one --y kind --discrete y");
    assert_eq!(constant["estimate"], 0.0);
    assert!(constant["warnings"][0].as_str().unwrap().contains("choose a column that varies"), "{constant}");
    // Whole numbers are labels if there are few of them.
    assert_eq!(json("--x kind --y one")["estimate"], 0.0);
}

#[test]
fn bad_input_of_an_estimate_is_named() {
    let place = Place::new();
    sensors(&place, 60);
    place.fails("mi estimate s.csv --x t", 2, &["which columns are Y", "--y"]);
    place.fails("mi estimate s.csv --x t --y state", 1, &["text where numbers are wanted", "--discrete y"]);
    place.fails("mi estimate s.csv --x v --y t", 2, &["v", "t, u, flow, state"]);
    place.fails("mi estimate s.csv --x t --y flow --estimator mi", 2, &["auto, dv"]);
    place.fails("mi estimate none.npy s.csv", 1, &["none.npy"]);
    place.fails("mi estimate s.csv --x t --y u --discrete y", 1, &["a label of its own"]);
    place.fails("mi estimate s.csv --x t,u --y flow --estimator histogram", 2, &["one column of X"]);
    fs::write(place.at("nan.csv"), "a,b\n1,2\nnan,3\n4,5\n2,1\n3,8\n").unwrap();
    place.fails("mi estimate nan.csv --x a --y b --estimator cca", 1, &["--drop-nan"]);
    place.ok("mi estimate nan.csv --x a --y b --estimator cca --drop-nan");
    place.fails("mi estimate nan.csv --x a --y b --estimator infonce --drop-nan", 1, &["too few", "ksg"]);
    fs::write(place.at("twice.csv"), "a,b\n1,2\n2,4\n3,6\n4,8\n6,12\n").unwrap();
    place.fails("mi estimate twice.csv --x a --y b --estimator cca", 1, &["infinite"]);
}

#[test]
fn estimators_are_measured_where_the_truth_is_known() {
    let place = Place::new();
    let bench = "mi bench --rows 300 --seeds 2 --task 1v1-normal-0.75,student-identity-2-2-1 --estimator cca,copula";
    let report: Value = serde_json::from_str(&place.ok(&format!("{bench} --json --csv runs.csv"))).unwrap();
    let [cca, copula] = [0, 1].map(|e| report["estimators"][e]["mean_absolute_error"].as_f64().unwrap());
    assert!(copula < 0.1 && cca > copula, "{report}");
    assert_eq!(fs::read_to_string(place.at("runs.csv")).unwrap().lines().count(), 1 + 8);
    assert!(place.ok(bench).contains("mean absolute error"));
    place.fails("mi bench --task none", 2, &["1v1-normal-0.75"]);
    let mixed = "mi bench --suite mixtures --rows 400 --task given-xor,given-sum,rain --estimator ksg";
    let report: Value = serde_json::from_str(&place.ok(&format!("{mixed} --json"))).unwrap();
    let ksg = &report["estimators"][0];
    assert_eq!((ksg["tasks"].as_array().unwrap().len(), &ksg["silent"]), (3, &0.into()), "{report}");
    assert!(ksg["mean_absolute_error"].as_f64().unwrap() < 0.1, "{report}");
    let images = place.ok("mi bench --suite images --rows 100 --task digit-strangers --estimator ksg");
    assert!(images.contains("two digits that share nothing") && images.contains("no warning"), "{images}");
    place.fails("mi bench --suite paintings", 2, &["beyond-normal, mixtures, images"]);

    let climb = "mi staircase --levels 1,2 --updates 20 --dim 3 --bound infonce,nwj --svg s.svg --json";
    let report: Value = serde_json::from_str(&place.ok(climb)).unwrap();
    assert_eq!((&report[1]["bound"], report[1]["levels"].as_array().unwrap().len()), (&"nwj".into(), 2));
    assert!(report[0]["levels"][0]["bias"].as_f64().unwrap() < 0.0);
    assert!(fs::read_to_string(place.at("s.svg")).unwrap().contains("truth"));
    assert!(
        place
            .ok("mi staircase --variant cubic --levels 1 --updates 8 --dim 2 --bound dv")
            .contains("mean square error")
    );
    place.fails("mi staircase --levels 1,100 --dim 2 --bound dv", 2, &["100 nats"]);

    let found = place.ok("mi selfcheck --estimator cca --rows 500");
    assert!(found.contains("unrelated") && found.contains("right"), "{found}");
    let check = "mi selfcheck --equitability --estimator cca,ksg --rows 300 --svg e.svg";
    let report: Value = serde_json::from_str(&place.ok(&format!("{check} --json"))).unwrap();
    let nats = |e: usize, of: &str, i: usize| report["estimators"][e][of][i]["nats"].clone();
    assert_eq!(nats(1, "maps", 0), nats(1, "maps", 1), "neighbors use ranks: {report}");
    let parabola = [0, 1].map(|e| nats(e, "relations", 1)[2].as_f64().unwrap());
    assert!(parabola[0] < 0.1 && parabola[1] > 0.8, "a parabola has no correlation: {report}");
    assert!(fs::read_to_string(place.at("e.svg")).unwrap().contains("zigzag"));
    place.fails("mi selfcheck --svg e.svg", 2, &["--equitability"]);
    let found = place.ok("mi gaussians --dims 1,2 --estimator cca,ksg --rows 200 --svg g.svg");
    assert!(found.contains("rho  -0.99") && found.contains("2 + 2 columns"), "{found}");
    place.fails("mi gaussians --dims 1 --estimator cca --rows 200 --svg g.png", 2, &["g.png", ".svg"]);
}

#[test]
fn features_of_a_model_say_what_it_predicts() {
    let place = Place::with_model();
    let said = place
        .ok("mi features model --data corpus --steps 2 --frames 400 --components 4 --estimator ksg --labels speaker");
    assert!(said.contains("I(z[t+2]; c[t])") && said.contains("I(label; c[t])"), "{said}");
    place.fails("mi features model --steps 2", 2, &["--data"]);
}

#[test]
fn information_is_given_a_third_variable() {
    let place = Place::new();
    let mut noise = noise(7);
    let mut text = String::from("valve,temp,flow,state,note\n");
    for _ in 0..500 {
        let valve = noise();
        let (temp, flow) = (2.0 * valve + noise(), 2.0 * valve + noise());
        text += &format!("{valve},{temp},{flow},{},ok\n", if valve > 0.0 { "open" } else { "shut" });
    }
    fs::write(place.at("plant.csv"), text).unwrap();
    let told = |args: &str| -> Value { serde_json::from_str(&place.ok(&format!("{args} --json"))).unwrap() };
    let args = "mi estimate plant.csv --x temp --y flow";
    assert!(told(&format!("{args} --estimator ksg"))["estimate"].as_f64().unwrap() > 0.5);
    for estimator in ["copula", "ksg"] {
        let given = told(&format!("{args} --given valve --estimator {estimator} --permutations 99"));
        assert!(given["estimate"].as_f64().unwrap().abs() < 0.08, "{given}");
        assert!(given["p_value"].as_f64().unwrap() > 0.01, "{given}");
    }
    let said = place.ok(&format!("{args} --given valve --estimator copula"));
    assert!(said.contains("Z  valve\n500 rows") && said.contains("I(X; Y|Z) "), "{said}");
    // Labels: knowing that a valve is open leaves less to share.
    let state = told(&format!("{args} --given state --discrete z --estimator copula"));
    assert!(state["method"].as_str().unwrap().starts_with("within each of 2 values of Z"), "{state}");
    place.fails(&format!("{args} --given temp"), 2, &["`temp` is asked for in both X and Z", "--given"]);
    place.fails(&format!("{args} --given state"), 1, &["text where numbers are wanted", "--discrete z"]);
    place.fails(&format!("{args} --given nothing"), 2, &["no column `nothing`"]);
    place.fails("mi estimate plant.csv plant.csv --x temp --y flow --given valve", 2, &["give a third file"]);
    place.fails(&format!("{args} --given valve --estimator histogram"), 2, &["no conditional form"]);
    let split = format!("{args} --given valve --split blocked --permutations 9 --estimator ksg");
    place.fails(&split, 2, &["exchanges rows"]);
    let files = told("mi estimate plant.csv plant.csv plant.csv --x temp --y flow --given valve --estimator copula");
    assert_eq!(files["estimate"], told(&format!("{args} --given valve --estimator copula"))["estimate"]);
}

/// A table of sensors: `power` is about the product of `speed` and `flow`, `state` is the speed in words.
fn machine(place: &Place) {
    let mut noise = noise(11);
    let mut text = String::from("speed,flow,copy,idle,power,state\n");
    for _ in 0..800 {
        let (speed, flow) = (noise(), noise());
        let (copy, power) = (speed + 0.4 * noise(), speed * flow + 0.2 * noise());
        let state = if speed > 0.5 { "fast" } else { "slow" };
        text += &format!("{speed},{flow},{copy},{},{power},{state}\n", noise());
    }
    fs::write(place.at("sensors.csv"), text).unwrap();
}

#[test]
fn all_pairs_are_compared_listed_and_drawn() {
    let place = Place::new();
    machine(&place);
    let said = place.ok("mi matrix sensors.csv --discrete state --svg heat.svg --out pairs.csv --top 3");
    assert!(said.contains("3 of 15 pairs shown") && said.contains("written: heat.svg"), "{said}");
    let svg = fs::read_to_string(place.at("heat.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("speed, copy: "), "{svg}");
    let table = fs::read_to_string(place.at("pairs.csv")).unwrap();
    assert!(table.starts_with("x,y,nats,p,q\n") && table.lines().count() == 16, "{table}");
    let report: Value = serde_json::from_str(&place.ok("mi matrix sensors.csv --discrete state --json")).unwrap();
    let pairs = report["pairs"].as_array().unwrap();
    let of = |x: &str, y: &str| pairs.iter().find(|p| p["x"] == x && p["y"] == y).unwrap_or_else(|| panic!("{report}"));
    assert!(of("speed", "copy")["estimate"].as_f64().unwrap() > 0.7);
    assert!(of("speed", "copy")["q_value"].as_f64().unwrap() < 1e-9);
    assert!(of("speed", "state")["q_value"].as_f64().unwrap() < 1e-9);
    assert!(of("flow", "idle")["q_value"].as_f64().unwrap() > 0.01);
    // Against one column; the same values.
    let target: Value =
        serde_json::from_str(&place.ok("mi matrix sensors.csv --discrete state --target copy --json")).unwrap();
    assert_eq!(target["pairs"].as_array().unwrap().len(), 5);
    assert_eq!(target["pairs"][0]["estimate"], of("speed", "copy")["estimate"]);
    let doubled = fs::read_to_string(place.at("sensors.csv")).unwrap();
    let doubled: String = doubled.lines().map(|line| format!("{line},{}\n", line.split(',').next().unwrap())).collect();
    fs::write(place.at("doubled.csv"), doubled.replacen(",speed\n", ",again\n", 1)).unwrap();
    let output = place.cpc("mi matrix doubled.csv --columns speed,again,idle").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("speed and again nearly determine each other: they share more than 800 rows"), "{said}");
    let copula = place.ok("mi matrix sensors.csv --columns speed,copy,idle --estimator copula --unit bits");
    assert!(copula.contains("bits") && copula.contains("by copula"), "{copula}");
    place.fails("mi matrix sensors.csv", 1, &["column `state`", "text where numbers are wanted", "--discrete"]);
    place.fails("mi matrix sensors.csv --discrete state --target nothing", 2, &["no column `nothing`"]);
    place.fails("mi matrix sensors.csv --discrete states", 2, &["--discrete states is none of the columns"]);
    place.fails("mi matrix sensors.csv --columns speed", 2, &["one column"]);
    place.fails("mi matrix sensors.csv --discrete state --svg heat.png", 2, &["does not end in .svg"]);
    let rows: String = (0..30).map(|i| format!("{},{}\n", i * 7 % 31, i * 5 % 37)).collect();
    fs::write(place.at("gap.csv"), format!("a,b\n1,2\n,3\n{rows}")).unwrap();
    place.fails("mi matrix gap.csv", 1, &["an empty cell in line 3", "--drop-nan"]);
    assert!(place.ok("mi matrix gap.csv --drop-nan").contains("31 rows"));
    fs::write(place.at("few.csv"), "a,b\n1,2\n2,3\n4,1\n").unwrap();
    place.fails("mi matrix few.csv", 1, &["3 rows are too few for nearest neighbors", "give at least 20 rows"]);
}

#[test]
fn columns_are_selected_until_nothing_is_added() {
    let place = Place::new();
    machine(&place);
    let report: Value =
        serde_json::from_str(&place.ok("mi select sensors.csv --discrete state --target power --json")).unwrap();
    let chosen: Vec<&str> =
        report["chosen"].as_array().unwrap().iter().map(|c| c["column"].as_str().unwrap()).collect();
    assert!(chosen.len() == 2 && chosen.contains(&"flow"), "{report}");
    assert_eq!(report["complete"], true);
    let said = place.ok("mi select sensors.csv --columns speed,copy,idle --target flow");
    assert!(said.contains("no column informs about it more than chance would"), "{said}");
    for by in ["cmim", "mrmr", "conditional"] {
        let said = place.ok(&format!("mi select sensors.csv --discrete state --target copy --by {by} --take 1"));
        assert!(said.contains("\nspeed ") && said.contains("--take"), "{by}: {said}");
    }
    place.fails("mi select sensors.csv --target power", 1, &["column `state`", "--discrete"]);
    place.fails("mi select sensors.csv --discrete state --target nothing", 2, &["no column `nothing`"]);
}

#[test]
fn transfer_between_series_is_found_at_its_lag_in_its_direction() {
    let place = Place::new();
    let mut noise = noise(3);
    let (mut valve, mut flow) = (vec![0.0; 3], 0.0);
    let mut text = String::from("day,valve,flow,state,still\n");
    for t in 3..503 {
        valve.push(0.6 * valve[t - 1] + noise());
        flow = 0.5 * flow + valve[t - 2] + noise();
        let state = if valve[t] > 0.0 { "open" } else { "shut" };
        text += &format!("2024-01-01 {:02}:{:02},{},{flow},{state},1\n", t / 60, t % 60, valve[t]);
    }
    fs::write(place.at("plant.csv"), &text).unwrap();
    let args = "mi transfer plant.csv --from valve --to flow --lags 1:4 --estimator copula";
    let said = place.ok(&format!("{args} --both --time day --svg lags.svg --out lags.csv"));
    assert!(said.contains("valve -> flow") && said.contains("transfer: most at lag 2,"), "{said}");
    assert!(said.contains("flow -> valve") && said.contains("no lag stands out from chance"), "{said}");
    assert!(fs::read_to_string(place.at("lags.svg")).unwrap().contains("transfer entropy"));
    let lags = fs::read_to_string(place.at("lags.csv")).unwrap();
    assert!(lags.starts_with("from,to,lag,information,") && lags.lines().count() == 9, "{lags}");
    let told: Value = serde_json::from_str(&place.ok(&format!("{args} --json"))).unwrap();
    let at = |lag: usize| told[0]["lags"][lag - 1]["transfer"]["estimate"].as_f64().unwrap();
    assert!(at(2) > 0.2 && at(4) < 0.03 && told[0]["rows"] == 496, "{told}");
    let labels = place.ok("mi transfer plant.csv --from state --discrete state --to flow --lags 2 --history 1");
    assert!(labels.contains("most at lag 2"), "{labels}");
    // A gap is not bridged: of each half, the rows with a whole past.
    let halves = text.lines().enumerate().map(|(i, line)| match i {
        250 => "2024-01-01 04:12,,1,open,1\n".to_string(),
        _ => format!("{line}\n"),
    });
    fs::write(place.at("gap.csv"), halves.collect::<String>()).unwrap();
    let gap: Value =
        serde_json::from_str(&place.ok(&format!("{} --history 1 --drop-nan --json", args.replace("plant", "gap"))))
            .unwrap();
    assert_eq!(gap[0]["rows"], 491);
    for (args, code, parts) in [
        ("--from valve --to valve", 2, &["`valve` is asked for in both --from and --to"][..]),
        ("--from valve --to nothing", 2, &["no column `nothing`", "choose"]),
        ("--from valve --to flow --lags 0:3", 2, &["no list of lags", "begin with 1"]),
        ("--from valve --to flow --lags 495", 1, &["rows before them", "shorter --lags"]),
        ("--from valve --to flow --lags 1:200", 1, &["rows or more", "shorter --lags"]),
        ("--from still --to flow", 1, &["constant series"]),
        ("--from state --to flow", 1, &["text where numbers are wanted", "--discrete"]),
        ("--from state --to flow --discrete state --estimator copula", 2, &["no correlations", "ksg"]),
        ("--from valve --to flow --time state", 1, &["the column state has `open`, which is no time"]),
        ("--from valve --to flow --permutations 5", 2, &["19"]),
    ] {
        place.fails(&format!("mi transfer plant.csv {args}"), code, parts);
    }
}

#[test]
fn intervals_are_measured_against_the_truth() {
    let place = Place::new();
    let args = "mi coverage --task 1v1-normal*,1v1-additive-0.75 --estimator cca --rows 200 --seeds 20";
    let said = place.ok(args);
    assert!(said.contains("claimed") && said.contains("Normal, 1 + 1") && said.contains("cca, 200 rows"), "{said}");
    let told: Value = serde_json::from_str(&place.ok(&format!("{args} --independent --json"))).unwrap();
    let tasks = told["tasks"].as_array().unwrap();
    assert!(tasks.len() == 2 && tasks.iter().all(|t| t["truth"] == 0.0 && t["held"].as_u64() >= Some(17)), "{told}");
    place.fails("mi coverage --task none", 2, &["there is no task none"]);
}

/// Independent numbers that are nearly standard normal.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        let mut one = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..12).map(|_| one()).sum::<f64>() - 6.0
    }
}
