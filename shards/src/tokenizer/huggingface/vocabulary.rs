//! The tokens of a tokenizer.json by id: those of its model and those added to it.

use std::collections::HashMap;

use serde_json::Value;

use super::refuse;
use crate::error::Result;
use crate::tokenizer::engine::added_ids;
use crate::tokenizer::{Entry, MAX_VOCAB};

/// An added token beside what its text tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Added {
    special: bool,
    pub(super) lstrip: bool,
    pub(super) rstrip: bool,
}

/// Tokens, and by id what was added.
pub(super) type Vocabulary = (Vec<Entry>, HashMap<u32, Added>);

/// The vocabulary of a file that an engine knows, which says that its ids are numbers and no two the same. Takes the model's out of it.
pub(super) fn of_file(file: &mut Value) -> Result<Vocabulary> {
    let Value::Object(vocab) = file["model"]["vocab"].take() else {
        return refuse("it has no vocabulary");
    };
    let list = file["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
    let id_of = |token: &str| vocab.get(token).and_then(number);
    let of_token = |(token, id): (&Value, u32)| {
        let is = |option: &str| token[option] == true;
        (id, Added { special: is("special"), lstrip: is("lstrip"), rstrip: is("rstrip") })
    };
    let ids: Vec<(&Value, u32)> = added_ids(list, vocab.len() as u32, id_of).collect();
    let added = ids.iter().copied().map(of_token).collect();
    let new = ids.iter().filter_map(|(token, id)| Some((token["content"].as_str()?.to_owned(), *id)));
    let mut tokens: Vec<(String, u32)> = new.filter(|(token, _)| !vocab.contains_key(token)).collect();
    tokens.extend(vocab.into_iter().filter_map(|(token, id)| Some((token, number(&id)?))));
    table(tokens, &added).map(|entries| (entries, added))
}

/// The vocabulary of a file that the library has read.
pub(super) fn of_library(library: &tokenizers::Tokenizer) -> Result<Vocabulary> {
    let of_token =
        |(id, token): (u32, tokenizers::AddedToken)| (id, Added { special: token.special, lstrip: token.lstrip, rstrip: token.rstrip });
    let added = library.get_added_tokens_decoder().into_iter().map(of_token).collect();
    table(library.get_vocab(true).into_iter().collect(), &added).map(|entries| (entries, added))
}

fn number(id: &Value) -> Option<u32> {
    id.as_u64().and_then(|id| u32::try_from(id).ok())
}

/// Tokens by id.
fn table(mut tokens: Vec<(String, u32)>, added: &HashMap<u32, Added>) -> Result<Vec<Entry>> {
    tokens.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    let Some(&(_, last)) = tokens.last() else {
        return refuse("the vocabulary is empty");
    };
    if last >= MAX_VOCAB {
        return refuse(format!("id {last} in the vocabulary, at most {} are supported", MAX_VOCAB - 1));
    }
    // A table is made up to the largest id. Real files leave few ids out; one that leaves out most
    // of them would make a small file take half a gigabyte here and, as rows of a model, far more.
    let most = 4 * tokens.len() + 1024;
    if last as usize > most {
        return refuse(format!("id {last} in a vocabulary of {} tokens, at most {most} are supported", tokens.len()));
    }
    let mut vocab = vec![Entry::default(); last as usize + 1];
    for (token, id) in tokens {
        let special = added.get(&id).is_some_and(|token| token.special);
        vocab[id as usize] = Entry { token: Some(token), special };
    }
    Ok(vocab)
}
