//! All ways to write a text in pieces.

/// A piece at a place of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) begin: u32,
    pub(super) end: u32,
    pub(super) id: u32,
}

/// A lattice, whose memory serves text after text.
#[derive(Default)]
pub(super) struct Lattice {
    length: usize,
    /// Nodes with their scores, by where they begin; those of one place by length, an unknown character last.
    nodes: Vec<(Node, f32)>,
    /// The nodes that begin at `p` are those from `begins[p]` to `begins[p + 1]`.
    begins: Vec<usize>,
    /// Nodes by where they end, then where they begin, and where each place's are.
    by_end: Vec<usize>,
    ends: Vec<usize>,
    forward: Vec<f32>,
    backward: Vec<f32>,
    best: Vec<f32>,
    previous: Vec<usize>,
}

impl Lattice {
    /// Takes the nodes of a text. A character without a piece is unknown, which counts as the piece 0.
    pub(super) fn set(&mut self, length: usize, nodes: &[Node], score: impl Fn(u32) -> f32, unknown: f32) {
        self.length = length;
        self.nodes.clear();
        self.begins.clear();
        let mut rest = nodes;
        for begin in 0..length {
            self.begins.push(self.nodes.len());
            let count = rest.iter().take_while(|node| node.begin as usize == begin).count();
            let (here, after) = rest.split_at(count);
            rest = after;
            self.nodes.extend(here.iter().map(|node| (*node, score(node.id))));
            if here.first().is_none_or(|node| node.end as usize != begin + 1) {
                self.nodes.push((Node { begin: begin as u32, end: begin as u32 + 1, id: 0 }, unknown));
            }
        }
        self.begins.push(self.nodes.len());
        self.ends.clear();
        self.ends.resize(length + 2, 0);
        self.nodes.iter().for_each(|(node, _)| self.ends[node.end as usize + 1] += 1);
        for place in 1..self.ends.len() {
            self.ends[place] += self.ends[place - 1];
        }
        self.by_end.clear();
        self.by_end.resize(self.nodes.len(), 0);
        let mut next = std::mem::take(&mut self.previous);
        next.clear();
        next.extend_from_slice(&self.ends);
        for (at, (node, _)) in self.nodes.iter().enumerate() {
            let place = &mut next[node.end as usize];
            self.by_end[*place] = at;
            *place += 1;
        }
        self.previous = next;
    }

    fn ending(&self, place: usize) -> &[usize] {
        &self.by_end[self.ends[place]..self.ends[place + 1]]
    }

    /// Adds `count` times the probability of each node to its piece's sum.
    pub(super) fn add_marginals(&mut self, count: f32, sums: &mut [f32]) {
        let (mut forward, mut backward) = (std::mem::take(&mut self.forward), std::mem::take(&mut self.backward));
        forward.clear();
        forward.push(0.0);
        for place in 1..=self.length {
            let paths = self.ending(place).iter().map(|&at| self.nodes[at].1 + forward[self.nodes[at].0.begin as usize]);
            let sum = paths.reduce(log_sum);
            forward.push(sum.unwrap_or(0.0));
        }
        backward.clear();
        backward.resize(self.length + 1, 0.0);
        for place in (0..self.length).rev() {
            let here = &self.nodes[self.begins[place]..self.begins[place + 1]];
            let sum = here.iter().map(|(node, score)| score + backward[node.end as usize]).reduce(log_sum);
            backward[place] = sum.unwrap_or(0.0);
        }
        let all = forward[self.length];
        for (node, score) in &self.nodes {
            let log = forward[node.begin as usize] + score + backward[node.end as usize] - all;
            let sum = &mut sums[node.id as usize];
            *sum = (f64::from(*sum) + f64::from(count) * f64::from(log).exp()) as f32;
        }
        (self.forward, self.backward) = (forward, backward);
    }

    /// Adds `count` to the sum of each piece on the best path.
    pub(super) fn add_best(&mut self, count: f32, sums: &mut [f32]) {
        let (_, path) = self.best(false);
        path.iter().for_each(|&id| sums[id as usize] += count);
    }

    /// The score of the node that is the whole text.
    pub(super) fn whole(&self) -> Option<f32> {
        let is_whole = |node: &Node| node.begin == 0 && node.end as usize == self.length;
        self.nodes[..self.begins.get(1).copied().unwrap_or(0)].iter().find(|(node, _)| is_whole(node)).map(|(_, score)| *score)
    }

    /// The best path and its score; `parted` leaves out the node that is the whole text, and where there is
    /// nothing else, the score is that of the impossible.
    pub(super) fn best(&mut self, parted: bool) -> (f32, Vec<u32>) {
        let (mut best, mut previous) = (std::mem::take(&mut self.best), std::mem::take(&mut self.previous));
        best.clear();
        previous.clear();
        let before = |place: usize, score: f32, best: &[f32]| {
            let mut found = (usize::MAX, score);
            for &at in if place > 0 { self.ending(place) } else { &[] } {
                let sum = best[at] + score;
                if found.0 == usize::MAX || sum > found.1 {
                    found = (at, sum);
                }
            }
            found
        };
        for (node, score) in &self.nodes {
            let is_whole = node.begin == 0 && node.end as usize == self.length;
            let score = if parted && is_whole { f32::NEG_INFINITY } else { *score };
            let (from, sum) = before(node.begin as usize, score, &best);
            best.push(sum);
            previous.push(from);
        }
        let (mut at, score) = before(self.length, 0.0, &best);
        let mut path = Vec::new();
        while let Some((node, _)) = self.nodes.get(at) {
            path.push(node.id);
            at = previous[at];
        }
        path.reverse();
        (self.best, self.previous) = (best, previous);
        (score, path)
    }
}

/// The logarithm of the sum of two numbers given by theirs.
fn log_sum(x: f32, y: f32) -> f32 {
    let (low, high) = (x.min(y), x.max(y));
    if high > low + 50.0 {
        return high;
    }
    (f64::from(high) + f64::from(low - high).exp().ln_1p()) as f32
}
