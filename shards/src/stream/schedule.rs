//! Which bucket each row of a run draws from, where ratios may change on the way.

use super::interleave::Interleave;
use crate::mixture::MixturePlan;

/// A stretch of rows with the same ratios.
#[derive(Debug)]
struct Stage {
    /// Its first row.
    start: u64,
    /// Rows of each bucket before it.
    before: Vec<u64>,
    rows: Interleave,
}

/// The stages one after another. What a bucket drew in one, the next goes on from: its epochs do not
/// begin anew.
#[derive(Debug)]
pub(crate) struct Schedule {
    stages: Vec<Stage>,
}

impl Schedule {
    /// The schedule of a plan that was checked.
    pub(crate) fn new(plan: &MixturePlan, seed: u64) -> Self {
        let whole: Vec<u64> = plan.buckets.iter().map(|bucket| bucket.windows).collect();
        let parts: Vec<&[u64]> = match &plan.stages[..] {
            [] => vec![&whole],
            stages => stages.iter().map(|stage| &stage.drawn[..]).collect(),
        };
        let (mut start, mut before) = (0, vec![0; whole.len()]);
        let mut stages = Vec::new();
        for drawn in parts {
            stages.push(Stage { start, before: before.clone(), rows: Interleave::new(drawn, seed, start) });
            start += drawn.iter().sum::<u64>();
            before.iter_mut().zip(drawn).for_each(|(before, drawn)| *before += drawn);
        }
        Self { stages }
    }

    /// Bucket of a row and how many rows of that bucket come before it in the run's order of the
    /// bucket; none past the last row.
    pub(crate) fn draw(&self, row: u64) -> Option<(usize, u64)> {
        let stage = &self.stages[self.stages.partition_point(|stage| stage.start <= row).checked_sub(1)?];
        let (bucket, draw) = stage.rows.draw(row - stage.start)?;
        Some((bucket, stage.before[bucket] + draw))
    }
}
