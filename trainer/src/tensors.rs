//! Named 32-bit tensors in a safetensors file, written in pieces and read with every check.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use burn::tensor::{DType, Tensor};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use shards::Digest;

use crate::error::{Error, Result};
#[cfg(feature = "cuda")]
use crate::kernels::gpu::CardCodes;
use crate::load::{Format, Stored, WeightFile, open_safetensors};

/// A tensor's name, its shape in the file, and where its numbers are.
pub(crate) struct Entry<'a> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data<'a>,
}

/// Numbers to be written.
#[allow(clippy::large_enum_variant, reason = "there is one for each tensor, not for each number")]
pub(crate) enum Data<'a> {
    /// As 32-bit floats.
    Tensor(Tensor<2>),
    Floats(&'a [f32]),
    Bytes(&'a [u8]),
    #[cfg(feature = "cuda")]
    CardScales(&'a CardCodes),
    #[cfg(feature = "cuda")]
    CardCodes(&'a CardCodes),
}

impl Data<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Tensor(_) | Self::Floats(_) => Dtype::F32,
            Self::Bytes(_) => Dtype::U8,
            #[cfg(feature = "cuda")]
            Self::CardScales(_) => Dtype::F32,
            #[cfg(feature = "cuda")]
            Self::CardCodes(_) => Dtype::U8,
        }
    }
}

/// Writes and syncs a file, one tensor in host memory at a time. Gives the file's BLAKE3 hash.
pub(crate) fn write(path: &Path, entries: &[Entry<'_>]) -> Result<Digest> {
    let infos = entries.iter().map(|entry| (entry.name.as_str(), entry.data.dtype(), entry.shape.as_slice()));
    let mut out = Writer::create(path, infos)?;
    for entry in entries {
        match &entry.data {
            Data::Tensor(value) => {
                let value = value.clone().inner().cast(DType::F32);
                out.put_floats(&value.try_into_vec_as::<f32>().map_err(Error::backend("read a tensor"))?)?;
            }
            Data::Floats(values) => out.put_floats(values)?,
            Data::Bytes(bytes) => out.put(bytes)?,
            #[cfg(feature = "cuda")]
            Data::CardScales(coded) => out.put_floats(&coded.scales()?)?,
            #[cfg(feature = "cuda")]
            Data::CardCodes(coded) => out.put(&coded.codes()?)?,
        }
    }
    out.finish()
}

/// A safetensors file being written: its header stands, its tensors follow in the header's order.
pub(crate) struct Writer<'a> {
    path: &'a Path,
    file: BufWriter<File>,
    hasher: blake3::Hasher,
}

impl<'a> Writer<'a> {
    /// Begins a file of these tensors. Readers want each at a multiple of its numbers' size, so larger
    /// numbers come first.
    pub(crate) fn create<'b>(path: &'a Path, infos: impl Iterator<Item = (&'b str, Dtype, &'b [usize])>) -> Result<Self> {
        let file = BufWriter::new(File::create(path).map_err(Error::io("create", path))?);
        let mut writer = Self { path, file, hasher: blake3::Hasher::new() };
        writer.put(&header(path, infos)?)?;
        Ok(writer)
    }

    /// Appends bytes of the tensors.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(Error::io("write", self.path))
    }

    fn put_floats(&mut self, values: &[f32]) -> Result<()> {
        values.chunks(1 << 16).try_for_each(|values| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.put(&bytes)
        })
    }

    /// Syncs the file and gives its BLAKE3 hash.
    pub(crate) fn finish(self) -> Result<Digest> {
        let file = self.file.into_inner().map_err(|error| Error::io("write", self.path)(error.into_error()))?;
        file.sync_all().map_err(Error::io("sync", self.path))?;
        Ok(Digest(*self.hasher.finalize().as_bytes()))
    }
}

/// The header's length, eight bytes little-endian, and the header, filled with spaces to a multiple
/// of eight.
fn header<'b>(path: &Path, tensors: impl Iterator<Item = (&'b str, Dtype, &'b [usize])>) -> Result<Vec<u8>> {
    let mut end = 0;
    let mut infos = Vec::new();
    for (name, dtype, shape) in tensors {
        let start = end;
        end += shape.iter().product::<usize>() * (dtype.bitsize() / 8);
        infos.push((name.to_owned(), TensorInfo { dtype, shape: shape.to_vec(), data_offsets: (start, end) }));
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
pub(crate) struct Tensors {
    file: WeightFile,
    left: BTreeMap<String, Stored>,
}

impl Tensors {
    /// The numbers of the tensor of this name, which must have this shape.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let stored = self.stored(name, shape, false)?;
        self.file.values(name, &stored)
    }

    /// The same of a tensor of bytes.
    pub(crate) fn take_bytes(&mut self, name: &str, shape: &[usize]) -> Result<Vec<u8>> {
        let stored = self.stored(name, shape, true)?;
        self.file.bytes(stored.start, shape.iter().product()) // the header is checked: one byte each
    }

    fn stored(&mut self, name: &str, shape: &[usize], bytes: bool) -> Result<Stored> {
        let Some(stored) = self.left.remove(name) else { return self.file.refuse(format!("tensor `{name}` is missing")) };
        if stored.shape != shape {
            return self.file.refuse(format!("tensor `{name}` is {:?}, not {shape:?}", stored.shape));
        }
        let wanted = if bytes { stored.format == Format::U8 } else { stored.format.is_float() };
        if !wanted {
            return self.file.refuse(format!("tensor `{name}` is of {} where others are wanted", if bytes { "floats" } else { "bytes" }));
        }
        Ok(stored)
    }
}

/// Reads a file that must have this hash, all of whose tensors `take` takes. Memory follows the
/// tensors taken, one at a time.
pub(crate) fn read<T>(path: &Path, digest: Digest, take: impl FnOnce(&mut Tensors) -> Result<T>) -> Result<T> {
    check_digest(path, digest)?;
    let (file, left) = open_safetensors(path)?;
    let mut tensors = Tensors { file, left };
    let taken = take(&mut tensors)?;
    match tensors.left.keys().next() {
        Some(name) => tensors.file.refuse(format!("tensor `{name}` is not one of the model's")),
        None => Ok(taken),
    }
}

/// Reads every byte of a file, which must have this BLAKE3 hash.
pub(crate) fn check_digest(path: &Path, digest: Digest) -> Result<()> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    hasher.update_reader(file).map_err(Error::io("read", path))?;
    if Digest(*hasher.finalize().as_bytes()) != digest {
        return Err(Error::invalid(path, format!("its BLAKE3 hash is not {digest}: the file is damaged")));
    }
    Ok(())
}

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
    use safetensors::SafeTensors;

    fn entries() -> Vec<Entry<'static>> {
        let device = Device::flex();
        let entry = |name: &str, shape: &[usize], value| Entry { name: name.to_owned(), shape: shape.to_vec(), data: Data::Tensor(value) };
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
        let all = |file: &mut Tensors| expected.iter().map(|(name, shape)| file.take(name, shape)).collect::<Result<Vec<_>>>();
        Ok(read(path, digest, all)?.concat())
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
    fn bytes_and_floats_are_not_taken_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let entry = |name: &str, shape: usize, data| Entry { name: name.to_owned(), shape: vec![shape], data };
        let digest = write(&path, &[entry("f", 1, Data::Floats(&[0.5])), entry("b", 3, Data::Bytes(&[0, 7, 255]))]).unwrap();
        let both = read(&path, digest, |file| Ok((file.take("f", &[1])?, file.take_bytes("b", &[3])?))).unwrap();
        assert_eq!(both, (vec![0.5], vec![0, 7, 255]));
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(SafeTensors::deserialize(&bytes).unwrap().tensor("b").unwrap().data(), [0, 7, 255]);
        let error = read(&path, digest, |file| file.take("b", &[3])).unwrap_err().to_string();
        assert!(error.contains("`b` is of bytes"), "{error}");
        let error = read(&path, digest, |file| file.take_bytes("f", &[1])).unwrap_err().to_string();
        assert!(error.contains("`f` is of floats"), "{error}");
    }

    #[test]
    fn refuses_what_is_not_expected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let digest = write(&path, &entries()).unwrap();
        let refused = |digest, expected: &Expected| take(&path, digest, expected).unwrap_err().to_string();
        let mut shapes = expected();
        shapes[0].1 = vec![3, 2];
        assert!(refused(digest, &shapes).contains("`b.weight` is [2, 3], not [3, 2]"));
        assert!(refused(digest, &expected()[..1].to_vec()).contains("`a.bias` is not one"));
        let mut more = expected();
        more.push(("c", vec![1]));
        assert!(refused(digest, &more).contains("`c` is missing"));
        assert!(refused(Digest([0; 32]), &expected()).contains("damaged"));
        // Damage with a matching hash: the parser's own checks.
        let good = std::fs::read(&path).unwrap();
        for damage in [good[..good.len() - 1].to_vec(), Vec::new(), vec![0xff; 64], [&good[..8], &[b'{'; 90]].concat()] {
            std::fs::write(&path, &damage).unwrap();
            assert!(refused(Digest(*blake3::hash(&damage).as_bytes()), &expected()).contains("not a safetensors file"));
        }
    }
}
