//! What a file is that was given as text or as a table, by its first bytes.

/// What a file is instead of text, and what to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The end of a sentence that begins with the file's name and `is`.
    pub what: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

const OTHER: &str = "give the file that was meant, as text";

const TABLE: &str = "save it as CSV, with the program or the library that reads it";

const PARQUET: &str = "commands that read parquet know it by a name that ends in .parquet; for others, save it as CSV";

/// First bytes, what they say, and what to do.
const FIRST: [(&[u8], &str, &str); 26] = [
    (b"\x1f\x8b", "compressed (gzip)", "decompress it first: gunzip < FILE > NEW"),
    (b"\xfd7zXZ\0", "compressed (xz)", "decompress it first, and give the file that comes out"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstandard)", "decompress it first, and give the file that comes out"),
    (b"7z\xbc\xaf\x27\x1c", "an archive (7z)", "unpack it first, and give a file that is in it"),
    (b"PAR1", "a parquet file", PARQUET),
    (b"ARROW1", "an Arrow file", TABLE),
    (
        b"\x93NUMPY",
        "an array of numpy",
        "commands that read arrays know them by names that end in .npy; for others, save it as CSV",
    ),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", TABLE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file", "open it, and save it as CSV (UTF-8)"),
    (b"%PDF-", "a PDF", OTHER),
    (b"SQLite format 3\0", "a database (SQLite)", TABLE),
    (b"MATLAB ", "a file of MATLAB", TABLE),
    (b"\x89PNG\r\n\x1a\n", "an image (PNG)", OTHER),
    (b"\xff\xd8\xff", "an image (JPEG)", OTHER),
    (b"GIF8", "an image (GIF)", OTHER),
    (b"II*\0", "an image (TIFF)", OTHER),
    (b"MM\0*", "an image (TIFF)", OTHER),
    (b"RIFF", "a recording or an image (RIFF)", OTHER),
    (b"fLaC", "a recording (FLAC)", OTHER),
    (b"OggS", "a recording (Ogg)", OTHER),
    (b"ID3", "a recording (MP3)", OTHER),
    (b"\x7fELF", "a program", OTHER),
    (b"\x80\x02", "a pickle of Python", TABLE),
    (b"\x80\x03", "a pickle of Python", TABLE),
    (b"\x80\x04", "a pickle of Python", TABLE),
    (b"\x80\x05", "a pickle of Python", TABLE),
];

/// What a file is that begins with `start`, if that is known and is neither text nor a table in text.
pub(crate) fn contents(start: &[u8]) -> Option<Contents> {
    if start.starts_with(b"PK\x03\x04") {
        return Some(archive(start));
    }
    if start.starts_with(b"BZh") && start.get(4..10) == Some(b"\x31\x41\x59\x26\x53\x59") {
        let remedy = "decompress it first, and give the file that comes out";
        return Some(Contents { what: "compressed (bzip2)", remedy });
    }
    if start.starts_with(b"version https://git-lfs.github.com/spec/") {
        let what = "the pointer that Git LFS leaves in place of a file";
        return Some(Contents { what, remedy: "fetch the file itself with Git LFS" });
    }
    // A length, then the beginning of JSON.
    if start.get(3..10) == Some(b"\0\0\0\0\0{\"") {
        let remedy =
            "commands that read tensors know them by names that end in .safetensors; for others, save one as CSV";
        return Some(Contents { what: "a safetensors file", remedy });
    }
    // Letters may also begin a text, which has no NUL byte.
    let sure =
        |first: &[u8]| start.contains(&0) || first == b"%PDF-" || !first.iter().all(|b| (b' '..=b'~').contains(b));
    let known = FIRST.iter().find(|(first, ..)| start.starts_with(first) && sure(first));
    known.map(|&(_, what, remedy)| Contents { what, remedy })
}

/// What a zip file is, by the names in its first entries.
fn archive(start: &[u8]) -> Contents {
    let has = |name: &[u8]| start.windows(name.len()).any(|bytes| bytes == name);
    let spreadsheet = "open it, and save it as CSV (UTF-8)";
    if has(b"xl/") || has(b"[Content_Types].xml") {
        return Contents { what: "an Excel workbook (.xlsx)", remedy: spreadsheet };
    }
    if has(b"application/vnd.oasis.opendocument") {
        return Contents { what: "an OpenDocument file (.ods)", remedy: spreadsheet };
    }
    if has(b".npy") {
        let remedy = "commands that read arrays know them by names that end in .npz; for others, save one as CSV";
        return Contents { what: "arrays of numpy (.npz)", remedy };
    }
    Contents { what: "an archive (zip)", remedy: "unpack it first, and give a file that is in it" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_first_bytes() {
        for (first, what, remedy) in FIRST {
            assert_eq!(contents(&[first, &[0; 8]].concat()), Some(Contents { what, remedy }), "{what}");
        }
    }

    #[test]
    fn files_of_other_kinds_are_named_and_text_is_not() {
        let what = |start: &[u8]| contents(start).map(|c| c.what);
        assert_eq!(what(b"\x1f\x8b\x08\0"), Some("compressed (gzip)"));
        assert_eq!(what(b"PK\x03\x04....[Content_Types].xml"), Some("an Excel workbook (.xlsx)"));
        assert_eq!(
            what(b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument"),
            Some("an OpenDocument file (.ods)")
        );
        assert_eq!(what(b"PK\x03\x04....a.npy"), Some("arrays of numpy (.npz)"));
        assert_eq!(what(b"PK\x03\x04....d.csv"), Some("an archive (zip)"));
        assert_eq!(what(b"BZh91AY&SY"), Some("compressed (bzip2)"));
        assert_eq!(what(b"\x40\x01\0\0\0\0\0\0{\"a\":"), Some("a safetensors file"));
        assert_eq!(
            what(b"version https://git-lfs.github.com/spec/v1\n"),
            Some("the pointer that Git LFS leaves in place of a file")
        );
        assert_eq!(what(b"PAR1\x15\0"), Some("a parquet file"));
        for text in ["PK,b\n1,2\n", "BZh is a name\n", "MATLAB is one.\n", "ID3,RIFF\n", "PAR1\n"] {
            assert_eq!(what(text.as_bytes()), None, "{text}");
        }
        assert_eq!((what(b""), what("\u{feff}a,b\n".as_bytes())), (None, None));
    }
}
