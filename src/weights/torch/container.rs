//! Detects from a file's first bytes which of the two containers it is.

use crate::error::{Error, Result};
use crate::weights::torch::{Value, archive, stream};
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

/// The first bytes of a zip.
const ZIP: &[u8] = b"PK\x03\x04";
/// The number at the beginning of a stream from before PyTorch 1.6, 0x1950a86a20f9469cfc6c, as pickled.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// Number of bytes needed to detect the kind of a file.
const HEAD: usize = 512;

/// The kind of a file, as far as its first bytes show.
enum Container {
    Zip,
    Stream,
    /// The form of 2016: a tar.
    Tar,
    Other,
}

fn kind(head: &[u8]) -> Container {
    match head {
        _ if head.starts_with(ZIP) => Container::Zip,
        // From protocol 4 on, a pickle consists of frames: an instruction and eight bytes.
        [0x80, 2..=5, rest @ ..] if rest.starts_with(MAGIC) => Container::Stream,
        [0x80, 4..=5, 0x95, _, _, _, _, _, _, _, _, rest @ ..] if rest.starts_with(MAGIC) => Container::Stream,
        _ if head.get(257..262) == Some(b"ustar") => Container::Tar,
        _ => Container::Other,
    }
}

/// Whether a file begins like a PyTorch file: as a zip, or as a stream from before PyTorch 1.6.
///
/// # Errors
/// It cannot be read.
pub fn is_torch_file(path: &Path) -> Result<bool> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    file.take(HEAD as u64).read_to_end(&mut head).map_err(Error::io(path, "read"))?;
    Ok(matches!(kind(&head), Container::Zip | Container::Stream))
}

/// Reads a PyTorch file. Memory use is about the size of a zip, and about twice the size of a stream.
///
/// # Errors
/// It is not a PyTorch file, is damaged, or asks for more than tensors need; such requests are not carried out.
pub fn read_torch(path: &Path) -> Result<Value> {
    let refused = |fault| {
        Error::failed(
            format!("{}: {fault}", path.display()),
            "copy or download it again; only PyTorch files that contain weights, numbers and text alone can be read",
        )
    };
    let mut file = File::open(path).map_err(Error::io(path, "read"))?;
    let size = file.metadata().map_err(Error::io(path, "read"))?.len();
    let mut bytes = Vec::new();
    (&mut file).take(HEAD as u64).read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
    if let Container::Zip = kind(&bytes) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        return archive::read(BufReader::new(file), size).map_err(refused);
    }
    if let Container::Stream = kind(&bytes) {
        file.read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
    }
    read_bytes(&bytes).map_err(refused)
}

/// Reads the bytes of a PyTorch file.
///
/// # Errors
/// A description of what is wrong, as the end of a sentence that begins with the file.
pub fn read_bytes(bytes: &[u8]) -> std::result::Result<Value, String> {
    match kind(bytes) {
        Container::Zip => archive::read(Cursor::new(bytes), bytes.len()),
        Container::Stream => stream::read(bytes),
        Container::Tar => {
            Err("is a tar, as PyTorch 0.1 wrote in 2016; load it in PyTorch and save it again with torch.save".into())
        }
        Container::Other if bytes.is_empty() => Err("is empty".into()),
        Container::Other => Err("was not written by torch.save".into()),
    }
}
