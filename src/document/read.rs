//! A document's text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Far above the longest medium; a device or a pipe may have no end.
const LONGEST: u64 = 16 << 20;

/// Reads a file, or a pipe, once.
///
/// # Errors
/// When it cannot be read, is no UTF-8, or is longer than a document may be.
pub(crate) fn read_document(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(LONGEST + 1)
        .read_to_string(&mut text);
    match read {
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            return Err(io::Error::new(e.kind(), "it is not text in UTF-8"));
        }
        read => read?,
    };
    if text.len() as u64 > LONGEST {
        let why = "it is longer than 16 MiB, which no file of etcdmark's is";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(text)
}
