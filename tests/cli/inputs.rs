//! Input that people have trouble with: tables of other languages and programs, text in other encodings, labels of all types, weights that are
//! no numbers. It gives the value that plain input gives, or is refused by what it is, with a remedy that these tests follow.

use super::place::Place;
use candle_core::{DType, Tensor};
use cpc::weights::torch::{TorchTensor, Value as Torch, read_torch, write_torch};
use cpc::weights::{read_tensors, to_safetensors};
use image::{ColorType, ImageEncoder, codecs::png::PngEncoder};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

fn json(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// Runs the command of a remedy, in which FILE and NEW are these files.
fn follow(place: &Place, said: &str, command: &str, file: &str, new: &str) {
    let help = said.lines().find(|line| line.starts_with("help:")).unwrap();
    let at = help.find(command).unwrap_or_else(|| panic!("{command} is not in {help}"));
    let line = help[at..].split(", if").next().unwrap().replace("FILE", file).replace("NEW", new);
    let done = Command::new("sh").arg("-c").arg(&line).current_dir(place.dir.path()).status().unwrap();
    assert!(done.success(), "{line}");
}

fn utf16(text: &str, mark: bool) -> Vec<u8> {
    let text = if mark { format!("\u{feff}{text}") } else { text.into() };
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// 300 rows of two dependent columns, as points.
fn columns() -> Vec<[f64; 2]> {
    let x = |i: usize| ((i * 7919 % 1000) as f64 / 1000.0 - 0.5) * 4.0;
    (0..300).map(|i| [x(i), x(i) + 0.3 * x(i * 31 + 7)]).collect()
}

fn table(names: &str, separator: &str, decimal: &str, end: &str) -> String {
    let cell = |v: f64| format!("{v:.4}").replace('.', decimal);
    let rows = columns().into_iter().map(|[x, y]| format!("{}{separator}{}{end}", cell(x), cell(y)));
    let names = if names.is_empty() { String::new() } else { format!("{}{end}", names.replace(',', separator)) };
    names + &rows.collect::<String>()
}

#[test]
fn a_table_gives_one_estimate_however_it_is_written() {
    let place = Place::new();
    let estimate = |file: &str, more: &str| {
        let said = json(&place.ok(&format!("mi estimate {file} --estimator ksg --seed 1 --json {more}")));
        (said["estimate"].as_f64().unwrap(), said["rows"].as_u64().or(said["n"].as_u64()))
    };
    let plain = table("temp,flow", ",", ".", "\n");
    fs::write(place.at("plain.csv"), &plain).unwrap();
    let wanted = estimate("plain.csv", "");
    let german = table("temp,flow", ";", ",", "\r\n");
    let quoted: String = german.lines().map(|line| format!("\"{}\"\n", line.replace(';', "\",\""))).collect();
    let files: [(&str, Vec<u8>); 14] = [
        ("german.csv", german.clone().into()),
        ("marked.csv", format!("\u{feff}{german}").into()),
        ("sep.csv", format!("sep=;\r\n{german}").into()),
        ("utf16.csv", utf16(&german.replace(';', "\t"), true)),
        ("return.csv", table("temp,flow", ",", ".", "\r").into()),
        ("quoted.csv", quoted.into()),
        ("bars.csv", table("temp,flow", "|", ".", "\n").into()),
        ("commas.tsv", table("temp,flow", "\t", ",", "\n").into()),
        ("named.tsv", plain.clone().into()),
        ("headless.csv", table("", ";", ",", "\n").into()),
        ("points.csv", table("", ",", ".", "\n").into()),
        ("years.csv", table("2019,2020", ",", ".", "\n").into()),
        ("years-german.csv", table("2019,2020", ";", ",", "\n").into()),
        ("r.csv", table("\"2019\",\"2020\"", ",", ".", "\n").into()),
    ];
    for (file, bytes) in files {
        fs::write(place.at(file), bytes).unwrap();
        assert_eq!(estimate(file, ""), wanted, "{file}");
    }
    assert_eq!(estimate("years.csv", "--x 2019 --y 2020"), wanted);
    let german = place
        .cpc("mi estimate - --x temp --y flow --estimator ksg --seed 1 --json")
        .write_stdin(german)
        .output()
        .unwrap();
    assert_eq!(json(&String::from_utf8(german.stdout).unwrap())["estimate"].as_f64().unwrap(), wanted.0);
    // Numbers that may be one or the other.
    fs::write(place.at("thousands.csv"), "a;b\n1,234;2,500\n3,456;7,250\n").unwrap();
    place.fails("mi estimate thousands.csv", 1, &["`1,234` in line 2 may be 1.234 or 1234", "decimal points"]);
    fs::write(place.at("mixed.csv"), "a;b\n1,5;2.500\n3,25;7.250\n").unwrap();
    place.fails("mi estimate mixed.csv", 1, &["decimal commas (`1,5` in line 2) and with points (`2.500` in line 2)"]);
    // Rows that begin with text: the remedies of the message.
    let unclear: String = columns().iter().enumerate().map(|(i, [x, y])| format!("s{i},{x:.4},{y:.4}\n")).collect();
    fs::write(place.at("unclear.csv"), &unclear).unwrap();
    place.fails("mi estimate unclear.csv", 2, &["may be a row or names", "--x and --y"]);
    assert_eq!(estimate("unclear.csv", "--x 2 --y 3"), wanted);
    fs::write(place.at("clear.csv"), format!("id,temp,flow\n{unclear}")).unwrap();
    assert_eq!(estimate("clear.csv", "--x temp --y flow"), wanted);
}

#[test]
fn counts_of_labels_are_the_same_however_the_table_is_written() {
    let place = Place::new();
    let rows =
        || (0..60).map(|i| [format!("{},5", i % 3), ["red", "blue"][(i / 2) % 2].to_string(), (i % 2).to_string()]);
    let table = |separator: &str, end: &str| -> String {
        let cell =
            |cell: &String| if separator == "," && cell.contains(',') { format!("\"{cell}\"") } else { cell.clone() };
        let lines = rows().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(separator) + end);
        ["size", "color", "odd"].join(separator) + end + &lines.collect::<String>()
    };
    let run = |file: &str| {
        json(&place.ok(&format!("mi discrete {file} --x size --y color --given odd --json")))["quantities"].clone()
    };
    fs::write(place.at("plain.csv"), table(",", "\n")).unwrap();
    let wanted = run("plain.csv");
    for (name, bytes) in [
        ("german.csv", table(";", "\r\n").into_bytes()),
        ("tabs.csv", table("\t", "\r").into_bytes()),
        ("utf16.csv", utf16(&table("\t", "\r\n"), true)),
        ("sep.csv", format!("sep=;\n{}", table(";", "\n")).into_bytes()),
    ] {
        fs::write(place.at(name), bytes).unwrap();
        assert_eq!(run(name), wanted, "{name}");
    }
    // A first row is no line of names, although its cells can be asked for.
    let headless: String = rows().map(|row| format!("{},{}\n", row[1], row[2])).collect();
    fs::write(place.at("headless.csv"), &headless).unwrap();
    place.fails(
        "mi discrete headless.csv --x red --y 0",
        1,
        &["the first line is a row, not names", "write a line of names above it"],
    );
    fs::write(place.at("headed.csv"), format!("color,odd\n{headless}")).unwrap();
    place.ok("mi discrete headed.csv --x color --y odd");
    fs::write(place.at("joint.csv"), "0.1,0.2\n0.3,0.4\n").unwrap();
    fs::write(place.at("joint-german.csv"), "0,1;0,2\n0,3;0,4\n").unwrap();
    let joint = |file: &str| json(&place.ok(&format!("mi discrete --joint {file} --json")))["quantities"].clone();
    assert_eq!(joint("joint-german.csv"), joint("joint.csv"));
}

#[test]
fn what_is_no_table_is_named_as_what_it_is() {
    let place = Place::new();
    let plain = table("temp,flow", ",", ".", "\n");
    fs::write(place.at("plain.csv"), &plain).unwrap();
    let workbook = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0bc\0\0\0\0\0\0\0\0\0\0\x13\0\0\0[Content_Types].xml";
    let zipped = {
        use std::io::Write;
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(plain.as_bytes()).unwrap();
        zip.finish().unwrap()
    };
    fs::write(place.at("book.csv"), workbook).unwrap();
    fs::write(place.at("zipped.csv"), zipped).unwrap();
    fs::write(place.at("page.csv"), "<!DOCTYPE html>\n<html><body>1,2</body></html>\n").unwrap();
    fs::write(place.at("wide.csv"), utf16(&plain, false)).unwrap();
    fs::write(place.at("nul.csv"), plain.replacen("flow", "fl\0ow", 1)).unwrap();
    fs::write(place.at("array.npy"), "1,2\n3,4\n").unwrap();
    fs::write(place.at("table.npy"), b"PAR1\x15\x04\0\0").unwrap();
    for command in ["mi estimate FILE", "mi discrete FILE --x temp --y flow", "mi discrete --joint FILE"] {
        let said = |file: &str, words: &[&str]| place.fails(&command.replace("FILE", file), 1, words);
        said("book.csv", &["book.csv: is an Excel workbook (.xlsx)", "save it as CSV"]);
        let zipped = said("zipped.csv", &["zipped.csv: is compressed (gzip)"]);
        follow(&place, &zipped, "gunzip", "zipped.csv", "unzipped.csv");
        assert_eq!(place.bytes("unzipped.csv"), plain.as_bytes());
        said("page.csv", &["page.csv: is a page of HTML", "download the table"]);
        let wide = said("wide.csv", &["wide.csv: is UTF-16LE without a byte order mark"]);
        follow(&place, &wide, "iconv", "wide.csv", "narrow.csv");
        assert_eq!(place.bytes("narrow.csv"), plain.as_bytes());
        let nul = said("nul.csv", &["NUL byte"]);
        assert!(!command.contains("estimate") || nul.contains("nul.csv"), "{nul}");
    }
    let wide: Vec<u8> = plain.chars().flat_map(|c| (c as u32).to_le_bytes()).collect();
    fs::write(place.at("utf32.csv"), wide).unwrap();
    let said = place.fails("mi estimate utf32.csv", 1, &["utf32.csv: is UTF-32LE without a byte order mark"]);
    follow(&place, &said, "iconv", "utf32.csv", "from32.csv");
    assert_eq!(place.bytes("from32.csv"), plain.as_bytes());
    fs::write(place.at("half.csv"), [utf16(&plain, true), vec![0, 0xd8, 10, 0]].concat()).unwrap();
    place.fails(
        "mi discrete half.csv --x temp --y flow",
        1,
        &["half.csv: cannot be read", "half of a character", "copy it again"],
    );
    fs::write(place.at("blanks.csv"), plain.replace(',', " ")).unwrap();
    let said = place.fails("mi estimate blanks.csv", 1, &["blanks.csv: cells are separated by blanks"]);
    follow(&place, &said, "tr -s", "blanks.csv", "commas.csv");
    assert_eq!(place.bytes("commas.csv"), plain.as_bytes());
    place.fails("mi estimate array.npy", 1, &["array.npy is not a whole array of numpy"]);
    place.fails("mi estimate table.npy", 1, &["table.npy: is a parquet file", ".parquet"]);
    let nul = place.fails("mi discrete nul.csv --x temp --y flow", 1, &["line 1 has a NUL byte"]);
    follow(&place, &nul, "tr -d", "nul.csv", "whole.csv");
    assert_eq!(place.bytes("whole.csv"), plain.as_bytes());
    let latin: Vec<u8> = [b"Gr\xf6\xdfe,flow\n".to_vec(), plain.split_once('\n').unwrap().1.into()].concat();
    fs::write(place.at("latin.csv"), latin).unwrap();
    let said = place.fails("mi estimate latin.csv", 1, &["latin.csv", "line 1 is not text (UTF-8)"]);
    follow(&place, &said, "iconv", "latin.csv", "utf8.csv");
    place.ok("mi estimate utf8.csv --x Größe --y flow --estimator ksg");
}

/// A run of a text model that takes about a second.
const TEXT: &str = "--preset text-demo --steps 2 --set encoder.vocab_size=200 --set encoder.embedding_dim=8 --set encoder.hidden_dim=12 \
                    --set context.hidden_dim=10 --set data.window=5 --set train.batch_size=4 --set train.warmup_steps=0";

/// Documents of words, and a model of them, `run`.
fn text_place() -> (Place, Vec<Vec<String>>) {
    let place = Place::new();
    let words = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
    let sentence = |d: usize, s: usize| format!("The {} went to {}.", words[(d + s) % 8], words[(d * 3 + s) % 8]);
    let documents: Vec<Vec<String>> = (0..20).map(|d| (0..12).map(|s| sentence(d, s)).collect()).collect();
    let text = documents.iter().map(|d| d.join("\n")).collect::<Vec<_>>().join("\n\n") + "\n";
    fs::write(place.at("walk.txt"), text).unwrap();
    place.ok(&format!("pretrain walk.txt {TEXT} --out run"));
    (place, documents)
}

fn vectors(place: &Place, file: &str) -> Vec<Vec<f32>> {
    Tensor::read_npy(place.at(file)).unwrap().to_vec2().unwrap()
}

/// The lines of the vectors in a directory of vectors.
fn lines(place: &Place, file: &str) -> Vec<(String, u64)> {
    let text = String::from_utf8(place.bytes(file)).unwrap();
    let mut rows = text.lines().map(|line| line.split_once('\t').unwrap());
    assert_eq!(rows.next(), Some(("file", "line")));
    rows.map(|(file, line)| (file.to_string(), line.parse().unwrap())).collect()
}

#[test]
fn each_vector_has_its_line_and_what_has_none_is_counted() {
    let (place, documents) = text_place();
    let said = place.ok("extract run walk.txt --out v");
    assert!(
        said.contains("259 read; 19 blank, without a vector; walk-lines.tsv has the line of each vector"),
        "{said}"
    );
    let found = lines(&place, "v/walk-lines.tsv");
    let text = String::from_utf8(place.bytes("walk.txt")).unwrap();
    let by_line: Vec<&str> = text.lines().collect();
    assert_eq!(found.len(), 240);
    for ((file, line), sentence) in found.iter().zip(documents.iter().flatten()) {
        assert_eq!((file.as_str(), by_line[*line as usize - 1]), ("walk.txt", sentence.as_str()));
    }
    let said = place.ok("info walk.txt");
    assert!(said.contains("259, 19 of them blank") && said.contains("240 in 20 documents, one per line"), "{said}");
    // Prose: sentences that end within lines, and go on in the next.
    fs::write(place.at("prose.txt"), "The one went. The\ntwo went\nto three.\n\n\nThe four\nwent. So.\n").unwrap();
    let said = place.ok("extract run prose.txt --split sentences --out p --json");
    let index = json(&String::from_utf8(place.bytes("p/index.json")).unwrap());
    let file = &index["files"][0];
    assert_eq!(
        ["lines", "blank_lines", "joined_lines", "sentences"].map(|key| file[key].as_u64()),
        [7, 2, 3, 4].map(Some),
        "{said}"
    );
    assert_eq!(lines(&place, "p/prose-lines.tsv").iter().map(|l| l.1).collect::<Vec<_>>(), [1, 1, 6, 7]);
    // Files of a directory; sentences that the model cuts or knows nothing of.
    fs::create_dir(place.at("dir")).unwrap();
    fs::write(place.at("dir/a.txt"), format!("\n{}\n", "one ".repeat(60))).unwrap();
    fs::write(place.at("dir/b.jsonl"), "{\"text\": null}\n[\"two\", null, \"zzz qqq\"]\n").unwrap();
    let said = place.ok("extract run dir --out d");
    assert!(
        said.contains("1 of 3 sentences, to the 32 tokens")
            && said.contains("1 of 3 sentences have no word that the model knows"),
        "{said}"
    );
    let wanted =
        [("dir/a.txt", 2), ("dir/b.jsonl", 2), ("dir/b.jsonl", 2)].map(|(file, line)| (file.to_string(), line));
    assert_eq!(lines(&place, "d/dir-lines.tsv"), wanted);
}

#[test]
fn text_gives_one_set_of_vectors_in_every_encoding_and_form() {
    let (place, documents) = text_place();
    place.ok("extract run walk.txt --out v");
    let wanted = vectors(&place, "v/walk.npy");
    let text = String::from_utf8(place.bytes("walk.txt")).unwrap();
    let keyed = |key: &str| {
        documents.iter().map(|d| format!("{{\"id\": 7, \"{key}\": {:?}}}\n", d.join("\n"))).collect::<String>()
    };
    let nulls = keyed("text").replacen("{\"id\"", "{\"text\": null}\nnull\n{\"id\"", 2);
    let same = |file: &str, more: &str, bytes: &[u8]| {
        fs::write(place.at(file), bytes).unwrap();
        place.ok(&format!("extract run {file} --out w-{file} {more}"));
        let stem = file.split('.').next().unwrap();
        assert!(vectors(&place, &format!("w-{file}/{stem}.npy")) == wanted, "{file}");
    };
    same("return.txt", "", text.replace('\n', "\r").as_bytes());
    same("windows.txt", "", format!("\u{feff}{}", text.replace('\n', "\r\n")).as_bytes());
    same("wide.txt", "", &utf16(&text, true));
    same("content.jsonl", "--column text=content", keyed("content").as_bytes());
    same("nulls.jsonl", "", nulls.as_bytes());
    same(
        "lists.jsonl",
        "--column text=doc",
        documents.iter().map(|d| format!("{{\"doc\": {d:?}}}\n")).collect::<String>().as_bytes(),
    );
    place.ok(&format!("pretrain content.jsonl {TEXT} --column text=content --out keyed"));
    // What is refused, and its remedies.
    let said = place.fails(
        "extract run content.jsonl --out x",
        1,
        &["content.jsonl:1: has neither `text` nor `sentences`; its keys are content, id"],
    );
    assert!(said.contains("--column text=content"), "{said}");
    place.fails("extract run content.jsonl --column text=body --out x", 1, &["has no `body`", "--column text=content"]);
    place.fails(
        &format!("pretrain content.jsonl {TEXT} --out x"),
        1,
        &["its keys are content, id", "--column text=content"],
    );
    fs::write(place.at("numbers.jsonl"), "{\"id\": 7}\n").unwrap();
    place.fails("extract run numbers.jsonl --out x", 1, &["its keys are id", "with the document as `text`"]);
    fs::write(place.at("documents.jsonl"), "{\"id\": 7, \"text\": \"one\"}\n").unwrap();
    place.ok("extract run documents.jsonl --out documents");
    fs::write(place.at("bare.txt"), utf16(&text, false)).unwrap();
    let said = place.fails("extract run bare.txt --out x", 1, &["bare.txt: is UTF-16LE without a byte order mark"]);
    follow(&place, &said, "iconv", "bare.txt", "bared.txt");
    assert_eq!(place.bytes("bared.txt"), text.as_bytes());
    place.info_names("bare.txt", &["UTF-16LE without a byte order mark"]);
    let half = [utf16("one\ntwo\n", true), vec![0, 0xd8, 10, 0]].concat();
    fs::write(place.at("half.txt"), half).unwrap();
    place.fails("extract run half.txt --out x", 1, &["half.txt", "half of a character", "copy or write it again"]);
    place.fails(&format!("pretrain bare.txt {TEXT} --out x"), 1, &["UTF-16LE without a byte order mark"]);
    fs::write(place.at("nul.txt"), text.replacen("one", "o\0ne", 1)).unwrap();
    place.fails("extract run nul.txt --out x", 1, &["nul.txt:", "NUL byte"]);
    assert!(
        place.ok("extract run nul.txt --on-bad-file skip --out y").contains("1 left out, because they cannot be read")
    );
    fs::write(place.at("zipped.txt"), b"\x1f\x8b\x08\0\0\0\0\0\0\x03").unwrap();
    place.fails("extract run zipped.txt --out x", 1, &["zipped.txt: is compressed (gzip)", "gunzip < FILE > NEW"]);
    assert!(!place.at("x").exists());
}

#[test]
fn scripts_without_spaces_are_said_and_cut_between_characters() {
    let place = Place::new();
    for (name, letters) in [
        ("thai", "วันนี้อากาศดีเราไปเดินเล่น"),
        ("chinese", "今天天气很好我们去公园"),
        ("japanese", "きょうはてんきがいいです"),
    ] {
        let letters: Vec<char> = letters.chars().collect();
        let sentence =
            |k: usize| (0..9).map(|i| letters[(k * 5 + i * (k % 3 + 1)) % letters.len()]).collect::<String>();
        let text: String =
            (0..20).map(|d| (0..12).map(|s| sentence(d + s) + "\n").collect::<String>() + "\n").collect();
        fs::write(place.at("text.txt"), text).unwrap();
        let output = place.cpc(&format!("pretrain text.txt {TEXT} --out {name}")).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && said.contains("240 of 240 sentences are in scripts without spaces"),
            "{name}: {said}"
        );
        assert!(said.contains("rules of Unicode (UAX #29)"), "{said}");
        let tokens = |said: &str| -> u64 {
            let before = said.split(" tokens; ").next().unwrap();
            before.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(tokens(&said) > 240 * 4, "{name}: {said}");
    }
}

#[test]
fn a_word_of_white_space_is_counted_and_not_called_something_else() {
    let (place, _) = text_place();
    let known = ["one", "two", "three", "four", "five", "six", "seven", "eight", "the", "went", "to", "."];
    let line = |i: usize, word: &str| format!("{word} {} {} {}\n", (i as f32).sin(), (i as f32 * 1.7).cos(), i % 3);
    let words = known.iter().chain(&["twelve", "\u{a0}", "\u{3000}"]).enumerate();
    fs::write(place.at("w.vec"), format!("15 3\n{}", words.map(|(i, word)| line(i, word)).collect::<String>()))
        .unwrap();
    let said = place.ok("text expand run --vectors w.vec --out more");
    assert!(said.contains("1 words added") && said.contains("2 words of the file are empty or white space"), "{said}");
    assert!(!said.contains("not UTF-8"), "{said}");
}

#[test]
fn labels_are_read_by_the_names_of_their_columns() {
    let place = Place::with_model();
    let ids: Vec<String> = (0..10).map(|i| format!("s{}-{}", i / 5 + 1, i % 5)).collect();
    let label = |i: usize| if i.is_multiple_of(2) { "even" } else { "odd, not even" };
    let rows = |row: &dyn Fn(&str, &str) -> String| {
        ids.iter().enumerate().map(|(i, id)| row(id, label(i))).collect::<String>()
    };
    let probe = |file: &str, bytes: &[u8]| {
        fs::write(place.at(file), bytes).unwrap();
        json(&place.ok(&format!("probe model --data corpus --labels {file} --folds 2 --json")))["rows"].clone()
    };
    let wanted = probe("plain.tsv", rows(&|id, label| format!("{id}\t{label}\n")).as_bytes());
    let turned = format!("label,id\r\n{}", rows(&|id, label| format!("\"{label}\",{id}\r\n")));
    assert_eq!(probe("turned.csv", turned.as_bytes()), wanted);
    assert_eq!(
        probe("turned.tsv", format!("label\tid\n{}", rows(&|id, label| format!("{label}\t{id}\n"))).as_bytes()),
        wanted
    );
    let german = format!("speaker;label;utterance\n{}", rows(&|id, label| format!("x;{label};{id}\n")));
    assert_eq!(probe("german.csv", &utf16(&german, true)), wanted);
    fs::write(place.at("unclear.tsv"), rows(&|id, _| format!("{id}\t1\t2\n"))).unwrap();
    place.fails(
        "probe model --data corpus --labels unclear.tsv --folds 2",
        1,
        &["unclear.tsv line 1", "name the columns"],
    );
}

/// Writes squares with labels of some type to `DIR/train.parquet` and `DIR/test.parquet`.
fn pictures<T: DataType>(dir: &Path, label: &str, value: impl Fn(usize) -> T::T) {
    fs::create_dir_all(dir).unwrap();
    for (name, range) in [("train", 0..40), ("test", 40..60)] {
        let png = |i: usize| {
            let pixels: Vec<u8> = (0..28 * 28)
                .map(|at| if (at / 28 + at % 28 + i % 2 * 14) % 28 < 14 { 200 } else { (i * 7 + at) as u8 % 60 })
                .collect();
            let mut file = Vec::new();
            PngEncoder::new(&mut file).write_image(&pixels, 28, 28, ColorType::L8.into()).unwrap();
            ByteArray::from(file)
        };
        let schema = format!("message m {{ REQUIRED GROUP image {{ REQUIRED BYTE_ARRAY bytes; }} REQUIRED {label}; }}");
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let file = fs::File::create(dir.join(format!("{name}.parquet"))).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&range.clone().map(png).collect::<Vec<_>>(), None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<T>().write_batch(&range.map(&value).collect::<Vec<_>>(), None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
    }
}

/// Sizes of an image model that takes a second.
const DIM: &str = "--set encoder.fc_dim=24 --set encoder.latent_dim=8 --set objective.critic_dim=24 --set train.batch_size=8 --steps 2";

#[test]
fn images_with_labels_of_any_type_are_described_and_probed_alike() {
    let place = Place::new();
    let class = |i: usize| i % 2;
    pictures::<Int64Type>(&place.at("int64"), "INT64 label", |i| class(i) as i64);
    pictures::<Int32Type>(&place.at("int8"), "INT32 label (INTEGER(8,true))", |i| class(i) as i32);
    pictures::<Int32Type>(&place.at("uint32"), "INT32 label (INTEGER(32,false))", |i| class(i) as i32);
    pictures::<parquet::data_type::BoolType>(&place.at("bool"), "BOOLEAN label", |i| class(i) == 1);
    pictures::<ByteArrayType>(&place.at("text"), "BYTE_ARRAY label (UTF8)", |i| ["a cat", "dog"][class(i)].into());
    place.ok(&format!("pretrain int64 {DIM} --out run"));
    let probed = |data: &str| {
        let rows = json(&place.ok(&format!("probe run --data {data} --baselines pixels --json")))["rows"].clone();
        rows.as_array().unwrap().iter().map(|row| (row["accuracy"].clone(), row["l2"].clone())).collect::<Vec<_>>()
    };
    let wanted = probed("int64");
    for data in ["int8", "uint32", "bool", "text"] {
        assert_eq!(probed(data), wanted, "{data}");
        let said = place.ok(&format!("info {data}"));
        assert!(said.contains("28 x 28 x 1") && said.contains("train       40"), "{said}");
    }
    assert!(place.ok("info text").contains("a cat"));
    pictures::<Int32Type>(&place.at("bad"), "INT32 label", |i| i as i32 - 1);
    place.fails("info bad", 1, &["train.parquet row 1: its label -1 is not between 0 and 65535"]);
}

/// Replaces the first value of a tensor in a `.safetensors` file.
fn spoil(path: &Path, tensor: &str, value: f32) {
    let mut tensors: std::collections::BTreeMap<String, Tensor> = read_tensors(path).unwrap().into_iter().collect();
    let old = &tensors[tensor];
    let mut values = old.flatten_all().unwrap().to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap();
    values[0] = value;
    let new = Tensor::from_vec(values, old.shape(), old.device()).unwrap();
    tensors.insert(tensor.into(), new);
    fs::write(path, to_safetensors(&tensors, "x").unwrap()).unwrap();
}

fn first_float(file: &Path) -> String {
    let tensors = read_tensors(file).unwrap();
    let mut names: Vec<String> =
        tensors.iter().filter(|(_, t)| t.dtype() == DType::F32).map(|(n, _)| n.clone()).collect();
    names.sort();
    names.remove(0)
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_name_wherever_a_model_is_opened() {
    let place = Place::with_model();
    let spoiled = |file: &str, value: f32| {
        let name = first_float(&place.at(file));
        spoil(&place.at(file), &name, value);
        format!("values that are not finite numbers (NaN or infinity) in {name} (1 of ")
    };
    // A checkpoint of CPC_audio, before and after.
    place.ok("convert model good.pt");
    let Torch::Dict(mut whole) = read_torch(&place.at("good.pt")).unwrap() else { panic!("no dictionary") };
    let mut name = String::new();
    for (key, part) in &mut whole {
        let Torch::Dict(entries) = part else { continue };
        if !["gEncoder", "weights"].contains(&key.as_str().unwrap_or_default()) {
            continue;
        }
        let (key, tensor) = &mut entries[0];
        let Torch::Tensor(tensor) = tensor else { panic!("no tensor") };
        name = key.as_str().unwrap().to_string();
        nan(tensor);
    }
    assert!(!name.is_empty(), "{:?}", whole.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>());
    write_torch(&place.at("bad.pt"), &Torch::Dict(whole)).unwrap();
    for command in [
        "extract bad.pt corpus --out x",
        "convert bad.pt x",
        "info bad.pt",
        "pretrain corpus --config tiny.toml --init bad.pt --out x",
    ] {
        place.fails(command, 1, &["bad.pt: values that are not finite numbers", &name]);
    }
    // Audio.
    place.ok("pretrain corpus --config tiny.toml --steps 6 --out audio");
    let said = spoiled("model/model.safetensors", f32::NAN);
    for command in [
        "info model",
        "extract model corpus --out x",
        "extract model/model.safetensors corpus --out x",
        "probe model --data corpus --labels speaker --folds 2",
        "convert model x.pt",
        "pretrain corpus --config tiny.toml --init model --out x",
        "mi features model --data corpus",
        "hub push model owner/name --license mit --dry-run",
    ] {
        place.fails(command, 1, &["model.safetensors: ", &said, "use an earlier checkpoint"]);
    }
    let said = spoiled("audio/checkpoints/step-6/model.safetensors", f32::INFINITY);
    place.fails("pretrain --resume --steps 12 --out audio", 1, &["step-6", &said]);
    // The remedy.
    place.ok("extract audio/model corpus --out earlier");
    // Images and text.
    pictures::<Int64Type>(&place.at("squares"), "INT64 label", |i| i as i64 % 2);
    place.ok(&format!("pretrain squares {DIM} --out dim"));
    let said = spoiled("dim/model/model.safetensors", f32::NAN);
    for command in ["info dim/model", "extract dim squares --out x", "probe dim --data squares"] {
        place.fails(command, 1, &["dim/model/model.safetensors: ", &said]);
    }
    place.ok("pretrain squares --preset ib --set train.batch_size=8 --steps 2 --out ib");
    let said = spoiled("ib/model/model.safetensors", f32::NEG_INFINITY);
    place.fails("info ib/model", 1, &["ib/model/model.safetensors: ", &said]);
    place.ok("pretrain toy:spiral --preset mine-gan --set train.batch_size=32 --steps 2 --out gan");
    let said = spoiled("gan/model/model.safetensors", f32::NAN);
    place.fails("info gan/model", 1, &["gan/model/model.safetensors: ", &said]);
    let (place, _) = text_place();
    let name = first_float(&place.at("run/model/model.safetensors"));
    spoil(&place.at("run/model/model.safetensors"), &name, f32::NAN);
    fs::write(place.at("task.tsv"), "a\tone\nb\ttwo\n".repeat(10)).unwrap();
    for command in ["info run/model", "extract run walk.txt --out x", "probe run --data task.tsv --folds 2"] {
        place.fails(command, 1, &["run/model/model.safetensors: values that are not finite numbers", &name]);
    }
    assert!(!place.at("x").exists());
}

/// Makes the first value of a tensor NaN.
fn nan(tensor: &mut TorchTensor) {
    let mut values = tensor.to_f32();
    values[0] = f32::NAN;
    *tensor = TorchTensor::from_f32(tensor.shape.clone(), &values);
}
