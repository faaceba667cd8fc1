//! What is done with every number of the parameters: lengths of gradients, clipping, AdamW.

use burn::tensor::Tensor;
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

use super::loops::dot;
use super::tape::{plain, tensor, values, values_mut};
use crate::optimizer::Rates;

/// Numbers that one thread takes at a time.
const PIECE: usize = 1 << 14;

/// The sum of squares; none of what is not on the processor.
pub(crate) fn square_sum(x: Tensor<2>) -> Option<f64> {
    struct Squares<'a>(&'a [f32]);
    impl WithSimd for Squares<'_> {
        type Output = f64;

        #[inline(always)]
        fn with_simd<S: Simd>(self) -> f64 {
            // Short sums in 32 bits, long ones in 64.
            self.0.chunks(256).map(|x| f64::from(dot(x, x))).sum()
        }
    }
    let x = plain(x)?;
    let parts: Vec<f64> = values(&x).par_chunks(PIECE).map(|x| AutoArch::new().dispatch(Squares(x))).collect();
    Some(parts.into_iter().sum())
}

/// `x + more`, in place where nothing else shares the numbers of `x`; none of what is not on the processor.
pub(crate) fn sum(x: Tensor<2>, more: Tensor<2>) -> Option<Tensor<2>> {
    let (mut x, more) = (plain(x)?, plain(more)?);
    let pieces = values_mut(&mut x).par_chunks_mut(PIECE).zip(values(&more).par_chunks(PIECE));
    pieces.for_each(|(x, more)| x.iter_mut().zip(more).for_each(|(x, more)| *x += more));
    Some(tensor(x))
}

/// `x × factor`, in place where nothing else shares its numbers; none of what is not on the processor.
pub(crate) fn scale(x: Tensor<2>, factor: f32) -> Option<Tensor<2>> {
    let mut x = plain(x)?;
    values_mut(&mut x).par_chunks_mut(PIECE).for_each(|x| x.iter_mut().for_each(|x| *x *= factor));
    Some(tensor(x))
}

/// One step of a parameter and its two moments, in one pass and in place where nothing else shares their numbers; none
/// where one is not on the processor.
pub(crate) fn adamw([value, mean, square]: [Tensor<2>; 3], gradient: Tensor<2>, rates: &Rates) -> Option<[Tensor<2>; 3]> {
    let [mut value, mut mean, mut square, gradient] = [plain(value)?, plain(mean)?, plain(square)?, plain(gradient)?];
    let moments = values_mut(&mut mean).par_chunks_mut(PIECE).zip(values_mut(&mut square).par_chunks_mut(PIECE));
    let pieces = values_mut(&mut value).par_chunks_mut(PIECE).zip(moments).zip(values(&gradient).par_chunks(PIECE));
    pieces.for_each(|((value, (mean, square)), gradient)| AutoArch::new().dispatch(Update { value, mean, square, gradient, rates }));
    Some([tensor(value), tensor(mean), tensor(square)])
}

struct Update<'a> {
    value: &'a mut [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
    gradient: &'a [f32],
    rates: &'a Rates,
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Rates { beta1, beta2, epsilon, rate, root, kept } = *self.rates;
        let [new1, new2] = [beta1, beta2].map(|beta| (1.0 - beta) as f32);
        let [beta1, beta2, epsilon, rate, root, kept] = [beta1, beta2, epsilon, rate, root, kept].map(|x| x as f32);
        let moments = self.mean.iter_mut().zip(self.square);
        for ((value, (mean, square)), gradient) in self.value.iter_mut().zip(moments).zip(self.gradient) {
            *mean = *mean * beta1 + gradient * new1;
            *square = *square * beta2 + gradient * gradient * new2;
            *value = *value * kept - *mean * rate / (square.sqrt() * root + epsilon);
        }
    }
}
