//! Ratios that change on the way: each stage deals its own windows out.

use serde::{Deserialize, Serialize};

use super::balance;
use super::config::{MixtureConfig, OnShortage};
use super::plan::BucketPlan;
use super::share::{Share, apportion_stage, largest_of_stage, shortage};
use crate::error::{Error, Result};

/// What a stretch of the run draws.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StagePlan {
    /// Its windows.
    pub windows: u64,
    /// Windows drawn from each bucket, in the order of the plan's buckets; their sum is `windows`.
    pub drawn: Vec<u64>,
}

/// Cuts `total` windows into the stages of the recipe. Afterwards the parts of the shares are the
/// windows that all stages together draw.
///
/// # Errors
/// A stage that begins behind the end of the run; [`Error::Shortage`] where a bucket would exceed its
/// epochs and the recipe says `refuse`, or has nothing at all.
pub(super) fn plan(config: &MixtureConfig, shares: &mut [Share], total: u64, seq_len: u32) -> Result<Vec<StagePlan>> {
    let mut stages = Vec::new();
    let mut start = 0;
    for (index, stage) in config.stages.iter().enumerate() {
        let end = stage.until.map_or(total, |until| until.div_ceil(u64::from(seq_len)));
        let windows = end.min(total).saturating_sub(start);
        if windows == 0 {
            let from = start * u64::from(seq_len);
            let detail = format!("stage {} of the mixture begins at {from} tokens, where it has no window to draw", index + 1);
            return Err(Error::Setting { option: "tokens", detail });
        }
        stages.push(StagePlan { windows, drawn: apportion_stage(shares, stage, windows) });
        start += windows;
    }
    for (at, share) in shares.iter_mut().enumerate() {
        share.parts = stages.iter().map(|stage| stage.drawn[at]).sum();
    }
    balance::state(shares);
    let empty = shares.iter().any(|share| share.parts > 0 && share.available_windows == 0);
    let over = shares.iter().any(|share| share.parts > share.cap());
    if empty || (over && config.on_shortage == OnShortage::Refuse) {
        let mut short = shortage(shares, total, 0, seq_len);
        short.possible_tokens = if empty { 0 } else { possible(config, shares, &stages, seq_len) };
        short.reducible = false;
        return Err(Error::from(Box::new(short)));
    }
    Ok(stages)
}

/// Tokens of the longest run that keeps epochs: the last stage, which alone has no stated length, is cut short. None where
/// the stages before it draw too much, or leave it nothing.
fn possible(config: &MixtureConfig, shares: &mut [Share], stages: &[StagePlan], seq_len: u32) -> u64 {
    let (Some((last, before)), Some(stage)) = (stages.split_last(), config.stages.last()) else { return 0 };
    let drawn: Vec<u64> = (0..shares.len()).map(|at| before.iter().map(|stage| stage.drawn[at]).sum()).collect();
    let mut left = Vec::with_capacity(shares.len());
    for (share, drawn) in shares.iter().zip(&drawn) {
        match share.cap().checked_sub(*drawn) {
            Some(windows) => left.push(windows),
            None => return 0,
        }
    }
    let windows = largest_of_stage(shares, stage, &left).min(last.windows);
    if windows == 0 {
        return 0;
    }
    let cut = apportion_stage(shares, stage, windows);
    let all = shares.iter().zip(drawn.iter().zip(cut));
    all.map(|(share, (before, last))| share.plan(before + last, seq_len).tokens).sum()
}

/// Whether stages draw what the plan's buckets say.
pub(super) fn check(stages: &[StagePlan], buckets: &[BucketPlan]) -> std::result::Result<(), String> {
    if stages.is_empty() {
        return Ok(());
    }
    for (number, stage) in stages.iter().enumerate() {
        if stage.drawn.len() != buckets.len() || sum(stage.drawn.iter().copied()) != Some(stage.windows) {
            return Err(format!("the windows of stage {} are not those of its {} buckets", number + 1, buckets.len()));
        }
    }
    for (at, bucket) in buckets.iter().enumerate() {
        if sum(stages.iter().map(|stage| stage.drawn[at])) != Some(bucket.windows) {
            return Err(format!("the stages draw other windows of `{}` than the plan", bucket.bucket));
        }
    }
    Ok(())
}

/// The sum, if it is a number of 64 bits.
fn sum(mut numbers: impl Iterator<Item = u64>) -> Option<u64> {
    numbers.try_fold(0, u64::checked_add)
}
