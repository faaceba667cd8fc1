//! A conversation as token ids, and which of them count in the loss.

use std::ops::Range;

use super::guard::{Piece, Specials};
use super::spans::{self, Rendered};
use super::{ChatTemplate, Message};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// Turns conversations into tokens: a template together with a tokenizer.
#[derive(Debug)]
pub struct ChatEncoder<'a> {
    template: &'a ChatTemplate,
    tokenizer: &'a Tokenizer,
    specials: Specials,
    bos: Option<u32>,
}

/// A conversation that is ready for a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its ids without the end token.
    pub tokens: Vec<u32>,
    /// Positions that are learned, ascending and disjoint; position `tokens.len()` is the end token.
    pub learned: Vec<Range<u32>>,
    /// Whether the rendered text, encoded in one go, has the same ids. Where it has not, a token would
    /// reach over the beginning or end of an answer; it is cut there, as it is when a prompt is sent.
    pub whole: bool,
}

impl Conversation {
    /// Tokens that count in the loss. The first of a document never does: nothing comes before it.
    pub fn trainable(&self) -> u64 {
        self.learned.iter().map(|span| u64::from(span.end - span.start.max(1).min(span.end))).sum()
    }

    /// Tokens with the end token.
    pub fn length(&self) -> u64 {
        self.tokens.len() as u64 + 1
    }

    /// Whether the token at this position is learned.
    pub fn is_learned(&self, position: u32) -> bool {
        position > 0 && self.learned.iter().any(|span| span.contains(&position))
    }
}

impl<'a> ChatEncoder<'a> {
    /// Brings both together.
    ///
    /// # Errors
    /// A tokenizer that puts a space before every text: what stands between special tokens is not
    /// encoded alike by the programs that use such tokenizers.
    pub fn new(template: &'a ChatTemplate, tokenizer: &'a Tokenizer) -> Result<Self> {
        if tokenizer.pads() {
            return Err(Error::chat(
                &template.text().name,
                "this tokenizer puts a space before every text, also between special tokens, where programs differ in it; conversations are encoded with byte-level tokenizers and such that add no space",
            ));
        }
        let specials = Specials::new(tokenizer.specials());
        let bos = template.text().bos_token.as_deref().and_then(|name| specials.id_of(name));
        Ok(Self { template, tokenizer, specials, bos })
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &'a Tokenizer {
        self.tokenizer
    }

    /// Ids of a conversation up to where the assistant is to answer: what generation begins with. As in transformers,
    /// nothing is put before them that the template does not write.
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>> {
        self.ids(&self.prompt_text(messages)?)
    }

    /// The text of such a prompt, for [`ChatEncoder::ids`].
    pub fn prompt_text(&self, messages: &[Message]) -> Result<String> {
        let messages = self.guarded(messages);
        let text = self.template.render_marked(&messages, true, self.tokenizer.eos_token())?;
        Ok(text.replace(spans::MARKS, ""))
    }

    /// A text to be put after a prompt's, which cannot become special tokens.
    pub fn guard(&self, text: &str) -> String {
        self.specials.guard(text)
    }

    /// Ids of special tokens that end an answer, as the template writes one; the model learns to stop
    /// with them.
    pub fn stops(&self) -> Result<Vec<u32>> {
        let sample = self.encode(&[Message::new("user", "0"), Message::new(super::ASSISTANT, "0")])?;
        let ids = sample.tokens.iter().zip(0..).filter(|(_, position)| sample.is_learned(*position)).map(|(id, _)| *id);
        let mut stops: Vec<u32> = ids.filter(|id| self.tokenizer.is_special(*id)).collect();
        stops.push(self.tokenizer.eos());
        stops.dedup();
        Ok(stops)
    }

    /// A conversation to learn from.
    ///
    /// # Errors
    /// A conversation of which nothing would be learned, that the template refuses, or whose answers
    /// cannot be told from the rest.
    pub fn encode(&self, messages: &[Message]) -> Result<Conversation> {
        let refuse = |detail: String| Err(Error::chat(&self.template.text().name, detail));
        let Rendered { text, learned: parts } = spans::render(self.template, &self.guarded(messages), self.tokenizer.eos_token())?;
        let (mut tokens, mut learned, mut at) = (Vec::new(), Vec::<Range<u32>>::new(), 0);
        for part in &parts {
            tokens.extend(self.ids(&text[at..part.start])?);
            let start = tokens.len();
            tokens.extend(self.ids(&text[part.clone()])?);
            if let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(tokens.len()))
                && start < end
            {
                match learned.last_mut() {
                    Some(last) if last.end == start => last.end = end, // two answers in a row
                    _ => learned.push(start..end),
                }
            }
            at = part.end;
        }
        tokens.extend(self.ids(&text[at..])?);
        let Ok(length) = u32::try_from(tokens.len()) else { return refuse("2^32 tokens or more".to_owned()) };
        let whole = self.ids(&text)? == tokens;
        if let Some(bos) = self.bos
            && tokens.starts_with(&[bos, bos])
        {
            return refuse("it begins with two start tokens: template and tokenizer both write one".to_owned());
        }
        if tokens.last() == Some(&self.tokenizer.eos()) {
            tokens.pop(); // every document of a shard has one
        } else if let Some(last) = learned.last_mut().filter(|span| span.end == length) {
            last.end += 1; // where the answer ends, the text ends
        }
        let conversation = Conversation { tokens, learned, whole };
        if conversation.trainable() == 0 {
            return refuse("nothing of this conversation would be learned: it has no token of the assistant".to_owned());
        }
        Ok(conversation)
    }

    fn guarded(&self, messages: &[Message]) -> Vec<Message> {
        messages.iter().map(|message| self.specials.guard_message(message)).collect()
    }

    /// Ids of a text that was guarded, where it is not the template's.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        for piece in self.specials.pieces(text) {
            match piece {
                Piece::Text(text) => ids.extend(self.tokenizer.encode(&text)?),
                Piece::Token(id) => ids.push(id),
            }
        }
        Ok(ids)
    }
}
