//! AdamW.

mod eight_bit;
mod rounding;

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::config::{OptimizerStates, TrainConfig, WeightNumbers};
#[cfg(feature = "cuda")]
use crate::device::is_cuda;
use crate::error::{Error, Result};
use crate::gradients::Gradients;
use crate::kernels::cpu;
#[cfg(feature = "cuda")]
use crate::kernels::gpu;
use crate::load::{EMBEDDING, HEAD};
use crate::model::{Model, Parameter, is_narrow};
use crate::rng::Rng;
pub(crate) use eight_bit::{BLOCK, Codes};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), in the form of PyTorch's
/// `torch.optim.AdamW`. Matrices decay; vectors (norms and biases) do not.
///
/// Moments are 32-bit floats; with `optimizer-states` = "8-bit" those of large parameters other than the
/// embedding are blocks of 8-bit codes. With `weights` = "bf16" the matrices that are kept so (no adapters) are
/// rounded by chance after each step; on a card they then lie in bfloat16. Maps of codes and
/// chances are the same on every device; a sum that a card rounds otherwise can give the code beside.
#[derive(Clone, Debug)]
pub struct AdamW {
    weight_decay: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weights: WeightNumbers,
    /// Of the chances of rounding.
    seed: u64,
    /// What the learning rate of each parameter is multiplied by, in the model's order.
    scales: Vec<f64>,
    /// What codes stand for, on the card.
    #[cfg(feature = "cuda")]
    maps: Option<Tensor<1>>,
    /// Updates made.
    step: u64,
    /// Those of each parameter, in the model's order.
    moments: Vec<Moments>,
}

/// The mean gradient and the mean squared gradient of a parameter.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for each parameter, not for each number")]
pub(crate) enum Moments {
    Full([Tensor<2>; 2]),
    Coded([Codes; 2]),
    #[cfg(feature = "cuda")]
    OnCard([gpu::CardCodes; 2]),
}

/// The numbers of one parameter's step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) epsilon: f64,
    /// Learning rate ÷ (1 - beta1^t).
    pub(crate) rate: f64,
    /// 1 ÷ √(1 - beta2^t).
    pub(crate) root: f64,
    /// What is left of a weight that decays.
    pub(crate) kept: f64,
}

impl AdamW {
    /// Before the first step: all moments are 0. `seed` is that of the rounding of weights.
    pub fn new(config: &TrainConfig, model: &Model, seed: u64) -> Self {
        Self {
            weight_decay: config.weight_decay,
            beta1: config.beta1,
            beta2: config.beta2,
            epsilon: config.epsilon,
            weights: config.weights,
            seed,
            scales: model.parameters().into_iter().map(|parameter| scale(config, parameter)).collect(),
            #[cfg(feature = "cuda")]
            maps: is_cuda(&model.device()).then(|| Tensor::from_data(eight_bit::maps(), &model.device())),
            step: 0,
            moments: model.parameters().into_iter().map(|parameter| Moments::zeros(config, parameter)).collect(),
        }
    }

    /// Moves the weights by one step at this learning rate; embedding and output matrix at as many
    /// times this rate as their own highest rate is of the others'. Parameters without a gradient stay
    /// as they are. On a card it works in place: copies of the model or of the optimizer that were made
    /// before move along.
    pub fn step(&mut self, model: &mut Model, gradients: &Gradients, learning_rate: f64) -> Result<()> {
        self.step += 1;
        #[cfg(feature = "cuda")]
        if is_cuda(gradients.device()) {
            self.step_on_card(model, gradients, learning_rate);
            return Ok(());
        }
        for (index, parameter) in model.parameters_mut().into_iter().enumerate() {
            let Some(gradient) = gradients.get(index) else { continue };
            let rates = self.rates(index, parameter, learning_rate);
            let value = match &mut self.moments[index] {
                Moments::Full(moments) => whole(parameter, gradient, moments, &rates)?,
                Moments::Coded(moments) => {
                    let gradient = numbers(gradient)?;
                    on_host(parameter.value().inner(), |weights| eight_bit::step(weights, &gradient, moments, &rates))?
                }
                #[cfg(feature = "cuda")]
                Moments::OnCard(_) => continue, // these are of a card, whose steps are made above
            };
            let value = match self.chances(parameter) {
                None => value,
                Some(chances) => on_host(value, |weights| rounding::round(weights, &chances))?,
            };
            parameter.set(value);
        }
        Ok(())
    }

    /// The same for all parameters together, each in one pass and in place.
    #[cfg(feature = "cuda")]
    fn step_on_card(&mut self, model: &mut Model, gradients: &Gradients, learning_rate: f64) {
        let Some(maps) = &self.maps else { return };
        let (mut places, mut slots) = (Vec::new(), Vec::new());
        for (index, parameter) in model.parameters_mut().into_iter().enumerate() {
            let Some(gradient) = gradients.get(index) else { continue };
            let moments = match &self.moments[index] {
                Moments::Full(moments) => gpu::SlotMoments::Full(moments.clone()),
                Moments::OnCard(moments) => gpu::SlotMoments::Coded(moments.clone()),
                Moments::Coded(_) => continue, // these are of the processor
            };
            let rates = self.rates(index, parameter, learning_rate);
            let rounding = self.chances(parameter).map(|chances| chances.key());
            slots.push(gpu::Slot { value: parameter.value().inner(), copy: parameter.copy(), moments, gradient, rates, rounding });
            places.push((index, parameter));
        }
        for ((index, parameter), gpu::Moved { value, copy, moments }) in
            places.into_iter().zip(gpu::adamw(slots, &gradients.clipped(), maps))
        {
            parameter.set_both(value, copy);
            self.moments[index] = match moments {
                gpu::SlotMoments::Full(moments) => Moments::Full(moments),
                gpu::SlotMoments::Coded(moments) => Moments::OnCard(moments),
            };
        }
    }

    /// Where the chances of a parameter's rounding come from in this step; none where it is not rounded.
    fn chances(&self, parameter: &Parameter) -> Option<Rng> {
        let rounded = self.weights == WeightNumbers::Bf16 && is_narrow(parameter.name());
        rounded.then(|| Rng::new(self.seed, &format!("rounding of {} in update {}", parameter.name(), self.step)))
    }

    fn rates(&self, index: usize, parameter: &Parameter, learning_rate: f64) -> Rates {
        let [bias1, bias2] = [self.beta1, self.beta2].map(|beta| 1.0 - beta.powf(self.step as f64));
        let rate = learning_rate * self.scales[index];
        let decay = if parameter.is_matrix() { self.weight_decay } else { 0.0 };
        Rates {
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            rate: rate / bias1,
            root: 1.0 / bias2.sqrt(),
            kept: 1.0 - rate * decay,
        }
    }

    /// The same without moments, for who looks at a model beside it and makes no step.
    pub(crate) fn bare(&self) -> Self {
        Self {
            scales: Vec::new(),
            moments: Vec::new(),
            #[cfg(feature = "cuda")]
            maps: None,
            ..*self
        }
    }

    /// Updates made.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Those of each parameter, in the model's order.
    pub(crate) fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// Continues from moments of an earlier run; as many, of the same kinds and shapes as before.
    pub(crate) fn restore(&mut self, step: u64, moments: Vec<Moments>) {
        self.step = step;
        self.moments = moments;
    }
}

impl Moments {
    fn zeros(config: &TrainConfig, parameter: &Parameter) -> Self {
        let coded = config.optimizer_states == OptimizerStates::EightBit;
        if coded && has_codes(parameter.name(), parameter.len() as u64) {
            return Self::coded([true, false].map(|signed| Codes::zeros(parameter.len(), signed)), &parameter.device());
        }
        // Two buffers: on a card they are changed in place.
        let zero = || parameter.value().inner().zeros_like().cast(DType::F32);
        Self::Full([zero(), zero()])
    }

    /// In 8 bits, where the parameter is.
    pub(crate) fn coded(codes: [Codes; 2], device: &Device) -> Self {
        #[cfg(feature = "cuda")]
        if is_cuda(device) {
            return Self::OnCard(codes.map(|codes| gpu::CardCodes::new(&codes, device)));
        }
        let _ = device;
        Self::Coded(codes)
    }

    pub(crate) fn is_coded(&self) -> bool {
        !matches!(self, Self::Full(_))
    }
}

/// Whether 8-bit moments of a parameter with so many numbers are codes.
pub(crate) fn has_codes(name: &str, count: u64) -> bool {
    count >= eight_bit::FEWEST && name != EMBEDDING
}

/// A parameter's highest learning rate as a multiple of the recipe's `learning-rate`.
fn scale(config: &TrainConfig, parameter: &Parameter) -> f64 {
    let own = match parameter.name() {
        EMBEDDING => config.embedding_learning_rate,
        HEAD => config.head_learning_rate,
        _ => None,
    };
    own.map_or(1.0, |rate| rate / config.learning_rate)
}

/// Moves 32-bit moments on the processor, and gives the moved weights. All are taken out first, to be changed in place.
fn whole(parameter: &mut Parameter, gradient: Tensor<2>, moments: &mut [Tensor<2>; 2], rates: &Rates) -> Result<Tensor<2>> {
    let empty = Tensor::zeros([1, 1], &parameter.device());
    let [mean, square] = moments.each_mut().map(|moment| std::mem::replace(moment, empty.clone()));
    let other = || Error::Backend { operation: "make a step", detail: "a parameter is not in 32-bit floats on the processor".to_owned() };
    let [value, mean, square] = cpu::adamw([parameter.take(), mean, square], gradient, rates).ok_or_else(other)?;
    *moments = [mean, square];
    Ok(value)
}

/// Changes a tensor's numbers on the host.
fn on_host(value: Tensor<2>, change: impl FnOnce(&mut [f32])) -> Result<Tensor<2>> {
    let (shape, device) = (value.dims(), value.device());
    let mut values = numbers(value)?;
    change(&mut values);
    Ok(Tensor::from_data(TensorData::new(values, shape), &device))
}

fn numbers(value: Tensor<2>) -> Result<Vec<f32>> {
    value.try_into_vec_as::<f32>().map_err(Error::backend("read a parameter"))
}

#[cfg(test)]
mod tests;
