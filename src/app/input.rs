//! Input files of commands.

use std::{
    fs::File,
    io::{self, Read},
};

use flate2::read::MultiGzDecoder;

/// The first bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The content of the file `named`, or of standard input for `-`, decompressed if it is compressed with gzip.
///
/// # Errors
///
/// When it cannot be read, or has more than `most_bytes`.
pub(crate) async fn read_input(named: &str, most_bytes: u64) -> io::Result<Vec<u8>> {
    let file = (named != "-").then(|| named.to_owned());
    // A pending read of standard input on the main thread would keep signals from being handled.
    let read = tokio::task::spawn_blocking(move || match file {
        None => decompressed(io::stdin().lock(), most_bytes),
        Some(file) => decompressed(File::open(file)?, most_bytes),
    });
    read.await.map_err(io::Error::other)?
}

fn decompressed(mut source: impl Read, most_bytes: u64) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    source.by_ref().take(GZIP.len() as u64).read_to_end(&mut start)?;
    let whole = start.as_slice().chain(source);
    if start == GZIP { limited(MultiGzDecoder::new(whole), most_bytes) } else { limited(whole, most_bytes) }
}

fn limited(source: impl Read, most_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most_bytes {
        return Err(io::Error::other(format!("it has more than {most_bytes} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn the_limit_is_on_decompressed_bytes() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&[b'x'; 10_000]).unwrap();
        let compressed = encoder.finish().unwrap();
        assert!(compressed.len() < 1_000);
        assert_eq!(decompressed(compressed.as_slice(), 10_000).unwrap(), [b'x'; 10_000]);
        let error = decompressed(compressed.as_slice(), 9_999).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 9999 bytes");
        assert_eq!(decompressed(&b"{}"[..], 2).unwrap(), b"{}");
        assert_eq!(decompressed(&b""[..], 2).unwrap(), b"");
    }
}
