//! Streams: a file opened as the bytes that its records are in, decompressed where it is compressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};

/// Bytes read at a time, before and after decompression.
const BUFFER: usize = 1 << 17;

/// Most white space in a row that a stream may decompress to. Readers pass over blank lines without
/// a record to show for it, and a file of a few kilobytes can hold hours of them.
const MAX_BLANK: usize = 64 << 20;

/// From so many bytes on, a stream may not decompress to more than [`MAX_RATIO`] times what was read of it.
/// Text reaches 100 where it repeats itself, what gzip makes of one byte 1,032, zstd and bzip2 far more.
const RATIO_FROM: u64 = 256 << 20;
pub(crate) const MAX_RATIO: u64 = 300;

/// What libzstd says of a frame whose window is larger than 128 MiB, its default limit.
const WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// Why a stream that may be whole is not read on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

/// Whether so many bytes out of `read` compressed ones are more than any text would give.
pub(crate) fn is_bomb(given: u64, read: u64) -> bool {
    given > RATIO_FROM && given / MAX_RATIO > read
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    Bzip2,
}

impl Compression {
    /// What the name promises.
    fn of_name(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(extension) if extension.eq_ignore_ascii_case("gz") => Self::Gzip,
            Some(extension) if extension.eq_ignore_ascii_case("zst") || extension.eq_ignore_ascii_case("zstd") => Self::Zstd,
            Some(extension) if extension.eq_ignore_ascii_case("bz2") => Self::Bzip2,
            _ => Self::None,
        }
    }

    /// What the first bytes say. A zstd stream may begin with a skippable frame.
    fn of_bytes(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// What the file is; an error if its name promises something else.
    fn check(path: &Path, head: &[u8]) -> Result<Self> {
        let (promised, found) = (Self::of_name(path), Self::of_bytes(head));
        if promised != Self::None && promised != found {
            return Err(Error::format(path, format!("the name says {}, the first bytes say {}", promised.name(), found.name())));
        }
        Ok(found)
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "not compressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
        }
    }
}

/// A file's name without the ending that says how it is compressed, in any case.
pub(crate) fn uncompressed(name: &str) -> &str {
    match (Compression::of_name(Path::new(name)), name.rsplit_once('.')) {
        (Compression::None, _) | (_, None) => name,
        (_, Some((stem, _))) => stem,
    }
}

/// How the file at `path` is compressed, by its first bytes.
pub(crate) fn compression(path: &Path) -> Result<Compression> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(Error::io("read", path))?;
    Compression::check(path, &head)
}

/// A file that adds what is read from it to a count: progress in bytes of the disk, whatever the
/// compression.
pub(crate) struct Counted {
    file: File,
    count: Arc<AtomicU64>,
    /// Of this file alone.
    own: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.count.fetch_add(length as u64, Ordering::Relaxed);
        self.own.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// Opens a whole file. All members of a gzip or bzip2 file and all frames of a zstd file are
/// read.
pub(crate) fn open(path: &Path, count: &Arc<AtomicU64>) -> Result<Box<dyn BufRead + Send>> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(Error::io("read", path))?;
    file.seek(SeekFrom::Start(0)).map_err(Error::io("read", path))?;
    let compression = Compression::check(path, &head)?;
    let own = Arc::<AtomicU64>::default();
    let file = BufReader::with_capacity(BUFFER, Counted { file, count: Arc::clone(count), own: Arc::clone(&own) });
    Ok(match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER, Decompressed::new(MultiGzDecoder::new(file), own))),
        Compression::Bzip2 => Box::new(BufReader::with_capacity(BUFFER, Decompressed::new(MultiBzDecoder::new(file), own))),
        Compression::Zstd => {
            let decoder = zstd::Decoder::with_buffer(file).map_err(Error::io("decompress", path))?;
            Box::new(BufReader::with_capacity(BUFFER, Decompressed::new(decoder, own)))
        }
    })
}

/// A decoder that gives up on endless white space, and on what a few bytes cannot honestly hold.
struct Decompressed<R> {
    decoder: R,
    /// White space since the last read that had anything else.
    blank: usize,
    /// Compressed bytes read.
    read: Arc<AtomicU64>,
    /// Bytes given out.
    given: u64,
}

impl<R> Decompressed<R> {
    fn new(decoder: R, read: Arc<AtomicU64>) -> Self {
        Self { decoder, blank: 0, read, given: 0 }
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let refused = |detail: String| Err(io::Error::other(Refused(detail)));
        let length = match self.decoder.read(buffer) {
            Err(error) if error.to_string() == WINDOW_TOO_LARGE => {
                return refused(
                    "its zstd window is larger than 128 MiB (`--long=28` or more), memory that every file in work would take; \
                     decompress it first (`zstd -d --long=31`), or compress it again without --long"
                        .to_owned(),
                );
            }
            length => length?,
        };
        let is_blank = buffer[..length].iter().all(u8::is_ascii_whitespace);
        self.blank = if is_blank { self.blank.saturating_add(length) } else { 0 };
        if self.blank > MAX_BLANK {
            return refused(format!("more than {} MiB of nothing but white space", MAX_BLANK >> 20));
        }
        self.given = self.given.saturating_add(length as u64);
        if is_bomb(self.given, self.read.load(Ordering::Relaxed)) {
            return refused(format!(
                "it decompresses to more than {MAX_RATIO} times its size, as no text does; if it is honest, decompress it first"
            ));
        }
        Ok(length)
    }
}

/// Opens a file that is not compressed at byte `start`.
pub(crate) fn open_at(path: &Path, start: u64, count: &Arc<AtomicU64>) -> Result<Box<dyn BufRead + Send>> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    file.seek(SeekFrom::Start(start)).map_err(Error::io("seek in", path))?;
    Ok(Box::new(BufReader::with_capacity(BUFFER, Counted { file, count: Arc::clone(count), own: Arc::default() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_and_the_name_must_agree() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let zst = zstd::encode_all(&b"abc"[..], 1).unwrap();
        assert_eq!(compression(&write("a", &zst)).unwrap(), Compression::Zstd);
        assert_eq!(compression(&write("a.txt", b"abc")).unwrap(), Compression::None);
        assert_eq!(compression(&write("empty", b"")).unwrap(), Compression::None);
        let error = compression(&write("a.gz", &zst)).unwrap_err().to_string();
        assert!(error.contains("a.gz") && error.contains("says gzip") && error.contains("say zstd"), "{error}");
        assert!(open(&write("b.zst", b"plain"), &Arc::default()).is_err());
        assert!(open(&write("c.gz", b""), &Arc::default()).is_err());
        let mut text = String::new();
        open(&write("d", &zst), &Arc::default()).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }

    #[test]
    fn a_window_beyond_the_limit_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let read = |window_log: u32| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(window_log).unwrap();
            std::io::Write::write_all(&mut encoder, &b"abc\n".repeat(100)).unwrap();
            let path = folder.path().join("a.zst");
            std::fs::write(&path, encoder.finish().unwrap()).unwrap();
            let mut text = String::new();
            open(&path, &Arc::default()).unwrap().read_to_string(&mut text).map(|_| text.len())
        };
        assert_eq!(read(27).unwrap(), 400);
        let error = read(28).unwrap_err();
        assert!(error.to_string().contains("--long") && error.get_ref().unwrap().is::<Refused>(), "{error}");
    }
}
