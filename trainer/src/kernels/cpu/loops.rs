//! Loops that are compiled for the machine's vectors, without naming them: each is a plain loop in a type's
//! [`macerator::WithSimd`], so that all of it surely is. Sums go in [`LANES`] lanes on every machine.

use macerator::{Scalar, Simd, Vector};

/// Partial sums of a sum.
pub(super) const LANES: usize = 16;

/// As many numbers as a vector of the machine has.
#[inline(always)]
pub(super) fn load<S: Simd>(x: &[f32]) -> Vector<S, f32> {
    bytemuck::pod_read_unaligned(bytemuck::cast_slice(&x[..f32::lanes::<S>()]))
}

/// The numbers of a vector.
#[inline(always)]
pub(super) fn numbers<S: Simd>(vector: &Vector<S, f32>) -> &[f32] {
    bytemuck::cast_slice(std::slice::from_ref(vector))
}

/// The sum of the lanes.
#[inline(always)]
pub(super) fn total(mut sums: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

/// The product of two vectors of one length.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    a_rest.iter().zip(b_rest).fold(total(sums), |sum, (a, b)| sum + a * b)
}

/// The largest number; the lowest there is where there are none.
#[inline(always)]
pub(super) fn highest(x: &[f32]) -> f32 {
    let (x, rest) = x.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for x in x {
        for lane in 0..LANES {
            most[lane] = if x[lane] > most[lane] { x[lane] } else { most[lane] };
        }
    }
    most.iter().chain(rest).fold(f32::NEG_INFINITY, |most, x| if *x > most { *x } else { most })
}

/// Numbers whose exponentials are added up in 32 bits; sums of these are in 64.
const RUN: usize = 1 << 9;

/// Replaces every x by e^(x - shift), and gives the sum.
#[inline(always)]
pub(super) fn exponentials(x: &mut [f32], shift: f32) -> f32 {
    x.chunks_mut(RUN).map(|x| f64::from(run(x, shift))).sum::<f64>() as f32
}

#[inline(always)]
fn run(x: &mut [f32], shift: f32) -> f32 {
    let (x, rest) = x.as_chunks_mut::<LANES>();
    let mut sums = [0.0; LANES];
    for x in x {
        for lane in 0..LANES {
            x[lane] = exp(x[lane] - shift);
            sums[lane] += x[lane];
        }
    }
    let mut sum = total(sums);
    for x in rest {
        *x = exp(*x - shift);
        sum += *x;
    }
    sum
}

/// Σ e^(x - shift).
#[inline(always)]
pub(super) fn exponential_sum(x: &[f32], shift: f32) -> f32 {
    x.chunks(RUN).map(|x| f64::from(run_sum(x, shift))).sum::<f64>() as f32
}

#[inline(always)]
fn run_sum(x: &[f32], shift: f32) -> f32 {
    let (x, rest) = x.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for x in x {
        for lane in 0..LANES {
            sums[lane] += exp(x[lane] - shift);
        }
    }
    rest.iter().fold(total(sums), |sum, x| sum + exp(*x - shift))
}

/// e^x to 2 units in the last place; 0 below -87, where a 32-bit float loses digits, and at most e^88.
///
/// e^x = 2^n e^r with n the whole number next to x / ln 2, and e^r by the polynomial of Cephes' `expf` (Moshier 1992). Adding
/// 1.5 × 2^23 leaves n in the lowest bits of the sum.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x > 88.0 { 88.0 } else { x };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut y = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        y = y * r + c;
    }
    y = y * (r * r) + r + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.0 { 0.0 } else { y * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_library() {
        for at in 0..=1_000_000 {
            let x = -87.0 + at as f32 * (175.0 / 1e6);
            let expected = f64::from(x).exp();
            let found = f64::from(exp(x));
            assert!((found / expected - 1.0).abs() < 2.5e-7, "{x}: {found} {expected}");
        }
        assert_eq!((exp(0.0), exp(-1e30), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert_eq!(exp(1e30), exp(88.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_by_hand() {
        let x: Vec<f32> = (0..19).map(|x| x as f32).collect();
        assert_eq!(dot(&x, &x), 2109.0); // 18 × 19 × 37 / 6
        assert_eq!((highest(&x), highest(&[])), (18.0, f32::NEG_INFINITY));
        let mut same = vec![3.0; 21];
        assert_eq!((exponential_sum(&same, 3.0), exponentials(&mut same, 3.0)), (21.0, 21.0));
        assert_eq!(same, [1.0; 21]);
    }
}
