//! How good scores are: precision, recall, and the area under the ROC curve.

/// Scores of texts whose class is known.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    scores: Vec<(f64, bool)>,
}

impl Scores {
    /// Adds a text.
    pub fn push(&mut self, score: f64, positive: bool) {
        self.scores.push((score, positive));
    }

    /// Texts of both classes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Positive and negative texts.
    #[must_use]
    pub fn classes(&self) -> [usize; 2] {
        let positive = self.scores.iter().filter(|(_, positive)| *positive).count();
        [positive, self.scores.len() - positive]
    }

    /// Of the texts that reach this score, the share that is positive; none when none does.
    #[must_use]
    pub fn precision(&self, least: f64) -> Option<f64> {
        let reach = self.scores.iter().filter(|(score, _)| *score >= least);
        let (right, all) = reach.fold((0_usize, 0_usize), |(right, all), (_, positive)| (right + usize::from(*positive), all + 1));
        (all > 0).then(|| right as f64 / all as f64)
    }

    /// Of the positive texts, the share that reaches this score; none without a positive one.
    #[must_use]
    pub fn recall(&self, least: f64) -> Option<f64> {
        let [positive, _] = self.classes();
        let right = self.scores.iter().filter(|(score, positive)| *positive && *score >= least).count();
        (positive > 0).then(|| right as f64 / positive as f64)
    }

    /// The chance that a positive text scores above a negative one, equal scores counting half; none
    /// unless there are both.
    #[must_use]
    pub fn auc(&self) -> Option<f64> {
        let [positive, negative] = self.classes();
        if positive == 0 || negative == 0 {
            return None;
        }
        let mut sorted = self.scores.clone();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut below, mut won) = (0_usize, 0.0);
        for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
            let negatives = equal.iter().filter(|(_, positive)| !positive).count();
            let positives = equal.len() - negatives;
            won += positives as f64 * (below as f64 + negatives as f64 / 2.0);
            below += negatives;
        }
        Some(won / (positive as f64 * negative as f64))
    }
}
