//! Whose turn it is, where several corpora share the merges.

/// Turns by shares.
pub(super) struct Turns {
    /// Share, turns taken, and whether there will be more.
    corpora: Vec<(f64, u64, bool)>,
}

impl Turns {
    pub(super) fn new(shares: impl Iterator<Item = f64>) -> Self {
        Self { corpora: shares.map(|share| (share, 0, true)).collect() }
    }

    /// The corpus that is furthest behind its share, the first of equal ones. Those that have ended, and
    /// what they took, count no more: the others keep the proportions of their shares.
    pub(super) fn next(&self) -> Option<usize> {
        let live = || self.corpora.iter().enumerate().filter(|(_, (_, _, live))| *live);
        let shares: f64 = live().map(|(_, (share, ..))| share).sum();
        let taken: u64 = live().map(|(_, (_, taken, _))| taken).sum();
        let behind = |&(share, own, _): &(f64, u64, bool)| share / shares * (taken + 1) as f64 - own as f64;
        live().reduce(|best, other| if behind(other.1) > behind(best.1) { other } else { best }).map(|(at, _)| at)
    }

    /// A turn has been taken.
    pub(super) fn take(&mut self, at: usize) {
        self.corpora[at].1 += 1;
    }

    /// A corpus has no more pairs.
    pub(super) fn end(&mut self, at: usize) {
        self.corpora[at].2 = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_at_every_step() {
        let shares = [0.5, 0.3, 0.2];
        let mut turns = Turns::new(shares.into_iter());
        let mut taken = [0.0; 3];
        for step in 1..=1000 {
            let at = turns.next().unwrap();
            turns.take(at);
            taken[at] += 1.0;
            assert!(shares.iter().zip(taken).all(|(share, taken)| (share * f64::from(step) - taken).abs() <= 1.0), "{step}: {taken:?}");
        }
        turns.end(0);
        let next: Vec<usize> = (0..5)
            .map(|_| {
                let at = turns.next().unwrap();
                turns.take(at);
                at
            })
            .collect();
        assert_eq!(next, [1, 2, 1, 2, 1]); // three to two
        turns.end(1);
        turns.end(2);
        assert_eq!(turns.next(), None);
    }
}
