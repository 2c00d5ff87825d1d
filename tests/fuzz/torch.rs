//! Reads broken PyTorch files in an endless loop, and stops at the first file on which the reader panics, takes a second or takes much memory.
//!
//! `cargo run --example fuzz_torch -- SEED COUNT [SECONDS]` from the root of the project; it reports its progress every minute.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use cpc::seed::{Stream, stream};
use cpc::weights::torch::{Value, read_bytes};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Counts the allocated bytes, and their maximum so far.
struct Counting;
static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed unchanged to the system allocator; in addition, two counters are updated.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The memory that reading a broken file may take: see the bounds of the reader.
fn allowed(bytes: usize) -> usize {
    (64 << 20) + 64 * bytes
}

/// A zip with a pickle and four storages of a few bytes; its checksums are correct, so that every change reaches the reader.
fn zipped(code: &[u8], deflated: bool) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let method = if deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, content) in [("a/data.pkl", code), ("a/data/0", &[1; 96]), ("a/data/1", &[2; 96]), ("a/data/2", &[])] {
        zip.start_file(name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn pickle_of(file: &[u8]) -> Option<Vec<u8>> {
    let mut zip = ZipArchive::new(Cursor::new(file)).ok()?;
    let name = zip.file_names().filter_map(|n| n.ok()).find(|n| n.ends_with("data.pkl"))?.into_owned();
    let mut code = Vec::new();
    zip.by_name(&name).ok()?.read_to_end(&mut code).ok()?;
    Some(code)
}

const OPCODES: &[u8] =
    b"(.012NJKMGXTUBC])}aesuldtqrhjcRbQILi\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x93\x94\x95";

/// Pieces of pickles that have a meaning.
const PIECES: &[&[u8]] = &[
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ccollections\nOrderedDict\n",
    b"cargparse\nNamespace\n",
    b"ctorch\nFloatStorage\n",
    b"ctorch\nSize\n",
    b"c_codecs\nencode\n",
    b"cnumpy\ndtype\n",
    b"cnumpy.core.multiarray\nscalar\n",
    b"ctorch\nfloat32\n",
    b"cos\nsystem\n",
    b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x18tQ",
    b"(X\x07\x00\x00\x00storagectorch\nLongStorage\nX\x01\x00\x00\x001X\x03\x00\x00\x00cpuK\x0ctQ",
    b"K\x00K\x02K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)RtR",
    b"K\x01J\xff\xff\x00\x00K\x40\x86K\x00K\x00\x86\x89NtR",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"J\xff\xff\xff\xff",
    b"]q\x00",
    b"h\x00h\x00\x86q\x00",
    b"h\x00h\x00h\x00h\x00\x86\x86q\x00",
    b"}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00bh\x00u",
    b"h\x00a",
    b"h\x00h\x00s",
    b"X\x04\x00\x00\x00text",
    b"C\x02ab",
    b"X\x02\x00\x00\x00f8\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
    b")R",
    b")\x81}b",
    b"(lp0\n",
    b"I01\n",
    b"L12345678901234L\n",
];

fn below(random: &mut Stream, n: usize) -> usize {
    random.below(n.max(1) as u32) as usize
}

/// Makes a few changes: bytes, bits, opcodes, cuts, copies, pieces of another file, meaningful pieces, sizes at their limits.
fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Stream) {
    let many = if random.below(10) == 0 { 40 } else { 4 };
    for _ in 0..1 + below(random, many) {
        let at = below(random, bytes.len());
        let long = random.below(8) == 0;
        let length = 1 + below(random, if long { 400 } else { 12 });
        let end = (at + length).min(bytes.len());
        match random.below(11) {
            _ if bytes.is_empty() => bytes.extend_from_slice(PIECES[below(random, PIECES.len())]),
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 | 3 => bytes[at] = OPCODES[below(random, OPCODES.len())],
            4 => drop(bytes.drain(at..end)),
            5 => {
                let copy = bytes[at..end].to_vec();
                let (to, times) = (below(random, bytes.len()), if random.below(20) == 0 { 300 } else { 1 });
                bytes.splice(to..to, copy.repeat(times));
            }
            6 if random.below(6) == 0 => bytes.truncate(at),
            7 => {
                let other = &others[below(random, others.len())];
                let from = below(random, other.len());
                let to = (from + length).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            8 | 9 => {
                let piece = PIECES[below(random, PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => {
                let limit = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX];
                let number = limit[below(random, limit.len())].to_le_bytes();
                let width = [1, 2, 4, 8][below(random, 4)];
                for (byte, new) in bytes[at..].iter_mut().zip(&number[..width]) {
                    *byte = *new;
                }
            }
        }
    }
}

/// A pickle of pieces in random order, or one that doubles its content repeatedly.
fn made_up(random: &mut Stream) -> Vec<u8> {
    let mut code = vec![0x80, 2 + random.below(3) as u8];
    if random.below(4) == 0 {
        code.extend(b"]q\x00");
        let piece = PIECES[18 + below(random, 2)];
        code.extend(piece.repeat(1 + below(random, 60)));
    }
    for _ in 0..1 + below(random, 30) {
        match random.below(4) {
            0 => code.push(OPCODES[below(random, OPCODES.len())]),
            _ => code.extend(PIECES[below(random, PIECES.len())]),
        }
    }
    code.push(b'.');
    code
}

/// Checks that every tensor has as many values as its shape requires.
fn check(value: &Value) {
    match value {
        Value::List(items) | Value::Tuple(items) => items.iter().for_each(check),
        Value::Dict(entries) => entries.iter().for_each(|(key, value)| {
            check(key);
            check(value);
        }),
        Value::Tensor(tensor) => assert_eq!(tensor.to_f32().len(), tensor.shape.iter().product::<usize>()),
        _ => {}
    }
}

fn fuzz(seed: u64, count: u64, seconds: u64) {
    let mut random = stream(seed, "torch/fuzz", 1);
    let dir = std::path::Path::new("tests/golden");
    let mut paths: Vec<_> = std::fs::read_dir(dir.join("torch")).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "pt"));
    paths.push(dir.join("gru_linear_channelnorm/released_legacy.pt"));
    paths.push(dir.join("gru_linear_channelnorm/checkpoint_0.pt"));
    paths.sort();
    let files: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let pickles: Vec<Vec<u8>> = files.iter().filter_map(|f| pickle_of(f)).collect();
    let small: Vec<Vec<u8>> = files.iter().filter(|f| f.len() < 8000).cloned().collect();
    println!("seed {seed}: {} files, {} pickles", files.len(), pickles.len());

    let (began, mut said) = (Instant::now(), Instant::now());
    let (mut read, mut slowest, mut largest) = (0u64, Duration::ZERO, 0);
    let mut refusals: BTreeMap<String, u64> = BTreeMap::new();
    let mut done = 0;
    while done < count && began.elapsed().as_secs() < seconds {
        let bytes = match random.below(16) {
            0..=4 => {
                let mut code = pickles[below(&mut random, pickles.len())].clone();
                mutate(&mut code, &pickles, &mut random);
                zipped(&code, random.below(8) == 0)
            }
            5..=8 => zipped(&made_up(&mut random), false),
            15 if random.below(8) == 0 => {
                let mut bytes = files[below(&mut random, files.len())].clone();
                mutate(&mut bytes, &files, &mut random);
                bytes
            }
            9..=10 => {
                let mut bytes = zipped(&made_up(&mut random), random.below(2) == 0);
                mutate(&mut bytes, &small, &mut random);
                bytes
            }
            _ => {
                let mut bytes = small[below(&mut random, small.len())].clone();
                mutate(&mut bytes, &small, &mut random);
                bytes
            }
        };
        let before = NOW.load(Relaxed);
        MOST.store(before, Relaxed);
        let started = Instant::now();
        let result = std::panic::catch_unwind(|| read_bytes(&bytes));
        let (mut took, most) = (started.elapsed(), MOST.load(Relaxed) - before);
        if took.as_millis() > 100 {
            // It may have waited for other processes on the same processor: the faster of two runs counts.
            let again = Instant::now();
            let _ = std::panic::catch_unwind(|| read_bytes(&bytes));
            took = took.min(again.elapsed());
        }
        (slowest, largest) = (slowest.max(took), largest.max(most));
        let wrong = if result.is_err() {
            Some("panics".to_string())
        } else if took.as_secs() >= 3 {
            Some(format!("takes {took:?}"))
        } else if most > allowed(bytes.len()) {
            Some(format!("takes {most} bytes"))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let name = format!("fuzz-{seed}-{done}.pt");
            std::fs::write(&name, &bytes).unwrap();
            println!("input {done} of seed {seed} {wrong}: kept as {name}");
            std::process::exit(1);
        }
        match result.unwrap() {
            Ok(value) => {
                read += 1;
                check(&value);
            }
            Err(fault) => {
                assert!(fault.len() < 600 && !fault.contains(char::is_control), "{fault:?}");
                let what: String = fault.chars().filter(|c| !c.is_ascii_digit()).take(24).collect();
                if refusals.len() < 300 || refusals.contains_key(&what) {
                    *refusals.entry(what).or_default() += 1;
                }
            }
        }
        done += 1;
        if said.elapsed().as_secs() >= 60 || done == count {
            said = Instant::now();
            println!(
                "{:.0} s: {done} inputs, {read} read, slowest {slowest:?}, most memory {largest} bytes, {} kinds of refusal",
                began.elapsed().as_secs_f64(),
                refusals.len()
            );
        }
    }
    let mut refusals: Vec<_> = refusals.into_iter().collect();
    refusals.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    for (what, n) in refusals.iter().take(60) {
        println!("{n:>9} {what}");
    }
    println!("{done} inputs of seed {seed} in {:.0} s: {read} read, the others refused", began.elapsed().as_secs_f64());
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<u64>().expect("numbers"));
    let (seed, count) = (arguments.next().unwrap_or(1), arguments.next().unwrap_or(100_000));
    let seconds = arguments.next().unwrap_or(3600);
    // Half the default stack of a Rust thread: nesting must not need more.
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    thread.spawn(move || fuzz(seed, count, seconds)).unwrap().join().unwrap();
}
