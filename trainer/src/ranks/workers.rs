//! The pieces of a step on the processor, some of them at a time.

use rayon::{ThreadPool, ThreadPoolBuilder};
use shards::Batch;

use super::on_each;
use crate::error::{Error, Result};

/// Positions of a piece: so many that adding up its gradients costs little beside forming them.
const POSITIONS: usize = 512;

/// Memory for the calls of a thread, as much as a program's first thread has.
const STACK: usize = 8 << 20;

/// Rows of a piece on the processor: a function of the recipe alone, since what is added up in which order decides the
/// last bits of a sum. `most` are those that the recipe allows at a time.
pub(super) fn rows(batch: &Batch, most: usize) -> usize {
    most.min(POSITIONS.div_ceil(batch.seq_len.max(1)))
}

/// Threads that each work on a piece of their own, with as many helpers as there are threads to spare.
#[derive(Debug, Default)]
pub(super) struct Workers {
    pools: Vec<ThreadPool>,
    /// Threads that there were and workers that were wanted when these were made.
    made_for: [usize; 2],
}

impl Workers {
    /// Makes as many workers as there are threads for, at most one for each piece.
    pub(super) fn prepare(&mut self, pieces: usize) -> Result<()> {
        let threads = rayon::current_num_threads();
        let workers = threads.min(pieces);
        if self.made_for != [threads, workers] {
            let pool = |_| {
                let pool = ThreadPoolBuilder::new().num_threads(threads / workers).stack_size(STACK).build();
                pool.map_err(|error| Error::Backend { operation: "start threads", detail: error.to_string() })
            };
            let alone = workers <= 1;
            self.pools = (0..workers).filter(|_| !alone).map(pool).collect::<Result<_>>()?;
            self.made_for = [threads, workers];
        }
        Ok(())
    }

    /// Does `work` with each piece, on the workers that were made or else here, and hands what comes of it to `take` in the order of the pieces. Of results there are never
    /// more than threads.
    pub(super) fn each<T: Send>(
        &self,
        pieces: &[Batch],
        work: impl Fn(&Batch) -> Result<T> + Sync,
        mut take: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        if self.pools.is_empty() {
            return pieces.iter().try_for_each(|piece| take(work(piece)?));
        }
        for pieces in pieces.chunks(self.pools.len()) {
            let work = |_, (piece, pool): (&Batch, &ThreadPool)| pool.install(|| work(piece));
            on_each(pieces.iter().zip(&self.pools).collect(), work)?.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: usize, seq_len: usize) -> Batch {
        let cells = vec![0; rows * seq_len];
        Batch {
            rows,
            seq_len,
            inputs: cells.clone(),
            targets: cells.clone(),
            positions: cells.clone(),
            documents: cells.clone(),
            mask: vec![true; cells.len()],
            buckets: (0..rows as u32).collect(),
            answers: Vec::new(),
        }
    }

    #[test]
    fn pieces_are_short_texts_together_and_long_ones_alone() {
        let rows = |seq_len, most| rows(&batch(1, seq_len), most);
        assert_eq!([rows(128, 8), rows(128, 2), rows(100, 8), rows(512, 8), rows(4096, 8)], [4, 2, 6, 1, 1]);
    }

    #[test]
    fn results_come_in_the_order_of_the_pieces_and_the_first_error_ends_it() {
        let pieces: Vec<Batch> = crate::micro_batch::split(&batch(11, 2), 1).collect();
        for threads in [1, 2, 4, 16] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut workers = Workers::default();
            let mut found = Vec::new();
            let all = pool.install(|| {
                let slow_first = |piece: &Batch| {
                    std::thread::sleep(std::time::Duration::from_millis(u64::from(11 - piece.buckets[0])));
                    Ok(piece.buckets[0])
                };
                workers.prepare(pieces.len()).unwrap();
                workers.each(&pieces, slow_first, |row| {
                    found.push(row);
                    Ok(())
                })
            });
            all.unwrap();
            assert_eq!(found, (0..11).collect::<Vec<_>>(), "{threads} threads");

            let mut taken = 0;
            let error = pool.install(|| {
                let third_fails = |piece: &Batch| if piece.buckets[0] == 2 { Err(Error::Batch("third".to_owned())) } else { Ok(()) };
                workers.each(&pieces, third_fails, |()| {
                    taken += 1;
                    Ok(())
                })
            });
            assert!(error.unwrap_err().to_string().contains("third"));
            assert!(taken <= 2, "{taken}");
        }
    }
}
