//! The header of a GGUF file: keys with values, then names, shapes and places of tensors.
//!
//! Every count is held against the bytes that are left in the file before anything is read for it,
//! and long values (tokens, merges, templates) are passed over, so that memory follows the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::input::Input;
pub(super) use super::input::Value;
use crate::error::Result;
use crate::load::file::{Stored, WeightFile};
use crate::load::format::Format;

const MAGIC: [u8; 4] = *b"GGUF";
/// Most keys and most tensors.
const MAX_ITEMS: u64 = 1 << 16;
/// Where tensors begin, unless the file says otherwise.
const ALIGNMENT: u64 = 32;

/// A checked header.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) file: WeightFile,
    pub(super) keys: BTreeMap<String, Value>,
    /// Shapes are as in Hugging Face files: rows first.
    pub(super) tensors: BTreeMap<String, Stored>,
}

impl Header {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = WeightFile::open(path)?;
        let mut keys = BTreeMap::new();
        let (mut input, tensors) = read_keys(&file, &mut |input, name, kind| {
            let value = input.value(kind, 0)?;
            keys.insert(name, value);
            Ok(())
        })?;
        let mut infos = Vec::new();
        for _ in 0..tensors {
            infos.push(tensor(&mut input)?);
        }
        let alignment = match keys.get("general.alignment") {
            None => ALIGNMENT,
            Some(Value::Count(count)) if count.is_power_of_two() && (8..=1 << 20).contains(count) => *count,
            Some(other) => return file.refuse(format!("`general.alignment` is {other:?}, not a power of two from 8")),
        };
        let data = input.at.next_multiple_of(alignment);
        let tensors = place(&file, infos, data, alignment)?;
        Ok(Self { file, keys, tensors })
    }
}

/// Goes through the keys of a file. `on` gets each name and the number of its value's type, and reads the
/// value. Gives what is left to be read, and how many tensors it tells of.
pub(super) fn read_keys<'a>(
    file: &'a WeightFile,
    on: &mut dyn FnMut(&mut Input<'a>, String, u32) -> Result<()>,
) -> Result<(Input<'a>, u64)> {
    let mut input = Input::new(file)?;
    if input.array::<4>()? != MAGIC {
        return file.refuse("is not a GGUF file: it does not begin with `GGUF`");
    }
    match input.u32()? {
        2 | 3 => {}
        version if matches!(version.swap_bytes(), 1..=3) => return file.refuse("is a GGUF file for big-endian machines"),
        version => return file.refuse(format!("is GGUF version {version}; known are 2 and 3")),
    }
    // The least bytes of a tensor: name, dimensions, type, offset; of a key: name, type, value.
    let tensors = input.count("tensors", 8 + 4 + 4 + 8)?;
    let count = input.count("keys", 8 + 4 + 1)?;
    for (what, count) in [("tensors", tensors), ("keys", count)] {
        if count > MAX_ITEMS {
            return file.refuse(format!("has {count} {what}, at most {MAX_ITEMS} are read"));
        }
    }
    let mut seen = BTreeSet::new();
    for _ in 0..count {
        let name = input.name()?;
        if !seen.insert(name.clone()) {
            return file.refuse(format!("has the key `{name}` twice"));
        }
        let kind = input.u32()?;
        on(&mut input, name, kind)?;
    }
    Ok((input, tensors))
}

/// A tensor as the header tells of it; `start` is counted from the first tensor on.
struct Info {
    name: String,
    stored: Stored,
}

/// Puts tensors at their places: aligned, inside the file, none in another.
fn place(file: &WeightFile, mut infos: Vec<Info>, data: u64, alignment: u64) -> Result<BTreeMap<String, Stored>> {
    infos.sort_by(|a, b| (a.stored.start, &a.name).cmp(&(b.stored.start, &b.name)));
    let mut tensors = BTreeMap::new();
    let mut free = data;
    for Info { name, mut stored } in infos {
        let start = data.checked_add(stored.start).filter(|start| stored.start % alignment == 0 && *start >= free);
        let end = start.and_then(|start| start.checked_add(stored.length)).filter(|end| *end <= file.length());
        let (Some(start), Some(end)) = (start, end) else {
            let Stored { start, length, .. } = stored;
            return file.refuse(format!("tensor `{name}` has {length} bytes at {start}: out of place, or not in the file"));
        };
        (stored.start, free) = (start, end);
        if tensors.insert(name.clone(), stored).is_some() {
            return file.refuse(format!("has the tensor `{name}` twice"));
        }
    }
    Ok(tensors)
}

/// Reads what the header tells of one tensor.
fn tensor(input: &mut Input<'_>) -> Result<Info> {
    let name = input.name()?;
    let dimensions = input.u32()?;
    if !(1..=2).contains(&dimensions) {
        return input.file.refuse(format!("tensor `{name}` has {dimensions} dimensions, not 1 or 2"));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(input.u64()?);
    }
    let kind = input.u32()?;
    let start = input.u64()?;
    let Some(format) = Format::from_gguf(kind) else {
        return input
            .file
            .refuse(format!("tensor `{name}` has type {kind}; known are F32, F16, BF16, Q4_0 to Q5_1, Q8_0 and Q4_K to Q6_K"));
    };
    let (block, bytes) = (format.block_len() as u64, format.block_bytes() as u64);
    let numbers = shape.iter().try_fold(1u64, |all, &size| all.checked_mul(size));
    let length = numbers.filter(|&numbers| numbers > 0 && shape[0] % block == 0).and_then(|numbers| (numbers / block).checked_mul(bytes));
    // What fits in the file fits in memory's counts.
    let Some(length) = length.filter(|&length| length <= input.file.length()) else {
        return input.file.refuse(format!("tensor `{name}` of shape {shape:?} does not fit the file or its type's blocks of {block}"));
    };
    // The file names the fastest dimension first.
    let shape = shape.iter().rev().map(|&size| size as usize).collect();
    Ok(Info { name, stored: Stored { format, shape, start, length } })
}
