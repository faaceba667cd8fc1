//! The chat template in the header of a GGUF file.
//!
//! Lengths are held against what is left of the file before anything is read for them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::TemplateText;
use crate::error::{Error, Result};
use crate::tokenizer::MAX_VOCAB;

const MAX_KEYS: u64 = 1 << 16;
/// Longest template, and longest name of a token.
const MAX_TEXT: u64 = 16 << 20;
const TEMPLATE: &str = "tokenizer.chat_template";
const TOKENS: &str = "tokenizer.ggml.tokens";
const BOS: &str = "tokenizer.ggml.bos_token_id";
const EOS: &str = "tokenizer.ggml.eos_token_id";

/// The template of a file; none where it has none.
pub(super) fn template(path: &Path) -> Result<Option<TemplateText>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let left = file.metadata().map_err(Error::io("inspect", path))?.len();
    let mut input = Input { path, file: BufReader::new(file), left };
    if &input.array::<4>()? != b"GGUF" {
        return Err(Error::invalid(path, "is not a GGUF file: it does not begin with `GGUF`"));
    }
    match input.u32()? {
        2 | 3 => {}
        version => return Err(Error::invalid(path, format!("is GGUF version {version}; known are 2 and 3"))),
    }
    input.u64()?; // tensors
    let keys = input.u64()?;
    if keys > MAX_KEYS {
        return Err(Error::invalid(path, format!("has {keys} keys, at most {MAX_KEYS} are read")));
    }
    let (mut template, mut tokens, mut bos, mut eos) = (None, Vec::new(), None, None);
    for _ in 0..keys {
        let name = input.text()?;
        let kind = input.u32()?;
        match (name.as_str(), kind) {
            (TEMPLATE, STRING) => template = Some(input.text()?),
            (TOKENS, ARRAY) => tokens = input.texts()?,
            (BOS, UINT32) => bos = Some(input.u32()?),
            (EOS, UINT32) => eos = Some(input.u32()?),
            _ => input.skip_value(kind, 0)?,
        }
    }
    let token = |id: Option<u32>| id.and_then(|id| tokens.get(id as usize).cloned());
    let name = path.display().to_string();
    Ok(template.map(|template| TemplateText { name, template, bos_token: token(bos), eos_token: token(eos), date: None }))
}

const UINT32: u32 = 4;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

struct Input<'a> {
    path: &'a Path,
    file: BufReader<File>,
    left: u64,
}

impl Input<'_> {
    fn take(&mut self, bytes: u64) -> Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| Error::invalid(self.path, "breaks off inside its header"))?;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N as u64)?;
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(Error::io("read", self.path))?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String> {
        let length = self.u64()?;
        if length > MAX_TEXT {
            return Err(Error::invalid(self.path, format!("has a text of {length} bytes in its header, at most {MAX_TEXT} are read")));
        }
        self.take(length)?;
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes).map_err(Error::io("read", self.path))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A list of texts.
    fn texts(&mut self) -> Result<Vec<String>> {
        let kind = self.u32()?;
        let count = self.u64()?;
        if kind != STRING || count > u64::from(MAX_VOCAB) {
            return Err(Error::invalid(self.path, format!("its `{TOKENS}` is no list of at most {MAX_VOCAB} texts")));
        }
        (0..count).map(|_| self.text()).collect()
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        self.take(bytes)?;
        let by = i64::try_from(bytes).map_err(|_| Error::invalid(self.path, "has a value longer than any file"))?;
        self.file.seek_relative(by).map_err(Error::io("read", self.path))
    }

    fn skip_value(&mut self, kind: u32, depth: u32) -> Result<()> {
        let fixed = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            STRING => self.u64()?,
            ARRAY if depth < 4 => {
                let kind = self.u32()?;
                let count = self.u64()?;
                return match kind {
                    STRING | ARRAY => {
                        // Each takes at least its length from what is left, so the file bounds the loop.
                        (0..count).try_for_each(|_| self.skip_value(kind, depth + 1))
                    }
                    _ => (0..count.min(1)).try_for_each(|_| self.skip_value(kind, depth + 1)).and_then(|()| {
                        let size = match kind {
                            0 | 1 | 7 => 1,
                            2 | 3 => 2,
                            4..=6 => 4,
                            _ => 8,
                        };
                        let rest = count.saturating_sub(1).checked_mul(size);
                        self.skip(rest.unwrap_or(u64::MAX))
                    }),
                };
            }
            _ => return Err(Error::invalid(self.path, format!("has a value of type {kind}, which is not known"))),
        };
        self.skip(fixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn file(keys: &[(&str, u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = [b"GGUF".as_slice(), &3u32.to_le_bytes(), &0u64.to_le_bytes(), &(keys.len() as u64).to_le_bytes()].concat();
        for (name, kind, value) in keys {
            bytes.extend([text(name), kind.to_le_bytes().to_vec(), value.clone()].concat());
        }
        bytes
    }

    fn list(kind: u32, items: &[Vec<u8>]) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &(items.len() as u64).to_le_bytes(), &items.concat()].concat()
    }

    fn read(bytes: &[u8]) -> Result<Option<TemplateText>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gguf");
        std::fs::write(&path, bytes).unwrap();
        template(&path)
    }

    #[test]
    fn the_template_is_found_among_other_keys() {
        let floats: Vec<Vec<u8>> = (0..3).map(|n| (n as f32).to_le_bytes().to_vec()).collect();
        let bytes = file(&[
            ("general.architecture", STRING, text("llama")),
            ("tokenizer.ggml.scores", ARRAY, list(6, &floats)),
            ("tokenizer.ggml.merges", ARRAY, list(STRING, &[text("a b"), text("b c")])),
            (TOKENS, ARRAY, list(STRING, &[text("<s>"), text("</s>")])),
            (BOS, UINT32, 0u32.to_le_bytes().to_vec()),
            (EOS, UINT32, 1u32.to_le_bytes().to_vec()),
            ("x", 7, vec![1]),
            (TEMPLATE, STRING, text("{{ messages }}")),
        ]);
        let found = read(&bytes).unwrap().unwrap();
        assert_eq!(
            (found.template.as_str(), found.bos_token.as_deref(), found.eos_token.as_deref()),
            ("{{ messages }}", Some("<s>"), Some("</s>"))
        );
        assert_eq!(read(&file(&[])).unwrap(), None);
        // Cut anywhere, it is an error and nothing worse.
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        let huge = [&STRING.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
        for wrong in [("x", ARRAY, huge.clone()), ("x", STRING, u64::MAX.to_le_bytes().to_vec()), (TOKENS, ARRAY, huge), ("x", 99, vec![])]
        {
            assert!(read(&file(&[wrong])).is_err());
        }
    }
}
