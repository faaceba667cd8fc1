//! The gradient norm and AdamW, each parameter in one pass.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_cubecl::tensor::CubeTensor;

use super::engine::{Arg, Queue};
use super::source::Source;
use super::tape::{Input, empty, integers, tensor};
use crate::error::{Error, Result};
use crate::optimizer::{Codes, Rates};

/// Blocks that one tensor's squares are added up in: enough to fill a card with a large one.
const PARTS: usize = 512;

/// Blocks of threads that go over the blocks of codes of a parameter: each reads the map once.
const CODED_BLOCKS: usize = 2048;

fn parts_of(count: usize) -> usize {
    count.div_ceil(1 << 14).clamp(1, PARTS)
}

/// The norm of all gradients together and what they are to be multiplied by so that it is at most
/// `longest` (0: no limit): `[2]`.
pub(crate) fn clip(gradients: &[Tensor<2>], longest: f64) -> Option<Tensor<1>> {
    let gradients: Vec<CubeTensor> = gradients.iter().map(|gradient| Input::of(gradient.clone()).data).collect();
    let first = gradients.first()?;
    let counts: Vec<usize> = gradients.iter().map(|gradient| gradient.meta.shape().num_elements()).collect();
    let all = counts.iter().map(|&count| parts_of(count)).sum::<usize>();
    let (parts, norm) = (empty(first, [all], DType::F32), empty(first, [2], DType::F32));
    let mut buffers = vec![parts, norm.clone()];
    buffers.extend(gradients);
    let mut queue = Queue::default();
    queue.add_all(buffers, move |engine, at| {
        let mut part = at[0];
        for (index, &count) in counts.iter().enumerate() {
            let args = [Arg::Address(at[2 + index]), Arg::Address(part), Arg::Long(count as i64)];
            engine.launch(Source::Optimizer, "sum_squares", (parts_of(count) as u32, 1, 1), 512, 0, &args)?;
            part += (parts_of(count) * size_of::<f32>()) as u64;
        }
        let args = [Arg::Address(at[0]), Arg::Address(at[1]), Arg::Int(all as i32), Arg::Float(longest as f32)];
        engine.launch(Source::Optimizer, "norm_of_parts", (1, 1, 1), 1024, 0, &args)
    });
    queue.submit();
    Some(tensor(norm))
}

/// A moment of one parameter in 8 bits; see `optimizer/eight_bit.rs`, whose codes these are.
#[derive(Clone, Debug)]
pub(crate) struct CardCodes {
    count: usize,
    /// Four codes a word.
    words: Tensor<1, Int>,
    scales: Tensor<1>,
}

impl CardCodes {
    /// Carries codes to a card.
    pub(crate) fn new(Codes { codes, scales }: &Codes, device: &Device) -> Self {
        let word = |bytes: &[u8]| i32::from_le_bytes(std::array::from_fn(|at| bytes.get(at).copied().unwrap_or(0)));
        let words: Vec<i32> = codes.chunks(4).map(word).collect();
        let (count, length, blocks) = (codes.len(), words.len(), scales.len());
        let words = Tensor::from_data(TensorData::new(words, [length]), device);
        Self { count, words, scales: Tensor::from_data(TensorData::new(scales.clone(), [blocks]), device) }
    }

    /// Brings the codes back.
    pub(crate) fn codes(&self) -> Result<Vec<u8>> {
        let words = self.words.clone().try_into_vec_as::<i32>().map_err(Error::backend("read moments from the card"))?;
        Ok(words.into_iter().flat_map(i32::to_le_bytes).take(self.count).collect())
    }

    /// Brings their scales back.
    pub(crate) fn scales(&self) -> Result<Vec<f32>> {
        self.scales.clone().try_into_vec_as::<f32>().map_err(Error::backend("read moments from the card"))
    }

    fn buffers(&self) -> [CubeTensor; 2] {
        [integers(self.words.clone()), Input::of(self.scales.clone()).data]
    }
}

/// The moments of one parameter.
#[allow(clippy::large_enum_variant, reason = "there is one for each parameter, not for each number")]
pub(crate) enum SlotMoments {
    /// 32-bit mean and mean square.
    Full([Tensor<2>; 2]),
    Coded([CardCodes; 2]),
}

impl SlotMoments {
    /// The buffers that a kernel changes, and the moments as they lie in these: cubecl may have had gaps between rows.
    fn opened(self) -> (Vec<CubeTensor>, Self) {
        match self {
            Self::Full(moments) => {
                let buffers = moments.map(|x| Input::of(x).data);
                let moments = Self::Full(buffers.each_ref().map(|buffer| tensor(buffer.clone())));
                (buffers.into(), moments)
            }
            Self::Coded(moments) => (moments.iter().flat_map(CardCodes::buffers).collect(), Self::Coded(moments)),
        }
    }
}

/// One parameter with its moments and its gradient; all of one shape. The value is 32-bit, or bfloat16 where there is a
/// key; the gradient is 32-bit.
pub(crate) struct Slot {
    pub(crate) value: Tensor<2>,
    /// Of a 32-bit value that is not rounded: the same in bfloat16.
    pub(crate) copy: Option<Tensor<2>>,
    pub(crate) moments: SlotMoments,
    pub(crate) gradient: Tensor<2>,
    pub(crate) rates: Rates,
    /// Of the chances by which the value is rounded to bfloat16, where it is.
    pub(crate) rounding: Option<u64>,
}

/// What a step leaves of a [`Slot`].
pub(crate) struct Moved {
    pub(crate) value: Tensor<2>,
    pub(crate) copy: Option<Tensor<2>>,
    pub(crate) moments: SlotMoments,
}

/// The kernel of a slot, with its numbers.
struct Launch {
    kernel: &'static str,
    coded: bool,
    copied: bool,
    buffers: usize,
    count: usize,
    blocks: u32,
    key: u64,
    rates: Rates,
}

/// Moves all parameters by one step, in place. `norm` is what [`clip`] gave; `maps` the values of codes, `[512]`. Gives the
/// what was changed.
pub(crate) fn adamw(slots: Vec<Slot>, norm: &Tensor<1>, maps: &Tensor<1>) -> Vec<Moved> {
    let (mut launches, mut changed) = (Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len()));
    let [norm, maps] = [norm, maps].map(|numbers| Input::of(numbers.clone()).data);
    let mut buffers = vec![norm, maps];
    for Slot { value, copy, moments, gradient, rates, rounding } in slots {
        let copy = copy.map(|copy| Input::of(copy).data);
        let [value, gradient] = [value, gradient].map(|x| Input::of(x).data);
        let count = value.meta.shape().num_elements();
        let narrow = value.dtype == DType::BF16;
        let coded = matches!(moments, SlotMoments::Coded(_));
        let kernel = match (narrow, rounding.is_some(), coded) {
            (false, false, false) => "adamw",
            (false, false, true) => "adamw_coded",
            (false, true, false) => "adamw_rounded",
            (false, true, true) => "adamw_rounded_coded",
            (true, _, false) => "adamw_bf16",
            (true, _, true) => "adamw_bf16_coded",
        };
        let (own, moments) = moments.opened();
        let blocks = if coded { count.div_ceil(256).min(CODED_BLOCKS) } else { count.div_ceil(4 * 256) };
        let (count_of_buffers, copied) = (own.len() + 2 + usize::from(copy.is_some()), copy.is_some());
        let key = rounding.unwrap_or(0);
        launches.push(Launch { kernel, coded, copied, buffers: count_of_buffers, count, blocks: blocks as u32, key, rates });
        changed.push(Moved { value: tensor(value.clone()), copy: copy.clone().map(tensor), moments });
        buffers.push(value);
        buffers.extend(own);
        buffers.push(gradient);
        buffers.extend(copy);
    }
    let mut queue = Queue::default();
    queue.add_all(buffers, move |engine, at| {
        let (shared, mut own) = at.split_at(2);
        for Launch { kernel, coded, copied, buffers, count, blocks, key, rates } in launches {
            let (these, rest) = own.split_at(buffers);
            own = rest;
            let (these, copy) = these.split_at(buffers - usize::from(copied));
            // Only codes need their map.
            let shared = if coded { shared } else { &shared[..1] };
            let mut args: Vec<Arg> = these.iter().chain(shared).copied().map(Arg::Address).collect();
            args.extend([Arg::Address(copy.first().copied().unwrap_or(0)), Arg::Long(count as i64), Arg::Long(key.cast_signed())]);
            let Rates { beta1, beta2, epsilon, rate, root, kept } = rates;
            args.extend([beta1, beta2, 1.0 - beta1, 1.0 - beta2, epsilon, rate, root, kept].map(|rate| Arg::Float(rate as f32)));
            engine.launch(Source::Optimizer, kernel, (blocks, 1, 1), 256, 0, &args)?;
        }
        Ok(())
    });
    queue.submit();
    changed
}
