//! Which bucket each row of a run draws from: exact totals, and ratios that hold in short blocks.

use super::permutation::Permutation;

/// Rows of a block in a run of ordinary size. The rows up to the end of a block are within one of
/// every bucket's share, and so those of a block within two.
const BLOCK: u64 = 128;
/// Longer runs have longer blocks, so that the table stays within 64 MiB.
const MAX_COUNTS: u64 = 1 << 23;

/// The schedule. Per block it holds how many rows of each bucket came before; inside a block the
/// rows are shuffled by key.
#[derive(Debug)]
pub(crate) struct Interleave {
    total: u64,
    block: u64,
    seed: u64,
    /// Tells the shuffles of one schedule from those of another with the same seed.
    start: u64,
    buckets: usize,
    /// `(blocks + 1) × buckets` cumulative counts.
    before: Vec<u64>,
}

impl Interleave {
    /// A schedule that draws `windows[b]` rows of bucket `b`, beginning with row `start` of the run. Their
    /// sum is at most 2^48.
    pub(crate) fn new(windows: &[u64], seed: u64, start: u64) -> Self {
        let total: u64 = windows.iter().sum();
        let blocks = MAX_COUNTS / (windows.len() as u64).max(1);
        let block = BLOCK.max(total.div_ceil(blocks.max(1)));
        let mut drawn = vec![0u64; windows.len()];
        let mut before = drawn.clone();
        let mut end = 0u64;
        while end < total {
            let next = end.saturating_add(block).min(total);
            deal(windows, &mut drawn, total, end, next);
            before.extend_from_slice(&drawn);
            end = next;
        }
        Self { total, block, seed, start, buckets: windows.len(), before }
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
        let (number, first) = (block.to_le_bytes(), self.start.to_le_bytes());
        let parts: [&[u8]; 2] = [&number, &first];
        // The first stage, and so a run without stages, needs nothing to tell it from others.
        let order = Permutation::new(size, self.seed, "block", if self.start == 0 { &parts[..1] } else { &parts });
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
        let schedule = Interleave::new(&[4200, 5100, 700], 1, 0);
        let mut counts = [0u32; 3];
        for row in 0..10_000 / 128 * 128 {
            counts[schedule.draw(row).unwrap().0] += 1;
            if (row + 1) % 128 == 0 {
                // 128 rows are 53.76, 65.28 and 8.96.
                let blocks = (row + 1) as f64 / 128.0;
                for (count, share) in counts.into_iter().zip([53.76, 65.28, 8.96]) {
                    assert!((f64::from(count) - share * blocks).abs() < 1.0, "{blocks} blocks: {counts:?}");
                }
            }
        }
    }

    #[test]
    fn the_table_stays_small() {
        // 2^48 rows of 4 buckets: 2^21 blocks and the zeros before them.
        let schedule = Interleave::new(&[1 << 46; 4], 1, 0);
        assert_eq!((schedule.block, schedule.before.len()), (1 << 27, 4 * ((1 << 21) + 1)));
        assert_eq!(schedule.before[schedule.before.len() - 4..], [1 << 46; 4]);
        assert!(schedule.draw((1 << 48) - 1).is_some());
    }

    #[test]
    fn one_bucket_and_none() {
        let schedule = Interleave::new(&[0, 3, 0], 1, 0);
        let mut draws: Vec<u64> = (0..3).map(|row| schedule.draw(row).unwrap().1).collect();
        draws.sort_unstable();
        assert_eq!(draws, [0, 1, 2]);
        assert_eq!(schedule.draw(3), None);
        assert_eq!(Interleave::new(&[], 1, 0).draw(0), None);
    }

    proptest! {
        #[test]
        fn blocks_are_within_two_rows_of_their_share(windows in proptest::collection::vec(0u64..5000, 2..9)) {
            let schedule = Interleave::new(&windows, 1, 0);
            let total = windows.iter().sum::<u64>().max(1) as f64;
            let blocks: Vec<&[u64]> = schedule.before.chunks(windows.len()).collect();
            for (number, pair) in blocks.windows(2).enumerate() {
                let ends = [number as u64 * 128, (number as u64 * 128 + 128).min(total as u64)].map(|row| row as f64 / total);
                for (bucket, &all) in windows.iter().enumerate() {
                    let behind = [0, 1].map(|end| all as f64 * ends[end] - pair[end][bucket] as f64);
                    prop_assert!(behind[1].abs() < 1.0 && (behind[1] - behind[0]).abs() < 2.0, "block {}: {:?}", number, behind);
                }
            }
        }

        #[test]
        fn every_draw_of_every_bucket_comes_once(
            windows in proptest::collection::vec(0u64..700, 1..7), seed: u64, start: u64,
        ) {
            let schedule = Interleave::new(&windows, seed, start);
            let total: u64 = windows.iter().sum();
            let mut seen: Vec<_> = (0..total).map(|row| schedule.draw(row).unwrap()).collect();
            seen.sort_unstable();
            let all = windows.iter().enumerate().flat_map(|(b, &n)| (0..n).map(move |k| (b, k)));
            prop_assert!(seen.into_iter().eq(all));
        }
    }
}
