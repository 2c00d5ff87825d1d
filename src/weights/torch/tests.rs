use super::*;
use proptest::prelude::*;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn floats(value: &Value, name: &str) -> (Vec<usize>, Vec<f32>) {
    let tensor = value.get(name).and_then(Value::as_tensor).unwrap_or_else(|| panic!("no tensor {name}"));
    (tensor.shape.clone(), tensor.to_f32())
}

/// Checks a file in which PyTorch 2.15 saved `base = torch.arange(24.).reshape(4, 6) / 7`, views of it, every type, and the values that
/// usually accompany weights.
fn odd_values_are_read(file: &str) {
    let odd = read_torch(&golden(file)).unwrap();
    let base = |i: usize| i as f32 / 7.0;
    let near = |a: &[f32], b: &[f32], tolerance: f32| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * b.abs())
    };
    let rows: Vec<f32> = (0..24).map(base).collect();
    let (shape, half) = floats(&odd, "f16");
    assert!(shape == [2, 6] && near(&half, &rows[..12], 1e-3), "{half:?}");
    let (shape, brain) = floats(&odd, "bf16");
    assert!(shape == [6] && near(&brain, &rows[6..12], 8e-3), "{brain:?}");
    let (shape, turned) = floats(&odd, "f64");
    assert_eq!((shape, turned[1]), (vec![6, 4], base(6)));
    assert_eq!(floats(&odd, "view"), (vec![2, 3], [6, 8, 10, 12, 14, 16].map(base).to_vec()));
    assert_eq!(floats(&odd, "expanded"), (vec![3, 2], vec![1.5; 6]));
    assert_eq!(floats(&odd, "empty"), (vec![0, 5], vec![]));
    assert_eq!(floats(&odd, "scalar"), (vec![], vec![-2.25]));
    assert_eq!(floats(&odd, "parameter"), (vec![1, 6], rows[..6].to_vec()));
    for (name, want) in [
        ("i64", [-1, 1 << 40]),
        ("i32", [-7, 8]),
        ("i16", [300, -300]),
        ("i8", [-128, 127]),
        ("u8", [0, 255]),
        ("bool", [1, 0]),
    ] {
        assert_eq!(odd.get(name).unwrap().as_tensor().unwrap().to_i64().unwrap(), want, "{name}");
    }
    let Some(Value::List(shared)) = odd.get("shared") else { panic!("no list") };
    assert_eq!(shared[0].as_tensor().unwrap().to_f32(), rows);
    assert_eq!(shared[1].as_tensor().unwrap().to_f32(), rows[12..18]);
    let namespace = odd.get("namespace").unwrap();
    assert_eq!(namespace.get("lr"), Some(&Value::Float(0.5)));
    assert_eq!(namespace.get("name").and_then(Value::as_str), Some("häx"));
    assert_eq!(namespace.get("nothing"), Some(&Value::None));
    let ordered = odd.get("ordered").unwrap();
    assert_eq!(ordered.entries()[0], (Value::Int(1), Value::Bool(true)));
    let numbers = [3, -4_000_000_000, 70_000].map(Value::Int).to_vec();
    assert_eq!(ordered.get("two"), Some(&Value::Tuple(numbers)));
    assert_eq!(odd.get("bytes"), Some(&Value::Bytes(vec![0, 255])));
    assert_eq!(odd.get("dtype").and_then(Value::as_str), Some("torch.float32"));
    assert_eq!(odd.get("size"), Some(&Value::Tuple(vec![Value::Int(4), Value::Int(6)])));
}

#[test]
fn a_zip_of_every_type_and_view_is_read() {
    odd_values_are_read("torch/odd.pt");
}

#[test]
fn a_zip_of_another_protocol_is_read() {
    odd_values_are_read("torch/odd_protocol_4.pt");
}

#[test]
fn a_stream_from_before_the_zip_is_read() {
    odd_values_are_read("torch/odd_stream.pt");
}

/// Compares the weights in a CPC_audio file with the same weights as it wrote them to safetensors; returns the number of tensors compared.
fn weights_of(file: &str, parts: &[&str]) -> usize {
    let bytes = std::fs::read(golden("gru_linear_channelnorm/initial.safetensors")).unwrap();
    let want = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let root = read_torch(&golden(file)).unwrap();
    let mut compared = 0;
    for (name, tensor) in parts.iter().flat_map(|part| root.get(part).unwrap().entries()) {
        let (tensor, want) = (tensor.as_tensor().unwrap(), want.tensor(name.as_str().unwrap()).unwrap());
        assert_eq!((tensor.shape.as_slice(), tensor.data.as_slice()), (want.shape(), want.data()), "{name:?}");
        compared += 1;
    }
    compared
}

#[test]
fn files_of_cpc_audio_hold_the_weights_that_its_safetensors_hold() {
    assert_eq!(weights_of("gru_linear_channelnorm/released_legacy.pt", &["weights"]), 24);
    assert_eq!(weights_of("gru_linear_channelnorm/checkpoint_0.pt", &["gEncoder", "cpcCriterion"]), 36);
}

/// PyTorch 2.15 saved `torch.arange(12.).reshape(3, 4).t() / 3`, and numpy 2 scalars.
#[test]
fn numbers_of_numpy_are_read_from_a_zip_a_compressed_zip_and_a_stream_in_frames() {
    for file in ["torch/numpy.pt", "torch/numpy_deflated.pt", "torch/numpy_stream_protocol_4.pt"] {
        assert!(is_torch_file(&golden(file)).unwrap(), "{file}");
        let read = read_torch(&golden(file)).unwrap();
        let (shape, weight) = floats(&read, "weight");
        assert_eq!((shape, weight[1]), (vec![4, 3], 4.0 / 3.0), "{file}");
        assert_eq!(read.get("loss").and_then(Value::as_f64), Some(1.5));
        assert_eq!(read.get("best").and_then(Value::as_f64), Some(-0.25));
        assert_eq!(read.get("step").and_then(Value::as_i64), Some(-3));
        assert_eq!(read.get("epoch"), Some(&Value::Int(7)));
        assert_eq!(read.get("done").and_then(Value::as_bool), Some(true));
    }
}

#[test]
fn protocol_1_is_read_too() {
    let read = read_torch(&golden("torch/protocol_1.pt")).unwrap();
    assert_eq!(floats(&read, "weight").0, [4, 3]);
    assert_eq!((read.get("step"), read.get("epoch")), (Some(&Value::Int(-3)), Some(&Value::Int(1 << 40))));
    assert_eq!(read.get("done"), Some(&Value::Bool(true)));
}

#[test]
fn what_is_written_is_read_back_the_same_and_always_the_same_bytes() {
    let odd = read_torch(&golden("torch/odd.pt")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.pt"), dir.path().join("b.pt"));
    write_torch(&a, &odd).unwrap();
    write_torch(&b, &odd).unwrap();
    assert_eq!(read_torch(&a).unwrap(), odd);
    assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
}

/// A zip whose pickle is `code`.
fn zipped(code: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("a/data.pkl", options).unwrap();
    std::io::Write::write_all(&mut zip, code).unwrap();
    zip.start_file("a/data/0", options).unwrap();
    std::io::Write::write_all(&mut zip, &[0; 16]).unwrap();
    zip.finish().unwrap().into_inner()
}

/// The pickle of a tensor on a storage of four floats.
fn tensor(offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let storage = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ";
    [b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n", &storage[..], offset, shape, strides, b"\x89}tR."].concat()
}

#[test]
fn a_tensor_reads_its_storage_and_never_beyond_it() {
    let read = |offset: &[u8], shape: &[u8], strides: &[u8]| read_bytes(&zipped(&tensor(offset, shape, strides)));
    assert_eq!(read(b"K\x01", b"K\x03\x85", b"K\x01\x85").unwrap().as_tensor().unwrap().shape, [3]);
    for (offset, shape, strides, what) in [
        (&b"K\x02"[..], &b"K\x03\x85"[..], &b"K\x01\x85"[..], "beyond its storage"),
        (b"K\x00", b"K\x02K\x03\x86", b"K\x02K\x01\x86", "beyond its storage"),
        (b"J\xff\xff\xff\xff", b"K\x01\x85", b"K\x01\x85", "-1"),
        (b"K\x00", b"K\x02\x85", b"J\xff\xff\xff\xff\x85", "-1"),
        (b"K\x00", b"K\x02\x85", b")", "strides"),
        // (2^31 - 1)^2 copies of one element: only strides of 0 make them fit, and then the tensor is too large.
        (b"K\x00", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"K\x00K\x00\x86", "larger"),
        (b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b"K\x02\x85", b"K\x01\x85", "beyond its storage"),
    ] {
        let said = read(offset, shape, strides).unwrap_err();
        assert!(said.contains(what), "{said}");
    }
    // The file has four elements, the pickle states three, and the tensor needs four.
    let mut short = tensor(b"K\x00", b"K\x04\x85", b"K\x01\x85");
    assert!(read_bytes(&zipped(&short)).is_ok());
    let at = short.windows(4).position(|w| w == b"K\x04tQ").unwrap();
    short[at + 1] = 3;
    assert!(read_bytes(&zipped(&short)).unwrap_err().contains("beyond its storage"));
}

/// A stream with one tensor of two floats on a part of a storage of four, as PyTorch 0.x wrote views.
#[test]
fn a_part_of_a_storage_is_where_a_stream_says_and_not_beyond() {
    let stream = |start: u8, len: u8, elements: u8| {
        let mut bytes =
            b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.".to_vec();
        bytes.extend(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n");
        bytes.extend(b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04(X\x01\x00\x00\x001K");
        bytes.extend([start, b'K', len]);
        bytes.extend([b"ttQK\x00K", &[elements][..], b"\x85K\x01\x85\x89}tR."].concat());
        bytes.extend(b"\x80\x02]X\x01\x00\x00\x000a.\x04\0\0\0\0\0\0\0");
        bytes.extend([1f32, 2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()));
        read_bytes(&bytes)
    };
    assert_eq!(stream(1, 2, 2).unwrap().as_tensor().unwrap().to_f32(), [2.0, 3.0]);
    assert_eq!(stream(0, 4, 4).unwrap().as_tensor().unwrap().to_f32(), [1.0, 2.0, 3.0, 4.0]);
    for (start, len, elements) in [(3, 2, 2), (0, 5, 2), (1, 1, 2), (0, 3, 4)] {
        assert!(stream(start, len, elements).unwrap_err().contains("beyond its storage"), "{start} {len} {elements}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    assert!(read_bytes(&tar).unwrap_err().contains("tar"));
    // A rebuilt tensor whose signs are to be negated, like the imaginary part of a conjugate.
    let negative = {
        let mut code = tensor(b"K\x00", b"K\x02\x85", b"K\x01\x85");
        code.truncate(code.len() - b"\x89}tR.".len());
        [code.as_slice(), b"\x89}}X\x03\x00\x00\x00neg\x88stR."].concat()
    };
    for (code, what) in [
        (&b"\x80\x02ctorch\nComplexFloatStorage\n."[..], "torch.ComplexFloatStorage"),
        (b"\x80\x02ctorch._utils\n_rebuild_qtensor\n.", "_rebuild_qtensor"),
        (b"\x80\x02}X\x01\x00\x00\x00aNsX\x01\x00\x00\x00aNs.", "the key a twice"),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", "not UTF-8"),
        (b"\x80\x02cos\x1b[2J\nsystem\n.", "os[2J.system"),
        (&negative, "marks"),
    ] {
        let said = read_bytes(&zipped(code)).unwrap_err();
        assert!(said.contains(what) && !said.contains(char::is_control), "{said}");
    }
}

#[test]
fn a_storage_that_changed_on_the_way_is_refused() {
    let mut bytes = std::fs::read(golden("torch/numpy.pt")).unwrap();
    let third = (1f32 / 3.0).to_le_bytes();
    let at = bytes.windows(4).position(|w| w == third).unwrap();
    bytes[at] ^= 1;
    let said = read_bytes(&bytes).unwrap_err();
    assert!(said.contains("damaged zip"), "{said}");
}

#[test]
fn a_zip_that_swells_is_refused() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("a/data.pkl", options).unwrap();
    for _ in 0..100 {
        std::io::Write::write_all(&mut zip, &[b'N'; 1 << 20]).unwrap();
    }
    let said = read_bytes(&zip.finish().unwrap().into_inner()).unwrap_err();
    assert!(said.contains("many times larger"), "{said}");
}

#[test]
fn one_element_as_a_large_tensor_is_read_up_to_a_bound() {
    let expanded = |rows: &[u8]| read_bytes(&zipped(&tensor(b"K\x03", rows, b"K\x00K\x00\x86")));
    assert_eq!(expanded(b"M\xe8\x03M\xe8\x03\x86").unwrap().as_tensor().unwrap().to_f32(), vec![0.0; 1_000_000]);
    assert!(expanded(b"M\xe8\x03M\xff\xff\x86").unwrap_err().contains("larger"));
}

#[test]
fn what_a_pickle_asks_to_run_is_named_and_not_run() {
    for (code, what) in [
        (&b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R."[..], "posix.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", "builtins.eval"),
        (b"\x80\x02ctorch\nload\n.", "torch.load"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", "_rebuild_tensor_v2 with 0"),
        (b"\x80\x02ccollections\nOrderedDict\n.", "collections.OrderedDict"),
        (b"\x80\x02(ios\nsystem\n.", "0x69"),
    ] {
        let said = read_bytes(&zipped(code)).unwrap_err();
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn pickles_that_grow_or_go_in_circles_are_refused() {
    // A pair of the previous object, forty times; a list that contains itself; missing marks and memos; depth.
    let laughs = [&b"\x80\x02]q\x00"[..], &b"h\x00h\x00\x86q\x00".repeat(40), b"."].concat();
    let circle = b"\x80\x02]q\x00h\x00a.".to_vec();
    let deep = [&b"\x80\x02"[..], &b"]".repeat(5000), &b"a".repeat(4999), b"."].concat();
    let many = [&b"\x80\x02("[..], &b"N".repeat(3_000_000), b"l."].concat();
    let copies = [
        &b"\x80\x02cargparse\nNamespace\n)\x81}("[..],
        &b"NN".repeat(40_000),
        b"uq\x010",
        &b"h\x01b".repeat(2000),
        b".",
    ]
    .concat();
    let twice = [&b"\x80\x02N"[..], &b"2".repeat(1_100_000), b"."].concat();
    let memos = [&b"\x80\x02N"[..], &b"\x94".repeat(1_100_000), b"."].concat();
    for code in [twice, memos] {
        assert!(read_bytes(&zipped(&code)).unwrap_err().contains("objects"));
    }
    for (code, what) in [(laughs, "larger"), (circle, "deep"), (deep, "deep"), (many, "objects"), (copies, "copies")] {
        let said = read_bytes(&zipped(&code)).unwrap_err();
        assert!(said.contains(what), "{said}");
    }
    for code in [
        &b"\x80\x02t."[..],
        b"\x80\x02h\x07.",
        b"\x80\x02\x85.",
        b"\x80\x02.",
        b"\x80\x02(0.",
        b"\x80\x09.",
        b"\x80\x02X\xff\xff\xff\xffa.",
    ] {
        read_bytes(&zipped(code)).unwrap_err();
    }
}

/// Small files written by PyTorch.
fn seeds() -> Vec<Vec<u8>> {
    ["torch/odd.pt", "torch/odd_stream.pt", "torch/odd_protocol_4.pt"]
        .map(|f| std::fs::read(golden(f)).unwrap())
        .to_vec()
}

/// The pickle of a seed. It is put into a small zip of its own, whose checksums are always right, so that every change reaches the machine.
fn pickle_of(seed: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(seed)).unwrap();
    let name = zip.file_names().filter_map(|n| n.ok()).find(|n| n.ends_with("data.pkl")).unwrap().into_owned();
    let mut code = Vec::new();
    std::io::Read::read_to_end(&mut zip.by_name(&name).unwrap(), &mut code).unwrap();
    code
}

/// Changes a file in a few places: bytes are replaced, removed, duplicated, or cut off.
fn mutate(bytes: &mut Vec<u8>, random: &mut crate::seed::Stream) {
    let mut below = |n: usize| random.below(n.max(1) as u32) as usize;
    for _ in 0..1 + below(4) {
        let (at, length) = (below(bytes.len()), 1 + below(12));
        let end = (at + length).min(bytes.len());
        match below(6) {
            0 | 1 if !bytes.is_empty() => bytes[at] = below(256) as u8,
            2 if !bytes.is_empty() => bytes[at] = b"NK(tlde}])q.hRbQ2a0c\x85\x86\x81\x94\x93"[below(24)],
            3 => drop(bytes.drain(at..end)),
            4 => {
                let copy = bytes[at..end].to_vec();
                let to = below(bytes.len());
                bytes.splice(to..to, copy);
            }
            5 if below(8) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
}

/// Reads `count` broken files, of which a third are entire zips, a third pickles in valid zips and a third streams; returns the number that
/// could be read.
fn survive(count: u64, seed: u64) -> u64 {
    let mut random = crate::seed::stream(seed, "torch/fuzz", 0);
    let seeds = seeds();
    let pickles = [pickle_of(&seeds[0]), pickle_of(&seeds[2])];
    let mut read = 0;
    for i in 0..count {
        let bytes = match i % 3 {
            0 => {
                let mut bytes = seeds[(i / 3 % 3) as usize].clone();
                mutate(&mut bytes, &mut random);
                bytes
            }
            1 => {
                let mut code = pickles[(i / 3 % 2) as usize].clone();
                mutate(&mut code, &mut random);
                zipped(&code)
            }
            _ => {
                let mut bytes = seeds[1].clone();
                mutate(&mut bytes, &mut random);
                bytes
            }
        };
        let began = std::time::Instant::now();
        read += u64::from(read_bytes(&bytes).is_ok());
        assert!(began.elapsed().as_secs() < 5, "input {i} of seed {seed} took {:?}", began.elapsed());
    }
    read
}

#[test]
fn broken_files_are_errors_and_nothing_else() {
    let read = survive(6_000, 1);
    assert!((1..6_000).contains(&read), "{read} of 6000 broken files were read");
}

proptest! {
    #[test]
    fn any_bytes_at_all_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), head in 0usize..3) {
        let start: &[u8] = [&b""[..], b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."][head];
        prop_assert!(read_bytes(&[start, &bytes].concat()).is_err());
    }
}
