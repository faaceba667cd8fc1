//! datatrove's `TokenizedFile` (`pipeline/tokens/tokenizer.py`), which nanotron's Nanoset reads.
//!
//! `.ds` is the tokens in 2 or 4 bytes, `.ds.index` u64 end of each document in tokens, `.ds.loss` one
//! byte, 0 or 1, for each token, `.ds.metadata` three lines: tokenizer and bytes of a token with `|`
//! between them, tokens, tokens for people.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::files::{NewFile, appended, exported, write_tokens};
use super::tokens::{Number, TokenFile, without_end};
use super::{Foreign, ForeignDocument, ForeignOptions};
use crate::atomic;
use crate::error::{Error, Result};
use crate::header::width_for;
use crate::reader::ShardReader;

/// Longest `.metadata` read; the name of a tokenizer is the only part that can be long.
const MAX_METADATA: u64 = 1 << 16;

pub(super) fn read(foreign: &Foreign, path: &Path, visit: &mut dyn FnMut(ForeignDocument<'_>) -> Result<()>) -> Result<()> {
    let ends = appended(path, "index");
    let ends = if ends.exists() { Some(Ends::open(&ends)?) } else { None };
    let width = width(foreign, path, ends.as_ref())?;
    let mut file = TokenFile::open(path, Number::of_width(width), 0, foreign.vocab_size)?;
    let loss = appended(path, "loss");
    let loss = if loss.exists() { Some(Loss::open(&loss, file.tokens())?) } else { None };
    let Some(mut ends) = ends else {
        if let Some(loss) = loss {
            return Err(Error::Format {
                path: loss.path,
                detail: "a loss mask without an .index: which document it is of is not known".into(),
            });
        }
        return file.delimited(foreign.eos, false, visit);
    };
    let mut loss = loss;
    let (mut tokens, mut start) = (Vec::new(), 0);
    for number in 0..ends.documents {
        let end = ends.next()?;
        let Some(length) = end.checked_sub(start) else {
            return Err(ends.fault(number, format!("document {number} ends at token {end}, the one before it at {start}")));
        };
        tokens.clear();
        file.read(length, &mut tokens)?;
        start = end;
        let spans = loss.as_mut().map(|loss| loss.spans(length)).transpose()?;
        let (tokens, ended) = without_end(&tokens, foreign.eos);
        visit(ForeignDocument { id: None, tokens, spans: spans.as_deref(), ended, content_hash: None })?;
    }
    if file.left() > 0 {
        return Err(file.fault(format!("{} tokens that the index does not know", file.left())));
    }
    Ok(())
}

/// Bytes of a token: as the metadata says, as the index and the length of the file show, as was asked
/// for, or as datatrove chooses by the vocabulary.
fn width(foreign: &Foreign, path: &Path, ends: Option<&Ends>) -> Result<u32> {
    let metadata = appended(path, "metadata");
    let said = if metadata.exists() {
        let text = atomic::read(&metadata, MAX_METADATA)?;
        let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let said = first.rsplit(|&byte| byte == b'|').next().unwrap_or_default();
        match said {
            b"2" => Some(2),
            b"4" => Some(4),
            _ => {
                let detail = "its first line does not end with `|2` or `|4`, the bytes of a token".to_owned();
                return Err(Error::Format { path: metadata, detail });
            }
        }
    } else {
        None
    };
    let length = std::fs::metadata(path).map_err(Error::io("inspect", path))?.len();
    let shown = ends.filter(|ends| ends.last > 0).and_then(|ends| {
        let fits = |width: &u32| ends.last.checked_mul(u64::from(*width)) == Some(length);
        [2, 4].into_iter().find(fits)
    });
    let width = said.or(shown).or(foreign.token_bytes).unwrap_or_else(|| width_for(foreign.vocab_size));
    if let Some(shown) = shown.filter(|&shown| shown != width) {
        let detail = format!("by its index it has {shown} bytes a token, by its metadata {width}");
        return Err(Error::Format { path: path.to_path_buf(), detail });
    }
    Ok(width)
}

/// The ends of documents.
struct Ends {
    path: PathBuf,
    reader: BufReader<File>,
    documents: u64,
    /// The last end.
    last: u64,
}

impl Ends {
    fn open(path: &Path) -> Result<Self> {
        use std::io::{Seek, SeekFrom};
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("inspect", path))?.len();
        if length % 8 != 0 {
            return Err(Error::corrupt(path, length - length % 8, "the index is cut off inside a number of 8 bytes"));
        }
        let mut last = [0; 8];
        if length > 0 {
            let mut read = |from, bytes: &mut [u8]| file.seek(from).and_then(|_| file.read_exact(bytes));
            read(SeekFrom::Start(length - 8), &mut last).map_err(Error::io("read", path))?;
            read(SeekFrom::Start(0), &mut []).map_err(Error::io("read", path))?;
        }
        let reader = BufReader::with_capacity(1 << 16, file);
        Ok(Self { path: path.to_path_buf(), reader, documents: length / 8, last: u64::from_le_bytes(last) })
    }

    fn next(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.reader.read_exact(&mut bytes).map_err(Error::io("read", &self.path))?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn fault(&self, document: u64, detail: String) -> Error {
        Error::corrupt(&self.path, document * 8, detail)
    }
}

/// The loss mask.
pub(super) struct Loss {
    path: PathBuf,
    reader: BufReader<File>,
    read: u64,
}

impl Loss {
    pub(super) fn open(path: &Path, tokens: u64) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("inspect", path))?.len();
        if length != tokens {
            return Err(Error::corrupt(path, length.min(tokens), format!("{length} bytes for {tokens} tokens")));
        }
        Ok(Self { path: path.to_path_buf(), reader: BufReader::with_capacity(1 << 16, file), read: 0 })
    }

    /// Spans of the next `length` tokens that count, none of them empty and no two touching. A shard's
    /// document is shorter than 2^32 tokens, which the reading of it has checked.
    pub(super) fn spans(&mut self, length: u64) -> Result<Vec<Range<u32>>> {
        let mut spans: Vec<Range<u32>> = Vec::new();
        for at in 0..length as u32 {
            let mut byte = [0];
            self.reader.read_exact(&mut byte).map_err(Error::io("read", &self.path))?;
            match (byte[0], spans.last_mut()) {
                (0, _) => {}
                (1, Some(span)) if span.end == at => span.end += 1,
                (1, _) => spans.push(at..at + 1),
                (other, _) => return Err(Error::corrupt(&self.path, self.read, format!("{other}, not 0 or 1"))),
            }
            self.read += 1;
        }
        Ok(spans)
    }
}

pub(super) fn write(shard: &ShardReader, path: &Path, options: &ForeignOptions) -> Result<Vec<PathBuf>> {
    let width = width_for(shard.vocab_size());
    let path = appended(path, "ds");
    let mut out = NewFile::create(path.clone())?;
    let mut index = NewFile::create(appended(&path, "index"))?;
    let mut loss = None;
    let mut written = 0;
    for document in 0..shard.len() {
        let range = exported(shard, document, options)?;
        let length = range.end - range.start;
        write_tokens(shard, range, width, &mut out)?;
        written += length;
        index.write(&written.to_le_bytes())?;
        if let Some(spans) = shard.loss_spans(document)? {
            let mask = match &mut loss {
                Some(mask) => mask,
                none => none.insert(NewFile::create(appended(&path, "loss"))?),
            };
            write_mask(&spans, length, mask)?;
        }
    }
    let mut metadata = NewFile::create(appended(&path, "metadata"))?;
    metadata.write(format!("{}|{width}\n{written}\n{}", options.tokenizer, metric(written)).as_bytes())?;
    let beside = [Some(index), loss, Some(metadata)].into_iter().flatten();
    let mut files = beside.map(NewFile::finish).collect::<Result<Vec<_>>>()?;
    files.insert(0, out.finish()?);
    Ok(files)
}

/// One byte for each of `length` tokens: 1 inside of a span.
pub(super) fn write_mask(spans: &[Range<u32>], length: u64, out: &mut NewFile) -> Result<()> {
    let mut at = 0;
    for span in spans {
        let (start, end) = (u64::from(span.start).min(length), u64::from(span.end).min(length));
        fill(0, start - at, out)?;
        fill(1, end - start, out)?;
        at = end;
    }
    fill(0, length - at, out)
}

fn fill(byte: u8, count: u64, out: &mut NewFile) -> Result<()> {
    let block = [byte; 4096];
    let mut left = count;
    while left > 0 {
        let step = left.min(block.len() as u64);
        out.write(&block[..step as usize])?;
        left -= step;
    }
    Ok(())
}

/// Tokens with three digits and a prefix, as `humanize.metric(tokens, unit="T")` writes them.
fn metric(tokens: u64) -> String {
    let mut exponent = tokens.checked_ilog10().unwrap_or(0) as usize;
    let scaled = |exponent: usize| tokens as f64 / 10f64.powi(exponent as i32 / 3 * 3);
    let shown = |exponent: usize| format!("{:.*}", 2 - exponent % 3, scaled(exponent));
    // 999.9 rounds to 1000, which is written with the next prefix.
    if shown(exponent).split('.').next().is_some_and(|whole| whole.len() > exponent % 3 + 1) {
        exponent += 1;
    }
    format!("{} {}T", shown(exponent), ["", "k", "M", "G", "T", "P", "E"][exponent / 3])
}

#[cfg(test)]
mod tests {
    use super::metric;

    #[test]
    fn counts_for_people() {
        // humanize 4.17: metric(n, unit="T").
        let cases = [
            (0, "0.00 T"),
            (4, "4.00 T"),
            (999, "999 T"),
            (1000, "1.00 kT"),
            (65_536, "65.5 kT"),
            (999_999, "1.00 MT"),
            (1_234_567, "1.23 MT"),
        ];
        cases.into_iter().for_each(|(tokens, text)| assert_eq!(metric(tokens), text));
        assert_eq!(metric(u64::MAX), "18.4 ET");
    }
}
