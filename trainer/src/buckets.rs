//! Which gradients are added up together, and when: while a backward pass goes on, each as soon as it is final.

/// Numbers from which on a bucket is closed: 64 MB, of which a sum uses the whole breadth of NVLink.
const ENOUGH: usize = 1 << 24;

/// Parameters, by their place in the model, in the order in which a backward pass comes to them: the last ones first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Buckets(Vec<Vec<usize>>);

impl Buckets {
    /// Of parameters with these lengths, as often as their uses were counted in the forward pass of each card that made one.
    /// What a card counted no use of is in no bucket: nobody can tell when its gradient is final.
    pub(crate) fn new(lengths: &[usize], uses: &[&[u32]]) -> Self {
        Self::closed_at(ENOUGH, lengths, uses)
    }

    /// The same, closed at this many numbers.
    pub(crate) fn closed_at(enough: usize, lengths: &[usize], uses: &[&[u32]]) -> Self {
        let counted = |index: usize| !uses.is_empty() && uses.iter().all(|uses| uses.get(index).is_some_and(|&uses| uses > 0));
        let (mut all, mut open, mut size) = (Vec::new(), Vec::new(), 0);
        for (index, length) in lengths.iter().enumerate().rev().filter(|&(index, _)| counted(index)) {
            open.push(index);
            size += length;
            if size >= enough {
                all.push(std::mem::take(&mut open));
                size = 0;
            }
        }
        all.extend((!open.is_empty()).then_some(open));
        Self(all)
    }
}

/// How far one card's backward pass has come. Buckets are due in their order, which is the same on all cards, whatever
/// order gradients come in.
#[cfg(any(test, feature = "cuda"))]
#[derive(Debug)]
pub(crate) struct Progress {
    buckets: Buckets,
    /// The bucket of each parameter that is in one.
    bucket_of: Vec<Option<usize>>,
    /// Gradients that each parameter will still be given: one for each use.
    open: Vec<u32>,
    /// Gradients of each bucket that are not final yet.
    missing: Vec<usize>,
    /// The bucket that is due next.
    next: usize,
}

#[cfg(any(test, feature = "cuda"))]
impl Progress {
    /// At the beginning of a pass that comes to each parameter this often.
    pub(crate) fn new(buckets: Buckets, uses: Vec<u32>) -> Self {
        let mut bucket_of = vec![None; uses.len()];
        for (number, bucket) in buckets.0.iter().enumerate() {
            for &index in bucket {
                if let Some(place) = bucket_of.get_mut(index) {
                    *place = Some(number);
                }
            }
        }
        let missing = buckets.0.iter().map(Vec::len).collect();
        Self { buckets, bucket_of, open: uses, missing, next: 0 }
    }

    /// A parameter is given a gradient: whether its sum is final now, and one that is to be taken.
    pub(crate) fn arrives(&mut self, index: usize) -> bool {
        let (Some(open @ 1..), Some(&Some(bucket))) = (self.open.get_mut(index), self.bucket_of.get(index)) else { return false };
        *open -= 1;
        let last = *open == 0;
        if let (true, Some(missing)) = (last, self.missing.get_mut(bucket)) {
            *missing -= 1;
        }
        last
    }

    /// The next bucket, if all of it is final.
    pub(crate) fn due(&mut self) -> Option<Vec<usize>> {
        if *self.missing.get(self.next)? > 0 { None } else { self.rest() }
    }

    /// The next bucket, final or not.
    pub(crate) fn rest(&mut self) -> Option<Vec<usize>> {
        let bucket = self.buckets.0.get(self.next)?.clone();
        self.next += 1;
        Some(bucket)
    }

    /// Whether all gradients that a parameter of a bucket was to be given are there.
    pub(crate) fn is_final(&self, index: usize) -> bool {
        self.holds(index) && self.open.get(index) == Some(&0)
    }

    /// Whether no bucket is left.
    #[cfg(test)]
    pub(crate) fn is_over(&self) -> bool {
        self.next == self.buckets.0.len()
    }

    /// Whether a parameter is in a bucket.
    pub(crate) fn holds(&self, index: usize) -> bool {
        self.bucket_of.get(index).is_some_and(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_go_from_the_last_to_the_first() {
        let buckets = |uses: &[&[u32]]| Buckets::closed_at(10, &[20, 3, 4, 5, 6, 1], uses).0;
        assert_eq!(buckets(&[&[1; 6]]), [vec![5, 4, 3], vec![2, 1, 0]]);
        // Of 4 the second card saw no use, of 0 none did.
        assert_eq!(buckets(&[&[0, 1, 1, 1, 1, 1], &[0, 2, 1, 1, 0, 1]]), [vec![5, 3, 2], vec![1]]);
        assert!(buckets(&[]).is_empty());
        assert!(buckets(&[&[0; 6]]).is_empty());
    }

    #[test]
    fn a_bucket_is_due_when_all_of_it_and_all_before_it_are() {
        let uses = vec![2, 1, 1, 0];
        let buckets = Buckets::closed_at(2, &[1; 4], &[&uses]); // [2, 1], [0]
        let mut progress = Progress::new(buckets, uses);
        assert_eq!([0, 1, 2, 3].map(|index| progress.holds(index)), [true, true, true, false]);
        assert!(!progress.arrives(0)); // the first of two
        assert!(!progress.arrives(3) && !progress.arrives(9)); // in no bucket
        assert!(!progress.is_final(0) && !progress.is_final(3));
        assert!(progress.arrives(0));
        assert!(progress.is_final(0));
        assert!(!progress.arrives(0)); // one more than was counted
        assert_eq!(progress.due(), None);
        assert!(progress.arrives(2));
        assert_eq!(progress.due(), None);
        assert!(progress.arrives(1));
        assert_eq!(progress.due(), Some(vec![2, 1]));
        assert_eq!(progress.due(), Some(vec![0]));
        assert_eq!(progress.due(), None);
    }

    #[test]
    fn the_rest_comes_in_the_same_order() {
        let uses = vec![1; 3];
        let mut progress = Progress::new(Buckets::closed_at(1, &[1; 3], &[&uses]), uses);
        assert!(progress.arrives(2) && progress.arrives(0));
        assert_eq!(progress.due(), Some(vec![2]));
        assert_eq!(progress.due(), None);
        assert_eq!([progress.rest(), progress.rest(), progress.rest()], [Some(vec![1]), Some(vec![0]), None]);
        assert!(progress.is_over());
    }
}
