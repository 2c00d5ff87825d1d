//! Headers as recorders, converters and archives write them.

use crate::audio::{AudioInfo, Format, probe, read};
use proptest::prelude::*;

const RATE: u32 = 16_000;

fn samples() -> Vec<i16> {
    (0..1601).map(|n| ((n * n * 7) % 20_001 - 10_000) as i16).collect()
}

fn pcm() -> Vec<u8> {
    samples().iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn chunk(name: &[u8; 4], body: &[u8], size: Option<u32>) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend(size.unwrap_or(body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len() + body.len() % 2, 0);
    bytes
}

/// A `fmt ` chunk.
fn fmt(tag: u16, bits: u16, extra: &[u8]) -> Vec<u8> {
    let block = bits.div_ceil(8);
    let mut body = tag.to_le_bytes().to_vec();
    body.extend(1u16.to_le_bytes());
    body.extend(RATE.to_le_bytes());
    body.extend((RATE * u32::from(block)).to_le_bytes());
    body.extend(block.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body.extend(extra);
    chunk(b"fmt ", &body, None)
}

fn riff(kind: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    [kind.to_vec(), (body.len() as u32 + 4).to_le_bytes().to_vec(), b"WAVE".to_vec(), body].concat()
}

fn opened(bytes: &[u8]) -> Result<(AudioInfo, Vec<f32>), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.wav");
    std::fs::write(&path, bytes).unwrap();
    let info = probe(&path).map_err(|problem| problem.what)?;
    let samples = read(&path, &info, 0..info.frames, info.rate).map_err(|problem| problem.what)?;
    Ok((info, samples))
}

/// Whether the samples are those of [`samples`], and the remark.
fn same(bytes: &[u8]) -> Option<String> {
    let (info, got) = opened(bytes).unwrap();
    let expected: Vec<f32> = samples().into_iter().map(|x| f32::from(x) / 32_768.0).collect();
    assert_eq!((info.rate, got.len()), (RATE, expected.len()));
    assert_eq!(got, expected);
    info.remark()
}

fn guid(kind: u16) -> Vec<u8> {
    let mut extra = 22u16.to_le_bytes().to_vec();
    extra.extend([0, 0, 4, 0, 0, 0]);
    extra.extend(kind.to_le_bytes());
    extra.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
    extra
}

#[test]
fn sizes_that_recorders_leave_open_mean_to_the_end() {
    let file = |data: u32| riff(b"RIFF", &[fmt(1, 16, &[]), chunk(b"data", &pcm(), Some(data))]);
    let length = pcm().len() as u32;
    assert_eq!(same(&file(length)), None);
    let open = "its header does not say how long it is: read to its end, 0.100 s";
    for size in [0, 0xffff_ffff] {
        assert_eq!(same(&file(size)).as_deref(), Some(open), "{size}");
    }
    // The size of the whole file in place of that of the data, and the placeholder of a signed size.
    let said = same(&file(length + 44)).unwrap();
    assert_eq!(said, "its header promises 0.101 s: read to its end, 0.100 s");
    assert!(same(&file(0x7fff_ff00)).unwrap().starts_with("its header promises 67108."));
    // Half of it was copied.
    let half = file(length)[..44 + 1600].to_vec();
    let (info, got) = opened(&half).unwrap();
    assert_eq!(
        (got.len(), info.remark().unwrap().as_str()),
        (800, "its header promises 0.100 s: read to its end, 0.050 s")
    );
    // The recorder had last updated its size when it crashed.
    let (info, got) = opened(&file(3200 - 1200)).unwrap();
    assert_eq!(
        (got.len(), info.remark().unwrap().as_str()),
        (1000, "its header says 0.062 s, which are read; 1202 bytes after them are left out")
    );
    // No samples, and something else after them.
    let empty = riff(b"RIFF", &[fmt(1, 16, &[]), chunk(b"data", &[], None), chunk(b"LIST", b"INFO", None)]);
    assert_eq!(opened(&empty).unwrap_err(), "holds no samples; leave it out");
}

#[test]
fn chunks_that_are_not_needed_are_passed_over() {
    let data = chunk(b"data", &pcm(), None);
    let odd = chunk(b"bext", &[b'x'; 603], None);
    assert_eq!(same(&riff(b"RIFF", &[odd.clone(), fmt(1, 16, &[]), odd.clone(), data.clone()])), None);
    let unpadded = odd[..odd.len() - 1].to_vec();
    assert_eq!(same(&riff(b"RIFF", &[fmt(1, 16, &[]), unpadded, data.clone()])), None);
    let after = chunk(b"LIST", b"INFOISFT\x0e\0\0\0Lavf58.29.100\0", None);
    assert_eq!(same(&riff(b"RIFF", &[fmt(1, 16, &[]), data, after])), None);
    // A last byte that is no sample.
    let odd = [pcm(), vec![1]].concat();
    assert_eq!(same(&riff(b"RIFF", &[fmt(1, 16, &[]), chunk(b"data", &odd, None)])), None);
}

#[test]
fn format_chunks_of_every_length_and_kind_are_understood() {
    let data = |body: Vec<u8>| chunk(b"data", &body, None);
    let file = |format: Vec<u8>, body: Vec<u8>| riff(b"RIFF", &[format, data(body)]);
    let wide =
        |scale: f64| -> Vec<u8> { samples().iter().flat_map(|x| (f64::from(*x) * scale).to_le_bytes()).collect() };
    let float =
        |scale: f32| -> Vec<u8> { samples().iter().flat_map(|x| (f32::from(*x) * scale).to_le_bytes()).collect() };
    assert_eq!(same(&file(fmt(3, 64, &[]), wide(1.0 / 32_768.0))), None);
    assert_eq!(same(&file(fmt(3, 32, &[0; 24]), float(1.0 / 32_768.0))), None);
    assert_eq!(same(&file(fmt(0xfffe, 64, &guid(3)), wide(1.0 / 32_768.0))), None);
    let upper: Vec<u8> = samples().iter().flat_map(|x| (i32::from(*x) << 16).to_le_bytes()).collect();
    assert_eq!(same(&file(fmt(0xfffe, 32, &guid(1)), upper.clone())), None);
    let three: Vec<u8> = samples().iter().flat_map(|x| (i32::from(*x) << 8).to_le_bytes()[..3].to_vec()).collect();
    assert_eq!(same(&file(fmt(1, 24, &[0, 0]), three)), None);
    // 24 bits in four bytes, without an extension.
    let mut format = fmt(1, 24, &[]);
    format[20..22].copy_from_slice(&4u16.to_le_bytes());
    assert_eq!(same(&file(format, upper)), None);
    // A byte rate that is wrong.
    let mut format = fmt(1, 16, &[]);
    format[16..20].copy_from_slice(&RATE.to_le_bytes());
    assert_eq!(same(&file(format, pcm())), None);
    // Telephony: both laws, with the `fact` chunk that comes with them.
    for (tag, silence, value) in [(7, 0xff, 0.0), (6, 0xd5, 8.0 / 32_768.0)] {
        let body = chunk(b"data", &[silence; 800], None);
        let file = riff(b"RIFF", &[fmt(tag, 8, &[0, 0]), chunk(b"fact", &800u32.to_le_bytes(), None), body]);
        let (info, got) = opened(&file).unwrap();
        assert!(info.format == Format::Wav && got == vec![value; 800], "{tag}");
    }
}

#[test]
fn relatives_of_wav_give_the_same_samples() {
    let data = |size| chunk(b"data", &pcm(), Some(size));
    let big: Vec<u8> = samples().iter().flat_map(|x| x.to_be_bytes()).collect();
    // RF64 and BW64: the size is in `ds64`.
    for kind in [b"RF64", b"BW64"] {
        let sizes = [vec![0; 8], (pcm().len() as u64).to_le_bytes().to_vec(), vec![0; 12]].concat();
        assert_eq!(same(&riff(kind, &[chunk(b"ds64", &sizes, None), fmt(1, 16, &[]), data(u32::MAX)])), None);
    }
    // RIFX: big-endian throughout.
    let mut rifx = b"RIFX\0\0\0\0WAVEfmt \0\0\0\x10\0\x01\0\x01\0\0\x3e\x80\0\0\x7d\0\0\x02\0\x10data".to_vec();
    rifx.extend((big.len() as u32).to_be_bytes());
    assert_eq!(same(&[rifx, big.clone()].concat()), None);
    // W64: identifiers of 16 bytes, sizes of 8 that count themselves.
    let tail = [0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0x00, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a];
    let wide = |name: &[u8; 4], body: &[u8]| {
        let mut bytes =
            [name.to_vec(), tail.to_vec(), (body.len() as u64 + 24).to_le_bytes().to_vec(), body.to_vec()].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let riff_tail = [0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6, 0x28, 0xdb, 0x04, 0xc1, 0, 0];
    let head = [b"riff".to_vec(), riff_tail.to_vec(), vec![0; 8], b"wave".to_vec(), tail.to_vec()].concat();
    let format = fmt(1, 16, &[])[8..].to_vec();
    assert_eq!(same(&[head, wide(b"fmt ", &format), wide(b"junk", &[1; 5]), wide(b"data", &pcm())].concat()), None);
    // AU, with and without its size.
    for size in [big.len() as u32, u32::MAX] {
        let mut au = b".snd\0\0\0\x1c".to_vec();
        [size, 3, RATE, 1, 0].iter().for_each(|n| au.extend(n.to_be_bytes()));
        assert_eq!(same(&[au, big.clone()].concat()).is_some(), size == u32::MAX);
    }
    // NIST SPHERE, in both byte orders and with the fewest fields.
    for (fields, body) in [
        ("sample_count -i 1601\nsample_n_bytes -i 2\nchannel_count -i 1\nsample_byte_format -s2 01\n", pcm()),
        ("sample_count -i 1601\nsample_byte_format -s2 10\nsample_coding -s3 pcm\n", big.clone()),
        ("sample_count -i 1601\n", pcm()),
    ] {
        let mut sphere = format!("NIST_1A\n   1024\n{fields}sample_rate -i 16000\nend_head\n").into_bytes();
        sphere.resize(1024, b' ');
        assert_eq!(same(&[sphere, body].concat()), None);
    }
}

#[test]
fn aiff_in_both_byte_orders_and_of_an_unfinished_recorder() {
    let big = |name: &[u8; 4], body: &[u8], size: Option<u32>| {
        [name.to_vec(), size.unwrap_or(body.len() as u32).to_be_bytes().to_vec(), body.to_vec()].concat()
    };
    // 16000 as an 80-bit float: 1.953125 * 2^13.
    let rate = [0x40, 0x0c, 0xfa, 0, 0, 0, 0, 0, 0, 0];
    let common = |frames: u32, kind: &[u8]| {
        big(
            b"COMM",
            &[&1u16.to_be_bytes()[..], &frames.to_be_bytes(), &16u16.to_be_bytes(), &rate, kind].concat(),
            None,
        )
    };
    let sound = |body: &[u8], size: Option<u32>| big(b"SSND", &[&[0; 8], body].concat(), size);
    let file = |form: &[u8; 4], chunks: &[Vec<u8>]| big(b"FORM", &[&form[..], &chunks.concat()].concat(), None);
    let reversed: Vec<u8> = samples().iter().flat_map(|x| x.to_be_bytes()).collect();
    assert_eq!(same(&file(b"AIFF", &[common(1601, b""), sound(&reversed, None)])), None);
    assert_eq!(same(&file(b"AIFF", &[sound(&reversed, None), common(1601, b"")])), None);
    assert_eq!(same(&file(b"AIFC", &[common(1601, b"sowt\0\0"), sound(&pcm(), None)])), None);
    let open = same(&file(b"AIFF", &[common(0, b""), sound(&reversed, Some(0))]));
    assert!(open.unwrap().starts_with("its header does not say how long it is"));
    let whole = file(b"AIFF", &[common(1601, b""), sound(&reversed, None)]);
    let (info, got) = opened(&whole[..whole.len() - 2 * 801]).unwrap();
    assert!(got.len() == 800 && info.remark().unwrap().starts_with("its header promises 0.100 s"));
}

proptest! {
    /// What hound writes is read by hound; the other reader of headers agrees with it.
    #[test]
    fn both_readers_of_headers_agree(bits in prop_oneof![Just(8u16), Just(16), Just(24), Just(32)], float: bool, channels in 1u16..4, frames in 1u32..50) {
        let bits = if float { 32 } else { bits };
        let sample_format = if float { hound::SampleFormat::Float } else { hound::SampleFormat::Int };
        let spec = hound::WavSpec { channels, sample_rate: RATE, bits_per_sample: bits, sample_format };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for n in 0..frames * u32::from(channels) {
            if float { writer.write_sample(n as f32 / 999.0).unwrap() } else { writer.write_sample((n % 100) as i32).unwrap() }
        }
        writer.finalize().unwrap();
        let bytes = bytes.into_inner();
        let (info, samples) = opened(&bytes).unwrap();
        prop_assert_eq!(info.remark(), None);
        // A chunk after the samples makes the file one that hound is not asked about.
        let (other, again) = opened(&[bytes.clone(), vec![0; bytes.len() % 2], chunk(b"LIST", b"INFO", None)].concat()).unwrap();
        prop_assert_eq!((other.frames, other.channels, other.rate, other.remark()), (info.frames, info.channels, info.rate, None));
        prop_assert_eq!(samples, again);
    }
}
