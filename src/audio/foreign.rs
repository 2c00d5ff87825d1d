//! Files that are known but not read, by their first bytes and by their names.

use std::path::Path;

/// File name extensions of audio and video that is not read, in lower case.
const FOREIGN: [&str; 33] = [
    "opus", "spx", "wma", "asf", "amr", "awb", "3gp", "3gpp", "ape", "wv", "tta", "shn", "mp1", "mp2", "mp4", "m4v",
    "mov", "mkv", "avi", "ac3", "eac3", "dts", "ra", "rm", "gsm", "vox", "sln", "raw", "pcm", "dsf", "dff", "mpc",
    "weba",
];

/// The first bytes of kinds of files, and their names.
const FIRST: &[(&[u8], &str)] = &[
    (b"RIFX", "WAV"),
    (b"RF64", "WAV"),
    (b"BW64", "WAV"),
    (b"riff\x2e\x91", "W64"),
    (b"fLaC", "FLAC"),
    (b"OggS", "Ogg"),
    (b"ID3\x02", "MP3"),
    (b"ID3\x03", "MP3"),
    (b"ID3\x04", "MP3"),
    (b"FORM", "AIFF"),
    (b".snd", "AU"),
    (b"NIST_1A", "NIST SPHERE"),
    (b"caff", "CAF"),
    (b"\x1a\x45\xdf\xa3", "WebM"),
    (b"#!AMR", "AMR"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
    (b"MAC ", "Monkey's Audio"),
    (b"wvpk", "WavPack"),
    (b"TTA1", "True Audio"),
    (b"ajkg", "Shorten"),
    (b".RMF", "RealMedia"),
    (b".ra\xfd", "RealAudio"),
    (b"MThd", "MIDI"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "ZIP"),
    (b"%PDF", "PDF"),
    (b"<!DOCTYPE", "a web page"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"version https://git-lfs", "a pointer of Git LFS"),
];

/// Whether a file of this name is audio or video that is not read; case is ignored.
pub fn is_foreign_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    ending.is_some_and(|e| FOREIGN.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

/// The kind of file that begins with these bytes, if they are those of a known kind and not of raw samples or text.
pub fn recognized(first: &[u8]) -> Option<&'static str> {
    if first.get(4..8) == Some(b"ftyp") {
        return Some("MP4");
    }
    if first.starts_with(b"RIFF") {
        return match first.get(8..12) {
            Some(b"WAVE") => Some("WAV"),
            Some(b"AVI ") => Some("AVI"),
            _ => Some("a RIFF file"),
        };
    }
    FIRST.iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, name)| *name)
}

/// What is said of a recording of a recognized kind that is not read.
pub(super) fn refused(kind: &str) -> String {
    match kind {
        "gzip" | "ZIP" => format!("is {kind}; unpack it"),
        "a web page" | "PDF" => format!("is not audio, it is {kind}; download the recording again"),
        "a pointer of Git LFS" => {
            "is not audio, it is a pointer of Git LFS; get the recording with `git lfs pull`".into()
        }
        "MIDI" => "is MIDI: notes and no sound; leave it out".into(),
        kind => format!("is {kind}, which is not read; convert it with `ffmpeg -i IN OUT.flac`"),
    }
}
