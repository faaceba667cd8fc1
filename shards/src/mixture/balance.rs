//! Ratios that follow from what there is, and windows that follow from epochs.

use super::share::{PARTS, Share};

/// Gives every bucket its tokens to the power of `1 / temperature` as its ratio.
pub(super) fn temperature(shares: &mut [Share], temperature: f64) {
    let weight = |share: &Share| (share.available_tokens as f64).powf(1.0 / temperature);
    let sum: f64 = shares.iter().filter(|share| share.available_tokens > 0).map(weight).sum();
    for share in shares.iter_mut().filter(|share| share.available_tokens > 0) {
        // A bucket that there is gets a part, however small.
        share.parts = ((weight(share) / sum * PARTS).round() as u64).max(1);
        share.ratio = share.parts as f64 / PARTS;
    }
}

/// Deals `total` windows out evenly, except that none gets more than its `limit`; gives what is left over
/// when all have theirs (UniMax, algorithm 1). Parts become the windows themselves.
pub(super) fn unimax(shares: &mut [Share], total: u64, limit: impl Fn(&Share) -> u64) -> u64 {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|&index| limit(&shares[index]));
    let mut left = total;
    for (place, &index) in order.iter().enumerate() {
        let even = left / (order.len() - place) as u64;
        shares[index].parts = even.min(limit(&shares[index]));
        left -= shares[index].parts;
    }
    left
}

/// Deals windows out evenly over all buckets that there are, beyond their caps.
pub(super) fn spread(shares: &mut [Share], total: u64) {
    let mut left = total;
    let mut open = shares.iter().filter(|share| share.available_windows > 0).count() as u64;
    for share in shares.iter_mut().filter(|share| share.available_windows > 0) {
        let even = left / open;
        share.parts += even;
        left -= even;
        open -= 1;
    }
}

/// States the ratios that the parts amount to, in nine decimals: more do not come back from JSON to the last bit.
pub(super) fn state(shares: &mut [Share]) {
    let sum = shares.iter().map(|share| share.parts).sum::<u64>().max(1) as f64;
    for share in shares.iter_mut() {
        let ratio = (share.parts as f64 / sum * PARTS).round();
        share.ratio = if share.parts > 0 { ratio.max(1.0) / PARTS } else { 0.0 };
    }
}
