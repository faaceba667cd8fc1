//! Weights that lie on the card in four bits and are made whole where they are used.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Engine, Queue, Work};
use super::source::Source;
use super::tape::{Input, empty, integers, tensor};
use crate::quant::nf4::Nf4;

/// A matrix in NF4 with double quantization; see [`Nf4`].
#[derive(Clone, Debug)]
pub(crate) struct Nf4Matrix {
    shape: [usize; 2],
    /// Eight levels a word.
    codes: Tensor<1, Int>,
    /// Four absolute maxima a word.
    absmax: Tensor<1, Int>,
    nested: Tensor<1>,
    map: Tensor<1>,
    offset: f32,
}

impl Nf4Matrix {
    /// Of finite numbers in row-major order; rows are multiples of 8.
    pub(crate) fn new(values: &[f32], shape: [usize; 2], device: &Device) -> Self {
        let Nf4 { codes, absmax, nested_absmax, offset, map, .. } = Nf4::quantize(values);
        let words = |bytes: Vec<u8>| {
            let words: Vec<i32> =
                bytes.chunks(4).map(|chunk| i32::from_le_bytes(std::array::from_fn(|at| chunk.get(at).copied().unwrap_or(0)))).collect();
            let count = words.len();
            Tensor::<1, Int>::from_data(TensorData::new(words, [count]), device)
        };
        let floats = |values: Vec<f32>| {
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]), device)
        };
        Self { shape, codes: words(codes), absmax: words(absmax), nested: floats(nested_absmax), map: floats(map), offset }
    }

    /// Rows and columns.
    pub(super) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Codes, absolute maxima, what those are multiplied by, and the levels they stand for.
    pub(super) fn parts(&self) -> [CubeTensor; 4] {
        let [codes, absmax] = [&self.codes, &self.absmax].map(|words| integers(words.clone()));
        let [nested, map] = [&self.nested, &self.map].map(|floats| Input::of(floats.clone()).data);
        [codes, absmax, nested, map]
    }

    /// What is added to the levels of the absolute maxima.
    pub(super) fn offset(&self) -> f32 {
        self.offset
    }

    /// The matrix in bfloat16.
    pub(super) fn whole(&self, queue: &mut Queue) -> CubeTensor {
        let [codes, absmax, nested, map] = self.parts();
        let whole = empty(&codes, self.shape, DType::BF16);
        let (offset, count) = (self.offset, self.shape[0] * self.shape[1]);
        queue.add([&codes, &absmax, &nested, &map, &whole], move |engine, [parts @ .., whole]| unpack(engine, parts, offset, whole, count));
        whole
    }

    /// The same as a tensor.
    pub(crate) fn tensor(&self) -> Tensor<2> {
        let mut queue = Queue::default();
        let whole = self.whole(&mut queue);
        queue.submit();
        tensor(whole)
    }

    /// Where it is.
    pub(crate) fn device(&self) -> Device {
        self.codes.device()
    }
}

/// Makes so many numbers of a matrix whole.
pub(super) fn unpack(engine: &mut Engine, parts: [u64; 4], offset: f32, to: u64, count: usize) -> Work {
    let chunks = count / 8;
    let args = [&parts.map(Arg::Address)[..], &[Arg::Address(to), Arg::Float(offset), Arg::Long(chunks as i64)]].concat();
    engine.launch(Source::Layer, "nf4", (chunks.div_ceil(256) as u32, 1, 1), 256, 0, &args)
}
