//! AdamW with moments as 8-bit codes (Dettmers et al. 2022, arXiv 2110.02861), as bitsandbytes has it.
//!
//! Numbers stand in blocks of 256. A block has one 32-bit scale, its largest magnitude; each number, as a
//! part of that, is the nearest of 256 values which are dense near zero: seven powers of ten, of which
//! each has twice as many places as the one below it. A step decodes a block, moves it, and codes it
//! again; the weights move by the moments as they were before that.

use std::sync::LazyLock;

#[cfg(feature = "cuda")]
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::Rates;

/// Numbers that share a scale.
pub(crate) const BLOCK: usize = 256;

/// Parameters with fewer numbers keep 32-bit moments: there is little to win, and much to lose.
pub(super) const FEWEST: u64 = 4096;

/// Values of the codes of means and of mean squares.
static SIGNED: LazyLock<Map> = LazyLock::new(|| Map::new(true));
static UNSIGNED: LazyLock<Map> = LazyLock::new(|| Map::new(false));

/// The 256 values, ascending, and the borders between them.
struct Map {
    values: [f32; 256],
    borders: [f32; 255],
}

impl Map {
    fn new(signed: bool) -> Self {
        let mut all = vec![0.0, 1.0];
        for exponent in 0..7u32 {
            let places = if signed { 1 } else { 2 } * (1 << exponent);
            let edge = |place: i32| 0.1 + f64::from(place) * (0.9 / f64::from(places));
            for place in 0..places {
                let middle = f64::midpoint(edge(place), edge(place + 1)) * 10f64.powi(exponent as i32 - 6);
                all.push(middle);
                if signed {
                    all.push(-middle);
                }
            }
        }
        all.sort_by(f64::total_cmp);
        let values: [f32; 256] = std::array::from_fn(|code| all.get(code).map_or(1.0, |value| *value as f32));
        let borders = std::array::from_fn(|code| (values[code] + values[code + 1]) / 2.0);
        Self { values, borders }
    }

    fn encode(&self, part: f32) -> u8 {
        self.borders.partition_point(|border| *border < part) as u8
    }
}

/// What codes stand for: 256 values of means, then 256 of mean squares.
#[cfg(feature = "cuda")]
pub(super) fn maps() -> TensorData {
    TensorData::new([SIGNED.values, UNSIGNED.values].concat(), [512])
}

/// The numbers of one moment of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Codes {
    /// One for each number.
    pub(crate) codes: Vec<u8>,
    /// One for each block.
    pub(crate) scales: Vec<f32>,
}

impl Codes {
    /// As many zeros.
    pub(super) fn zeros(count: usize, signed: bool) -> Self {
        let map = if signed { &SIGNED } else { &UNSIGNED };
        Self { codes: vec![map.encode(0.0); count], scales: vec![0.0; Self::blocks(count)] }
    }

    /// Scales of so many numbers.
    pub(crate) fn blocks(count: usize) -> usize {
        count.div_ceil(BLOCK)
    }
}

/// Moves weights by one step of their gradient; all of one length.
pub(super) fn step(weights: &mut [f32], gradient: &[f32], [mean, square]: &mut [Codes; 2], rates: &Rates) {
    (weights.par_chunks_mut(BLOCK), gradient.par_chunks(BLOCK))
        .into_par_iter()
        .zip((mean.codes.par_chunks_mut(BLOCK), &mut mean.scales).into_par_iter())
        .zip((square.codes.par_chunks_mut(BLOCK), &mut square.scales).into_par_iter())
        .for_each(|(((weights, gradient), mean), square)| block(weights, gradient, mean, square, rates));
}

fn block(weights: &mut [f32], gradient: &[f32], mean: (&mut [u8], &mut f32), square: (&mut [u8], &mut f32), rates: &Rates) {
    let number = |value: f64| value as f32;
    let [beta1, beta2, rest1, rest2] = [rates.beta1, rates.beta2, 1.0 - rates.beta1, 1.0 - rates.beta2].map(number);
    let [epsilon, rate, root, kept] = [rates.epsilon, rates.rate, rates.root, rates.kept].map(number);
    let (mut means, mut squares) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
    for (at, (weight, &gradient)) in weights.iter_mut().zip(gradient).enumerate() {
        let m = SIGNED.values[usize::from(mean.0[at])] * *mean.1 * beta1 + gradient * rest1;
        let s = UNSIGNED.values[usize::from(square.0[at])] * *square.1 * beta2 + gradient * gradient * rest2;
        *weight = *weight * kept - rate * m / (s.sqrt() * root + epsilon);
        (means[at], squares[at]) = (m, s);
    }
    code(&means, mean, &SIGNED, true);
    code(&squares, square, &UNSIGNED, false);
}

/// Codes a block. A mean that is nearest to zero or to a value across it takes the next one on its own
/// side, so that no weight is moved against its gradients.
fn code(values: &[f32; BLOCK], (codes, scale): (&mut [u8], &mut f32), map: &Map, signed: bool) {
    let values = &values[..codes.len()];
    *scale = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    for (code, &value) in codes.iter_mut().zip(values) {
        *code = map.encode(if *scale > 0.0 { value / *scale } else { 0.0 });
        if signed && map.values[usize::from(*code)].is_sign_negative() != value.is_sign_negative() {
            *code = if value > 0.0 { code.saturating_add(1) } else { code.saturating_sub(1) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of `testdata/make_eight_bit.py`, one after another.
    struct Oracle(Vec<f32>, usize);

    impl Oracle {
        fn take(&mut self, count: usize) -> Vec<f32> {
            self.1 += count;
            self.0[self.1 - count..self.1].to_vec()
        }
    }

    #[test]
    fn six_steps_of_the_formulas_in_numpy() {
        const COUNT: usize = 300;
        let bytes = include_bytes!("../../testdata/eight_bit.bin");
        let numbers = bytes.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
        let mut oracle = Oracle(numbers, 0);
        assert_eq!(oracle.take(256), SIGNED.values);
        assert_eq!(oracle.take(256), UNSIGNED.values);
        let mut weights = oracle.take(COUNT);
        let gradients = oracle.take(6 * COUNT);
        let mut moments = [Codes::zeros(COUNT, true), Codes::zeros(COUNT, false)];
        for (number, gradient) in (1..).zip(gradients.chunks(COUNT)) {
            let [bias1, bias2] = [0.9f64, 0.95].map(|beta| 1.0 - beta.powi(number));
            let rates =
                Rates { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, rate: 1e-2 / bias1, root: 1.0 / bias2.sqrt(), kept: 1.0 - 1e-2 * 0.1 };
            step(&mut weights, gradient, &mut moments, &rates);
            for (found, expected) in weights.iter().zip(oracle.take(COUNT)) {
                assert!((found - expected).abs() <= 1e-6, "step {number}: {found} {expected}");
            }
            for moment in &moments {
                let codes: Vec<f32> = moment.codes.iter().map(|code| f32::from(*code)).collect();
                assert_eq!(codes, oracle.take(COUNT), "step {number}");
                for (found, expected) in moment.scales.iter().zip(oracle.take(2)) {
                    assert!((found - expected).abs() <= 1e-6 * expected, "step {number}: {found} {expected}");
                }
            }
        }
        assert_eq!(oracle.1, oracle.0.len());
    }

    /// Every value of the maps is its own nearest, and what lies between two is coded as one of them.
    #[test]
    fn codes_are_the_nearest_values() {
        for map in [&SIGNED, &UNSIGNED] {
            for code in 0..=255u8 {
                assert_eq!(map.encode(map.values[usize::from(code)]), code);
            }
            for pair in map.values.windows(2) {
                let [low, high] = [pair[0], pair[1]];
                assert_eq!(map.values[usize::from(map.encode(low + (high - low) * 0.4))], low);
                assert_eq!(map.values[usize::from(map.encode(low + (high - low) * 0.6))], high);
            }
            assert_eq!((map.encode(7.0), map.encode(-7.0)), (255, 0));
        }
    }
}
