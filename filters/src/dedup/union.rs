//! Union-find over numbered things.

/// Sets of 0..n; the representative of a set is its smallest member.
#[derive(Default)]
pub(super) struct Union {
    parents: Vec<u32>,
}

impl Union {
    pub(super) fn new(n: u32) -> Self {
        Self { parents: (0..n).collect() }
    }

    /// Adds a set of one more number; gives that.
    pub(super) fn push(&mut self) -> u32 {
        let last = self.parents.len() as u32; // as many as are numbered with 32 bits
        self.parents.push(last);
        last
    }

    /// Takes the last number away. Nothing leads to it: a set's first member is its smallest.
    pub(super) fn pop(&mut self) {
        self.parents.pop();
    }

    /// The smallest member of the set of `x`; paths are halved on the way.
    pub(super) fn find(&mut self, mut x: u32) -> u32 {
        loop {
            let parent = self.parents[x as usize];
            if parent == x {
                return x;
            }
            let above = self.parents[parent as usize];
            self.parents[x as usize] = above;
            x = above;
        }
    }

    /// Joins two sets; false if they were one.
    pub(super) fn join(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        self.parents[a.max(b) as usize] = a.min(b);
        a != b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_by_hand() {
        let mut union = Union::new(6);
        assert!(union.join(4, 2));
        assert!(union.join(5, 4));
        assert!(!union.join(2, 5));
        assert!(union.join(0, 1));
        let roots: Vec<u32> = (0..6).map(|x| union.find(x)).collect();
        assert_eq!(roots, [0, 0, 2, 3, 2, 2]);
        // A number that joins two sets can go; they stay joined.
        let last = union.push();
        assert!(union.join(3, last) && union.join(0, last) && !union.join(1, last));
        union.pop();
        assert_eq!((union.find(3), union.find(1), union.push()), (0, 0, 6));
    }
}
