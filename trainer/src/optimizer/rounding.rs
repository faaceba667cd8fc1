//! Stochastic rounding to bfloat16.

use crate::rng::Rng;

/// Rounds every number to one of the two bfloat16 next to it, up with the probability that makes the
/// mean the number itself. The chances of a number follow from the key and its place alone.
pub(super) fn round(values: &mut [f32], key: &Rng) {
    for (place, value) in (0..).zip(values) {
        *value = round_one(*value, key.at(place) as u32 & 0xffff);
    }
}

/// The low 16 bits, as a part of a unit, carry into the rest with that probability when an even draw of
/// 16 bits is added. A number that is none, and one that would become infinite, is cut off.
fn round_one(value: f32, draw: u32) -> f32 {
    let up = f32::from_bits(value.to_bits().wrapping_add(draw) & 0xffff_0000);
    if value.is_finite() && up.is_finite() { up } else { f32::from_bits(value.to_bits() & 0xffff_0000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_draw_by_hand() {
        // 1 + 1/512 is a quarter of the way from 1 to the next bfloat16, 1 + 1/128: so it is above for a
        // quarter of all draws, whatever its sign.
        let next = 1.0 + 1.0 / 128.0;
        for sign in [1.0, -1.0] {
            let ups = (0..1 << 16).filter(|draw| round_one(sign * (1.0 + 1.0 / 512.0), *draw) == sign * next).count();
            assert_eq!(ups, 1 << 14);
            assert!((0..1 << 16).all(|draw| round_one(sign * next, draw) == sign * next), "what is bfloat16 stays");
        }
        assert!(round_one(f32::NAN, 0xffff).is_nan());
        assert_eq!(round_one(f32::INFINITY, 0xffff), f32::INFINITY);
        assert!(round_one(f32::MAX, 0xffff).is_finite());
        assert_eq!(round_one(0.0, 0xffff).to_bits(), 0);
    }

    #[test]
    fn the_mean_stays_and_draws_repeat() {
        let rounded = |seed| {
            let mut values = vec![1.0 + 1.0 / 512.0; 40_000];
            round(&mut values, &Rng::new(seed, "w"));
            values
        };
        let values = rounded(3);
        // The standard error is 1/128 × √(3/16) / 200 = 1.7e-5.
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
        assert!((mean - (1.0 + 1.0 / 512.0)).abs() < 7e-5, "{mean}");
        assert_eq!(values, rounded(3));
        assert_ne!(values, rounded(4));
    }
}
