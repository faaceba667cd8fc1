//! Which rows of a part came.

/// A set of row numbers of one part, below a known count: one bit each.
#[derive(Default)]
pub(super) struct Rows {
    bits: Vec<u64>,
    count: u64,
    seen: u64,
    /// A row that came twice, or that is none of the part.
    wrong: bool,
}

impl Rows {
    pub(super) fn new(count: u64) -> Self {
        // A summary that claims more rows than memory holds is found out by what is missing.
        let words = count.div_ceil(64).min(1 << 26);
        Self { bits: vec![0; words as usize], count, ..Self::default() }
    }

    pub(super) fn add(&mut self, row: u64) {
        match self.bits.get_mut((row / 64) as usize) {
            Some(word) if row < self.count && *word & (1 << (row % 64)) == 0 => {
                *word |= 1 << (row % 64);
                self.seen += 1;
            }
            _ => self.wrong = true,
        }
    }

    /// Whether the row was there.
    pub(super) fn remove(&mut self, row: u64) -> bool {
        let there = self.contains(row);
        if there {
            self.bits[(row / 64) as usize] &= !(1 << (row % 64));
            self.seen -= 1;
        }
        there
    }

    pub(super) fn contains(&self, row: u64) -> bool {
        self.bits.get((row / 64) as usize).is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// Whether every row came, each once.
    pub(super) fn complete(&self) -> bool {
        !self.wrong && self.seen == self.count
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn rows_must_be_there_each_once() {
        let complete = |rows: &[u64], count| {
            let mut all = Rows::new(count);
            rows.iter().for_each(|row| all.add(*row));
            all.complete()
        };
        assert!(complete(&[2, 0, 1], 3) && complete(&[], 0));
        assert!(!complete(&[0, 1], 3) && !complete(&[0, 2, 2], 3) && !complete(&[0, 1, 3], 3) && !complete(&[u64::MAX], 1));
        assert!(!complete(&[0], u64::MAX));
    }

    #[test]
    fn a_row_is_removed_once() {
        let mut rows = Rows::new(70);
        rows.add(69);
        assert!(rows.contains(69) && !rows.contains(68) && !rows.contains(700));
        assert!(rows.remove(69) && !rows.remove(69) && !rows.contains(69));
    }
}
