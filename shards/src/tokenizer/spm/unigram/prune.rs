//! Which pieces the text misses least.

use rayon::prelude::*;

use super::lattice::Lattice;
use super::{Piece, Trainer};

/// What would be written in place of a piece.
enum Instead {
    /// Nothing could be.
    Nothing,
    /// Something better: the piece is never used.
    Better,
    /// Other pieces.
    Pieces(Vec<u32>),
}

impl Trainer {
    /// Keeps a share of the pieces, and no fewer than `enough`.
    pub(super) fn prune(&mut self, enough: usize, share: f32) {
        let counts = self.sum(|lattice, count, sums| lattice.add_best(count, sums));
        let all = counts.iter().map(|&count| f64::from(count)).sum::<f64>() as f32;
        let log_all = f64::from(all).ln() as f32;
        let mut kept: Vec<Piece> = Vec::new();
        let mut losses: Vec<(f32, usize)> = Vec::new();
        for (id, instead) in self.instead().into_iter().enumerate() {
            let count = counts[id];
            match instead {
                _ if count == 0.0 => {}
                Instead::Better => {}
                Instead::Nothing => kept.push(self.pieces[id].clone()),
                Instead::Pieces(others) => {
                    // Without the piece, its count goes to each of the others, and the sum of all counts grows.
                    let log_with = (f64::from(count).ln() - f64::from(log_all)) as f32;
                    let log_all = f64::from(all + count * (others.len() as f32 - 1.0)).ln() as f32;
                    let log_without = others.iter().fold(0f32, |sum, &other| {
                        let log = f64::from(counts[other as usize] + count).ln() - f64::from(log_all);
                        (f64::from(sum) + log) as f32
                    });
                    losses.push((count / all * (log_with - log_without), id));
                }
            }
        }
        losses.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let most = enough.max((share * self.pieces.len() as f32) as usize);
        // More pieces than that without an alternative leave no limit, as in the library.
        let room = if kept.len() > most { usize::MAX } else { most - kept.len() };
        kept.extend(losses.into_iter().take(room).map(|(_, id)| self.pieces[id].clone()));
        self.replace(kept);
    }

    /// Drops pieces whose parts together score more.
    pub(super) fn drop_unreachable(&mut self) {
        let kept = self.instead().into_iter().zip(&self.pieces).filter(|(instead, _)| !matches!(instead, Instead::Better));
        let kept = kept.map(|(_, piece)| piece.clone()).collect();
        self.replace(kept);
    }

    /// By piece: how the text would be written without it.
    fn instead(&self) -> Vec<Instead> {
        let unknown = self.unknown();
        let of_piece = |(lattice, nodes): &mut (Lattice, Vec<_>), piece: &Piece| {
            nodes.clear();
            self.trie.nodes(&piece.text, |seed| self.ids[seed as usize], nodes);
            lattice.set(piece.text.len(), nodes, |id| self.pieces[id as usize].score, unknown);
            let (score, path) = lattice.best(true);
            if score == f32::NEG_INFINITY {
                Instead::Nothing
            } else if lattice.whole().is_none_or(|whole| score > whole) {
                Instead::Better
            } else {
                Instead::Pieces(path)
            }
        };
        self.pieces.par_iter().map_init(|| (Lattice::default(), Vec::new()), of_piece).collect()
    }
}
