//! Deals windows out to buckets, in whole numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::config::{MixtureConfig, MixtureStage};
use super::plan::{BucketPlan, Supply, windows_of};
use super::shortage::{BucketShortage, Shortage};
use crate::error::{Error, Result};
use crate::stream::Packed;

/// Ratios are counted in parts of this, so that the plan is the same on every machine.
pub(super) const PARTS: f64 = 1e9;

/// A bucket before windows are dealt out.
#[derive(Debug)]
pub(super) struct Share {
    bucket: String,
    pub(super) ratio: f64,
    pub(super) parts: u64,
    pub(super) available_tokens: u64,
    copies: u64,
    packed: Option<Packed>,
    pub(super) available_windows: u64,
    max_epochs: f64,
}

impl Share {
    /// The most windows the recipe's epochs allow.
    pub(super) fn cap(&self) -> u64 {
        let exact = self.available_windows as f64 * self.max_epochs;
        // 100 windows times 2.3 epochs are 229.99999999999997 in floating point, and meant as 230.
        let whole = exact.round();
        if (exact - whole).abs() <= whole * 1e-12 { whole as u64 } else { exact as u64 }
    }

    pub(super) fn plan(&self, windows: u64, seq_len: u32) -> BucketPlan {
        let supply = Supply { bucket: self.bucket.clone(), tokens: self.available_tokens, copies: self.copies };
        BucketPlan::with(supply, self.ratio, self.packed, self.max_epochs, windows, seq_len)
    }
}

/// A ratio in whole parts.
fn parts(ratio: f64) -> u64 {
    (ratio * PARTS).round() as u64
}

pub(super) fn shares(config: &MixtureConfig, available: &[Supply], packed: &BTreeMap<String, Packed>, seq_len: u32) -> Result<Vec<Share>> {
    for (index, Supply { bucket, .. }) in available.iter().enumerate() {
        if available[..index].iter().any(|other| other.bucket == *bucket) {
            return Err(Error::Stream(format!("bucket `{bucket}` is counted twice")));
        }
    }
    let share = |bucket: &str, ratio: f64| {
        let there = available.iter().find(|supply| supply.bucket == bucket);
        let (tokens, copies) = there.map_or((0, 0), |supply| (supply.tokens, supply.copies));
        Share {
            bucket: bucket.to_owned(),
            ratio: parts(ratio) as f64 / PARTS,
            parts: parts(ratio),
            available_tokens: tokens,
            copies,
            packed: packed.get(bucket).copied(),
            available_windows: windows_of(tokens, packed.get(bucket).copied(), seq_len),
            max_epochs: config.max_epochs_of(bucket),
        }
    };
    let named: BTreeSet<&str> = config.named().collect();
    let unnamed = available.iter().map(|supply| supply.bucket.as_str()).filter(|name| !named.contains(name));
    Ok(named.iter().copied().chain(unnamed).map(|name| share(name, config.ratio_of(name))).collect())
}

fn parts_of(shares: &[Share]) -> u128 {
    shares.iter().map(|share| u128::from(share.parts)).sum()
}

/// The largest total whose shares stay within `limit`.
pub(super) fn largest_total(shares: &[Share], limit: impl Fn(&Share) -> u64) -> u64 {
    let parts = parts_of(shares);
    let drawn = shares.iter().filter(|share| share.parts > 0);
    drawn
        .map(|share| u128::from(limit(share)) * parts / u128::from(share.parts))
        .min()
        .map_or(0, |total| u64::try_from(total).unwrap_or(u64::MAX))
}

/// Deals `total` windows out by ratio: whole shares first, then one each to the largest rests, the
/// first named winning ties. The sum is exact.
pub(super) fn apportion(shares: &[Share], total: u64) -> Vec<u64> {
    let parts = parts_of(shares).max(1);
    let exact = |share: &Share| u128::from(total) * u128::from(share.parts);
    let mut windows: Vec<u64> = shares.iter().map(|s| (exact(s) / parts) as u64).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(exact(&shares[index]) % parts));
    let left = total - windows.iter().sum::<u64>();
    for &index in order.iter().take(left as usize) {
        windows[index] += 1;
    }
    windows
}

/// Deals `windows` out by the ratios of a stage.
pub(super) fn apportion_stage(shares: &mut [Share], stage: &MixtureStage, windows: u64) -> Vec<u64> {
    take_ratios(shares, stage);
    apportion(shares, windows)
}

/// The most windows that a stage deals out while no bucket gives more than its `limits`.
pub(super) fn largest_of_stage(shares: &mut [Share], stage: &MixtureStage, limits: &[u64]) -> u64 {
    take_ratios(shares, stage);
    let parts = parts_of(shares);
    let drawn = shares.iter().zip(limits).filter(|(share, _)| share.parts > 0);
    let most = drawn.map(|(share, &limit)| u128::from(limit) * parts / u128::from(share.parts)).min();
    most.map_or(0, |most| u64::try_from(most).unwrap_or(u64::MAX))
}

fn take_ratios(shares: &mut [Share], stage: &MixtureStage) {
    for share in shares.iter_mut() {
        share.parts = parts(stage.ratios.get(&share.bucket).copied().unwrap_or(0.0));
    }
}

/// All shares of `total` windows.
pub(super) fn plans(shares: &[Share], total: u64, seq_len: u32) -> Vec<BucketPlan> {
    shares.iter().zip(apportion(shares, total)).map(|(share, windows)| share.plan(windows, seq_len)).collect()
}

pub(super) fn shortage(shares: &[Share], wanted: u64, capped: u64, seq_len: u32) -> Shortage {
    let buckets = shares
        .iter()
        .zip(plans(shares, wanted, seq_len))
        .filter(|(share, _)| share.parts > 0)
        .map(|(share, plan)| {
            // In an empty bucket every place is padding.
            let wanted = if plan.available_tokens == 0 { plan.padding_tokens } else { plan.tokens };
            let possible = share.plan(plan.windows.min(share.cap()), seq_len);
            BucketShortage {
                available_tokens: plan.epoch_tokens(),
                bucket: plan.bucket,
                wanted_tokens: wanted,
                missing_tokens: wanted - possible.tokens,
                epochs_needed: (plan.available_windows > 0).then_some(plan.epochs),
                max_epochs: plan.max_epochs,
            }
        })
        .collect();
    let possible = plans(shares, capped, seq_len).iter().map(|plan| plan.tokens).sum();
    Shortage { requested_tokens: wanted * u64::from(seq_len), possible_tokens: possible, reducible: true, buckets }
}
