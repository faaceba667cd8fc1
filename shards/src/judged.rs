//! Documents that are a prompt with judged answers: one sequence for each answer, whole with its prompt.

use std::ops::Range;

use crate::header::{JUDGED_BYTES, u32_at};

/// What was said of a document's answers, and where the second one begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judged {
    /// The prompt with the better answer and an end token, then the prompt with the worse answer.
    Pair {
        /// First token of the second sequence, counted in the document.
        split: u32,
        /// By how much the first answer is better; 0 where that is not known.
        margin: f32,
    },
    /// The prompt with one answer, a good one.
    Desirable,
    /// The prompt with one answer, a bad one.
    Undesirable,
}

/// Documents of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JudgedCounts {
    /// Pairs of answers.
    pub pairs: u64,
    /// Answers that are good by themselves.
    pub desirable: u64,
    /// Answers that are bad by themselves.
    pub undesirable: u64,
}

impl JudgedCounts {
    pub(crate) fn add(&mut self, judged: Judged) {
        match judged {
            Judged::Pair { .. } => self.pairs += 1,
            Judged::Desirable => self.desirable += 1,
            Judged::Undesirable => self.undesirable += 1,
        }
    }
}

const PAIR: u32 = 0;
const DESIRABLE: u32 = 1;
const UNDESIRABLE: u32 = 2;

impl Judged {
    /// The sequences of a document of `length` tokens, the end token included.
    pub fn sequences(self, length: u64) -> impl Iterator<Item = Range<u64>> {
        let split = match self {
            Self::Pair { split, .. } => u64::from(split),
            Self::Desirable | Self::Undesirable => length,
        };
        [0..split, split..length].into_iter().filter(|sequence| !sequence.is_empty())
    }

    /// Why a document of these tokens (the end token `eos` included) and spans cannot be this; none where it can.
    pub(crate) fn refuse(self, tokens: &[u32], eos: u32, spans: &[Range<u32>]) -> Option<String> {
        let length = tokens.len() as u64;
        if let Self::Pair { split, margin } = self {
            let ends = (split as usize).checked_sub(1).and_then(|last| tokens.get(last));
            if u64::from(split) >= length || ends != Some(&eos) {
                return Some(format!("its second answer begins at token {split} of {length}, which no end token comes before"));
            }
            if !margin.is_finite() || margin < 0.0 {
                return Some(format!("margin {margin}, not a number of 0 or more"));
            }
        }
        for sequence in self.sequences(length) {
            let inside = |span: &&Range<u32>| u64::from(span.start) < sequence.end && u64::from(span.end) > sequence.start;
            let mut own = spans.iter().filter(inside).peekable();
            if own.peek().is_none() {
                return Some(format!("nothing counts in its sequence {}..{}", sequence.start, sequence.end));
            }
            // The first token of a sequence follows nothing.
            if let Some(span) = own.find(|span| u64::from(span.start) <= sequence.start || u64::from(span.end) > sequence.end) {
                return Some(format!(
                    "loss span {}..{} is not after the first token of its sequence {}..{}",
                    span.start, span.end, sequence.start, sequence.end
                ));
            }
        }
        None
    }

    pub(crate) fn encode(self) -> [u8; JUDGED_BYTES as usize] {
        let (split, kind, margin) = match self {
            Self::Pair { split, margin } => (split, PAIR, margin),
            Self::Desirable => (0, DESIRABLE, 0.0),
            Self::Undesirable => (0, UNDESIRABLE, 0.0),
        };
        let mut record = [0; JUDGED_BYTES as usize];
        record[..4].copy_from_slice(&split.to_le_bytes());
        record[4..8].copy_from_slice(&kind.to_le_bytes());
        record[8..12].copy_from_slice(&margin.to_le_bytes());
        record
    }

    /// The place of the field that cannot be, or the record.
    pub(crate) fn decode(record: &[u8]) -> Result<Self, (u64, String)> {
        let (split, kind, margin) = (u32_at(record, 0), u32_at(record, 4), f32::from_bits(u32_at(record, 8)));
        if u32_at(record, 12) != 0 {
            return Err((12, "a byte that is not zero where nothing is stored".to_owned()));
        }
        match kind {
            PAIR if split == 0 => Err((0, "a pair without a second answer".to_owned())),
            PAIR if !margin.is_finite() || margin < 0.0 => Err((8, format!("margin {margin}, not a number of 0 or more"))),
            PAIR => Ok(Self::Pair { split, margin }),
            DESIRABLE | UNDESIRABLE if (split, margin.to_bits()) != (0, 0) => {
                Err((0, "an answer by itself with a second answer or a margin".to_owned()))
            }
            DESIRABLE => Ok(Self::Desirable),
            UNDESIRABLE => Ok(Self::Undesirable),
            other => Err((4, format!("judgement {other}, not 0 to 2"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EOS: u32 = 9;

    #[test]
    fn records_there_and_back() {
        for judged in [Judged::Pair { split: 7, margin: 0.25 }, Judged::Desirable, Judged::Undesirable] {
            assert_eq!(Judged::decode(&judged.encode()), Ok(judged));
        }
    }

    /// Any bytes are a judgement or an error, and of both only one way is written.
    #[test]
    fn damaged_records_are_errors() {
        let good = Judged::Pair { split: 7, margin: 0.25 }.encode();
        let field = |at: usize, value: u32| {
            let mut record = good;
            record[at..at + 4].copy_from_slice(&value.to_le_bytes());
            Judged::decode(&record).map_err(|(place, _)| place)
        };
        assert_eq!((field(0, 0), field(12, 1), field(4, 3)), (Err(0), Err(12), Err(4)));
        for margin in [f32::NAN, f32::INFINITY, -1.0] {
            assert_eq!(field(8, margin.to_bits()), Err(8));
        }
        assert_eq!(field(4, 1), Err(0), "an answer by itself with a second one");
    }

    #[test]
    fn sequences_must_end_and_have_answers() {
        let pair = |split| Judged::Pair { split, margin: 0.0 };
        let tokens = [1, 2, EOS, 1, 3, EOS];
        assert_eq!(pair(3).refuse(&tokens, EOS, &[1..3, 4..6]), None);
        assert_eq!(pair(3).sequences(6).collect::<Vec<_>>(), [0..3, 3..6]);
        let refused = |split: u32, spans: &[[u32; 2]]| {
            let spans: Vec<_> = spans.iter().map(|[start, end]| *start..*end).collect();
            assert!(pair(split).refuse(&tokens, EOS, &spans).is_some(), "{split} {spans:?}");
        };
        refused(2, &[[1, 2], [4, 6]]); // no end token before it
        refused(0, &[[1, 3], [4, 6]]);
        refused(6, &[[1, 3], [4, 6]]); // nothing after it
        refused(3, &[[1, 3]]); // nothing counts in the second
        refused(3, &[[4, 6]]);
        refused(3, &[[0, 3], [4, 6]]); // the first token follows nothing
        refused(3, &[[1, 3], [3, 6]]);
        refused(3, &[[1, 5]]); // reaches into the other
        assert!(Judged::Pair { split: 3, margin: f32::NAN }.refuse(&tokens, EOS, &[1..3, 4..6]).is_some());
        let one = 1..3;
        assert_eq!(Judged::Desirable.refuse(&tokens[..3], EOS, std::slice::from_ref(&one)), None);
        assert!(Judged::Undesirable.refuse(&tokens[..3], EOS, &[]).is_some());
    }
}
