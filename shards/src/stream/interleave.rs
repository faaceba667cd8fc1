//! Which bucket each row of a run draws from: exact totals, and ratios that hold in short blocks.

use super::permutation::Permutation;

/// Rows of a block in a run of ordinary size: ratios hold in every 128 rows, to within one row.
const BLOCK: u64 = 128;
/// Longer runs have longer blocks, so that the table stays at a few megabytes per bucket.
const MAX_BLOCKS: u64 = 1 << 20;

/// The schedule. Per block it holds how many rows of each bucket came before; inside a block the
/// rows are shuffled by key.
#[derive(Debug)]
pub(crate) struct Interleave {
    total: u64,
    block: u64,
    seed: u64,
    buckets: usize,
    /// `(blocks + 1) × buckets` cumulative counts.
    before: Vec<u64>,
}

impl Interleave {
    /// A schedule that draws `windows[b]` rows of bucket `b`. Their sum fits `u64`.
    pub(crate) fn new(windows: &[u64], seed: u64) -> Self {
        let total: u64 = windows.iter().sum();
        let block = BLOCK.max(total.div_ceil(MAX_BLOCKS));
        let mut drawn = vec![0u64; windows.len()];
        let mut before = drawn.clone();
        let mut end = 0u64;
        while end < total {
            let next = end.saturating_add(block).min(total);
            deal(windows, &mut drawn, total, end, next);
            before.extend_from_slice(&drawn);
            end = next;
        }
        Self { total, block, seed, buckets: windows.len(), before }
    }

    /// Bucket of a row and how many rows of that bucket come before it in the bucket's own order;
    /// none past the last row.
    pub(crate) fn draw(&self, row: u64) -> Option<(usize, u64)> {
        if row >= self.total {
            return None;
        }
        let block = row / self.block;
        let start = block * self.block;
        let size = self.block.min(self.total - start);
        let order = Permutation::new(size, self.seed, "block", &[&block.to_le_bytes()]);
        let mut slot = order.at(row - start);
        let at = block as usize * self.buckets;
        let (first, second) = self.before[at..at + 2 * self.buckets].split_at(self.buckets);
        for (bucket, (from, to)) in first.iter().zip(second).enumerate() {
            if slot < to - from {
                return Some((bucket, from + slot));
            }
            slot -= to - from;
        }
        None
    }
}

/// Adds `next - end` rows to `drawn`, each to the bucket furthest behind its share of `next` rows
/// (the first one on ties). No bucket gets more than its windows.
fn deal(windows: &[u64], drawn: &mut [u64], total: u64, end: u64, next: u64) {
    // Deficits in units of 1/total of a row, so that nothing is rounded.
    let total = i128::from(total);
    let deficit = |bucket: usize, drawn: &[u64]| i128::from(next) * i128::from(windows[bucket]) - i128::from(drawn[bucket]) * total;
    let mut left = next - end;
    for bucket in 0..windows.len() {
        // Whole rows that it is behind in any case; the last ones go by comparison below.
        let sure = (deficit(bucket, drawn) / total - 1).max(0) as u64;
        let sure = sure.min(left);
        drawn[bucket] += sure;
        left -= sure;
    }
    while left > 0 {
        let open = (0..windows.len()).filter(|&bucket| drawn[bucket] < windows[bucket]);
        let Some(bucket) = open.max_by_key(|&b| (deficit(b, drawn), std::cmp::Reverse(b))) else {
            return;
        };
        drawn[bucket] += 1;
        left -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ratios_hold_in_every_block() {
        let schedule = Interleave::new(&[4200, 5100, 700], 1);
        for block in 0..10_000 / 128 {
            let mut counts = [0i64; 3];
            for row in block * 128..(block + 1) * 128 {
                counts[schedule.draw(row).unwrap().0] += 1;
            }
            for (count, share) in counts.into_iter().zip([53.76, 65.28, 8.96]) {
                assert!((count as f64 - share).abs() <= 2.0, "block {block}: {counts:?}");
            }
        }
    }

    #[test]
    fn one_bucket_and_none() {
        let schedule = Interleave::new(&[0, 3, 0], 1);
        let mut draws: Vec<u64> = (0..3).map(|row| schedule.draw(row).unwrap().1).collect();
        draws.sort_unstable();
        assert_eq!(draws, [0, 1, 2]);
        assert_eq!(schedule.draw(3), None);
        assert_eq!(Interleave::new(&[], 1).draw(0), None);
    }

    proptest! {
        #[test]
        fn every_draw_of_every_bucket_comes_once(
            windows in proptest::collection::vec(0u64..700, 1..7), seed: u64,
        ) {
            let schedule = Interleave::new(&windows, seed);
            let total: u64 = windows.iter().sum();
            let mut seen: Vec<_> = (0..total).map(|row| schedule.draw(row).unwrap()).collect();
            seen.sort_unstable();
            let all = windows.iter().enumerate().flat_map(|(b, &n)| (0..n).map(move |k| (b, k)));
            prop_assert!(seen.into_iter().eq(all));
        }
    }
}
