//! Parquet files with recordings as DATA, in the layout of `librispeech_asr` on the hub.

use super::place::{Place, recording, wav};
use cpc::recordings;
use cpc::recordings::{Columns, Corpus};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type as Schema;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A row of a table: bytes, path, speaker, id, label.
#[derive(Clone, Default)]
pub struct Row {
    pub bytes: Option<Vec<u8>>,
    pub path: Option<String>,
    pub speaker: Option<String>,
    pub id: Option<String>,
    pub label: Option<i64>,
}

impl Row {
    /// The row for a file in a tree of speakers.
    fn of(path: &Path) -> Row {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
        Row {
            bytes: Some(fs::read(path).unwrap()),
            path: Some(name(path)),
            speaker: Some(name(path.parent().unwrap())),
            id: Some(path.file_stem().unwrap().to_str().unwrap().to_string()),
            label: None,
        }
    }
}

/// Every recording below a directory, in an order that no corpus uses.
pub fn rows(dir: &Path) -> Vec<Row> {
    let mut files = Vec::new();
    for speaker in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        files.extend(fs::read_dir(speaker).unwrap().map(|e| e.unwrap().path()));
    }
    files.sort_by_key(|f| std::cmp::Reverse(f.file_name().unwrap().to_os_string()));
    files.iter().map(|f| Row::of(f)).collect()
}

const COLUMNS: &str = "message schema {
    OPTIONAL BYTE_ARRAY file (UTF8);
    OPTIONAL group audio { OPTIONAL BYTE_ARRAY bytes; OPTIONAL BYTE_ARRAY path (UTF8); }
    OPTIONAL BYTE_ARRAY text (UTF8);
    OPTIONAL BYTE_ARRAY SPEAKER (UTF8);
    OPTIONAL INT64 label;
    OPTIONAL BYTE_ARRAY id (UTF8);
}";

/// Writes rows, `at_once` per row group; `speaker` is the name of the speaker column.
pub fn write(path: &Path, rows: &[Row], at_once: usize, compression: Compression, speaker: &str) {
    let schema: Schema = parse_message_type(&COLUMNS.replace("SPEAKER", speaker)).unwrap();
    let classes = r#"{"info": {"features": {"label": {"names": ["even", "odd"], "_type": "ClassLabel"}}}}"#;
    let properties = WriterProperties::builder()
        .set_compression(compression)
        // Several pages per row group.
        .set_data_page_size_limit(100_000)
        .set_write_batch_size(1)
        .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".into(), classes.to_string())]))
        .build();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).unwrap();
    let text = |of: fn(&Row) -> &Option<String>| move |row: &Row| of(row).as_ref().map(|t| t.as_bytes().to_vec());
    type Bytes = Box<dyn Fn(&Row) -> Option<Vec<u8>>>;
    let columns: [(Bytes, i16); 6] = [
        (Box::new(text(|r| &r.path)), 1),
        (Box::new(|r: &Row| r.bytes.clone()), 2),
        (Box::new(text(|r| &r.path)), 2),
        (Box::new(|_: &Row| Some(b"A TEXT".to_vec())), 1),
        (Box::new(text(|r| &r.speaker)), 1),
        (Box::new(text(|r| &r.id)), 1),
    ];
    for some in rows.chunks(at_once) {
        let mut group = writer.next_row_group().unwrap();
        for (number, (value, there)) in columns.iter().enumerate() {
            if number == 5 {
                let mut column = group.next_column().unwrap().unwrap();
                let labels: Vec<i64> = some.iter().filter_map(|r| r.label).collect();
                let levels: Vec<i16> = some.iter().map(|r| r.label.is_some() as i16).collect();
                column.typed::<Int64Type>().write_batch(&labels, Some(&levels), None).unwrap();
                column.close().unwrap();
            }
            let mut column = group.next_column().unwrap().unwrap();
            let values: Vec<Option<Vec<u8>>> = some.iter().map(value).collect();
            let levels: Vec<i16> = values.iter().map(|v| if v.is_some() { *there } else { there - 1 }).collect();
            let values: Vec<ByteArray> = values.into_iter().flatten().map(ByteArray::from).collect();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/demo")
}

fn zstd() -> Compression {
    Compression::ZSTD(ZstdLevel::default())
}

#[test]
fn features_of_rows_are_those_of_the_same_files_to_the_bit() {
    let place = Place::with_model();
    let mut rows = rows(&demo());
    rows.truncate(12);
    for row in &rows {
        let to = place.at("files").join(row.speaker.as_ref().unwrap()).join(row.path.as_ref().unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, row.bytes.as_ref().unwrap()).unwrap();
    }
    place.ok("extract model files --layer c,z --out expected");
    for (name, compression) in [
        ("snappy", Compression::SNAPPY),
        ("zstd", zstd()),
        ("gzip", Compression::GZIP(Default::default())),
        ("brotli", Compression::BROTLI(Default::default())),
        ("lz4", Compression::LZ4_RAW),
        ("plain", Compression::UNCOMPRESSED),
    ] {
        write(
            &place.at(&format!("{name}/data/train-00000-of-00002.parquet")),
            &rows[..8],
            3,
            compression,
            "speaker_id",
        );
        write(
            &place.at(&format!("{name}/data/train-00001-of-00002.parquet")),
            &rows[8..],
            3,
            compression,
            "speaker_id",
        );
        place.ok(&format!("extract model {name} --layer c,z --out of-{name}"));
        assert_eq!(features(&place, &format!("of-{name}")), features(&place, "expected"), "{name}");
    }
}

/// The files of a directory of features, without what the index says of their sources.
fn features(place: &Place, dir: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = place.tree(dir);
    let mut index: serde_json::Value = serde_json::from_slice(&files["index.json"]).unwrap();
    for utterance in index["utterances"].as_array_mut().unwrap() {
        assert!(utterance.as_object_mut().unwrap().remove("source").is_some());
    }
    files.insert("index.json".into(), index.to_string().into_bytes());
    files
}

#[test]
fn a_run_on_rows_is_a_run_on_files_and_resumes_exactly() {
    let place = Place::new();
    let rows = rows(&place.at("corpus"));
    write(&place.at("hub/all/train.parquet"), &rows, 4, Compression::SNAPPY, "reader");
    place.ok("pretrain corpus --config tiny.toml --out files");
    place.ok("pretrain hub/all/train --column speaker=reader --config tiny.toml --out rows");
    let weights = |run: &str| place.bytes(&format!("{run}/model/model.safetensors"));
    assert_eq!(weights("files"), weights("rows"));
    place.ok("pretrain hub/all/train --column speaker=reader --config tiny.toml --steps 10 --out parts");
    place.ok("pretrain --resume --steps 24 --out parts");
    assert_eq!(weights("files"), weights("parts"));
    // Without the column, everything belongs to one speaker: this would be a different run.
    place.fails("pretrain --resume --column speaker=file --out parts", 2, &["would change what the run computes"]);
    place.fails("pretrain hub --column label=file --out x", 2, &["training needs no labels"]);
}

#[test]
fn rows_that_cannot_be_used_are_named_and_may_be_left_out() {
    let place = Place::with_model();
    let mut rows = rows(&place.at("corpus"));
    rows[1].bytes = Some(b"no recording at all".to_vec());
    let flac = fs::read(recording("tone.flac")).unwrap();
    rows[4].bytes = Some(flac[..flac.len() / 2].to_vec());
    (rows[5].bytes, rows[5].path) = (None, None);
    // A row that names a file next to the table.
    rows[6].bytes = None;
    rows[6].path = Some("beside.wav".into());
    wav(&place.at("hub/sub/beside.wav"), 1.0, 200.0);
    write(&place.at("hub/sub/t.parquet"), &rows, 3, Compression::SNAPPY, "speaker_id");
    let words = [
        "t.parquet row 1: is not audio, although it is named .wav",
        "t.parquet row 4: truncated",
        "t.parquet row 5: has neither bytes nor a path",
    ];
    let said = place.fails("extract model hub/sub/t --out out", 1, &words);
    assert!(!said.contains("row 6") && !said.contains("row 0"), "{said}");
    place.info_names("hub/sub/t", &words);
    place.fails("pretrain hub/sub/t --config tiny.toml --out run", 1, &words);
    place.ok("extract model hub/sub/t --on-bad-file skip --out out");
    assert_eq!(place.tree("out").len(), rows.len() - 3 + 1, "features and the index");
    place.ok("pretrain hub/sub/t --on-bad-file skip --config tiny.toml --steps 2 --out run");
    // If the audio file named by a row is missing, the error names that file.
    fs::remove_file(place.at("hub/sub/beside.wav")).unwrap();
    place.fails("extract model hub/sub/t --out other", 1, &["sub/beside.wav: cannot be opened"]);
}

#[test]
fn files_that_are_no_tables_of_recordings_are_refused_with_what_they_are() {
    let place = Place::with_model();
    let rows = rows(&place.at("corpus"));
    let good = place.at("good.parquet");
    write(&good, &rows, 4, zstd(), "speaker_id");
    let bytes = fs::read(&good).unwrap();
    fs::write(place.at("cut.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    place.info_names("cut.parquet", &["cut.parquet: is not a whole parquet file"]);
    fs::write(place.at("poem.parquet"), "shall I compare thee").unwrap();
    place.info_names("poem.parquet", &["poem.parquet: is not a whole parquet file"]);
    fs::write(place.at("empty.parquet"), "").unwrap();
    place.info_names("empty.parquet", &["empty.parquet: is not a whole parquet file"]);
    place.fails(
        "info good.parquet --column audio=sound",
        2,
        &["has no column `sound`", "file, audio, text, speaker_id"],
    );
    place.fails("info good.parquet --column speaker=who", 2, &["has no column `who`", "--column speaker=NAME"]);
    place.fails("info good.parquet --column who=speaker", 2, &["audio, speaker, id, label or text"]);
    place.fails("info absent", 1, &["cannot open absent"]);
    place.ok("extract model corpus --format parquet --out features");
    place.fails("info features/c.parquet", 2, &["has no column `audio`", "utterance, speaker, frame"]);
    // The first pages of the first row group are damaged: this group is lost, the others are not.
    let mut damaged = bytes.clone();
    damaged[4..600].fill(0xff);
    fs::write(place.at("damaged.parquet"), damaged).unwrap();
    let said = place.info_names("damaged.parquet", &["damaged.parquet rows 0 to 3: damaged"]);
    assert!(!said.contains("rows 4 to 7"), "{said}");
}

#[test]
fn a_table_is_summed_up_and_its_splits_are_found_by_name() {
    let place = Place::new();
    let rows = rows(&place.at("corpus"));
    write(&place.at("set/data/train-00000-of-00002.parquet"), &rows[..4], 3, Compression::SNAPPY, "speaker_id");
    write(&place.at("set/data/train-00001-of-00002.parquet"), &rows[4..8], 3, Compression::SNAPPY, "speaker_id");
    write(&place.at("set/data/test-00000-of-00001.parquet"), &rows[8..], 3, Compression::SNAPPY, "speaker_id");
    let told = |data: &str| {
        let summary: serde_json::Value = serde_json::from_str(&place.ok(&format!("info --json {data}"))).unwrap();
        (summary["files"].as_u64().unwrap(), summary["utterances"].as_u64().unwrap(), summary["speakers"].clone())
    };
    assert_eq!(told("set"), (3, 10, 2.into()));
    assert_eq!(told("set/train"), (2, 8, 2.into()));
    assert_eq!(told("set/data/train"), (2, 8, 2.into()));
    assert_eq!(told("set/data/test"), (1, 2, 1.into()));
    assert_eq!(told("set/data/test-00000-of-00001.parquet"), (1, 2, 1.into()));
    assert_eq!(told("set/train --column speaker=text"), (2, 8, 1.into()));
}

#[test]
fn ids_come_from_the_column_the_path_or_the_row() {
    let place = Place::new();
    let ids = |rows: &[Row]| {
        let path = place.at("t.parquet");
        write(&path, rows, 4, Compression::SNAPPY, "speaker_id");
        let corpus = Corpus::inspect(&path, 16_000, &|_| {}).unwrap();
        corpus.utterances.iter().map(|u| u.id.clone()).collect::<Vec<_>>()
    };
    let mut rows = rows(&place.at("corpus"))[..3].to_vec();
    rows.reverse();
    rows.iter_mut().enumerate().for_each(|(i, row)| row.id = Some(format!("u{i}")));
    assert_eq!(ids(&rows), ["u0", "u1", "u2"]);
    rows.iter_mut().for_each(|row| row.id = Some("same".into()));
    assert_eq!(ids(&rows), ["s2-2", "s2-3", "s2-4"]);
    rows.iter_mut().for_each(|row| (row.id, row.path) = (None, None));
    assert_eq!(ids(&rows), ["t-0", "t-1", "t-2"]);
}

#[test]
fn labels_of_a_column_are_probed_and_named_as_the_file_says() {
    let place = Place::with_model();
    let mut rows = rows(&place.at("corpus"));
    rows.iter_mut().enumerate().for_each(|(i, row)| row.label = (i > 0).then_some(i as i64 % 2));
    write(&place.at("t.parquet"), &rows, 4, zstd(), "speaker_id");
    let labels = recordings::labels(&place.at("t.parquet"), &Columns::default()).unwrap();
    assert_eq!((labels.len(), labels["s2-3"].as_str(), labels["s2-2"].as_str()), (9, "odd", "even"));
    let speaker = Columns { label: "speaker_id".into(), ..Columns::default() };
    assert_eq!(recordings::labels(&place.at("t.parquet"), &speaker).unwrap()["s1-0"], "s1");
    let probed = "probe model --data t.parquet --labels label --column label=speaker_id --folds 2 --l2 1 --json";
    let outcome: serde_json::Value = serde_json::from_str(&place.ok(probed)).unwrap();
    assert_eq!(outcome["labels"], "speaker_id", "{outcome}");
    place.fails("probe model --labels label --folds 2", 2, &["no parquet files", "--data"]);
    place.fails("probe model --data corpus --labels label --folds 2", 2, &["are for parquet data"]);
}
