//! The raw arrays of dolma and OLMo-core (`olmo_core/data/numpy_dataset.py`): `NAME.npy` is the tokens in
//! 2 or 4 bytes, without the header that NumPy writes. `NAME.csv.gz` has one line for each document:
//! first token, token after the last, id, source, number. A shard with loss spans also gives
//! `NAME.label_mask.npy`, one byte, 0 or 1, for each token: OLMo-core's `label_mask_paths`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::datatrove::{Loss, write_mask};
use super::files::{NewFile, appended, exported, write_tokens};
use super::tokens::{Number, TokenFile, without_end};
use super::{Foreign, ForeignDocument, ForeignOptions};
use crate::error::{Error, Result};
use crate::header::width_for;
use crate::reader::ShardReader;

/// Ending of the loss mask, which the tokens' file must not have.
pub(super) const MASK: &str = "label_mask.npy";
/// Longest line of a table.
const MAX_LINE: u64 = 1 << 20;

pub(super) fn read(foreign: &Foreign, path: &Path, visit: &mut dyn FnMut(ForeignDocument<'_>) -> Result<()>) -> Result<()> {
    let width = foreign.token_bytes.unwrap_or_else(|| width_for(foreign.vocab_size));
    let mut magic = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(6).read_to_end(&mut magic).map_err(Error::io("read", path))?;
    if magic == b"\x93NUMPY" {
        let detail = "a file that NumPy's `save` wrote; OLMo's arrays have no header (`array.tofile` writes them)".to_owned();
        return Err(Error::Format { path: path.to_path_buf(), detail });
    }
    let mut file = TokenFile::open(path, Number::of_width(width), 0, foreign.vocab_size)?;
    let mask = path.with_extension(MASK);
    let mut mask = if mask.exists() { Some(Loss::open(&mask, file.tokens())?) } else { None };
    let table = path.with_extension("csv.gz");
    if !table.exists() {
        if mask.is_some() {
            let detail = "a label mask without a .csv.gz: which document it is of is not known".to_owned();
            return Err(Error::Format { path: path.with_extension(MASK), detail });
        }
        return file.delimited(foreign.eos, false, visit);
    }
    let mut table = Table::open(&table)?;
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(row) = table.next()? {
        let Some(length) = row.end.checked_sub(row.start).filter(|_| row.start == at) else {
            return Err(table.fault(format!("tokens {}..{}, after a document that ends at {at}", row.start, row.end)));
        };
        if length > file.left() {
            return Err(table.fault(format!("tokens {}..{} of {} (a token has {width} bytes)", row.start, row.end, file.tokens())));
        }
        tokens.clear();
        file.read(length, &mut tokens)?;
        at = row.end;
        let spans = mask.as_mut().map(|mask| mask.spans(length)).transpose()?;
        let (tokens, ended) = without_end(&tokens, foreign.eos);
        visit(ForeignDocument { id: row.id.as_deref(), tokens, spans: spans.as_deref(), ended, content_hash: None })?;
    }
    if file.left() > 0 {
        return Err(file.fault(format!("{} tokens that the table does not know (a token has {width} bytes)", file.left())));
    }
    Ok(())
}

/// The table of documents.
struct Table {
    path: PathBuf,
    reader: BufReader<MultiGzDecoder<File>>,
    line: u64,
}

struct Row {
    start: u64,
    end: u64,
    id: Option<String>,
}

impl Table {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        Ok(Self { path: path.to_path_buf(), reader: BufReader::new(MultiGzDecoder::new(file)), line: 0 })
    }

    fn next(&mut self) -> Result<Option<Row>> {
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(Error::io("read", &self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let text = std::str::from_utf8(&line).ok().filter(|_| (line.len() as u64) < MAX_LINE);
        let row = text.and_then(|text| {
            let (start, rest) = text.trim_end_matches(['\r', '\n']).split_once(',')?;
            let (end, rest) = rest.split_once(',').map_or((rest, None), |(end, rest)| (end, Some(rest)));
            Some(Row { start: start.parse().ok()?, end: end.parse().ok()?, id: rest.map(field).filter(|id| !id.is_empty()) })
        });
        row.map_or_else(|| Err(self.fault("not a line of first token, end and more, with commas between")), |row| Ok(Some(row)))
    }

    fn fault(&self, detail: impl std::fmt::Display) -> Error {
        Error::Format { path: self.path.clone(), detail: format!("line {}: {detail}", self.line) }
    }
}

/// The first field of a line of values with commas between them.
fn field(text: &str) -> String {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split(',').next().unwrap_or_default().to_owned();
    };
    let mut field = String::new();
    let mut rest = quoted.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' if rest.peek() == Some(&'"') => field.extend(rest.next()),
            '"' => break,
            other => field.push(other),
        }
    }
    field
}

/// A value as a field. A line break would be one of the table's, so it becomes a space.
fn quoted(value: &str) -> String {
    let value = value.replace(['\r', '\n'], " ");
    if value.contains([',', '"']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

pub(super) fn write(shard: &ShardReader, path: &Path, options: &ForeignOptions) -> Result<Vec<PathBuf>> {
    let width = width_for(shard.vocab_size());
    let mut out = NewFile::create(appended(path, "npy"))?;
    // Without a time in its header, so that the same shard gives the same bytes.
    let table = appended(path, "csv.gz");
    let mut lines = GzEncoder::new(NewFile::create(table.clone())?, Compression::default());
    let mut mask = None;
    let mut at = 0;
    for number in 0..shard.len() {
        let range = exported(shard, number, options)?;
        let end = at + range.end - range.start;
        write_tokens(shard, range, width, &mut out)?;
        let document = shard.document(number)?;
        use std::io::Write;
        writeln!(lines, "{at},{end},{},{},{number}", quoted(document.id), quoted(document.source)).map_err(Error::io("write", &table))?;
        if let Some(spans) = shard.loss_spans(number)? {
            let mask = match &mut mask {
                Some(mask) => mask,
                none => none.insert(NewFile::create(appended(path, MASK))?),
            };
            write_mask(&spans, end - at, mask)?;
        }
        at = end;
    }
    let lines = lines.finish().map_err(Error::io("write", &table))?;
    let beside = [Some(lines), mask].into_iter().flatten();
    let mut files = beside.map(NewFile::finish).collect::<Result<Vec<_>>>()?;
    files.insert(0, out.finish()?);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{field, quoted};

    #[test]
    fn fields_and_back() {
        for id in ["a", "", "a,b", "say \"it\"", "\",\""] {
            assert_eq!(field(&format!("{},x,1", quoted(id))), id);
        }
        assert_eq!(quoted("a\nb"), "a b");
    }
}
