//! Tables of a vocabulary that grows.
//!
//! A model has a row for every id of its tokenizer, and often padding rows after them. Padding is
//! used first and rows are never taken away. A new token begins as the mean of the rows of the old
//! tokens that spell its text (Hewitt 2021 has the argument for means), so that the model reads it at
//! once about as it read its pieces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use shards::Tokenizer;

use super::Pretrained;
use crate::error::{Error, Result};

/// What a tokenizer's file is called in a folder.
const TOKENIZERS: [&str; 2] = ["tokenizer.json", "tokenizer.model"];

/// A table of `vocab` rows from one of fewer or as many: `rows` has them one after another, each of
/// `width` numbers. `pieces` says for an id which old ids it consists of; its row becomes their mean.
/// A new row without pieces becomes the mean of all old rows. Ids outside the tables are passed over.
pub fn extend_vocabulary(mut rows: Vec<f32>, width: usize, vocab: usize, pieces: &BTreeMap<u32, Vec<u32>>) -> Vec<f32> {
    let old = rows.len() / width.max(1);
    let padding = pieces.keys().filter(|&&id| (id as usize) < old).count();
    if vocab <= old && padding == 0 {
        return rows;
    }
    // Rows that are about to be overwritten are no part of the mean.
    let kept = (0..old).filter(|id| u32::try_from(*id).is_ok_and(|id| !pieces.contains_key(&id)));
    let average = mean(&rows, width, kept);
    let new: Vec<(usize, Vec<f32>)> = (pieces.iter())
        .filter(|(id, _)| (**id as usize) < vocab.max(old))
        .map(|(&id, pieces)| {
            let known = pieces.iter().map(|&piece| piece as usize).filter(|&piece| piece < old);
            let row = if known.clone().next().is_some() { mean(&rows, width, known) } else { average.clone() };
            (id as usize, row)
        })
        .collect();
    for _ in old..vocab {
        rows.extend_from_slice(&average);
    }
    for (id, row) in new {
        rows[id * width..][..width].copy_from_slice(&row);
    }
    rows
}

/// The mean of some rows, added up in 64 bits.
fn mean(rows: &[f32], width: usize, ids: impl Iterator<Item = usize>) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    let mut count = 0.0;
    for id in ids {
        count += 1.0;
        sum.iter_mut().zip(&rows[id * width..]).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sum.into_iter().map(|sum| if count > 0.0 { (sum / count) as f32 } else { 0.0 }).collect()
}

/// The tokens of `new` that `old` does not have, each with the old ids that spell its text. Special
/// tokens, and tokens of half a character, have no text and no pieces. An id that stands for another
/// token in each is an error: the weights would mean something else.
fn new_tokens(path: &Path, old: &Tokenizer, new: &Tokenizer) -> Result<BTreeMap<u32, Vec<u32>>> {
    let mut pieces = BTreeMap::new();
    // What fills a GGUF file's vocabulary up stands for nothing.
    let known = |id| old.token_bytes(id).filter(|token| *token != format!("[PAD{id}]").as_bytes());
    let text = |of: &Tokenizer, id| of.token_text(id).unwrap_or_default();
    for id in 0..new.vocab_size() {
        match (known(id), new.token_bytes(id)) {
            (Some(theirs), Some(ours)) if theirs != ours => {
                let [theirs, ours] = [old, new].map(|of| text(of, id));
                let detail = format!("its tokenizer has {theirs:?} at id {id}, that of this run {ours:?}: they do not belong together");
                return Err(Error::invalid(path, detail));
            }
            (None, Some(_)) => {
                let text = text(new, id);
                let spelled = !text.contains('\u{fffd}') && !new.decode(&[id])?.is_empty();
                pieces.insert(id, if spelled { old.encode(&text)? } else { Vec::new() });
            }
            _ => {}
        }
    }
    Ok(pieces)
}

impl Pretrained {
    /// The file of a tokenizer that stands beside the weights.
    pub(super) fn tokenizer_file(&self) -> Option<PathBuf> {
        TOKENIZERS.iter().map(|name| self.path.join(name)).find(|path| path.is_file())
    }

    /// The vocabulary that the weights came with, and where it stands: beside them, or in the GGUF file itself.
    /// `eos` is the end token that is looked for first.
    fn vocabulary(&self, eos: &str) -> Result<Vocabulary> {
        let load = |path: &Path| Tokenizer::load(path, Some(eos)).or_else(|_| Tokenizer::load(path, None));
        if let Some(path) = self.tokenizer_file() {
            return Ok(Vocabulary::Known(Box::new(load(&path)?), path));
        }
        if !self.is_gguf() {
            return Ok(Vocabulary::None);
        }
        // Weights can be read whose vocabulary is of a kind that is not known.
        Ok(match load(&self.path) {
            Ok(tokenizer) => Vocabulary::Known(Box::new(tokenizer), self.path.clone()),
            Err(error) => Vocabulary::Unread(error.to_string()),
        })
    }

    /// Why what the ids mean is not known, where a GGUF file holds a vocabulary that cannot be read, or none. Then
    /// nothing says whether a tokenizer belongs to the model.
    pub fn unread_vocabulary(&self, tokenizer: &Tokenizer) -> Result<Option<String>> {
        match self.vocabulary(tokenizer.eos_token())? {
            Vocabulary::Unread(why) => Ok(Some(why)),
            Vocabulary::Known(..) | Vocabulary::None => Ok(None),
        }
    }

    /// The same for the ids of this tokenizer. Where the model came with a tokenizer of its own, beside it
    /// or in its GGUF file, ids must mean the same in both, and new ones begin as the mean of their pieces.
    /// Without one, there must be a row for every id.
    pub fn for_tokenizer(mut self, tokenizer: &Tokenizer) -> Result<Self> {
        let pieces = self.new_tokens(tokenizer)?;
        let vocab = (tokenizer.vocab_size() as usize).max(self.vocab);
        self.extended = Some(Extended { vocab, pieces });
        self.tokenizer_keys.clear(); // they tell of another one
        Ok(self)
    }

    /// The ids of this tokenizer that the model was not trained with, in ascending order.
    pub fn new_ids(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        Ok(self.new_tokens(tokenizer)?.into_keys().collect())
    }

    /// The same with so many rows of the vocabulary, at least those of the files; new ones are means.
    pub(super) fn with_rows(mut self, vocab: usize) -> Self {
        if vocab > self.vocab {
            self.extended = Some(Extended { vocab, pieces: BTreeMap::new() });
        }
        self
    }

    /// The ids of this tokenizer that the model was not trained with, each with the old ids that spell it.
    fn new_tokens(&self, tokenizer: &Tokenizer) -> Result<BTreeMap<u32, Vec<u32>>> {
        let needed = tokenizer.vocab_size() as usize;
        match self.vocabulary(tokenizer.eos_token())? {
            Vocabulary::Known(own, path) => new_tokens(&path, &own, tokenizer),
            Vocabulary::Unread(_) | Vocabulary::None if needed <= self.vocab => Ok(BTreeMap::new()),
            Vocabulary::Unread(why) => {
                let detail = format!(
                    "has {} rows, the tokenizer {needed} ids, and its own vocabulary, to make new rows by, cannot be read: {why}",
                    self.vocab
                );
                Err(Error::invalid(&self.path, detail))
            }
            Vocabulary::None => {
                let detail =
                    format!("has {} rows, the tokenizer {needed} ids, and no tokenizer stands beside it to make new rows by", self.vocab);
                Err(Error::invalid(&self.path, detail))
            }
        }
    }

    /// Whether the vocabulary has rows, or meanings of rows, that the files lack.
    pub fn has_new_rows(&self) -> bool {
        self.extended.as_ref().is_some_and(|extended| extended.vocab > self.vocab || !extended.pieces.is_empty())
    }
}

/// What the ids of a model mean.
enum Vocabulary {
    Known(Box<Tokenizer>, PathBuf),
    /// Why it cannot be read.
    Unread(String),
    None,
}

/// A vocabulary of more ids than the files have rows, or of other ones.
#[derive(Debug)]
pub(super) struct Extended {
    pub(super) vocab: usize,
    /// New ids, each with the old ones that it consists of.
    pieces: BTreeMap<u32, Vec<u32>>,
}

impl Extended {
    /// A table of the files, `[old ids, width]`, with a row for every id.
    pub(super) fn table(&self, rows: Vec<f32>, width: usize) -> Vec<f32> {
        extend_vocabulary(rows, width, self.vocab, &self.pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_rows_are_means_of_their_pieces() {
        let rows = vec![1.0, 2.0, 3.0, 4.0, 8.0, 9.0]; // ids 0, 1, 2 of two numbers
        let pieces = BTreeMap::from([(3, vec![0, 1]), (4, vec![2]), (6, vec![])]);
        let table = extend_vocabulary(rows.clone(), 2, 7, &pieces);
        // Id 5 is in no list, id 6 has no pieces: the mean of all three.
        assert_eq!(table, [1.0, 2.0, 3.0, 4.0, 8.0, 9.0, 2.0, 3.0, 8.0, 9.0, 4.0, 5.0, 4.0, 5.0]);
        assert_eq!(extend_vocabulary(rows, 2, 3, &BTreeMap::new()).len(), 6);
    }

    #[test]
    fn padding_is_used_and_rows_are_never_taken_away() {
        // Id 2 was padding and becomes a token; id 3 stays padding.
        let rows = vec![2.0, 4.0, 99.0, 77.0];
        assert_eq!(extend_vocabulary(rows.clone(), 1, 4, &BTreeMap::from([(2, vec![0, 1, 1])])), [2.0, 4.0, 10.0 / 3.0, 77.0]);
        assert_eq!(extend_vocabulary(rows, 1, 2, &BTreeMap::from([(2, vec![0])])), [2.0, 4.0, 2.0, 77.0]);
    }

    /// A byte-level tokenizer of letters, with whole tokens after them.
    fn tokenizer(folder: &Path, letters: &[&str], added: &[(&str, bool)]) -> Tokenizer {
        let vocab: BTreeMap<&str, usize> = letters.iter().enumerate().map(|(id, token)| (*token, id)).collect();
        let added = added.iter().enumerate().map(|(index, (content, special))| {
            serde_json::json!({
                "id": letters.len() + index, "content": content, "special": special,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            })
        });
        let level = serde_json::json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false });
        let file = serde_json::json!({
            "version": "1.0", "added_tokens": added.collect::<Vec<_>>(), "decoder": level, "pre_tokenizer": level,
            "model": { "type": "BPE", "vocab": vocab, "merges": [] },
        });
        let path = folder.join("made.json");
        std::fs::write(&path, file.to_string()).unwrap();
        Tokenizer::load(&path, None).unwrap()
    }

    /// The bytes of UTF-8 and the file that an export writes for them are one vocabulary; other halves of a character are another.
    #[test]
    fn tokens_are_the_same_by_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, Tokenizer::bytes().published()).unwrap();
        let file = Tokenizer::load(&path, None).unwrap();
        for (old, new) in [(&file, &Tokenizer::bytes()), (&Tokenizer::bytes(), &file)] {
            assert_eq!(new_tokens(&path, old, new).unwrap(), BTreeMap::new());
        }
        let [old, new] = ["Ã", "Ä"].map(|half| tokenizer(folder.path(), &["a", half], &[("<|endoftext|>", true)]));
        assert_eq!(old.token_text(1), new.token_text(1), "neither can be shown");
        assert!(new_tokens(&path, &old, &new).unwrap_err().to_string().contains("at id 1"));
    }

    #[test]
    fn tokens_are_spelled_by_the_old_tokenizer() {
        let folder = tempfile::tempdir().unwrap();
        let of = |letters: &[&str], added: &[(&str, bool)]| tokenizer(folder.path(), letters, added);
        let end = ("<|endoftext|>", true);
        let old = of(&["a", "b", "c"], &[end]);
        let new = of(&["a", "b", "c"], &[end, ("cab", false), ("<|im_start|>", true)]);
        let expected = BTreeMap::from([(4, vec![2, 0, 1]), (5, vec![])]);
        assert_eq!(new_tokens(folder.path(), &old, &new).unwrap(), expected);
        // The other way there is nothing new, and the model keeps its rows.
        assert_eq!(new_tokens(folder.path(), &new, &old).unwrap(), BTreeMap::new());
        // `<|endoftext|>` at another id: another token where it was.
        let moved = of(&["a", "b", "c", "d"], &[end]);
        let error = new_tokens(folder.path(), &old, &moved).unwrap_err().to_string();
        assert!(error.contains(r#""<|endoftext|>" at id 3, that of this run "d""#), "{error}");
    }
}
