//! Ids and source names in a shard.

use std::path::Path;

use crate::error::{Error, Result};
use crate::header::u64_at;

/// A table of strings: cumulative ends with a leading 0, then the bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strings<'a> {
    pub(crate) path: &'a Path,
    /// Where the table starts in the file, for messages.
    pub(crate) offset: u64,
    pub(crate) items: u64,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    pub(crate) fn get(&self, index: u64) -> Result<&'a str> {
        let at = index as usize * 8;
        let base = (self.items as usize + 1) * 8;
        let text = &self.bytes[base..];
        let (start, end) = (u64_at(self.bytes, at), u64_at(self.bytes, at + 8));
        let bad = |place: usize, detail: String| Error::corrupt(self.path, self.offset + place as u64, detail);
        if start > end || end > text.len() as u64 {
            return Err(bad(at + 8, format!("string {start}..{end} of {} bytes", text.len())));
        }
        std::str::from_utf8(&text[start as usize..end as usize])
            .map_err(|error| bad(base + start as usize + error.valid_up_to(), format!("string {index} is not UTF-8")))
    }

    /// Checks that the strings fill the table without gaps.
    pub(crate) fn check(&self) -> Result<()> {
        let index = (self.items as usize + 1) * 8;
        let text = (self.bytes.len() - index) as u64;
        let last = u64_at(self.bytes, index - 8);
        let first = u64_at(self.bytes, 0);
        if first != 0 || last != text {
            let place = if first != 0 { 0 } else { index - 8 };
            let detail = format!("strings from {first} to {last} of {text} bytes");
            return Err(Error::corrupt(self.path, self.offset + place as u64, detail));
        }
        (0..self.items).try_for_each(|index| self.get(index).map(drop))
    }
}
