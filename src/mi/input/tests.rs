//! Reading files of all kinds, and the errors for files that cannot be read.

use super::*;
use crate::mi::input::array::tests::{floats, npy, npz};
use crate::mi::input::parquet::tests::{column, write};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use tempfile::TempDir;
use zip::CompressionMethod;

/// Files in a separate directory.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Files {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        Files(dir)
    }

    fn choice(&self, files: &[&str], x: &[&str], y: &[&str]) -> Choice {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let files = files.iter().map(|name| self.0.path().join(name).into()).collect();
        Choice { files, x: owned(x), y: owned(y), ..Choice::default() }
    }

    fn read(&self, files: &[&str], x: &[&str], y: &[&str]) -> Result<Pair> {
        read(&self.choice(files, x, y))
    }

    /// An error's message, without the directory, its remedy and its exit code.
    fn said(&self, choice: &Choice) -> (String, String, u8) {
        let e = read(choice).unwrap_err();
        let dir = format!("{}/", self.0.path().display());
        (e.to_string().replace(&dir, ""), e.remedy().replace(&dir, ""), e.exit_code())
    }

    fn fault(&self, files: &[&str], x: &[&str], y: &[&str]) -> (String, String, u8) {
        self.said(&self.choice(files, x, y))
    }
}

fn values(variable: &Variable) -> &[f64] {
    let Variable::Numbers(samples) = variable else { panic!("labels") };
    samples.values()
}

#[test]
fn two_files_are_x_and_y_with_all_their_columns() {
    let files = Files::new(&[
        ("x.npy", &floats("(2, 2)", &[1.0, 2.0, 3.0, 4.0])),
        ("y.NPY", &npy("'<i4'", false, "(2,)", &[5, 0, 0, 0, 6, 0, 0, 0])),
        ("f.csv", b"f1,g,f2\n1,2,3\n4,5,6\n"),
    ]);
    let pair = files.read(&["x.npy", "y.NPY"], &[], &[]).unwrap();
    assert_eq!((values(&pair.x), values(&pair.y)), (&[1.0, 2.0, 3.0, 4.0][..], &[5.0, 6.0][..]));
    assert_eq!((pair.names, pair.rows, pair.dropped), ([vec!["1".into(), "2".into()], vec!["1".into()], vec![]], 2, 0));
    // A choice in one of the files; another kind of file.
    let pair = files.read(&["f.csv", "x.npy"], &["f*"], &["2"]).unwrap();
    assert_eq!((values(&pair.x), values(&pair.y)), (&[1.0, 3.0, 4.0, 6.0][..], &[2.0, 4.0][..]));
}

#[test]
fn one_file_is_chosen_from_by_name_and_pattern() {
    let files = Files::new(&[("d.csv", b"flow,temp,press_a,press_b\n1,2,3,4\n5,6,7,8\n"), ("d.tsv", b"1\t2\n3\t4\n")]);
    let pair = files.read(&["d.csv"], &["temp", "press*"], &["flow"]).unwrap();
    assert_eq!(pair.names[0], ["temp", "press_a", "press_b"]);
    assert_eq!((values(&pair.x), values(&pair.y)), (&[2.0, 3.0, 4.0, 6.0, 7.0, 8.0][..], &[1.0, 5.0][..]));
    // Two columns need no choice.
    let pair = files.read(&["d.tsv"], &[], &[]).unwrap();
    assert_eq!((values(&pair.x), values(&pair.y)), (&[1.0, 3.0][..], &[2.0, 4.0][..]));
}

#[test]
fn archives_and_tensors_are_chosen_from_by_key() {
    let files = Files::new(&[]);
    let arrays = [("a", floats("(2,)", &[1.0, 2.0])), ("b", floats("(2, 2)", &[3.0, 4.0, 5.0, 6.0])), ("c", vec![])];
    npz(&files.0.path().join("d.npz"), CompressionMethod::Deflated, &arrays);
    let pair = files.read(&["d.npz"], &["a"], &["b"]).unwrap();
    assert_eq!((values(&pair.y), &pair.names[1][..]), (&[3.0, 4.0, 5.0, 6.0][..], &["b.1".into(), "b.2".into()][..]));
    let (what, remedy, code) = files.fault(&["d.npz"], &["q"], &["b"]);
    assert_eq!((what.as_str(), remedy.as_str(), code), ("d.npz: there is no array `q`", "choose from a, b, c", 2));
    // Each array has its own number of rows.
    npz(
        &files.0.path().join("e.npz"),
        CompressionMethod::Stored,
        &[("a", floats("(3,)", &[0.0; 3])), ("b", floats("(2,)", &[0.0; 2]))],
    );
    assert_eq!(files.fault(&["e.npz", "d.npz"], &[], &["a"]).0, "e.npz: a has 3 rows and b has 2");
}

#[test]
fn labels_are_text_or_numbers_that_only_tell_rows_apart() {
    let files = Files::new(&[("d.csv", b"a,label,size\n1,red,01\n2,blue,1\n3,red,1\n4,blue,01\n")]);
    let mut choice = files.choice(&["d.csv"], &["a"], &["label"]);
    let (what, remedy, code) = files.said(&choice);
    assert_eq!(what, "d.csv column `label`: text where numbers are wanted (`red` in line 2, and 3 more)");
    assert_eq!((remedy.contains("--discrete y"), code), (true, 1));
    choice.discrete = [false, true, false];
    assert_eq!(read(&choice).unwrap().y, Variable::Labels(vec![0, 1, 0, 1], vec!["red".into(), "blue".into()]));
    choice.y = vec!["size".into()];
    assert_eq!(read(&choice).unwrap().y, Variable::Labels(vec![0, 1, 1, 0], vec!["01".into(), "1".into()]));
    choice.discrete = [true, false, false];
    let (what, remedy, _) = files.said(&choice);
    assert_eq!(what, "X (a): each of the 4 rows has a label of its own");
    assert!(remedy.ends_with("(without --discrete x)"), "{remedy}");
    // Without --discrete, whole numbers are numbers.
    choice.discrete = [false; 3];
    assert_eq!(values(&read(&choice).unwrap().y), [1.0; 4]);
}

#[test]
fn parquet_is_chosen_from_by_column() {
    let files = Files::new(&[]);
    write(&files.0.path().join("d.parquet"), "REQUIRED DOUBLE a; REQUIRED BYTE_ARRAY b (UTF8);", |group| {
        column::<DoubleType>(group, &[0.5, 1.5, 2.5], [None; 2]);
        column::<ByteArrayType>(group, &["u", "v", "u"].map(ByteArray::from), [None; 2]);
    });
    let mut choice = files.choice(&["d.parquet"], &[], &[]);
    choice.discrete = [false, true, false];
    let pair = read(&choice).unwrap();
    assert_eq!(
        (values(&pair.x), &pair.y),
        (&[0.5, 1.5, 2.5][..], &Variable::Labels(vec![0, 1, 0], vec!["u".into(), "v".into()]))
    );
    choice.discrete = [false; 3];
    assert!(files.said(&choice).0.ends_with("(`u` in row 1, and 2 more)"));
}

#[test]
fn rows_with_missing_values_are_named_or_left_out_of_both() {
    let files = Files::new(&[
        ("d.csv", b"a,b,c\n1,2,u\n,3,u\n4,inf,v\n5,6,w\nNA,,v\n7,8,w\n"),
        ("x.npy", &floats("(3,)", &[1.0, f64::NAN, 2.0])),
        ("y.npy", &floats("(3,)", &[f64::INFINITY, 4.0, 5.0])),
    ]);
    let mut choice = files.choice(&["d.csv"], &["a"], &["b"]);
    let (what, remedy, code) = files.said(&choice);
    assert_eq!(
        what,
        "d.csv: NaN, infinity or an empty cell in line 3, 6 (column a)\n\
         d.csv: NaN, infinity or an empty cell in line 4, 6 (column b)"
    );
    assert_eq!((remedy.as_str(), code), ("repair these rows, or leave them out with --drop-nan", 1));
    choice.drop_nan = true;
    let pair = read(&choice).unwrap();
    assert_eq!((values(&pair.x), values(&pair.y)), (&[1.0, 5.0, 7.0][..], &[2.0, 6.0, 8.0][..]));
    assert_eq!((pair.rows, pair.dropped), (3, 3));
    // A label that occurs only in omitted rows is not counted.
    choice.y = vec!["c".into()];
    choice.discrete = [false, true, false];
    assert_eq!(read(&choice).unwrap().y, Variable::Labels(vec![0, 1, 2, 2], vec!["u".into(), "v".into(), "w".into()]));
    let mut choice = files.choice(&["x.npy", "y.npy"], &[], &[]);
    assert!(files.said(&choice).0.starts_with("x.npy: NaN, infinity or an empty cell in row 2 (column 1)\ny.npy: "));
    choice.drop_nan = true;
    let (what, _, code) = files.said(&choice);
    assert_eq!((what.as_str(), code), ("1 of 3 rows are left, from which nothing can be estimated (x.npy)", 1));
}

#[test]
fn files_that_are_not_there_or_cannot_be_read_are_named() {
    let files = Files::new(&[
        ("d.xlsx", b"PK"),
        ("e.csv", b""),
        ("one.npy", &floats("(1, 3)", &[1.0, 2.0, 3.0])),
        ("one.csv", b"a\n1\n"),
    ]);
    let (what, _, code) = files.fault(&["no.csv", "e.csv"], &[], &[]);
    assert_eq!((what.starts_with("cannot read no.csv"), code), (true, 1));
    let (what, remedy, code) = files.fault(&["d.xlsx"], &[], &[]);
    assert_eq!((what.as_str(), code), ("d.xlsx: files of this kind cannot be read", 2));
    assert!(remedy.contains(".npy, .npz, .safetensors, .csv, .tsv or .parquet"), "{remedy}");
    assert_eq!(files.fault(&["e.csv"], &[], &[]).0, "e.csv is empty");
    assert_eq!(files.fault(&[""], &[], &[]).2, 2);
    let (what, remedy, code) = files.fault(&["one.npy", "one.csv"], &[], &[]);
    assert_eq!(what, "X and Y have 1 row, from which nothing can be estimated (one.npy)");
    assert_eq!((remedy.contains("the wrong way round"), code), (true, 1));
}

#[test]
fn a_choice_that_says_too_little_or_too_much_is_refused() {
    let files =
        Files::new(&[("d.csv", b"a,b,c\n1,2,3\n4,5,6\n"), ("s.csv", b"a\n1\n2\n"), ("i.csv", b",a\n0,1\n1,2\n")]);
    let (what, remedy, code) = files.fault(&["d.csv"], &[], &[]);
    assert_eq!(what, "d.csv has 3 columns: which are X and which are Y?");
    assert_eq!((remedy.as_str(), code), ("choose with --x and --y; there are a, b, c", 2));
    let (what, remedy, code) = files.fault(&["d.csv"], &["a"], &[]);
    assert_eq!(what, "d.csv: nothing says which columns are Y");
    assert_eq!((remedy.as_str(), code), ("choose with --y; there are a, b, c", 2));
    assert_eq!(files.fault(&["d.csv"], &[], &["a"]).0, "d.csv: nothing says which columns are X");
    assert_eq!(files.fault(&["s.csv"], &[], &[]).0, "s.csv has one column, and X and Y need one each");
    let (what, _, code) = files.fault(&["d.csv"], &["a", "b"], &["b*"]);
    assert_eq!((what.as_str(), code), ("d.csv: column `b` is asked for in both X and Y", 2));
    // The same file given twice counts as one file.
    let (what, _, code) = files.fault(&["d.csv", "./d.csv"], &["a", "b"], &["c", "b"]);
    assert_eq!((what.as_str(), code), ("d.csv: column `b` is asked for in both X and Y", 2));
    assert_eq!(files.read(&["d.csv", "d.csv"], &["a"], &["c"]).unwrap().names[..2], [["a"], ["c"]]);
    // The row numbers would be found in both files, which is the maximum information possible.
    let (what, remedy, code) = files.fault(&["i.csv", "i.csv"], &[], &[]);
    assert_eq!((what.as_str(), code), ("i.csv: column 1 has no name; does it number the rows?", 2));
    assert!(remedy.contains("--x '?*'"), "{remedy}");
    assert_eq!(files.fault(&["i.csv"], &[], &[]).2, 2);
    assert_eq!(files.fault(&[], &[], &[]).0, "0 files were given");
    let choice = Choice { files: vec!["-".into(), "-".into()], ..Choice::default() };
    assert_eq!(files.said(&choice).2, 2);
}

#[test]
fn x_and_y_have_one_length() {
    let files = Files::new(&[("x.npy", &floats("(3,)", &[1.0, 2.0, 3.0])), ("y.csv", b"a\n1\n2\n3\n4\n")]);
    let (what, remedy, code) = files.fault(&["x.npy", "y.csv"], &[], &[]);
    assert_eq!((what.as_str(), code), ("X has 3 rows and Y has 4 (x.npy and y.csv)", 1));
    assert!(remedy.starts_with("give one row of Y for each row of X"), "{remedy}");
}

#[test]
fn columns_that_tell_nothing_are_a_warning() {
    let files = Files::new(&[("d.csv", b"a,b,c\n1,2,3\n1,2,4\n1,2,5\n"), ("n.csv", b"0,1\n0.5,0.25\n")]);
    let pair = files.read(&["d.csv"], &["a", "b"], &["c"]).unwrap();
    assert_eq!(pair.warnings, ["X: columns a, b are constant and tell nothing"]);
    let pair = files.read(&["n.csv"], &[], &[]).unwrap();
    assert!(pair.warnings[0].contains("the first line (0, 1) is taken as a row of numbers, not as names"));
}
