//! One safetensors file: its header is checked whole, its tensors are read one by one.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};

use super::file::{Stored, WeightFile};
use super::format::Format;
use crate::error::{Error, Result};

/// Longest header read, 16 MiB; one of a hundred thousand tensors has about twelve.
const MAX_HEADER: u64 = 16 << 20;

/// Opens a file of weights and gives the place of every tensor: inside the file, next to each other, of as
/// many bytes as shape and type say.
pub(crate) fn open(path: &Path) -> Result<(WeightFile, BTreeMap<String, Stored>)> {
    let (file, tensors) = open_own(path)?;
    match tensors.iter().find(|(_, stored)| !stored.format.is_float()) {
        Some((name, stored)) => file.refuse(format!("tensor `{name}` is {}, not F32, F16 or BF16", stored.format.name())),
        None => Ok((file, tensors)),
    }
}

/// The same for a file of ours, or of packed matrices, which may hold bytes and integers.
pub(crate) fn open_own(path: &Path) -> Result<(WeightFile, BTreeMap<String, Stored>)> {
    let file = WeightFile::open(path)?;
    let refuse = |detail: String| Err(Error::invalid(path, format!("not a safetensors file: {detail}")));
    if file.length() < 8 {
        return refuse(format!("{} bytes", file.length()));
    }
    let mut size = [0; 8];
    size.copy_from_slice(&file.bytes(0, 8)?);
    let size = u64::from_le_bytes(size);
    if size > MAX_HEADER || size > file.length() - 8 {
        return refuse(format!("it says that its header has {size} bytes"));
    }
    let header = match serde_json::from_slice::<Metadata>(&file.bytes(8, size as usize)?) {
        Ok(header) => header,
        Err(error) => return refuse(format!("its header: {error}")),
    };
    let data = 8 + size;
    if data.checked_add(header.data_len() as u64) != Some(file.length()) {
        return refuse(format!("{} bytes, where the header tells of {data} and {}", file.length(), header.data_len()));
    }
    let mut tensors = BTreeMap::new();
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else { continue };
        let format = match info.dtype {
            Dtype::F32 => Format::F32,
            Dtype::F16 => Format::F16,
            Dtype::BF16 => Format::Bf16,
            Dtype::U8 => Format::U8,
            Dtype::I32 => Format::I32,
            Dtype::I64 => Format::I64,
            other => return Err(Error::invalid(path, format!("tensor `{name}` is {other:?}, not F32, F16 or BF16"))),
        };
        let (start, end) = info.data_offsets;
        let stored = Stored { format, shape: info.shape.clone(), start: data + start as u64, length: (end - start) as u64 };
        tensors.insert(name, stored);
    }
    Ok((file, tensors))
}
