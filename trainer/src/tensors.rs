//! Named 32-bit tensors in a safetensors file, written in pieces and read with every check.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use burn::tensor::Tensor;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView};
use shards::Digest;

use crate::error::{Error, Result};

/// A tensor's name, its shape in the file, and where its numbers are.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) value: Tensor<2>,
}

/// Writes and syncs a file, one tensor in host memory at a time. Gives the file's BLAKE3 hash.
pub(crate) fn write(path: &Path, entries: &[Entry]) -> Result<Digest> {
    let mut out = Hashed { file: BufWriter::new(File::create(path).map_err(Error::io("create", path))?), hasher: blake3::Hasher::new() };
    out.put(path, &header(path, entries)?)?;
    for entry in entries {
        let values = entry.value.clone().inner().try_into_vec_as::<f32>().map_err(Error::backend("read a tensor"))?;
        for values in values.chunks(1 << 16) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            out.put(path, &bytes)?;
        }
    }
    let file = out.file.into_inner().map_err(|error| Error::io("write", path)(error.into_error()))?;
    file.sync_all().map_err(Error::io("sync", path))?;
    Ok(Digest(*out.hasher.finalize().as_bytes()))
}

struct Hashed {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
}

impl Hashed {
    fn put(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(Error::io("write", path))
    }
}

/// The header's length, eight bytes little-endian, and the header, filled with spaces to a multiple
/// of eight. Tensors lie in the order of `entries`.
fn header(path: &Path, entries: &[Entry]) -> Result<Vec<u8>> {
    let mut end = 0;
    let mut infos = Vec::with_capacity(entries.len());
    for Entry { name, shape, .. } in entries {
        let start = end;
        end += shape.iter().product::<usize>() * size_of::<f32>();
        infos.push((name.clone(), TensorInfo { dtype: Dtype::F32, shape: shape.clone(), data_offsets: (start, end) }));
    }
    // Others ask for this note; it says that shapes are [out, in].
    let note = [("format".to_owned(), "pt".to_owned())].into();
    let metadata = Metadata::new(Some(note), infos).map_err(|error| Error::invalid(path, error.to_string()))?;
    let mut text = serde_json::to_vec(&metadata).map_err(|error| Error::invalid(path, error.to_string()))?;
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    Ok(bytes)
}

/// The tensors of a file that have not been taken yet.
pub(crate) struct Tensors<'a> {
    path: &'a Path,
    left: BTreeMap<&'a str, TensorView<'a>>,
}

impl Tensors<'_> {
    /// The numbers of the tensor of this name, which must have this shape.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let refuse = |detail: String| Err(Error::invalid(self.path, detail));
        let Some(tensor) = self.left.remove(name) else { return refuse(format!("tensor `{name}` is missing")) };
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            return refuse(format!("tensor `{name}` is {:?} {:?}, not F32 {shape:?}", tensor.dtype(), tensor.shape()));
        }
        let (words, _) = tensor.data().as_chunks::<4>();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
    }
}

/// Reads a file that must have this hash and hold `numbers` numbers, all of which `take` takes.
/// Memory follows the file, never what is expected of it.
pub(crate) fn read<T>(path: &Path, digest: Digest, numbers: u64, take: impl FnOnce(&mut Tensors<'_>) -> Result<T>) -> Result<T> {
    let refuse = |detail: String| Err(Error::invalid(path, detail));
    let data = numbers * size_of::<f32>() as u64;
    let bytes = read_at_most(path, data + MAX_HEADER)?;
    if Digest(*blake3::hash(&bytes).as_bytes()) != digest {
        return refuse(format!("its BLAKE3 hash is not {digest}: the file is damaged"));
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|error| Error::invalid(path, format!("not a safetensors file: {error}")))?;
    if (bytes.len() as u64) < data {
        return refuse(format!("{} bytes, too short for the {numbers} numbers of this model", bytes.len()));
    }
    let mut tensors = Tensors { path, left: file.iter().collect() };
    let taken = take(&mut tensors)?;
    match tensors.left.keys().next() {
        Some(name) => refuse(format!("tensor `{name}` is not one of the model's")),
        None => Ok(taken),
    }
}

/// Room for the header of any model that the config allows.
const MAX_HEADER: u64 = 64 << 20;

/// Reads a whole file, but not one longer than `limit` bytes.
pub(crate) fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(Error::invalid(path, format!("longer than {limit} bytes, which this file cannot be")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn entries() -> Vec<Entry> {
        let device = Device::flex();
        let entry = |name: &str, shape: &[usize], value| Entry { name: name.to_owned(), shape: shape.to_vec(), value };
        vec![
            entry("b.weight", &[2, 3], Tensor::from_floats([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]], &device)),
            entry("a.bias", &[2], Tensor::from_floats([[-0.0, 1e-40]], &device)),
        ]
    }

    type Expected = Vec<(&'static str, Vec<usize>)>;

    fn expected() -> Expected {
        vec![("b.weight", vec![2, 3]), ("a.bias", vec![2])]
    }

    fn take(path: &Path, digest: Digest, expected: &Expected) -> Result<Vec<f32>> {
        let numbers = expected.iter().map(|(_, shape)| shape.iter().product::<usize>() as u64).sum();
        let all = |file: &mut Tensors<'_>| expected.iter().map(|(name, shape)| file.take(name, shape)).collect::<Result<Vec<_>>>();
        Ok(read(path, digest, numbers, all)?.concat())
    }

    #[test]
    fn there_and_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let digest = write(&path, &entries()).unwrap();
        let values = take(&path, digest, &expected()).unwrap();
        let bits: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [1.0, 2.0, 3.0, 4.0, 5.0, 6.5, -0.0f32, 1e-40].map(f32::to_bits));
        // Another reader of the format finds the same.
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("a.bias").unwrap().shape(), [2]);
        assert_eq!(file.tensor("b.weight").unwrap().data()[20..], 6.5f32.to_le_bytes());
    }

    #[test]
    fn refuses_what_is_not_expected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let digest = write(&path, &entries()).unwrap();
        let refused = |digest, expected: &Expected| take(&path, digest, expected).unwrap_err().to_string();
        let mut shapes = expected();
        shapes[0].1 = vec![3, 2];
        assert!(refused(digest, &shapes).contains("F32 [2, 3], not F32 [3, 2]"));
        assert!(refused(digest, &expected()[..1].to_vec()).contains("`a.bias` is not one"));
        let mut more = expected();
        more.push(("c", vec![1]));
        assert!(refused(digest, &more).contains("`c` is missing"));
        more.push(("d", vec![1 << 40]));
        assert!(refused(digest, &more).contains("too short for the 1099511627785 numbers"));
        assert!(refused(Digest([0; 32]), &expected()).contains("damaged"));
        // Damage with a matching hash: the parser's own checks.
        let good = std::fs::read(&path).unwrap();
        for damage in [good[..good.len() - 1].to_vec(), Vec::new(), vec![0xff; 64], [&good[..8], &[b'{'; 90]].concat()] {
            std::fs::write(&path, &damage).unwrap();
            assert!(refused(Digest(*blake3::hash(&damage).as_bytes()), &expected()).contains("not a safetensors file"));
        }
    }
}
