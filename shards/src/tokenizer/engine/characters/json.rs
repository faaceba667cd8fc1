//! A tokenizer.json with a BPE of characters, as a [`Spec`].

use std::collections::HashMap;

use serde_json::Value;

use super::super::load::{self, Result, is, no};
use super::{Lead, MARK, Spec, UNKNOWN, Unknown};

pub(super) fn read(file: &Value) -> Result<Spec> {
    if !file["truncation"].is_null() || !file["padding"].is_null() {
        return no("truncation or padding");
    }
    let rules = Rules::read(file)?;
    let model = &file["model"];
    if model["ignore_merges"] == true {
        return no("`ignore_merges` for a whole text");
    }
    let vocab = load::vocab(model)?;
    if vocab.values().any(|&id| id >= UNKNOWN) {
        return no("an id that is too large");
    }
    let merges = load::merges(&model["merges"], &vocab)?;
    let texts: HashMap<u32, &str> = vocab.iter().map(|(text, id)| (*id, *text)).collect();
    let unknown = unknown(model, &vocab)?;
    let opaque = |id: u32| match &unknown {
        Unknown::Bytes(ids) => ids.contains(&id),
        Unknown::Id { id: other, .. } => *other == id,
    };
    if merges.iter().any(|&(left, right, made)| [left, right, made].into_iter().any(opaque)) {
        return no("merges of bytes or unknown characters");
    }
    let text_of = |id: &u32| texts.get(id).map_or_else(String::new, |text| rules.spaced(text));
    if rules.marked && merges.iter().any(|(_, _, made)| texts.get(made).is_some_and(|text| text.contains(' '))) {
        return no("a token with a space where spaces are marks");
    }
    let one = |text: &str| {
        let mut characters = text.chars();
        characters.next().filter(|_| characters.next().is_none())
    };
    let mut characters: Vec<(char, u32)> = vocab.iter().filter_map(|(text, id)| Some((one(text)?, *id))).collect();
    if rules.marked {
        characters.retain(|&(character, _)| character != ' ');
        characters.iter_mut().filter(|(character, _)| *character == MARK).for_each(|(character, _)| *character = ' ');
    }
    characters.sort_unstable();
    if characters.iter().any(|&(_, id)| opaque(id)) {
        return no("an unknown token of one character");
    }
    if rules.split && characters.iter().all(|&(character, _)| character != ' ') {
        return no("no token for a space, at which texts are split");
    }
    let (raw, normalized) = load::added(&file["added_tokens"], &vocab, |content| rules.form(content))?;
    if rules.words && normalized.iter().any(|token| token.content.contains([' ', MARK])) {
        return no("an added token with a space, which is looked for before spaces become marks");
    }
    let ranked = merges.iter().zip(0..).map(|(&(left, right, _), rank)| (left, right, rank)).collect();
    let by_rank = merges.iter().map(|merge| merge.2).collect();
    let made = merges.iter().map(|(_, _, made)| (*made, text_of(made))).collect();
    Ok(Spec {
        raw,
        normalized,
        marked: rules.marked,
        lead: rules.lead,
        split: rules.split,
        characters,
        hidden: UNKNOWN,
        merges: ranked,
        by_rank,
        tied: Vec::new(),
        made,
        unknown,
    })
}

/// What is done to a text before its characters are merged.
struct Rules {
    marked: bool,
    lead: Lead,
    split: bool,
    /// Whether spaces become marks when the text is split into words, and not when it is normalized.
    words: bool,
}

impl Rules {
    fn read(file: &Value) -> Result<Self> {
        let mut rules = Self { marked: false, lead: Lead::Never, split: false, words: false };
        for part in list(&file["normalizer"], "normalizers") {
            let content = |name: &str| part[name].as_str().unwrap_or_default();
            if is(part, "Prepend") && content("prepend") == "\u{2581}" && rules.lead == Lead::Never && !rules.marked {
                rules.lead = Lead::Always;
            } else if is(part, "Replace") && part["pattern"]["String"] == " " && content("content") == "\u{2581}" {
                rules.marked = true;
            } else {
                return no(format!("normalizer {}", part["type"]));
            }
        }
        if rules.lead == Lead::Always && !rules.marked {
            return no("a mark before texts that keep their spaces");
        }
        for part in list(&file["pre_tokenizer"], "pretokenizers") {
            // Spaces are marks already, so there is nothing to split at.
            let idle = is(part, "Split") && part["pattern"]["String"] == " " && rules.marked && part["invert"] != true;
            if !idle {
                rules.metaspace(part)?;
            }
        }
        Ok(rules)
    }

    fn metaspace(&mut self, part: &Value) -> Result<()> {
        if !is(part, "Metaspace") || part["replacement"] != "\u{2581}" || self.lead != Lead::Never || self.words {
            return no(format!("pre-tokenizer {}", part["type"]));
        }
        self.words = !self.marked;
        self.marked = true;
        self.split = part["split"] != false;
        self.lead = match part["prepend_scheme"].as_str() {
            None | Some("always") => Lead::IfMissing,
            Some("first") => Lead::IfFirst,
            Some(_) => Lead::Never,
        };
        Ok(())
    }

    fn spaced(&self, text: &str) -> String {
        if self.marked { text.replace(MARK, " ") } else { text.to_owned() }
    }

    /// What normalization makes of an added token.
    fn form(&self, content: &str) -> Option<String> {
        if self.words {
            return None;
        }
        let lead = if self.lead == Lead::Always { " " } else { "" };
        Some(format!("{lead}{}", self.spaced(content)))
    }
}

/// The members of a sequence, or the only part.
fn list<'a>(part: &'a Value, name: &str) -> Vec<&'a Value> {
    match part[name].as_array() {
        Some(members) => members.iter().collect(),
        None if part.is_null() => Vec::new(),
        None => vec![part],
    }
}

fn unknown(model: &Value, vocab: &load::Vocab<'_>) -> Result<Unknown> {
    if model["byte_fallback"] == true {
        let mut ids = Box::new([0; 256]);
        for (byte, id) in ids.iter_mut().enumerate() {
            match vocab.get(format!("<0x{byte:02X}>").as_str()) {
                Some(found) => *id = *found,
                None => return no(format!("no token for byte {byte}")),
            }
        }
        return Ok(Unknown::Bytes(ids));
    }
    match model["unk_token"].as_str().and_then(|token| vocab.get(token)) {
        Some(&id) => Ok(Unknown::Id { id, fuse: model["fuse_unk"] == true }),
        None => no("no token for unknown characters"),
    }
}
