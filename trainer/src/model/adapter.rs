//! A low-rank adapter beside a frozen matrix.

use burn::tensor::{DType, Device, Tensor};

use super::Parameter;
use crate::error::Result;
#[cfg(feature = "cuda")]
use crate::kernels::gpu;
use crate::kernels::{Noise, dropout, linear, low_rank};
use crate::lora::{DOWN, LoraConfig, MAGNITUDE, UP, module};
use crate::rng::Rng;

/// `scale × B A` beside a matrix W of `[out, in]` (Hu et al. 2021), with the lengths of rows trained by
/// themselves where it is DoRA (Liu et al. 2024). Neither `B A` nor a gradient of W is ever formed.
#[derive(Clone, Debug)]
pub(crate) struct Adapter {
    /// A, `[rank, in]`.
    down: Parameter,
    /// B, `[out, rank]`.
    up: Parameter,
    magnitude: Option<Magnitude>,
    scale: f64,
    pub(super) dropout: f64,
    /// Which of a step's random numbers are its own.
    tag: u32,
}

/// What DoRA trains besides: the length of each row.
#[derive(Clone, Debug)]
struct Magnitude {
    /// `[1, out]`.
    length: Parameter,
    /// Squared length of each row of W, `[1, out]`.
    squares: Tensor<2>,
}

impl Adapter {
    /// Beside this matrix. A is drawn as PEFT draws it (evenly within ±1/√in), B is 0: nothing is changed yet.
    pub(super) fn beside(weight: &Parameter, lora: &LoraConfig, seed: u64, device: &Device) -> Result<Self> {
        let ([out, input], rank) = (weight.value().dims(), lora.rank as usize);
        let module = module(weight.name());
        let name = |part: &str| format!("{module}.{part}");
        let mut rng = Rng::new(seed, &name("lora_A"));
        let bound = 1.0 / (input as f64).sqrt();
        let drawn = (0..rank * input).map(|_| ((2.0 * rng.uniform() - 1.0) * bound) as f32).collect();
        let magnitude = lora.dora.then(|| -> Result<Magnitude> {
            let squares = squares(weight.value().inner());
            let lengths = squares.clone().sqrt().try_into_vec_as::<f32>().map_err(crate::Error::backend("read the lengths of rows"))?;
            Ok(Magnitude { length: Parameter::new(name(MAGNITUDE), vec![out], lengths, device), squares })
        });
        let hash = blake3::hash(module.as_bytes());
        Ok(Self {
            down: Parameter::new(name(DOWN), vec![rank, input], drawn, device),
            up: Parameter::new(name(UP), vec![out, rank], vec![0.0; out * rank], device),
            magnitude: magnitude.transpose()?,
            scale: lora.scale(),
            dropout: lora.dropout,
            tag: u32::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1], hash.as_bytes()[2], hash.as_bytes()[3]]),
        })
    }

    pub(super) fn rank(&self) -> usize {
        self.down.shape()[0]
    }

    /// Whether rows' lengths are trained by themselves.
    #[cfg(feature = "cuda")]
    pub(super) fn is_dora(&self) -> bool {
        self.magnitude.is_some()
    }

    /// As a card's halves of layers take it.
    #[cfg(feature = "cuda")]
    pub(super) fn on_card(&self, noise: Option<&Noise>) -> gpu::Adapter {
        let dropout = gpu::Dropout::new(noise, self.tag, self.dropout);
        gpu::Adapter { down: self.down.value(), up: self.up.value(), scale: self.scale, dropout }
    }

    /// `x Wᵀ + scale × dropout(x) Aᵀ Bᵀ + bias`; with DoRA, what comes before the bias is multiplied by the rows'
    /// trained lengths and divided by their present ones. Those count as constants, as in section 4.3 of the paper.
    pub(super) fn forward(&self, x_ni: Tensor<2>, weight: &Parameter, bias: Option<Tensor<2>>, noise: Option<&Noise>) -> Tensor<2> {
        let dropped = dropout(x_ni.clone(), noise, self.tag, self.dropout);
        let update = low_rank(dropped, self.down.value(), self.up.value(), self.scale);
        let Some(magnitude) = &self.magnitude else { return linear(x_ni, weight.value(), bias) + update };
        let y_no = linear(x_ni, weight.value(), None) + update;
        let lengths = self.lengths(magnitude, weight.value().inner());
        let dtype = y_no.dtype();
        let y_no = y_no * (magnitude.length.value() / lengths).cast(dtype);
        match bias {
            Some(bias) => y_no + bias.cast(dtype),
            None => y_no,
        }
    }

    /// Lengths of the rows of `W + scale B A`, `[1, out]`, without forming it:
    /// `‖w + s b A‖² = ‖w‖² + 2 s b·(A wᵀ) + s² b (A Aᵀ) bᵀ`.
    fn lengths(&self, magnitude: &Magnitude, weight_oi: Tensor<2>) -> Tensor<2> {
        let [a, b] = [&self.down, &self.up].map(|matrix| matrix.value().inner());
        let crossed_or = weight_oi.cast(DType::F32).matmul(a.clone().transpose());
        let own_or = b.clone().matmul(a.clone().matmul(a.transpose()));
        let added = (b * (crossed_or * (2.0 * self.scale) + own_or * (self.scale * self.scale))).sum_dim(1);
        (magnitude.squares.clone() + added.transpose()).clamp_min(f64::from(f32::MIN_POSITIVE)).sqrt()
    }

    pub(super) fn tensors(&self) -> impl Iterator<Item = &Parameter> {
        [&self.down, &self.up].into_iter().chain(self.magnitude.iter().map(|magnitude| &magnitude.length))
    }

    pub(super) fn tensors_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        [&mut self.down, &mut self.up].into_iter().chain(self.magnitude.iter_mut().map(|magnitude| &mut magnitude.length))
    }
}

/// Squared lengths of rows, `[1, out]`.
fn squares(weight_oi: Tensor<2>) -> Tensor<2> {
    let wide = weight_oi.cast(DType::F32);
    (wide.clone() * wide).sum_dim(1).transpose()
}

#[cfg(test)]
mod tests;
