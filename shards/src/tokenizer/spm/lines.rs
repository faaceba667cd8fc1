//! Lines of the training text: none too long, and as many as were asked for.

use std::collections::BTreeMap;

use super::config::SentencePieceConfig;

/// What became of the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines that are not empty, before any was cut.
    pub lines: u64,
    /// Lines that were longer than allowed and so were cut.
    pub cut: u64,
    /// Lines, cut ones in their parts, that were left out: they hold `▅`, which stands for unknown
    /// characters while training.
    pub reserved: u64,
    /// Lines trained on, cut ones in their parts.
    pub used: u64,
}

/// Stands for a character without a piece.
pub(super) const UNKNOWN: char = '\u{2585}';

/// The lines of texts that are trained on.
pub(super) struct Lines {
    longest: usize,
    wanted: u64,
    by_hash: bool,
    /// By key: a hash of the line's number, or the number.
    chosen: BTreeMap<(u64, u64), String>,
    seen: u64,
    pub(super) counts: LineCounts,
}

impl Lines {
    pub(super) fn new(config: &SentencePieceConfig) -> Self {
        let wanted = config.input_sentence_size;
        Self {
            longest: config.max_sentence_length as usize,
            wanted: if wanted == 0 { u64::MAX } else { wanted },
            by_hash: wanted > 0 && config.shuffle_input_sentence,
            chosen: BTreeMap::new(),
            seen: 0,
            counts: LineCounts::default(),
        }
    }

    /// Whether further text cannot change what is chosen.
    pub(super) fn is_full(&self) -> bool {
        !self.by_hash && self.seen >= self.wanted
    }

    /// Hands the lines of a text over: at once where all are wanted, else those that are kept at the end.
    pub(super) fn add(&mut self, text: &str, take: &mut impl FnMut(&str)) {
        for line in text.lines().filter(|line| !line.is_empty()) {
            self.counts.lines += 1;
            self.counts.cut += u64::from(line.len() > self.longest);
            for part in parts(line, self.longest) {
                if part.contains(UNKNOWN) {
                    self.counts.reserved += 1;
                } else if self.wanted == u64::MAX {
                    self.counts.used += 1;
                    take(part);
                } else {
                    self.choose(part);
                }
            }
        }
    }

    fn choose(&mut self, line: &str) {
        let number = self.seen;
        self.seen += 1;
        let hash = if self.by_hash { mix(number) } else { number };
        let key = (hash, number);
        if (self.chosen.len() as u64) < self.wanted {
            self.chosen.insert(key, line.to_owned());
        } else if self.chosen.last_key_value().is_some_and(|(last, _)| key < *last) {
            self.chosen.pop_last();
            self.chosen.insert(key, line.to_owned());
        }
    }

    /// Hands over the lines that were kept.
    pub(super) fn finish(mut self, take: &mut impl FnMut(&str)) -> LineCounts {
        self.counts.used += self.chosen.len() as u64;
        self.chosen.values().for_each(|line| take(line));
        self.counts
    }
}

/// The finalizer of splitmix64: a bijection, so that no two lines have the same hash.
fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Parts of a line of at most `longest` bytes, cut behind a space where there is one in the last half.
fn parts(line: &str, longest: usize) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = longest.min(rest.len());
        if end < rest.len() {
            end = rest.floor_char_boundary(end);
            if let Some(space) = rest[..end].rfind(' ').filter(|space| *space >= end / 2) {
                end = space + 1;
            }
        }
        let (part, next) = rest.split_at(end);
        rest = next;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_and_nothing_is_lost() {
        let line = format!("{} {}", "가나다 ".repeat(50), "x".repeat(300));
        let cut: Vec<&str> = parts(&line, 100).collect();
        assert!(cut.iter().all(|part| part.len() <= 100 && !part.is_empty()) && cut.len() > 8);
        assert_eq!(cut.concat(), line);
        assert!(cut[0].ends_with(' '));
        assert_eq!(parts("short", 100).collect::<Vec<_>>(), ["short"]);
    }

    fn chosen(config: &SentencePieceConfig, texts: &[&str]) -> (Vec<String>, LineCounts) {
        let mut lines = Lines::new(config);
        let mut out = Vec::new();
        texts.iter().for_each(|text| lines.add(text, &mut |line| out.push(line.to_owned())));
        let counts = lines.finish(&mut |line| out.push(line.to_owned()));
        (out, counts)
    }

    #[test]
    fn as_many_lines_as_are_asked_for() {
        let numbers: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let text = numbers.join("\n");
        let all = chosen(&SentencePieceConfig::default(), &[&text, "\n\n", "a\u{2585}b"]);
        assert_eq!(all, (numbers.clone(), LineCounts { lines: 1001, cut: 0, reserved: 1, used: 1000 }));
        let some = SentencePieceConfig { input_sentence_size: 100, ..SentencePieceConfig::default() };
        let (spread, counts) = chosen(&some, &[&text]);
        assert_eq!((spread.len(), counts.used, counts.lines), (100, 100, 1000));
        // Spread over all: about 50 in each half (standard deviation 5).
        let early = spread.iter().filter(|line| line.parse::<u32>().unwrap() < 500).count();
        assert!((30..70).contains(&early), "{early}");
        let halves: Vec<&str> = text.split_inclusive("499\n").collect();
        assert_eq!(chosen(&some, &halves).0, spread);
        let first = SentencePieceConfig { shuffle_input_sentence: false, ..some };
        assert_eq!(chosen(&first, &[&text]).0, numbers[..100]);
    }
}
